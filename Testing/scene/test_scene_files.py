"""Results are what they were after the scene was saved and loaded."""

from __future__ import annotations

import numpy as np
import pytest
from axis_orders import reordered
from scene_phantoms import label_volume, noise, write_result_folder

pytest.importorskip("slicer", reason="needs the package slicer-core")

from slicer.util import arrayFromVolume

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.report.looks import HeatKind
from ASPECTSSlicer.appearance import colourHeatmap
from ASPECTSSlicer.grids import imageArray, nodeAffine, readVolume
from ASPECTSSlicer.layers import infarctMask, regionLabels
from ASPECTSSlicer.results import (
    allResults,
    findResult,
    loadResult,
    readStudy,
    storeStudy,
)

ROLES = ("text", "scan", "regions", "infarct", "heatmap", "compared", "table")
LEFT_HANDED = [((0, 1, 2), (True, False, False)), ((2, 0, 1), (False, True, False))]
INFARCT = label_volume().array == 13


@pytest.fixture
def folder(tmp_path):
    write_result_folder(tmp_path / "result", label_volume(), affected=(12, 14, 16), infarct=INFARCT)
    return tmp_path / "result"


@pytest.fixture
def save_and_load(application_scene, new_application_scene, tmp_path):
    """Return what saves the scene, loads it into an empty one, and returns the only result there."""
    kept = []

    def through_a_file():
        assert application_scene.WriteToMRB(str(tmp_path / "scene.mrb"))
        kept.append(new_application_scene())
        assert kept[-1].ReadFromMRB(str(tmp_path / "scene.mrb"))
        (nodes,) = allResults(kept[-1])
        return nodes

    return through_a_file


def test_scene_file_brings_everything_back(application_scene, add_volume, folder, save_and_load):
    scan = add_volume(application_scene, noise(), name="CT head")
    before = loadResult(application_scene, folder, scan)
    nodes = save_and_load()
    assert all(getattr(nodes, role) is not None for role in ROLES)
    for role in ("scan", "heatmap", "compared"):
        old, new = getattr(before, role), getattr(nodes, role)
        np.testing.assert_array_equal(_voxels(new), _voxels(old))
        np.testing.assert_allclose(nodeAffine(new), nodeAffine(old), atol=1e-9)
    np.testing.assert_array_equal(regionLabels(nodes.regions, nodes.heatmap), label_volume().array)
    np.testing.assert_array_equal(infarctMask(nodes.infarct, nodes.heatmap), INFARCT)
    assert nodes.regions.GetSegmentation().GetNumberOfLayers("Binary labelmap") == 1
    assert nodes.text.GetText() == before.text.GetText()
    assert nodes.heatmap.GetAttribute("ASPECTS.role") == "heatmap"
    assert _segments(nodes) == _segments(before)
    assert _cells(nodes.table) == _cells(before.table)
    colourHeatmap(nodes.heatmap, HeatKind.DIFFERENCE)  # its colours are not saved
    assert nodes.heatmap.GetDisplayNode().GetColorNode().GetNumberOfColors() == 256
    fill = nodes.regions.GetDisplayNode().GetSegmentOpacity2DFill
    assert [fill("L_left"), fill("L_right")] == [0.4, 0.0]


@pytest.mark.parametrize(("order", "flips"), LEFT_HANDED)
def test_key_slices_of_a_left_handed_scan_are_the_same_slices_after_a_scene_file(
    application_scene, add_volume, save_and_load, tmp_path, order, flips
):
    """Slicer reverses the slices of left-handed volumes when it loads them."""
    given = reordered(label_volume(), order, flips)
    write_result_folder(tmp_path / "result", given)
    scan = add_volume(application_scene, reordered(noise(), order, flips))
    before = loadResult(application_scene, tmp_path / "result", scan)
    nodes = save_and_load()
    shown = _key_slices(before)
    assert readStudy(nodes).key_slices != readStudy(before).key_slices
    np.testing.assert_array_equal(np.sort(_key_slices(nodes)), np.sort(shown))
    storeStudy(nodes, readStudy(nodes))
    np.testing.assert_array_equal(np.sort(_key_slices(nodes)), np.sort(shown))
    # The scan is scored again on the grid of what came with the result.
    np.testing.assert_allclose(
        readVolume(nodes.scan).affine, readVolume(nodes.compared).affine, atol=1e-9
    )


def test_edited_regions_survive_a_scene_file(application_scene, add_volume, folder, save_and_load):
    """Saving crops the image to what is drawn; labels come back on the whole grid."""
    scan = add_volume(application_scene, noise())
    before = loadResult(application_scene, folder, scan)
    segmentation = before.regions.GetSegmentation()
    image = segmentation.GetSegment("C_right").GetRepresentation("Binary labelmap")
    imageArray(image)[:4] = 0
    imageArray(image)[11, 19, 23] = 20
    image.Modified()
    expected = regionLabels(before.regions, before.heatmap)
    nodes = save_and_load()
    np.testing.assert_array_equal(regionLabels(nodes.regions, nodes.heatmap), expected)


def test_scene_file_loaded_twice_gives_two_results(application_scene, add_volume, folder, tmp_path):
    scan = add_volume(application_scene, noise())
    loadResult(application_scene, folder, scan)
    assert application_scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    assert application_scene.ReadFromMRB(str(tmp_path / "scene.mrb"), False)
    first, second = allResults(application_scene)
    assert first.scan is scan
    assert second.scan is not scan
    for role in ROLES:
        assert getattr(first, role) is not getattr(second, role)
        assert getattr(findResult(application_scene, second.scan), role) is getattr(second, role)


def _key_slices(nodes):
    """Return the voxels of the heat map in the two key slices."""
    slices = readStudy(nodes).key_slices
    array = _voxels(nodes.heatmap)
    axis = 2 - slices.axis
    return np.stack(
        [array.take(i, axis) for i in (slices.ganglionic, slices.supraganglionic)]
    ).ravel()


def _voxels(node):
    return arrayFromVolume(node)


def _segments(nodes):
    segmentation = nodes.regions.GetSegmentation()
    segments = {one: segmentation.GetSegment(one) for one in segmentation.GetSegmentIDs()}
    assert len(segments) == len(REGIONS)
    return {
        one: (segment.GetName(), np.round(segment.GetColor(), 4).tolist(), segment.GetTerminology())
        for one, segment in segments.items()
    }


def _cells(table_node):
    table = table_node.GetTable()
    return {
        table.GetColumnName(column): [
            str(table.GetValue(row, column)) for row in range(table.GetNumberOfRows())
        ]
        for column in range(table.GetNumberOfColumns())
    }
