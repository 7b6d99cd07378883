"""Scans that are moved or mirrored in the scene are scored where they are, and as they are."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from panel_steps import (
    TOTAL_ROW,
    add_scan,
    all_texts,
    choose,
    click_region,
    count_nodes,
    load_scan,
    region,
    score_and_wait,
    study_in_scene,
)
from scipy.spatial.transform import Rotation

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.geometry import Volume, apply_affine

MOST_SHIFT_MM = 4.0  # of the middle of a region, of which the smallest is 8 mm thick


@pytest.fixture
def moved(panel, scan_path):
    """The scan under a linear transform that turns and moves it, and the transform."""
    import slicer

    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", [6.0, -8.0, 10.0], degrees=True).as_matrix()
    matrix[:3, 3] = (40.0, -25.0, 60.0)
    volume = load_scan(scan_path)
    transform = volume.GetScene().AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    volume.SetAndObserveTransformNodeID(transform.GetID())
    choose(panel, volume)
    return volume, transform, matrix


def test_transformed_scan_is_scored_where_it_is_seen(
    panel, scene, moved, scored_folder, wait_until
):
    """Regions lie over the moved head, and of the rest of the scene nothing has changed."""
    import slicer

    from ASPECTSLib.io.images import read_image
    from ASPECTSSlicer.grids import nodeAffine, readVolume
    from ASPECTSSlicer.layers import regionLabels
    from ASPECTSSlicer.results import findResult

    volume, transform, matrix = moved
    before, voxels = count_nodes(scene), slicer.util.arrayFromVolume(volume).copy()
    own = nodeAffine(volume)
    score_and_wait(panel, wait_until)
    assert panel.ui.scoreLabel.text == "ASPECTS 7 / 10"
    nodes = findResult(scene, volume)
    grid = readVolume(nodes.heatmap)
    found = _middles(Volume(regionLabels(nodes.regions, nodes.heatmap), grid.affine))
    expected = apply_affine(matrix, _middles(read_image(scored_folder / "regions.nii.gz")))
    assert np.linalg.norm(found - expected, axis=1).max() < MOST_SHIFT_MM

    assert volume.GetParentTransformNode() is transform
    np.testing.assert_array_equal(slicer.util.arrayFromTransformMatrix(transform), matrix)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(volume), voxels)
    np.testing.assert_array_equal(nodeAffine(volume), own)
    added = count_nodes(scene) - before
    assert added["vtkMRMLLinearTransformNode"] == 0
    assert added["vtkMRMLScalarVolumeNode"] == 1


@pytest.fixture
def moved_folder(moved, scored_folder, tmp_path):
    """The result of the scan, moved with it."""
    from ASPECTSLib.io.images import read_image, write_image

    folder = tmp_path / "moved"
    shutil.copytree(scored_folder, folder)
    for path in folder.glob("*.nii.gz"):
        image = read_image(path)
        write_image(Volume(image.array, moved[2] @ image.affine), path)
    return folder


def test_edit_of_a_transformed_scan_is_scored_in_its_place(
    panel, scene, moved, moved_folder, application
):
    from ASPECTSSlicer.layers import regionLabels
    from ASPECTSSlicer.results import loadResult
    from slicer_standins.segment_editor import paint

    volume = moved[0]
    nodes = loadResult(scene, moved_folder, volume)
    application.processEvents()
    before = study_in_scene(volume).regions[region("M3 left").label - 1]
    labels = regionLabels(nodes.regions, nodes.heatmap)
    click_region(panel, "M3 left")
    panel.ui.editRegionsButton.click()
    paint(panel.ui.segmentEditor, labels == region("M4 left").label, "add")
    application.processEvents()
    after = study_in_scene(volume).regions[region("M3 left").label - 1]
    m4 = study_in_scene(volume).regions[region("M4 left").label - 1]
    assert m4.volume_ml == 0.0
    assert after.volume_ml > before.volume_ml
    assert abs(after.median - before.median) < 3.0  # it is brain that was measured


def test_mirrored_scan_gives_the_mirrored_table(panel, scan, scored, wait_until):
    texts = all_texts(panel)
    assert scored
    mirrored = Volume(np.ascontiguousarray(scan.array[:, :, ::-1]), scan.affine)
    choose(panel, volume := add_scan(mirrored, "mirrored"))
    score_and_wait(panel, wait_until)
    assert panel.ui.sideLabel.text == "RIGHT"
    for row, before in zip(all_texts(panel)[: TOTAL_ROW + 1], texts, strict=True):
        assert (row[1], row[2]) == (before[2], before[1])
    affected = {(i.region, i.side) for i in study_in_scene(volume).regions if i.affected}
    assert affected == {("I", "right"), ("L", "right"), ("M2", "right")}


def _middles(labels):
    """Return the middle of each region in RAS mm, in the order of `REGIONS`."""
    indices = [np.argwhere(labels.array == one.label).mean(axis=0)[::-1] for one in REGIONS]
    return apply_affine(labels.affine, np.array(indices))
