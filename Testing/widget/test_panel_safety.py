"""What belongs to one patient, one side or one reading never ends up with another."""

from __future__ import annotations

import numpy as np
import pytest
from panel_steps import (
    call_text,
    choose,
    click_cell,
    click_switch,
    load_scan,
    press,
    row_of,
    study_in_scene,
    type_reason,
)


def test_a_result_never_goes_to_a_scan_that_took_the_id_of_the_scored_one(
    panel, scan_path, scene, wait_until
):
    """MRML gives IDs again after the scene was closed; in the console a run goes on meanwhile."""
    from ASPECTSSlicer.results import allResults
    from ASPECTSSlicer.runs import Request, ScoringError

    first = load_scan(scan_path)
    identifier = first.GetID()
    run = panel.logic.startRun(Request({"ncct": first}))
    try:
        scene.Clear(False)
        other = load_scan(scan_path)
        assert other.GetID() == identifier
        wait_until(lambda: run.process.exitCode() is not None, 60)
        with pytest.raises(ScoringError) as caught:
            run.finish(scene)
        assert caught.value.failure.code == "INPUT_GONE"
        assert allResults(scene) == []
    finally:
        run.close()


@pytest.mark.parametrize("column", [0, 5])
def test_space_pressed_twice_leaves_all_as_it_was(panel, scored, column):
    """In columns of both sides the side stays the one that was chosen first."""
    before = [call_text(panel, f"M2 {side}") for side in ("right", "left")]
    click_cell(panel, row_of("M2 left"), column)
    press(panel.ui.regionTable, "Space")
    assert call_text(panel, "M2 right") == before[0]
    assert call_text(panel, "M2 left") != before[1]
    press(panel.ui.regionTable, "Space")
    assert [call_text(panel, f"M2 {side}") for side in ("right", "left")] == before
    assert not study_in_scene(scored).is_edited


def test_a_reason_typed_for_one_patient_never_reaches_another(panel, load_scored):
    first = load_scored()
    second = load_scored()
    choose(panel, first)
    type_reason(panel, "old infarct known")
    choose(panel, second)
    assert panel.ui.reasonEdit.text == ""
    click_switch(panel, "M3 left")
    reasons = {info.override.reason for info in study_in_scene(second).regions if info.override}
    assert reasons == {""}


@pytest.mark.usefixtures("views")
def test_only_the_result_of_the_chosen_scan_is_drawn(panel, load_scored, scene):
    from ASPECTSSlicer.layout import VIEW_NAMES, sliceNodeOf
    from ASPECTSSlicer.results import findResult

    def shown_in(nodes):
        display = nodes.regions.GetDisplayNode()
        return [
            display.IsDisplayableInView(sliceNodeOf(scene, name).GetID()) for name in VIEW_NAMES
        ]

    first, second = load_scored(), load_scored()
    for chosen, other in ((first, second), (second, first)):
        choose(panel, chosen)
        assert shown_in(findResult(scene, chosen)) == [False, True, False, True]
        assert shown_in(findResult(scene, other)) == [False] * 4


@pytest.mark.usefixtures("scored")
def test_a_scan_without_voxels_shows_nothing_of_the_one_before(panel, scene):
    assert panel.ui.resultFrame.isVisibleTo(panel.parent)
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "failed to load")
    choose(panel, empty)
    assert not panel.ui.resultFrame.isVisibleTo(panel.parent)
    assert call_text(panel, "M2 left") == ""
    assert not panel.ui.scoreButton.enabled


def test_segments_changed_while_another_scan_is_shown_are_scored_when_theirs_is_shown_again(
    panel, load_scored, scene
):
    from ASPECTSSlicer.layers import regionLabels
    from ASPECTSSlicer.results import findResult
    from slicer_standins.segment_editor import paint

    first, second = load_scored(), load_scored()
    nodes = findResult(scene, first)
    choose(panel, first)
    labels = regionLabels(nodes.regions, nodes.heatmap)
    editor = panel.ui.segmentEditor
    choose(panel, second)
    editor.setSegmentationNode(nodes.regions)
    editor.setSourceVolumeNode(first)
    editor.setCurrentSegmentID("M2_left")
    paint(editor, np.asarray(labels == 16), "remove")
    choose(panel, first)
    assert call_text(panel, "M2 left") == "–"
    assert study_in_scene(first).is_edited


def test_a_changed_result_is_not_replaced_from_the_console_without_saying_so(panel, scored):
    from ASPECTSSlicer.runs import ScoringError

    click_switch(panel, "M3 left")
    with pytest.raises(ScoringError) as caught:
        panel.logic.score(scored, "classical")
    assert caught.value.failure.code == "RESULT_EDITED"
    assert panel.logic.score(scored, "classical", replaceEdited=True).is_edited is False
