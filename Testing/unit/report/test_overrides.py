"""Calls changed by a person, and the totals and warnings that follow."""

from __future__ import annotations

from dataclasses import replace

from result_phantoms import study_result

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of
from ASPECTSLib.report.calls import automatic_totals, settle
from ASPECTSLib.report.overrides import (
    override_call,
    overrides_of,
    with_overrides,
    withdraw_override,
)
from ASPECTSLib.report.result import OverrideInfo, StudyResult, WarningInfo

M2_LEFT = region_of(RegionCode.M2, Side.LEFT)
C_RIGHT = region_of(RegionCode.C, Side.RIGHT)
NOT_AFFECTED = OverrideInfo(False, "Reader", "2026-01-02 14:02", "old infarct")
AFFECTED = replace(NOT_AFFECTED, affected=True)


def result_with_m2():
    return settle(study_result({M2_LEFT.label}))


def info(result, region):
    return result.regions[region.label - 1]


def with_region(result, region, **changes):
    regions = list(result.regions)
    regions[region.label - 1] = replace(regions[region.label - 1], **changes)
    return settle(replace(result, regions=tuple(regions)))


def test_an_override_changes_the_score_and_keeps_the_automatic_call():
    result = override_call(result_with_m2(), M2_LEFT, NOT_AFFECTED)
    assert (result.aspects.score, result.aspects.side) == (10, "none")
    assert info(result, M2_LEFT).affected is True
    assert info(result, M2_LEFT).final_call is False
    assert automatic_totals(result).left == 9
    assert result.is_edited


def test_an_override_can_move_the_score_to_the_other_side():
    result = override_call(result_with_m2(), M2_LEFT, NOT_AFFECTED)
    result = override_call(result, C_RIGHT, AFFECTED)
    assert (result.aspects.score, result.aspects.side) == (9, "right")


def test_withdrawing_gives_back_what_was_there_before():
    before = result_with_m2()
    assert withdraw_override(override_call(before, M2_LEFT, NOT_AFFECTED), M2_LEFT) == before


def test_withdrawing_leaves_other_overrides_alone():
    result = override_call(result_with_m2(), M2_LEFT, NOT_AFFECTED)
    result = withdraw_override(override_call(result, C_RIGHT, AFFECTED), M2_LEFT)
    assert overrides_of(result) == {C_RIGHT: AFFECTED}


def test_no_overrides_give_the_automatic_result():
    result = override_call(result_with_m2(), C_RIGHT, AFFECTED)
    assert with_overrides(result, {}) == result_with_m2()


def test_overrides_survive_the_file():
    result = override_call(result_with_m2(), M2_LEFT, NOT_AFFECTED)
    assert overrides_of(StudyResult.from_json(result.to_json())) == {M2_LEFT: NOT_AFFECTED}


def test_an_abstained_study_gets_the_readers_score():
    result = override_call(study_result(abstained=True), M2_LEFT, AFFECTED)
    assert (result.aspects.score, result.aspects.left, result.aspects.right) == (9, 9, 10)
    assert result.quality.abstained
    assert withdraw_override(result, M2_LEFT).aspects.score is None


def test_decided_regions_are_no_longer_warned_of():
    result = with_region(result_with_m2(), M2_LEFT, unsure=True)
    result = with_region(result, C_RIGHT, median=None, affected=None, probability=None)
    codes = [warning.code for warning in result.quality.warnings]
    assert codes == ["THICK_SLICES", "REGION_NOT_COMPARED", "UNSURE_CALLS"]
    assert "C right" in result.quality.warnings[1].message
    assert "M2 left" in result.quality.warnings[2].message
    decided = override_call(override_call(result, M2_LEFT, AFFECTED), C_RIGHT, NOT_AFFECTED)
    assert [warning.code for warning in decided.quality.warnings] == ["THICK_SLICES"]


def test_every_warning_of_the_project_has_advice():
    from ASPECTSLib.io.notes import NoteCode
    from ASPECTSLib.report.advice import ADVICE, advice

    own = {"REGION_NOT_COMPARED", "UNSURE_CALLS", "THICK_SLICES", "TILTED_HEAD", "NO_PICTURE"}
    own |= {"HAEMORRHAGE_SUSPECTED", "LOW_REGISTRATION_QUALITY", "READING_INCOMPLETE"}
    own |= {"REGIONS_DISAGREE", "NO_ADC", "CORE_DISAGREES", "INFARCT_OUTSIDE_REGIONS"}
    own |= {"HAEMORRHAGE", "OLD_INFARCT", "KEY_SLICES_DISAGREE"}
    own |= {"BLOOD_MAY_HIDE", "ONE_SIDED_FILLING", "ARTERIAL_PHASE"}
    own |= {"NO_NCCT", "BOTH_SIDES", "LOW_ON_BOTH_SIDES", "CORE_WITH_BLOOD_VOLUME"}
    own |= {"PARTLY_COVERED", "AGE_UNKNOWN", "AGE_BEYOND_ATLAS"}
    assert set(ADVICE) == own | {str(code) for code in NoteCode}
    assert advice(WarningInfo("SOMETHING_NEW", "").code).endswith(".")


def test_a_reading_that_is_not_complete_says_so():
    from ASPECTSLib.report.wording import headline

    result = override_call(study_result(abstained=True), M2_LEFT, AFFECTED)
    assert "incomplete: 19 of 20 not called" in headline(result)
    incomplete = [w.message for w in result.quality.warnings if w.code == "READING_INCOMPLETE"]
    assert len(incomplete) == 1
    assert "19 regions have no call" in incomplete[0]


def test_regions_that_could_not_be_compared_leave_the_score_open():
    from ASPECTSLib.report.calls import score_range

    result = with_region(result_with_m2(), REGIONS[M2_LEFT.label], affected=None, probability=None)
    assert score_range(result) == (8, 9)
