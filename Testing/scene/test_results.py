"""Results come into the scene whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from axis_orders import AXIS_ORDERS, reordered
from scene_phantoms import SHAPE_KJI, label_volume, noise, write_result_folder

pytest.importorskip("slicer", reason="needs the package slicer-core")

import slicer
from slicer.util import arrayFromVolume

from ASPECTSLib.errors import FileRefusedError, GeometryRefusedError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import read_image, write_image
from ASPECTSLib.report.result import OverrideInfo
from ASPECTSSlicer import results
from ASPECTSSlicer.grids import nodeAffine, readVolume, vtkMatrix
from ASPECTSSlicer.layers import infarctMask, regionLabels
from ASPECTSSlicer.results import (
    allResults,
    findResult,
    loadResult,
    readStudy,
    removeResult,
    storeStudy,
)
from ASPECTSSlicer.volumes import proposeVolumes, writeScan

ROLES = ("text", "scan", "regions", "infarct", "heatmap", "compared", "table")
PARTS = tuple(role for role in ROLES if role not in {"text", "scan"})
INFARCT = label_volume().array == 13


@pytest.fixture
def scan(scene, add_volume):
    return add_volume(scene, noise(), name="CT head")


@pytest.fixture
def folder(tmp_path):
    write_result_folder(tmp_path / "result", label_volume(), affected=(12, 14, 16), infarct=INFARCT)
    return tmp_path / "result"


@pytest.fixture
def nodes(scene, folder, scan):
    return loadResult(scene, folder, scan)


def test_images_of_the_folder_are_in_the_scene(nodes, folder):
    for role in ("heatmap", "compared"):
        expected = read_image(folder / f"{role}.nii.gz")
        np.testing.assert_array_equal(_voxels(getattr(nodes, role)), expected.array)
    np.testing.assert_array_equal(regionLabels(nodes.regions, nodes.heatmap), label_volume().array)
    np.testing.assert_array_equal(infarctMask(nodes.infarct, nodes.heatmap), INFARCT)


def test_nodes_lie_exactly_on_the_grid_of_the_scan(nodes):
    """NIfTI files keep their matrix in single precision, which Slicer would take for another grid."""
    for node in (nodes.heatmap, nodes.compared):
        np.testing.assert_array_equal(nodeAffine(node), nodeAffine(nodes.scan))


def test_segmentations_can_be_edited_on_the_scan(nodes):
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    for node in (nodes.regions, nodes.infarct):
        assert node.GetNodeReference(role) is nodes.scan
        parameter = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
        geometry = slicer.vtkOrientedImageData()
        slicer.vtkSegmentationConverter.DeserializeImageGeometry(
            node.GetSegmentation().GetConversionParameter(parameter), geometry, False
        )
        assert geometry.GetDimensions() == nodes.scan.GetImageData().GetDimensions()


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS[::5])
def test_left_stays_left_in_any_order_of_axes(scene, add_volume, tmp_path, order, flips):
    scan = add_volume(scene, reordered(noise(), order, flips))
    given = reordered(label_volume(), order, flips)
    images = write_result_folder(tmp_path / "result", given)
    nodes = loadResult(scene, tmp_path / "result", scan)
    labels = regionLabels(nodes.regions, nodes.heatmap)
    np.testing.assert_array_equal(labels, images["regions"].array)
    for role in ("heatmap", "compared"):
        volume = readVolume(getattr(nodes, role))
        np.testing.assert_array_equal(volume.array, images[role].array)
        np.testing.assert_allclose(volume.affine, images[role].affine, atol=1e-9)


def test_result_of_a_transformed_scan_lies_in_world_space(scene, add_volume, tmp_path):
    scan = add_volume(scene, noise())
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    turn = np.array([[0.0, -1, 0, 5], [1, 0, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]])
    transform.SetMatrixTransformToParent(vtkMatrix(turn))
    scan.SetAndObserveTransformNodeID(transform.GetID())
    writeScan(scan, tmp_path / "scan.nrrd")
    moved = Volume(label_volume().array, turn @ label_volume().affine)
    write_result_folder(tmp_path / "result", moved)
    nodes = loadResult(scene, tmp_path / "result", scan)
    for node in (nodes.regions, nodes.infarct, nodes.heatmap, nodes.compared):
        assert node.GetParentTransformNode() is None
    np.testing.assert_allclose(nodeAffine(nodes.heatmap), turn @ label_volume().affine, atol=1e-9)


def test_result_is_found_by_its_scan(scene, nodes, scan, add_volume):
    other = add_volume(scene, noise(), name="other")
    assert _ids(findResult(scene, scan)) == _ids(nodes)
    assert findResult(scene, other) is None
    assert [_ids(one) for one in allResults(scene)] == [_ids(nodes)]


def test_two_volumes_have_a_result_each(scene, nodes, scan, folder, add_volume):
    other = add_volume(scene, noise(), name="other")
    second = loadResult(scene, folder, other)
    assert _ids(findResult(scene, scan)) == _ids(nodes)
    assert _ids(findResult(scene, other)) == _ids(second)
    assert len(allResults(scene)) == 2


def test_loading_again_replaces_everything(scene, nodes, scan, folder):
    before = _class_names(scene)
    former = _ids(nodes)
    again = loadResult(scene, folder, scan)
    assert _class_names(scene) == before
    assert not {one for role, one in former.items() if role != "scan"} & set(_ids(again).values())


def test_loading_again_replaces_what_was_saved_before(
    application_scene, add_volume, folder, tmp_path
):
    """Saving gives every node a storage node, which must not be left behind."""
    scan = add_volume(application_scene, noise())
    before = _class_names(application_scene)
    loadResult(application_scene, folder, scan)
    loaded = _class_names(application_scene)
    assert application_scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    scan.GetScene().RemoveNode(scan.GetStorageNode())
    loadResult(application_scene, folder, scan)
    assert _class_names(application_scene) == loaded
    assert loaded != before


def test_removing_a_result_leaves_the_scan(scene, folder, scan):
    before = _class_names(scene)
    nodes = loadResult(scene, folder, scan)
    removeResult(scene, nodes)
    assert findResult(scene, scan) is None
    # Tables of colours are one a scene, for all results.
    assert [one for one in _class_names(scene) if one != "vtkMRMLColorTableNode"] == before


@pytest.mark.parametrize("role", PARTS)
def test_part_that_the_user_removed_is_none(scene, nodes, scan, role):
    study = readStudy(nodes)
    scene.RemoveNode(getattr(nodes, role))
    found = findResult(scene, scan)
    assert getattr(found, role) is None
    assert sum(getattr(found, one) is None for one in ROLES) == 1
    storeStudy(found, study)
    removeResult(scene, found)
    assert findResult(scene, scan) is None


def test_result_whose_scan_is_gone_is_still_listed(scene, nodes, scan):
    scene.RemoveNode(scan)
    (found,) = allResults(scene)
    assert found.scan is None
    assert found.regions is nodes.regions
    removeResult(scene, found)
    assert allResults(scene) == []


def test_without_its_text_there_is_no_result(scene, nodes, scan):
    scene.RemoveNode(nodes.text)
    assert findResult(scene, scan) is None


def test_text_that_is_not_ours_is_no_result(scene, scan):
    scene.AddNewNodeByClass("vtkMRMLTextNode", "notes").SetText("{}")
    assert findResult(scene, scan) is None


def test_study_reads_back_as_it_was_written(nodes, folder):
    written = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    read = json.loads(readStudy(nodes).to_json())
    assert read.pop("input") != written.pop("input")
    assert read == written


def test_input_is_called_as_the_volume_is_not_as_the_file_it_was_handed_over_in(nodes):
    assert readStudy(nodes).input.files == ("CT head",)


def test_input_of_a_loaded_volume_is_its_file(scene, scan, folder):
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName("/somewhere/head.nii.gz")
    scan.SetAndObserveStorageNodeID(storage.GetID())
    assert readStudy(loadResult(scene, folder, scan)).input.files == ("head.nii.gz",)


def test_input_of_a_volume_of_many_files_is_all_of_them(scene, scan, folder):
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName("/dicom/1.dcm")
    for name in ("/dicom/1.dcm", "/dicom/2.dcm"):
        storage.AddFileName(name)
    scan.SetAndObserveStorageNodeID(storage.GetID())
    assert readStudy(loadResult(scene, folder, scan)).input.files == ("1.dcm", "2.dcm")


def test_stored_study_is_in_text_and_table(nodes):
    override = OverrideInfo(affected=True, by="Dr. Müller", when="2025-01-31T14:02", reason="–")
    study = readStudy(nodes)
    changed = replace(study.regions[0], override=override)
    storeStudy(nodes, replace(study, regions=(changed, *study.regions[1:])))
    assert readStudy(nodes).regions[0].override == override
    assert nodes.table.GetTable().GetColumnByName("Right changed by").GetValue(0) == "Dr. Müller"


def test_text_that_somebody_spoilt_is_refused(nodes):
    nodes.text.SetText("no result")
    with pytest.raises(FileRefusedError, match="expected an ASPECTS result"):
        readStudy(nodes)


def test_affected_regions_are_filled(nodes):
    display = nodes.regions.GetDisplayNode()
    assert display.GetSegmentOpacity2DFill("L_left") == 0.4
    assert display.GetSegmentOpacity2DFill("L_right") == 0.0


def test_parts_are_marked_so_that_they_are_not_taken_for_scans(scene, nodes, scan):
    for role in (*PARTS, "text"):
        assert getattr(nodes, role).GetAttribute("ASPECTS.role") == role
    assert scan.GetAttribute("ASPECTS.role") is None
    assert set(proposeVolumes(scene).values()) <= {scan}


def test_heat_map_has_the_colours_of_the_report_and_none_for_zero(nodes):
    display = nodes.heatmap.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (16.0, 0.0)
    table = display.GetColorNode().GetLookupTable()
    red, _, blue, alpha = table.GetTableValue(table.GetNumberOfColors() - 1)
    assert red > blue
    assert alpha == 1.0
    middle = [table.GetTableValue(entry)[3] for entry in range(table.GetNumberOfColors())]
    assert middle.count(0.0) == 2


def test_compared_voxels_and_those_left_out_have_colours_of_their_own(nodes):
    colours = nodes.compared.GetDisplayNode().GetColorNode().GetLookupTable()
    outside, compared, left_out = (colours.GetTableValue(value) for value in range(3))
    assert outside[3] == 0.0
    assert compared != left_out


@pytest.mark.parametrize("missing", ["infarct", "heatmap", "compared"])
def test_output_that_the_method_does_not_make_is_empty_or_none(scene, scan, tmp_path, missing):
    given = None if missing == "infarct" else INFARCT
    write_result_folder(tmp_path / "result", label_volume(), infarct=given, missing={missing})
    nodes = loadResult(scene, tmp_path / "result", scan)
    assert (nodes.compared is None) == (missing == "compared")
    assert infarctMask(nodes.infarct, nodes.heatmap).any() == (missing != "infarct")
    assert np.any(_voxels(nodes.heatmap)) == (missing != "heatmap")


@pytest.mark.parametrize("name", ["result.json", "regions.nii.gz", "heatmap.nii.gz"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut short"])
def test_damaged_folder_is_refused_and_the_scene_stays_as_it_was(
    scene, scan, folder, snapshot, name, damage
):
    if damage == "missing":
        (folder / name).unlink()
    else:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    before = snapshot(scene)
    with pytest.raises(FileRefusedError):
        loadResult(scene, folder, scan)
    assert snapshot(scene) == before
    assert scan.GetDisplayNode() is None


@pytest.mark.usefixtures("nodes")
def test_image_on_another_grid_is_refused_and_the_former_result_stays(
    scene, scan, folder, snapshot
):
    shifted = label_volume().affine.copy()
    shifted[0, 3] += 1.0
    write_image(Volume(np.zeros(SHAPE_KJI, np.float32), shifted), folder / "heatmap.nii.gz")
    before = snapshot(scene)
    with pytest.raises(GeometryRefusedError, match="all images of a result on one grid"):
        loadResult(scene, folder, scan)
    assert snapshot(scene) == before


@pytest.mark.usefixtures("nodes")
@pytest.mark.parametrize("failing", ["createInfarct", "storeStudy", "styleInfarct"])
def test_failure_half_way_leaves_the_scene_as_it_was(
    scene, scan, folder, snapshot, monkeypatch, failing
):
    def fail(*_arguments):
        raise MemoryError

    before = snapshot(scene)
    monkeypatch.setattr(results, failing, fail)
    with pytest.raises(MemoryError):
        loadResult(scene, folder, scan)
    assert snapshot(scene) == before
    assert not scene.IsBatchProcessing()


def test_nodes_come_in_one_batch(scene, scan, folder):
    states = []
    scene.AddObserver(
        slicer.vtkMRMLScene.NodeAddedEvent, lambda *_: states.append(scene.IsBatchProcessing())
    )
    loadResult(scene, folder, scan)
    assert states
    assert all(states)


def test_result_is_filed_with_the_patient_of_the_scan(application_scene, add_volume, folder):
    scan = add_volume(application_scene, noise())
    hierarchy = application_scene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.CreateItem(study, scan)
    nodes = loadResult(application_scene, folder, scan)
    for role in (*PARTS, "text"):
        item = hierarchy.GetItemByDataNode(getattr(nodes, role))
        assert hierarchy.GetItemParent(item) == study


def _voxels(node):
    return arrayFromVolume(node)


def _ids(nodes):
    return {role: getattr(nodes, role).GetID() for role in ROLES}


def _class_names(scene):
    return sorted(scene.GetNthNode(i).GetClassName() for i in range(scene.GetNumberOfNodes()))
