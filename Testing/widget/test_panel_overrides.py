"""A reader switches calls with one click or one key, sees what was automatic, and can take it all back."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from panel_steps import (
    LAST_COLUMN,
    call_text,
    change_text,
    click_region,
    click_switch,
    press,
    region,
    row_of,
    study_in_scene,
    type_reason,
    with_calls,
)

from ASPECTSLib.report.result import QualityInfo, StudyResult


@pytest.fixture
def load_changed(load_scored, scored_folder, tmp_path):
    """Show a result that differs from what the program found."""
    import shutil

    def load(change):
        folder = tmp_path / "changed"
        shutil.copytree(scored_folder, folder)
        file = folder / "result.json"
        study = change(StudyResult.from_json(file.read_text(encoding="utf-8")))
        file.write_text(study.to_json(), encoding="utf-8")
        return load_scored(folder=folder)

    return load


@pytest.fixture
def unsure(load_changed):
    """A result in which M3 left is unsure, rather affected, and M4 left unsure, rather not."""
    calls = {region("M3 left"): (True, True), region("M4 left"): (False, True)}
    return load_changed(lambda study: with_calls(study, calls))


@pytest.mark.usefixtures("scored")
def test_one_click_switches_a_region_and_the_score_follows(panel):
    click_switch(panel, "M3 left")
    assert call_text(panel, "M3 left").startswith("●")
    assert panel.ui.scoreLabel.text == "ASPECTS 6 / 10"
    assert _totals(panel) == ("10", "6")


@pytest.mark.usefixtures("scored")
def test_second_click_switches_back_and_leaves_no_override(panel):
    click_switch(panel, "L left")
    assert panel.ui.scoreLabel.text == "ASPECTS 8 / 10"
    click_switch(panel, "L left")
    assert panel.ui.scoreLabel.text == "ASPECTS 7 / 10"
    assert "✎" not in call_text(panel, "L left")


@pytest.mark.usefixtures("scored")
def test_click_beside_the_switch_only_selects(panel):
    click_region(panel, "M3 left")
    assert call_text(panel, "M3 left").startswith("○")
    assert panel.ui.evidenceLabel.text.startswith("M3 left: not affected")


@pytest.mark.usefixtures("scored")
def test_space_switches_the_selected_region(panel):
    click_region(panel, "M3 left")
    press(panel.ui.regionTable, "Space")
    assert call_text(panel, "M3 left").startswith("●")
    assert panel.ui.scoreLabel.text == "ASPECTS 6 / 10"


@pytest.mark.usefixtures("scored")
def test_arrow_keys_walk_through_the_regions(panel):
    click_region(panel, "C left")
    press(panel.ui.regionTable, "Down")
    assert panel.ui.evidenceLabel.text.startswith("L left: affected")


@pytest.mark.usefixtures("scored")
def test_space_in_the_reason_switches_nothing(panel):
    click_region(panel, "M3 left")
    type_reason(panel, "a b")
    assert panel.ui.reasonEdit.text == "a b"
    assert call_text(panel, "M3 left").startswith("○")


@pytest.mark.usefixtures("scored")
def test_letters_in_the_reason_are_no_commands(panel):
    opacity = panel.ui.heatmapSlider.value
    type_reason(panel, "hoe 12")
    assert panel.ui.reasonEdit.text == "hoe 12"
    assert panel.ui.heatmapSlider.value == opacity
    assert panel.ui.outlinesCheckBox.checked
    assert panel.ui.editSection.collapsed


@pytest.mark.usefixtures("scored")
def test_automatic_call_stays_visible_beside_the_switched_one(panel):
    click_switch(panel, "L left")
    assert call_text(panel, "L left").endswith("✎")
    assert re.search(r"auto ● → ○ .* \d\d:\d\d", change_text(panel, "L left"))
    tool_tip = panel.ui.regionTable.item(row_of("L left"), LAST_COLUMN).toolTip()
    assert "HU" in tool_tip


@pytest.mark.usefixtures("scored")
def test_changes_of_both_sides_say_which_is_which(panel):
    click_switch(panel, "L left")
    click_switch(panel, "L right")
    right, _, left = change_text(panel, "L left").partition("; ")
    assert "right" in right
    assert "left" in left


@pytest.mark.usefixtures("scored")
def test_automatic_total_stays_visible_beside_the_edited_one(panel):
    assert "edited" not in panel.ui.totalsLabel.text
    click_switch(panel, "M3 left")
    assert panel.ui.totalsLabel.text.startswith("right 10, left 6   ✎ edited")
    assert "automatic: 7 (right 10, left 7)" in panel.ui.totalsLabel.text


def test_who_when_and_why_are_in_the_scene(panel, scored, aspects):
    click_region(panel, "M3 left")
    type_reason(panel, "old infarct")
    click_switch(panel, "M3 left")
    override = _info(scored, "M3 left").override
    assert (override.affected, override.reason) == (True, "old infarct")
    assert override.by == aspects.userName()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", override.when)


def test_reason_can_be_given_after_the_switch(panel, scored):
    click_switch(panel, "M3 left")
    type_reason(panel, "old infarct")
    press(panel.ui.reasonEdit, "Return")
    assert _info(scored, "M3 left").override.reason == "old infarct"
    assert "old infarct" in panel.ui.evidenceLabel.text


def test_reason_of_one_region_does_not_go_to_the_next(panel, scored):
    click_switch(panel, "M3 left")
    type_reason(panel, "old infarct")
    press(panel.ui.reasonEdit, "Return")
    click_switch(panel, "M5 left")
    assert _info(scored, "M5 left").override.reason == ""
    assert _info(scored, "M3 left").override.reason == "old infarct"


@pytest.mark.usefixtures("scored")
def test_reason_of_a_switched_region_is_shown_when_it_is_selected(panel):
    click_switch(panel, "M3 left")
    type_reason(panel, "old infarct")
    press(panel.ui.reasonEdit, "Return")
    click_region(panel, "C right")
    assert panel.ui.reasonEdit.text == ""
    click_region(panel, "M3 left")
    assert panel.ui.reasonEdit.text == "old infarct"


def test_program_s_own_call_is_kept_in_the_result(panel, scored):
    click_switch(panel, "L left")
    info = _info(scored, "L left")
    assert (info.affected, info.final_call, info.override.affected) == (True, False, False)


def test_table_node_of_the_scene_follows(panel, scored, scene):
    from ASPECTSSlicer.results import findResult

    click_switch(panel, "M3 left")
    table = findResult(scene, scored).table.GetTable()
    row = row_of("M3 left")
    assert table.GetColumnByName("Left call").GetValue(row) == "affected"
    assert table.GetColumnByName("Left automatic call").GetValue(row) == "not affected"


def test_switched_region_is_filled_in_the_views(panel, scored, scene):
    from ASPECTSSlicer.results import findResult

    display = findResult(scene, scored).regions.GetDisplayNode()
    click_switch(panel, "M3 left")
    click_switch(panel, "L left")
    assert display.GetSegmentOpacity2DFill("M3_left") > 0
    assert display.GetSegmentOpacity2DFill("L_left") == 0


@pytest.mark.parametrize("way", ["key", "button"])
def test_undo_takes_back_one_switch_after_the_other(panel, scored, way):
    click_switch(panel, "M3 left")
    click_switch(panel, "L left")
    for score in ("6", "7"):
        if way == "key":
            press(panel.ui.regionTable, "Ctrl+Z")
        else:
            panel.ui.undoButton.click()
        assert panel.ui.scoreLabel.text == f"ASPECTS {score} / 10"
    assert not panel.ui.undoButton.enabled
    assert all(info.override is None for info in study_in_scene(scored).regions)


def test_back_to_automatic_takes_back_all_and_can_be_undone(panel, scored):
    before = study_in_scene(scored)
    assert not panel.ui.automaticButton.enabled
    click_switch(panel, "M3 left")
    click_switch(panel, "C right")
    panel.ui.automaticButton.click()
    assert study_in_scene(scored) == before
    assert not panel.ui.automaticButton.enabled
    panel.ui.undoButton.click()
    assert panel.ui.scoreLabel.text == "ASPECTS 6 / 10"
    assert _info(scored, "C right").final_call is True


@pytest.mark.usefixtures("unsure")
def test_unsure_regions_are_signs_of_their_own_and_leave_the_score_open(panel):
    assert call_text(panel, "M3 left").startswith("◐")
    assert call_text(panel, "M4 left").startswith("◐")
    assert panel.ui.scoreLabel.text == "ASPECTS 6 / 10"
    assert panel.ui.sideLabel.text == "LEFT\nunsure 5–7"


@pytest.mark.parametrize(("name", "first"), [("M3 left", False), ("M4 left", True)])
def test_unsure_region_goes_both_ways_by_switching(panel, unsure, name, first):
    """Agreeing with an unsure call is an override too: somebody has decided."""
    for expected in (first, not first, first):
        click_switch(panel, name)
        info = _info(unsure, name)
        assert info.override.affected is expected
        assert call_text(panel, name).startswith("●" if expected else "○")
    assert "unsure" in panel.ui.sideLabel.text


@pytest.mark.usefixtures("unsure")
def test_score_is_sure_when_all_unsure_regions_are_decided(panel):
    click_switch(panel, "M3 left")
    click_switch(panel, "M4 left")
    assert "unsure" not in panel.ui.sideLabel.text
    assert panel.ui.scoreLabel.text == "ASPECTS 6 / 10"


@pytest.mark.usefixtures("scored")
def test_switches_on_the_other_side_can_move_the_side(panel):
    assert panel.ui.sideLabel.text == "LEFT"
    for name in ("M1 right", "M4 right", "C right", "IC right"):
        click_switch(panel, name)
    assert panel.ui.sideLabel.text == "RIGHT"
    assert panel.ui.scoreLabel.text == "ASPECTS 6 / 10"
    assert _totals(panel) == ("6", "7")


@pytest.mark.usefixtures("scored")
def test_equal_sides_are_named_so(panel):
    for name in ("M1 right", "M4 right", "C right"):
        click_switch(panel, name)
    assert panel.ui.sideLabel.text == "both sides alike"


def _abstained(study, code):
    from ASPECTSLib.report.result import WarningInfo

    regions = tuple(
        replace(info, affected=None, probability=None, unsure=False) for info in study.regions
    )
    quality = QualityInfo((WarningInfo(code, "the reason in words"),), abstained=True)
    aspects = replace(study.aspects, score=None, side=None, left=None, right=None)
    return replace(study, regions=regions, quality=quality, aspects=aspects)


def test_abstention_for_blood_reads_as_such(panel, load_changed):
    load_changed(lambda study: _abstained(study, "HAEMORRHAGE"))
    assert panel.ui.scoreLabel.text == "No score"
    assert panel.ui.totalsLabel.text == "The program abstained, as it sees blood."
    assert "the reason in words. Look at the scan before anything" in panel.ui.warningsLabel.text
    assert "atlas" not in panel.ui.warningsLabel.text
    assert all(call_text(panel, f"L {side}") == "–" for side in ("left", "right"))


def test_abstained_study_gets_its_score_from_the_reader(panel, load_changed):
    load_changed(lambda study: _abstained(study, "LOW_REGISTRATION_QUALITY"))
    assert panel.ui.scoreLabel.text == "No score"
    assert panel.ui.totalsLabel.text.endswith("the atlas does not fit; call the regions by hand.")
    assert call_text(panel, "L left") == "–"
    click_switch(panel, "L left")
    assert panel.ui.scoreLabel.text == "ASPECTS 9 / 10"


@pytest.mark.usefixtures("scored")
def test_the_totals_say_on_hovering_which_method_was_taken_and_why(panel, load_changed):
    reason = "classical is taken because."
    load_changed(lambda study: replace(study, method=replace(study.method, reason=reason)))
    words = panel.ui.totalsLabel.toolTip
    assert words.startswith("Method classical ")
    assert words.endswith(reason)


def test_core_is_a_dash_where_the_method_makes_no_infarct(panel, load_changed):
    from ASPECTSLib.report.result import CoreInfo

    without = {"core": CoreInfo()}
    load_changed(lambda s: replace(s, **without, outputs={**s.outputs, "infarct": None}))
    assert panel.ui.coreLabel.text == "core –"


def test_warnings_are_words_with_advice(panel, load_changed):
    from ASPECTSLib.report.result import WarningInfo

    warning = WarningInfo("THICK_SLICES", "slices are 8.0 mm thick")
    load_changed(lambda study: replace(study, quality=replace(study.quality, warnings=(warning,))))
    assert panel.ui.warningsLabel.text.startswith("⚠ slices are 8.0 mm thick")
    assert len(panel.ui.warningsLabel.text) > len("⚠ slices are 8.0 mm thick.") + 10


@pytest.mark.usefixtures("scored")
def test_click_on_the_totals_switches_nothing(panel):
    from panel_steps import TOTAL_ROW, click_cell

    texts = panel.ui.scoreLabel.text, _totals(panel)
    for column in range(6):
        click_cell(panel, TOTAL_ROW, column)
        press(panel.ui.regionTable, "Space")
    assert (panel.ui.scoreLabel.text, _totals(panel)) == texts
    assert not panel.ui.undoButton.enabled


def test_empty_table_switches_nothing(panel):
    click_switch(panel, "M3 left")
    press(panel.ui.regionTable, "Space")
    press(panel.ui.regionTable, "Ctrl+Z")
    assert call_text(panel, "M3 left") == ""


def _totals(panel):
    return tuple(panel.ui.regionTable.item(10, column).text() for column in (1, 3))


def _info(scan, name):
    return study_in_scene(scan).regions[region(name).label - 1]
