"""Region maps become segments of the real MRML scene."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from ASPECTSLib.atlas.regions import REGIONS

SIZE = (24, 20, 12)  # i, j, k


@pytest.fixture
def scan_file(tmp_path):
    path = tmp_path / "scan.nii.gz"
    voxels = np.random.default_rng(0).integers(-1000, 1000, SIZE[::-1], dtype=np.int16)
    sitk.WriteImage(_image(voxels), path)
    return path


@pytest.fixture
def volume_node(scene, scan_file):
    import slicer

    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT head")
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(scan_file))
    assert storage.ReadData(node)
    return node


@pytest.fixture
def regions_file(tmp_path):
    """A block of eight voxels for each region but the last, whose label does not occur."""
    path = tmp_path / "regions.nii.gz"
    sitk.WriteImage(_image(_label_array()), path)
    return path


def test_each_region_is_a_segment_with_name_and_colour(scene, volume_node, regions_file):
    segmentation = _load(scene, volume_node, regions_file).GetSegmentation()
    segments = [segmentation.GetNthSegment(order) for order in range(20)]
    assert segmentation.GetNumberOfSegments() == len(REGIONS)
    assert [segment.GetName() for segment in segments] == [f"{r.code} {r.side}" for r in REGIONS]
    colours = [tuple(round(255 * c) for c in segment.GetColor()) for segment in segments]
    assert colours == [region.colour for region in REGIONS]


def test_segments_hold_the_voxels_of_their_region(scene, volume_node, regions_file):
    node = _load(scene, volume_node, regions_file)
    for region in REGIONS[:-1]:
        mask = _mask(node, region, volume_node)
        np.testing.assert_array_equal(mask, _label_array() == region.label)


def test_region_outside_the_scan_is_an_empty_segment(scene, volume_node, regions_file):
    node = _load(scene, volume_node, regions_file)
    assert not np.any(_mask(node, REGIONS[-1], volume_node))


def test_regions_follow_the_transform_of_the_scan(scene, volume_node, regions_file):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    volume_node.SetAndObserveTransformNodeID(transform.GetID())
    assert _load(scene, volume_node, regions_file).GetTransformNodeID() == transform.GetID()


def test_loading_regions_leaves_no_other_data_in_the_scene(scene, volume_node, regions_file):
    _load(scene, volume_node, regions_file)
    assert scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == 1


def test_file_that_is_no_image_is_refused(scene, volume_node, tmp_path):
    (tmp_path / "broken.nii.gz").write_text("no image")
    with pytest.raises(OSError, match=r"label map in broken\.nii\.gz"):
        _load(scene, volume_node, tmp_path / "broken.nii.gz")


def test_written_volume_keeps_grid_and_voxels(volume_node, scan_file, tmp_path):
    from ASPECTSSlicer.volumes import writeVolume

    writeVolume(volume_node, tmp_path / "copy.nii.gz")
    copy, scan = sitk.ReadImage(tmp_path / "copy.nii.gz"), sitk.ReadImage(scan_file)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(copy), sitk.GetArrayFromImage(scan))
    for grid in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(getattr(copy, grid)(), getattr(scan, grid)(), atol=1e-5)


def test_writing_a_volume_gives_it_no_storage_node(volume_node, tmp_path):
    from ASPECTSSlicer.volumes import writeVolume

    writeVolume(volume_node, tmp_path / "copy.nii.gz")
    assert volume_node.GetStorageNode() is None


def _load(scene, volume_node, regions_file):
    from ASPECTSSlicer.segmentations import loadRegions

    return loadRegions(scene, regions_file, volume_node)


def _mask(node, region, volume_node):
    """Return the voxels of the volume that a region's segment covers."""
    import slicer
    from slicer.util import arrayFromVolume
    from vtk import vtkStringArray

    from ASPECTSSlicer.segmentations import segmentId

    ids = vtkStringArray()
    ids.InsertNextValue(segmentId(region))
    scene = volume_node.GetScene()
    label_map_node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    export = slicer.vtkSlicerSegmentationsModuleLogic.ExportSegmentsToLabelmapNode
    assert export(node, ids, label_map_node, volume_node)
    mask = arrayFromVolume(label_map_node) > 0
    scene.RemoveNode(label_map_node)
    return mask


def _label_array():
    labels = np.zeros(SIZE[::-1], np.uint8)
    for order, region in enumerate(REGIONS[:-1]):
        k, j = divmod(order, 5)
        labels[2 * k : 2 * k + 2, 3 * j : 3 * j + 2, 4:6] = region.label
    return labels


def _image(array):
    """Return an image on an oblique grid with slices from head to foot and columns to the left."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.9, 0.8, 5.0))
    image.SetOrigin((-100.0, 90.0, 40.0))
    tilt = np.deg2rad(12)
    cos, sin = np.cos(tilt), np.sin(tilt)
    image.SetDirection((-1, 0, 0, 0, cos, sin, 0, sin, -cos))
    return image
