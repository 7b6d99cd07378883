"""The four views: what they show, where they go, what the mouse finds, and how they are left."""

from __future__ import annotations

import numpy as np
import pytest
from panel_steps import (
    add_scan,
    choose,
    click_region,
    click_switch,
    let_time_pass,
    load_scan,
    press,
    region,
    study_in_scene,
)

from ASPECTSLib.atlas.regions import Level

HALF_SLICE_MM = 2.5
FLASH_S = 1.4
CONVENTIONAL, FOUR_UP, RED_ONLY = 2, 3, 6


@pytest.fixture
def layout(views, application):  # noqa: ARG001
    """The layout node, showing Slicer's conventional views; ask for it before the panel."""
    node = application.layoutManager().layoutLogic().GetLayoutNode()
    node.SetViewArrangement(CONVENTIONAL)
    return node


@pytest.fixture
def nodes(layout, panel, scene, scored):  # noqa: ARG001
    """The result that the panel shows in the views."""
    from ASPECTSSlicer.results import findResult

    return findResult(scene, scored)


def test_module_shows_its_views_and_brings_back_the_former_ones(layout, panel):
    import slicer_standins
    from ASPECTSSlicer.layout import LAYOUT_ID

    assert layout.GetViewArrangement() == LAYOUT_ID
    slicer_standins.leave(panel)
    assert layout.GetViewArrangement() == CONVENTIONAL
    slicer_standins.enter(panel)
    assert layout.GetViewArrangement() == LAYOUT_ID


def test_views_that_the_user_chose_meanwhile_stay_when_the_module_is_left(layout, panel):
    import slicer_standins

    layout.SetViewArrangement(RED_ONLY)
    slicer_standins.leave(panel)
    assert layout.GetViewArrangement() == RED_ONLY


@pytest.mark.usefixtures("nodes")
def test_button_brings_the_four_views_back(layout, panel):
    import slicer_standins
    from ASPECTSSlicer.layout import LAYOUT_ID

    layout.SetViewArrangement(RED_ONLY)
    panel.ui.layoutButton.click()
    assert layout.GetViewArrangement() == LAYOUT_ID
    slicer_standins.leave(panel)
    assert layout.GetViewArrangement() in {RED_ONLY, CONVENTIONAL}


def test_layout_is_known_as_soon_as_the_application_has_started(layout, aspects):
    import slicer

    from ASPECTSSlicer.layout import LAYOUT_ID

    slicer.modules.ASPECTSInstance.onStartupCompleted()
    assert layout.IsLayoutDescription(LAYOUT_ID)
    assert aspects


def test_scan_is_shown_in_the_stroke_window(nodes):
    display = nodes.scan.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (40.0, 40.0)


def test_scan_without_a_result_is_shown_too(layout, panel, scan, scene):  # noqa: ARG001
    choose(panel, volume := add_scan(scan))
    assert {_composite(scene, n).GetBackgroundVolumeID() for n in _names()} == {volume.GetID()}
    assert volume.GetDisplayNode().GetWindow() == 40.0


def test_window_of_the_scan_is_as_before_when_the_module_is_left(layout, panel, scan):  # noqa: ARG001
    import slicer_standins

    volume = add_scan(scan)
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevel(123.0, 45.0)
    choose(panel, volume)
    slicer_standins.leave(panel)
    display = volume.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (123.0, 45.0)


@pytest.mark.parametrize("key", "12345")
def test_number_keys_set_the_window(panel, nodes, key):
    from ASPECTSSlicer.appearance import WINDOWS

    press(panel.ui.regionTable, "5" if key != "5" else "1")
    press(panel.ui.regionTable, key)
    display, window = nodes.scan.GetDisplayNode(), WINDOWS[int(key)]
    assert (display.GetWindow(), display.GetLevel()) == (window.width, window.level)
    assert panel.ui.windowSelector.currentIndex == int(key) - 1


def test_h_switches_the_heat_map_in_the_annotated_views_only(panel, scene, nodes):
    from ASPECTSSlicer.layout import VIEW_PAIRS

    press(panel.ui.regionTable, "H")
    assert panel.ui.heatmapSlider.value == pytest.approx(0.6)
    for pair in VIEW_PAIRS.values():
        assert _composite(scene, pair.annotated).GetForegroundVolumeID() == nodes.heatmap.GetID()
        assert _composite(scene, pair.annotated).GetForegroundOpacity() == pytest.approx(0.6)
        assert not _composite(scene, pair.plain).GetForegroundVolumeID()
    press(panel.ui.regionTable, "H")
    assert panel.ui.heatmapSlider.value == 0.0
    for pair in VIEW_PAIRS.values():
        composite = _composite(scene, pair.annotated)
        assert not composite.GetForegroundVolumeID() or composite.GetForegroundOpacity() == 0.0


def test_o_switches_the_outlines(panel, nodes):
    display = nodes.regions.GetDisplayNode()
    press(panel.ui.regionTable, "O")
    assert not panel.ui.outlinesCheckBox.checked
    assert not display.GetVisibility2DOutline()
    press(panel.ui.regionTable, "O")
    assert display.GetVisibility2DOutline()


def test_e_opens_the_editor_on_the_selected_region(panel, nodes):
    click_region(panel, "M3 left")
    press(panel.ui.regionTable, "E")
    assert panel.ui.segmentEditor.segmentationNode() is nodes.regions
    assert panel.ui.segmentEditor.currentSegmentID() == "M3_left"


def test_used_voxels_are_shown_on_demand(panel, scene, nodes):
    from ASPECTSSlicer.layout import VIEW_PAIRS

    annotated = VIEW_PAIRS[Level.GANGLIONIC].annotated
    panel.ui.comparedCheckBox.checked = True
    assert _composite(scene, annotated).GetLabelVolumeID() == nodes.compared.GetID()
    panel.ui.comparedCheckBox.checked = False
    assert not _composite(scene, annotated).GetLabelVolumeID()


def test_key_slices_are_shown_at_first(panel, scene, nodes):
    from ASPECTSSlicer.grids import nodeAffine

    slices = study_in_scene(nodes.scan).key_slices
    wanted = {
        Level.GANGLIONIC: slices.ganglionic,
        Level.SUPRAGANGLIONIC: slices.supraganglionic,
    }
    affine = nodeAffine(nodes.heatmap)
    for level, index in wanted.items():
        for name in _pair(level):
            assert _distance(scene, name, affine[:3, 3] + index * affine[:3, 2]) < 0.1
    assert panel.ui.resultFrame.visible


@pytest.mark.parametrize("name", ["M1 left", "M5 right", "C left"])
def test_click_on_a_region_shows_its_slice_in_its_level(panel, scene, nodes, name):
    from ASPECTSSlicer.layers import regionCentre
    from ASPECTSSlicer.segmentations import segmentId

    click_region(panel, name)
    centre = regionCentre(nodes.regions, segmentId(region(name)))
    for view in _pair(region(name).level):
        assert _distance(scene, view, centre) < HALF_SLICE_MM + 0.1


def test_clicked_region_flashes_and_is_then_as_before(panel, nodes, application, wait_until):
    display = nodes.regions.GetDisplayNode()
    before = display.GetSegmentOpacity2DFill("M1_left")
    click_region(panel, "M1 left")
    wait_until(lambda: display.GetSegmentOpacity2DFill("M1_left") == 0.9, FLASH_S)
    let_time_pass(application, FLASH_S)
    assert display.GetSegmentOpacity2DFill("M1_left") == before


def test_region_switched_while_it_flashes_is_filled_afterwards(panel, nodes, application):
    display = nodes.regions.GetDisplayNode()
    click_region(panel, "M1 left")
    click_switch(panel, "M1 left")
    let_time_pass(application, FLASH_S)
    assert display.GetSegmentOpacity2DFill("M1_left") == pytest.approx(0.4)


def test_slice_buttons_step_through_all_views_and_back(panel, scene, nodes):  # noqa: ARG001
    before = _offsets(scene)
    panel.ui.nextSliceButton.click()
    np.testing.assert_allclose(_offsets(scene) - before, 5.0, atol=0.01)
    panel.ui.nextSliceButton.click()
    panel.ui.previousSliceButton.click()
    np.testing.assert_allclose(_offsets(scene) - before, 5.0, atol=0.01)
    panel.ui.keySlicesButton.click()
    np.testing.assert_allclose(_offsets(scene), before, atol=0.01)


def test_mouse_over_a_region_shows_its_evidence(panel, scene, nodes):
    from ASPECTSSlicer.layers import regionCentre

    click_region(panel, "C right")
    _point_at(scene, regionCentre(nodes.regions, "M2_left"))
    assert panel.ui.evidenceLabel.text.startswith("M2 left: affected; ")
    assert "HU" in panel.ui.evidenceLabel.text
    _point_at(scene, (0.0, 0.0, 500.0))
    assert panel.ui.evidenceLabel.text.startswith("C right: ")


def test_mouse_finds_regions_where_they_were_drawn_to(panel, scene, nodes, application):
    from ASPECTSSlicer.layers import regionCentre, regionLabels
    from slicer_standins.segment_editor import paint

    centre = regionCentre(nodes.regions, "M2_left")
    labels = regionLabels(nodes.regions, nodes.heatmap)
    click_region(panel, "M3 left")
    panel.ui.editRegionsButton.click()
    paint(panel.ui.segmentEditor, labels == region("M2 left").label, "add")
    let_time_pass(application, 0.1)
    _point_at(scene, (0.0, 0.0, 500.0))
    _point_at(scene, centre)
    assert panel.ui.evidenceLabel.text.startswith("M3 left: ")


def test_mouse_is_not_followed_after_the_module_was_left(panel, scene, nodes):
    import slicer_standins
    from ASPECTSSlicer.layers import regionCentre

    click_region(panel, "C right")
    slicer_standins.leave(panel)
    _point_at(scene, regionCentre(nodes.regions, "M2_left"))
    assert panel.ui.evidenceLabel.text.startswith("C right: ")


def test_regions_are_in_the_annotated_views_only_and_everywhere_after_leaving(panel, scene, nodes):
    import slicer_standins
    from ASPECTSSlicer.layout import VIEW_PAIRS, sliceNodeOf

    display = nodes.regions.GetDisplayNode()
    pair = VIEW_PAIRS[Level.GANGLIONIC]
    plain, annotated = (sliceNodeOf(scene, name).GetID() for name in pair)
    assert display.IsDisplayableInView(annotated)
    assert not display.IsDisplayableInView(plain)
    slicer_standins.leave(panel)
    assert display.IsDisplayableInView(plain)


def test_result_that_arrives_after_the_module_was_left_changes_no_view(
    layout, panel, scene, scan_path, wait_until
):
    import slicer_standins
    from ASPECTSSlicer.results import findResult

    choose(panel, volume := load_scan(scan_path))
    panel.ui.methodSelector.currentText = "classical"
    panel.ui.scoreButton.click()
    slicer_standins.leave(panel)
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevel(123.0, 45.0)
    before = _shown(scene)
    wait_until(lambda: findResult(scene, volume) is not None, 60)
    let_time_pass(slicer_standins.install(), 0.2)
    assert _shown(scene) == before
    assert layout.GetViewArrangement() == CONVENTIONAL
    assert volume.GetDisplayNode().GetWindow() == 123.0
    slicer_standins.enter(panel)
    assert panel.ui.scoreLabel.text == "ASPECTS 7 / 10"
    assert volume.GetDisplayNode().GetWindow() == 40.0


def test_scene_saved_with_the_layout_shown_comes_back_with_it(
    layout, panel, scene, nodes, tmp_path, application
):
    import slicer

    import slicer_standins
    from ASPECTSSlicer.layout import LAYOUT_ID

    assert nodes
    assert slicer.util.saveScene(str(tmp_path / "shown.mrb"))
    scene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "shown.mrb"))
    application.processEvents()
    volume = panel.ui.ncctSelector.currentNode()
    assert panel.ui.scoreLabel.text == "ASPECTS 7 / 10"
    assert layout.GetViewArrangement() == LAYOUT_ID
    assert {_composite(scene, n).GetBackgroundVolumeID() for n in _names()} == {volume.GetID()}
    slicer_standins.leave(panel)
    assert layout.GetViewArrangement() in {CONVENTIONAL, FOUR_UP}


def test_scene_can_be_closed_while_the_views_show_a_result(panel, scene, nodes, application):
    assert nodes
    scene.Clear(0)
    let_time_pass(application, 0.1)
    assert not panel.ui.resultFrame.visible
    assert not any(_composite(scene, name).GetBackgroundVolumeID() for name in _names())


def _names():
    from ASPECTSSlicer.layout import VIEW_NAMES

    return VIEW_NAMES


def _pair(level):
    from ASPECTSSlicer.layout import VIEW_PAIRS

    return VIEW_PAIRS[level]


def _composite(scene, name):
    from ASPECTSSlicer.layout import sliceNodeOf
    from ASPECTSSlicer.views import compositeNodeOf

    return compositeNodeOf(sliceNodeOf(scene, name))


def _shown(scene):
    return [(_composite(scene, n).GetBackgroundVolumeID(), *_plane(scene, n)) for n in _names()]


def _plane(scene, name):
    import slicer

    from ASPECTSSlicer.layout import sliceNodeOf

    matrix = sliceNodeOf(scene, name).GetSliceToRAS()
    return tuple(slicer.util.arrayFromVTKMatrix(matrix).ravel())


def _distance(scene, name, point):
    """Return how far a point of the world is from the plane of a view, in mm."""
    plane = np.reshape(_plane(scene, name), (4, 4))
    return abs(float((np.asarray(point) - plane[:3, 3]) @ plane[:3, 2]))


def _offsets(scene):
    return np.array([np.reshape(_plane(scene, n), (4, 4))[2, 3] for n in _names()])


def _point_at(scene, point):
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCursorPositionRAS(list(point))
