"""The four views show the scan's own slices; what they draw is looked at in test_drawn_views.py."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs the package slicer-core")

import slicer
from axis_orders import AXIS_ORDERS
from slicer.util import arrayFromVTKMatrix
from view_fixtures import (
    GANGLIONIC,
    KEY_SLICES,
    SIZE_IJK,
    SPACING_MM,
    SUPRAGANGLIONIC,
    add_transform,
    add_volume,
    phantom,
    reordered_phantom,
    scene_with_layout,
    tilted,
)

from ASPECTSLib.atlas.regions import Level
from ASPECTSLib.geometry import Volume, apply_affine
from ASPECTSSlicer.layout import VIEW_NAMES, VIEW_PAIRS, sliceNodeOf
from ASPECTSSlicer.views import (
    FIELD_MARGIN_MM,
    clearHeatmap,
    clearScan,
    compositeNodeOf,
    setHeatmap,
    setScan,
    showEverywhere,
    showOnlyInAnnotated,
)

LAST = SIZE_IJK[2] - 1


@pytest.fixture
def scene():
    made, logic = scene_with_layout()
    yield made
    logic.SetMRMLScene(None)


@pytest.fixture
def views(scene):
    return setScan(scene, add_volume(scene, phantom()), KEY_SLICES)


def nodes(scene):
    return [sliceNodeOf(scene, name) for name in VIEW_NAMES]


def slice_to_ras(node):
    return arrayFromVTKMatrix(node.GetSliceToRAS())


def shown(views):
    return tuple(views.currentSlices().values())


def resize(node, width, height):
    node.SetDimensions(width, height, 1)


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS)
def test_key_slices_of_every_axis_order_are_shown_right_on_left_and_front_on_top(
    scene, order, flips
):
    volume, key_slices = reordered_phantom(order, flips)
    views = setScan(scene, add_volume(scene, volume), key_slices)
    assert shown(views) == (key_slices.ganglionic, key_slices.supraganglionic)
    for node in nodes(scene):
        np.testing.assert_allclose(slice_to_ras(node)[:3, :3], np.diag([-1.0, 1.0, 1.0]))
    heights = [slice_to_ras(node)[2, 3] for node in nodes(scene)]
    levels = np.array([GANGLIONIC, GANGLIONIC, SUPRAGANGLIONIC, SUPRAGANGLIONIC])
    np.testing.assert_allclose(heights, phantom().affine[2, 3] + SPACING_MM[2] * levels)


def test_plane_runs_through_the_voxel_centres_of_a_moved_tilted_scan(scene):
    volume_node = add_volume(scene, tilted(phantom()))
    to_world = add_transform(scene, volume_node)
    setScan(scene, volume_node, KEY_SLICES)
    corners = np.array([[0, 0, GANGLIONIC], [39, 0, GANGLIONIC], [39, 49, GANGLIONIC]])
    world = apply_affine(to_world @ tilted(phantom()).affine, corners)
    heights = apply_affine(np.linalg.inv(slice_to_ras(nodes(scene)[0])), world)[:, 2]
    np.testing.assert_allclose(heights, 0.0, atol=1e-6)


def test_key_slices_may_speak_of_another_grid_than_the_scans(scene):
    fine = Volume(np.zeros((24, 50, 40), np.int16), phantom().affine @ np.diag([1, 1, 0.5, 1]))
    views = setScan(
        scene, add_volume(scene, fine), KEY_SLICES, add_volume(scene, phantom(), "heat map")
    )
    expected = phantom().affine[2, 3] + SPACING_MM[2] * GANGLIONIC
    assert slice_to_ras(nodes(scene)[0])[2, 3] == pytest.approx(expected)
    assert shown(views) == (GANGLIONIC, SUPRAGANGLIONIC)


def test_scan_without_key_slices_is_shown_at_its_middle(scene):
    assert shown(setScan(scene, add_volume(scene, phantom()))) == (6, 6)


def test_scan_is_the_background_of_linked_views_and_nothing_else_is_shown(scene, views):
    del views
    scan = scene.GetFirstNodeByName("scan")
    for node in nodes(scene):
        composite = compositeNodeOf(node)
        assert composite.GetBackgroundVolumeID() == scan.GetID()
        assert composite.GetForegroundVolumeID() is None
        assert composite.GetLinkedControl()
        assert not composite.GetDoPropagateVolumeSelection()


def test_cleared_views_show_nothing_and_keep_nothing(scene, views):
    del views
    clearScan(scene)
    backgrounds = [compositeNodeOf(node).GetBackgroundVolumeID() for node in nodes(scene)]
    assert backgrounds == [None] * 4


def test_scan_cannot_be_shown_before_the_layout():
    scene = slicer.vtkMRMLScene()
    with pytest.raises(LookupError, match="show the layout first"):
        setScan(scene, add_volume(scene, phantom()))


def test_going_to_a_slice_moves_both_views_of_its_level_only(scene, views):
    views.goToSlice(Level.GANGLIONIC, 2)
    assert shown(views) == (2, SUPRAGANGLIONIC)
    titles = [views.title(node) for node in nodes(scene)]
    assert titles == ["ganglionic, slice 2"] * 2 + ["supraganglionic, slice 8"] * 2


@pytest.mark.parametrize(("wanted", "got"), [(-3, 0), (LAST + 5, LAST)])
def test_slice_outside_the_scan_is_replaced_by_the_nearest(scene, views, wanted, got):
    views.goToSlice(Level.SUPRAGANGLIONIC, wanted)
    assert shown(views) == (GANGLIONIC, got)
    assert views.title(nodes(scene)[2]) == f"supraganglionic, slice {got}"


def test_going_to_a_slice_turns_a_view_back_and_keeps_its_place(scene, views):
    node = nodes(scene)[0]
    over = slice_to_ras(node)[:2, 3] + (7.0, -5.0)
    node.SetOrientationToSagittal()
    node.GetSliceToRAS().SetElement(0, 3, over[0])
    node.GetSliceToRAS().SetElement(1, 3, over[1])
    node.UpdateMatrices()
    assert views.title(node) == "ganglionic, turned"
    views.goToSlice(Level.GANGLIONIC, 3)
    assert views.title(node) == "ganglionic, slice 3"
    np.testing.assert_allclose(slice_to_ras(node)[:2, 3], over)


def test_stepping_moves_both_levels_to_the_head_and_back(views):
    views.stepSlices(2)
    assert shown(views) == (GANGLIONIC + 2, SUPRAGANGLIONIC + 2)
    views.stepSlices(-3)
    assert shown(views) == (GANGLIONIC - 1, SUPRAGANGLIONIC - 1)


def test_stepping_goes_to_the_head_where_the_index_grows_to_the_feet(scene):
    volume, key_slices = reordered_phantom((0, 1, 2), (True, False, False))
    views = setScan(scene, add_volume(scene, volume), key_slices)
    views.stepSlices(1)
    assert shown(views) == (key_slices.ganglionic - 1, key_slices.supraganglionic - 1)


@pytest.mark.parametrize(("steps", "expected"), [(50, (LAST - 4, LAST)), (-50, (0, 4))])
def test_stepping_stops_at_the_ends_of_the_scan_with_the_distance_kept(views, steps, expected):
    views.stepSlices(steps)
    assert shown(views) == expected


def test_key_slices_come_back(views):
    views.stepSlices(-4)
    views.goToKeySlices()
    assert shown(views) == (GANGLIONIC, SUPRAGANGLIONIC)


def test_jumping_shows_the_slice_through_a_point_in_that_level(views):
    point = apply_affine(phantom().affine, np.array([30.0, 5.0, 10.3]))
    views.jumpToPoint(tuple(point), Level.SUPRAGANGLIONIC)
    assert shown(views) == (GANGLIONIC, 10)


def test_slices_that_the_user_scrolled_to_are_the_current_ones(scene, views):
    node = nodes(scene)[0]
    node.SetSliceOffset(node.GetSliceOffset() + 3 * SPACING_MM[2])
    assert shown(views) == (GANGLIONIC + 3, SUPRAGANGLIONIC)
    node.SetSliceOffset(1000.0)
    assert views.title(node) == "ganglionic, outside the scan"


def test_regions_with_their_margin_fill_the_view_with_least_room_and_all_have_one_scale(
    scene, views
):
    for node, size in zip(
        nodes(scene), [(300, 400), (250, 400), (300, 400), (300, 400)], strict=True
    ):
        resize(node, *size)
    views.fitToRegions((-50.0, 70.0, -30.0, 40.0, 0.0, 30.0))
    width_mm, height_mm = 120.0 + 2 * FIELD_MARGIN_MM[0], 70.0 + 2 * FIELD_MARGIN_MM[1]
    scale = max(width_mm / 250, height_mm / 400)
    for node in nodes(scene):
        field = np.array(node.GetFieldOfView()[:2]) / node.GetDimensions()[:2]
        np.testing.assert_allclose(field, scale)
        np.testing.assert_allclose(slice_to_ras(node)[:2, 3], (10.0, 5.0))
    assert shown(views) == (GANGLIONIC, SUPRAGANGLIONIC)


def test_without_regions_whole_slices_are_fitted(scene, views):
    views.fitToRegions((1.0, -1.0) * 3)
    for node in nodes(scene):
        field = np.array(node.GetFieldOfView()[:2])
        np.testing.assert_allclose(field.max(), (SPACING_MM * SIZE_IJK)[:2].max())


def test_fitting_undoes_what_the_user_moved(scene, views):
    nodes(scene)[1].SetXYZOrigin(20.0, 10.0, 0.0)
    views.fitToScan()
    assert nodes(scene)[1].GetXYZOrigin() == (0.0, 0.0, 0.0)


def test_view_that_has_no_size_yet_does_no_harm(scene, views):
    resize(nodes(scene)[3], 0, 0)
    views.fitToScan()
    assert np.all(np.isfinite(nodes(scene)[0].GetFieldOfView()))


def test_heat_map_lies_over_the_annotated_views_only(scene, views):
    del views
    heatmap = add_volume(scene, phantom(), "heat map")
    setHeatmap(scene, heatmap, 0.4)
    for level, pair in VIEW_PAIRS.items():
        plain, annotated = (compositeNodeOf(sliceNodeOf(scene, name)) for name in pair)
        assert plain.GetForegroundVolumeID() is None, level
        assert annotated.GetForegroundVolumeID() == heatmap.GetID()
        assert annotated.GetForegroundOpacity() == pytest.approx(0.4)
    clearHeatmap(scene)
    assert all(compositeNodeOf(node).GetForegroundVolumeID() is None for node in nodes(scene))


def test_another_scan_comes_without_the_heat_map_of_the_last(scene, views):
    del views
    setHeatmap(scene, add_volume(scene, phantom(), "heat map"), 0.4)
    setScan(scene, add_volume(scene, phantom(), "another"))
    assert all(compositeNodeOf(node).GetForegroundVolumeID() is None for node in nodes(scene))


def test_segments_are_shown_in_all_views_but_the_plain_ones(scene):
    display = scene.AddNewNodeByClass("vtkMRMLSegmentationDisplayNode")
    display.AddViewNodeID(nodes(scene)[0].GetID())
    showOnlyInAnnotated(scene, display)
    visible = [display.IsDisplayableInView(node.GetID()) for node in nodes(scene)]
    assert visible == [False, True, False, True]
    assert display.IsDisplayableInView(sliceNodeOf(scene, "Red").GetID())
    assert display.IsDisplayableInView(scene.GetFirstNodeByName("View1").GetID())
    showEverywhere(display)
    assert all(display.IsDisplayableInView(node.GetID()) for node in nodes(scene))
