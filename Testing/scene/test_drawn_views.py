"""What the four views draw, pixel by pixel, on Slicer's own slice logic and displayable managers."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs the package slicer-core")

import slicer
from view_fixtures import (
    FRONT_RAS,
    FRONT_VALUE,
    GANGLIONIC,
    KEY_SLICES,
    LEFT_RAS,
    LEFT_VALUE,
    SUPRAGANGLIONIC,
    add_transform,
    add_volume,
    drawn_views,
    phantom,
    reordered_phantom,
    slice_value,
    tilted,
)

from ASPECTSLib.atlas.regions import Level
from ASPECTSLib.geometry import apply_affine
from ASPECTSLib.report.looks import HeatKind
from ASPECTSSlicer.appearance import (
    COMPARED_COLOUR,
    LEFT_OUT_COLOUR,
    WINDOWS,
    colourHeatmap,
    setWindow,
)
from ASPECTSSlicer.grids import fillVolume, orientedImage
from ASPECTSSlicer.views import (
    setCompared,
    setHeatmap,
    setScan,
    showEverywhere,
    showOnlyInAnnotated,
)

MIDDLE_RAS = (20.0, -40.0, 0.0)  # in no block
LEVEL_VALUES = {
    Level.GANGLIONIC: slice_value(GANGLIONIC),
    Level.SUPRAGANGLIONIC: slice_value(SUPRAGANGLIONIC),
}
A_FEW_ORDERS = [
    ((0, 1, 2), (False, False, False)),
    ((0, 1, 2), (True, True, True)),
    ((0, 2, 1), (False, True, False)),
    ((1, 0, 2), (False, False, True)),
    ((2, 1, 0), (True, False, False)),
    ((1, 2, 0), (True, False, True)),
]
RED = (255, 0, 0)
BLOCK_RAS = (40.0, 0.0, 0.0)  # of the segment


@pytest.fixture
def drawn():
    with drawn_views() as views:
        yield views


@pytest.fixture
def scan(drawn):
    node = add_volume(drawn.scene, phantom())
    setScan(drawn.scene, node, KEY_SLICES)
    return node


def add_segment(scene):
    """Add a red block on the patient's right, as high as the whole scan."""
    volume = phantom()
    mask = np.zeros(volume.array.shape, np.uint8)
    mask[:, 20:30, 25:35] = 1
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    name = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    node.GetSegmentation().SetSourceRepresentationName(name)
    segment = slicer.vtkSegment()
    segment.SetColor(1.0, 0.0, 0.0)
    segment.AddRepresentation(name, orientedImage(mask, volume.affine, (0, 0, 0)))
    node.GetSegmentation().AddSegment(segment, "block")
    return node.GetDisplayNode()


def pixel(drawn, level, point_ras, *, annotated=False):
    view = drawn.view(level, annotated=annotated)
    return tuple(int(channel) for channel in view.picture()[view.pixel_of(point_ras)])


def grey(value):
    return pytest.approx((value,) * 3, abs=1)


def redness(picture):
    """Return where a picture is red rather than grey."""
    return picture[..., 0].astype(int) - picture[..., 1] > 60


@pytest.mark.parametrize(("order", "flips"), A_FEW_ORDERS)
def test_left_block_is_drawn_on_the_right_and_front_block_on_top(drawn, order, flips):
    volume, key_slices = reordered_phantom(order, flips)
    setScan(drawn.scene, add_volume(drawn.scene, volume), key_slices)
    for level in Level:
        picture = drawn.picture(level)[..., 0]
        height, width = picture.shape
        _, columns = np.nonzero(np.abs(picture.astype(int) - LEFT_VALUE) <= 1)
        rows, _ = np.nonzero(np.abs(picture.astype(int) - FRONT_VALUE) <= 1)
        assert len(columns) > 50
        assert columns.min() > 0.75 * width
        assert len(rows) > 50
        assert rows.max() < 0.2 * height


@pytest.mark.parametrize(("order", "flips"), A_FEW_ORDERS)
def test_each_level_draws_its_own_key_slice_in_both_views(drawn, order, flips):
    volume, key_slices = reordered_phantom(order, flips)
    setScan(drawn.scene, add_volume(drawn.scene, volume), key_slices)
    for level, value in LEVEL_VALUES.items():
        for annotated in (False, True):
            assert pixel(drawn, level, MIDDLE_RAS, annotated=annotated) == grey(value)


def test_slices_of_a_tilted_scan_under_a_transform_are_drawn_unmixed(drawn):
    volume_node = add_volume(drawn.scene, tilted(phantom()))
    volume_node.GetDisplayNode().SetInterpolate(True)
    to_world = add_transform(drawn.scene, volume_node) @ tilted(phantom()).affine
    setScan(drawn.scene, volume_node, KEY_SLICES)
    for i, j in ((12, 10), (25, 15), (30, 38)):
        point = apply_affine(to_world, np.array([float(i), float(j), GANGLIONIC]))
        assert pixel(drawn, Level.GANGLIONIC, tuple(point)) == grey(slice_value(GANGLIONIC))


def test_blocks_are_drawn_where_they_lie(drawn, scan):
    del scan
    assert pixel(drawn, Level.GANGLIONIC, LEFT_RAS) == grey(LEFT_VALUE)
    assert pixel(drawn, Level.GANGLIONIC, FRONT_RAS) == grey(FRONT_VALUE)


def test_slice_stays_in_view_when_the_view_grows(drawn, scan):
    del scan
    drawn.view(Level.GANGLIONIC).resize((320, 400))
    assert drawn.picture(Level.GANGLIONIC).shape == (400, 320, 3)
    assert pixel(drawn, Level.GANGLIONIC, LEFT_RAS) == grey(LEFT_VALUE)


def test_scrolling_one_view_moves_the_other_of_its_level_only(drawn, scan):
    del scan
    logic = drawn.view(Level.GANGLIONIC).logic
    logic.StartSliceOffsetInteraction()
    logic.SetSliceOffset(logic.GetSliceOffset() + 6.0)
    logic.EndSliceOffsetInteraction()
    after = slice_value(GANGLIONIC + 1)
    assert pixel(drawn, Level.GANGLIONIC, MIDDLE_RAS, annotated=True) == grey(after)
    assert pixel(drawn, Level.SUPRAGANGLIONIC, MIDDLE_RAS) == grey(slice_value(SUPRAGANGLIONIC))


@pytest.mark.parametrize(("value_hu", "drawn_value"), [(20, 0), (40, 127), (60, 255)])
def test_stroke_window_draws_20_hu_black_and_60_hu_white(drawn, scan, value_hu, drawn_value):
    views = setScan(drawn.scene, scan, KEY_SLICES)
    setWindow(scan, WINDOWS[1])
    views.goToSlice(Level.GANGLIONIC, (value_hu - 20) // 10)
    assert pixel(drawn, Level.GANGLIONIC, MIDDLE_RAS) == grey(drawn_value)


def test_segment_is_filled_and_outlined_in_annotated_views_only(drawn, scan):
    del scan
    display = add_segment(drawn.scene)
    display.SetOpacity2DFill(0.4)
    display.SetOpacity2DOutline(1.0)
    showOnlyInAnnotated(drawn.scene, display)
    for level, value in LEVEL_VALUES.items():
        mixed = [0.4 * channel + 0.6 * value for channel in RED]
        assert pixel(drawn, level, BLOCK_RAS, annotated=True) == pytest.approx(mixed, abs=2)
        edge = np.all(np.abs(drawn.picture(level, annotated=True) - np.array(RED)) < 8, axis=-1)
        assert edge.sum() > 40
        assert not redness(drawn.picture(level)).any()


def test_outlined_segment_leaves_the_scan_inside_as_it_is(drawn, scan):
    del scan
    display = add_segment(drawn.scene)
    display.SetVisibility2DFill(False)
    showOnlyInAnnotated(drawn.scene, display)
    value = LEVEL_VALUES[Level.GANGLIONIC]
    assert pixel(drawn, Level.GANGLIONIC, BLOCK_RAS, annotated=True) == grey(value)
    assert redness(drawn.picture(Level.GANGLIONIC, annotated=True)).any()


def test_segment_is_everywhere_once_the_module_is_left(drawn, scan):
    del scan
    display = add_segment(drawn.scene)
    showOnlyInAnnotated(drawn.scene, display)
    showEverywhere(display)
    assert redness(drawn.picture(Level.GANGLIONIC)).any()


@pytest.mark.parametrize("opacity", [0.0, 0.5, 1.0])
def test_heat_map_covers_the_annotated_views_by_its_opacity(drawn, scan, opacity):
    del scan
    heatmap = add_volume(drawn.scene, phantom().with_array(np.full((12, 50, 40), 255.0)), "heat")
    setHeatmap(drawn.scene, heatmap, opacity)
    for level, value in LEVEL_VALUES.items():
        expected = opacity * 255 + (1 - opacity) * value
        assert pixel(drawn, level, MIDDLE_RAS, annotated=True) == pytest.approx(
            (expected,) * 3, abs=2
        )
        assert pixel(drawn, level, MIDDLE_RAS) == grey(value)


@pytest.mark.parametrize(
    ("difference_hu", "colour"), [(-8.0, (5, 48, 97)), (8.0, (103, 0, 31)), (4.0, (229, 132, 103))]
)
def test_heat_map_has_the_colours_of_the_report(drawn, scan, difference_hu, colour):
    del scan
    array = np.full((12, 50, 40), difference_hu, np.float32)
    heatmap = add_volume(drawn.scene, phantom().with_array(array), "heat")
    colourHeatmap(heatmap, HeatKind.DIFFERENCE)
    setHeatmap(drawn.scene, heatmap, 1.0)
    drawn_colour = pixel(drawn, Level.GANGLIONIC, MIDDLE_RAS, annotated=True)
    assert drawn_colour == pytest.approx(colour, abs=4)


def test_heat_map_leaves_what_was_not_compared_unpainted(drawn, scan):
    del scan
    array = np.zeros((12, 50, 40), np.float32)
    array[:, :, :20] = -5.0
    heatmap = add_volume(drawn.scene, phantom().with_array(array), "heat")
    colourHeatmap(heatmap, HeatKind.DIFFERENCE)
    setHeatmap(drawn.scene, heatmap, 1.0)
    value = LEVEL_VALUES[Level.GANGLIONIC]
    assert pixel(drawn, Level.GANGLIONIC, MIDDLE_RAS, annotated=True) == grey(value)
    painted = pixel(drawn, Level.GANGLIONIC, LEFT_RAS, annotated=True)
    assert painted[2] - painted[0] > 60


def test_small_probabilities_leave_the_scan_as_it_is(drawn, scan):
    del scan
    array = np.full((12, 50, 40), 0.05, np.float32)
    array[:, :, :20] = 1.0
    heatmap = add_volume(drawn.scene, phantom().with_array(array), "heat")
    colourHeatmap(heatmap, HeatKind.PROBABILITY)
    setHeatmap(drawn.scene, heatmap, 1.0)
    value = LEVEL_VALUES[Level.GANGLIONIC]
    assert pixel(drawn, Level.GANGLIONIC, MIDDLE_RAS, annotated=True) == grey(value)
    painted = pixel(drawn, Level.GANGLIONIC, LEFT_RAS, annotated=True)
    assert painted == pytest.approx((252, 255, 164), abs=4)


def test_compared_voxels_are_tinted_in_the_annotated_views_only(drawn, scan):
    del scan
    array = np.zeros((12, 50, 40), np.uint8)
    array[:, :, :20], array[:, 40:, :] = 1, 2
    node = drawn.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    fillVolume(node, phantom().with_array(array))
    setCompared(drawn.scene, node)
    level, value = Level.GANGLIONIC, LEVEL_VALUES[Level.GANGLIONIC]
    for point, colour in (
        ((-30.0, -40.0, 0.0), COMPARED_COLOUR),
        ((40.0, 80.0, 0.0), LEFT_OUT_COLOUR),
    ):
        mixed = [0.35 * channel + 0.65 * value for channel in colour]
        assert pixel(drawn, level, point, annotated=True) == pytest.approx(mixed, abs=2)
        assert pixel(drawn, level, point) == grey(value)
    assert pixel(drawn, level, MIDDLE_RAS, annotated=True) == grey(value)
    setCompared(drawn.scene, None)
    assert pixel(drawn, level, (-30.0, -40.0, 0.0), annotated=True) == grey(value)
