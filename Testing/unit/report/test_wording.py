"""How results are put in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from result_phantoms import study_result

from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.report.overrides import override_call
from ASPECTSLib.report.result import ContrastInfo, CoreInfo, OverrideInfo, WarningInfo
from ASPECTSLib.report.wording import (
    automatic_text,
    call_sign,
    change_text,
    contrast_lines,
    core_lines,
    core_text,
    headline,
    measured_text,
    method_text,
    override_text,
    unsure_text,
    values_text,
    values_words,
    without_score_text,
)

M1_LEFT = region_of(RegionCode.M1, Side.LEFT)


def unsure(result, label):
    regions = list(result.regions)
    regions[label - 1] = replace(regions[label - 1], unsure=True)
    return replace(result, regions=tuple(regions))


def edited(result):
    return override_call(result, M1_LEFT, OverrideInfo(True, "Reader", "2026-01-02 14:02", "seen"))


@pytest.mark.parametrize(
    ("affected", "words"),
    [
        ((), "ASPECTS 10 / 10   no region affected"),
        ((12, 14), "ASPECTS 8 / 10   LEFT   (right 10, left 8)"),
        ((2, 12), "ASPECTS 9 / 10   both sides alike"),
    ],
)
def test_the_headline_says_score_and_side(affected, words):
    assert headline(study_result(affected)).startswith(words)


def test_the_headline_of_an_abstained_result_has_no_number():
    words = headline(study_result(abstained=True))
    assert words == "No score: the program abstained"


def abstained_for(*codes):
    result = study_result(abstained=True)
    warnings = tuple(WarningInfo(code, "words") for code in codes)
    return replace(result, quality=replace(result.quality, warnings=warnings))


@pytest.mark.parametrize(
    ("codes", "reason", "what_to_do"),
    [
        (["HAEMORRHAGE"], ", as it sees blood", ""),
        (
            ["LOW_REGISTRATION_QUALITY"],
            ", as the atlas does not fit",
            "; call the regions by hand",
        ),
        (["LOW_REGISTRATION_QUALITY", "HAEMORRHAGE"], ", as it sees blood", ""),
        (["HAEMORRHAGE_SUSPECTED"], "", "; call the regions by hand"),
    ],
)
def test_why_the_program_abstained_is_said(codes, reason, what_to_do):
    result = abstained_for(*codes)
    assert headline(result) == f"No score: the program abstained{reason}"
    assert without_score_text(result) == f"The program abstained{reason}{what_to_do}."


def test_a_score_that_nothing_could_be_compared_for_is_no_abstention():
    result = replace(study_result(), aspects=study_result(abstained=True).aspects)
    words = "No region could be compared; call the regions by hand."
    assert without_score_text(result) == words


def test_an_edited_score_says_so_and_keeps_the_automatic_one():
    result = edited(study_result({12}))
    assert headline(result) == "ASPECTS 8 / 10   LEFT   (right 10, left 8, edited)"
    assert automatic_text(result) == "automatic: 9 (right 10, left 9)"


def test_the_method_is_told_with_the_reason_why_it_was_taken():
    result = study_result()
    assert method_text(result) == "Method classical 0.1.0."
    reasoned = replace(result, method=replace(result.method, reason="It is the only one."))
    assert method_text(reasoned) == "Method classical 0.1.0. It is the only one."


def test_unsure_calls_leave_a_range_of_scores():
    result = unsure(unsure(study_result({12, 13}), 12), 14)
    assert unsure_text(result) == "unsure 7–9"
    assert "unsure 7–9" in headline(result)


def test_sure_calls_leave_no_range():
    assert unsure_text(study_result({12})) == ""
    assert unsure_text(study_result(abstained=True)) == ""


@pytest.mark.parametrize(
    ("changes", "sign"),
    [
        ({"affected": True}, "●"),
        ({"affected": False}, "○"),
        ({"affected": None}, "–"),
        ({"affected": True, "unsure": True}, "◐"),
        ({"unsure": True, "override": OverrideInfo(True, "a", "b", "")}, "●"),
        ({"affected": True, "override": OverrideInfo(False, "a", "b", "")}, "○"),
    ],
)
def test_every_call_has_a_sign(changes, sign):
    assert call_sign(replace(study_result().regions[0], **changes)) == sign


def test_an_override_is_told_with_who_when_and_why():
    info = edited(study_result()).regions[M1_LEFT.label - 1]
    text = "M1 left: not affected → affected, Reader, 2026-01-02 14:02: seen"
    assert override_text(info) == text
    assert override_text(study_result().regions[0]) == ""


def measured(right, left, fractions=(None, None), modality="NCCT"):
    regions = study_result().regions
    pair = zip((regions[5], regions[15]), (right, left), fractions, strict=True)
    return measured_text(
        *(replace(info, median=median, infarct_fraction=share) for info, median, share in pair),
        modality,
    )


@pytest.mark.parametrize(
    ("right", "left", "text"),
    [
        (34.0, 28.0, "34.0 | 28.0 HU −18 %"),
        (28.0, 34.0, "28.0 | 34.0 HU −18 %"),
        (34.0, 34.0, "34.0 | 34.0 HU"),
        (None, 34.0, "not compared"),
    ],
)
def test_densities_are_told_right_before_left_with_the_drop(right, left, text):
    assert measured(right, left) == text


def test_infarcted_shares_are_told_where_there_is_an_infarct():
    assert measured(34.0, 34.0, (0.0, 0.23)) == "34.0 | 34.0 HU, infarct 0 | 23 %"
    assert measured(34.0, 34.0, (None, 0.5)) == "34.0 | 34.0 HU, infarct – | 50 %"
    assert measured(34.0, 34.0, (0.0, 0.0)) == "34.0 | 34.0 HU"


def test_on_diffusion_mri_the_infarcted_shares_come_first():
    text = "0 | 40 % infarct, signal 98 | 161 %"
    assert measured(98.2, 160.7, (0.0, 0.4), "DWI") == text
    assert measured(98.0, 101.0, (0.0, 0.0), "DWI") == "signal 98 | 101 %"
    assert measured(None, 101.0, (0.0, 0.1), "DWI") == "0 | 10 % infarct"


def test_values_are_those_that_the_call_rests_on():
    info = replace(study_result().regions[0], median=34.0, contralateral_median=28.0)
    assert values_text(info, "NCCT") == "34.0 | 28.0"
    assert values_text(replace(info, median=None), "NCCT") == "not compared"
    assert values_text(replace(info, infarct_fraction=0.25), "DWI") == "25%"
    assert values_text(info, "DWI") == ""
    assert values_words("NCCT") == "median HU here | other side"
    assert values_words("DWI") == "infarcted share of the region"


def test_the_core_by_the_threshold_is_told_beside_that_of_the_network():
    assert core_lines(CoreInfo()) == []
    core = CoreInfo(31.0, 18.2, "moderate-severe", "mild", "below 50 mL", "6-10")
    assert core_lines(core) == [
        "core 31.0 mL   moderate–severe",
        "ADC below 620: 18.2 mL",
        "by ASPECTS: mild",
        "groups of trials: below 50 mL, ASPECTS 6-10",
    ]
    alone = core_lines(CoreInfo(4.25, severity="mild", core_group="below 50 mL"))
    assert alone == ["core 4.2 mL   mild", "groups of trials: below 50 mL"]


def test_late_tissue_and_blood_volume_are_told_beside_the_core():
    lines = core_lines(CoreInfo(20.0, severity="mild", hypoperfused_ml=95.5, relative_cbv=0.31))
    assert "Tmax above 6 s: 95.5 mL, mismatch 75.5 mL" in lines
    assert "blood volume of the core: 31% of the other side" in lines


def test_a_change_is_told_in_short():
    info = edited(study_result()).regions[M1_LEFT.label - 1]
    assert change_text(info) == "auto ○ → ● Reader 14:02"
    assert change_text(replace(info, unsure=True)) == "auto ◐ → ● Reader 14:02"
    assert change_text(study_result().regions[0]) == ""


@pytest.mark.parametrize(
    ("core", "text"),
    [
        (CoreInfo(), "core –"),
        (CoreInfo(4.25, severity="mild"), "core 4.2 mL   mild"),
        (CoreInfo(31.0, severity="moderate-severe"), "core 31.0 mL   moderate–severe"),
    ],
)
def test_the_core_is_told_in_millilitres_with_its_group(core, text):
    assert core_text(core) == text


@pytest.mark.parametrize(
    ("contrast", "lines"),
    [
        (None, []),
        (
            ContrastInfo("arterial", 320.4, 95.0),
            ["contrast phase arterial: arteries 320, veins 95 HU"],
        ),
        (
            ContrastInfo(None, 300.0, 220.0),
            ["contrast phase not sure: arteries 300, veins 220 HU"],
        ),
        (
            ContrastInfo(None, None, 220.0),
            ["contrast phase not known: the large vessels were not found"],
        ),
    ],
)
def test_the_contrast_phase_is_put_in_words(contrast, lines):
    assert contrast_lines(contrast) == lines
