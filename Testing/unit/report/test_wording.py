"""How results are put in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from result_phantoms import study_result

from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.report.overrides import override_call
from ASPECTSLib.report.result import OverrideInfo
from ASPECTSLib.report.wording import (
    automatic_text,
    call_sign,
    headline,
    override_text,
    unsure_text,
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


def test_an_edited_score_says_so_and_keeps_the_automatic_one():
    result = edited(study_result({12}))
    assert headline(result) == "ASPECTS 8 / 10   LEFT   (right 10, left 8, edited)"
    assert automatic_text(result) == "automatic: 9 (right 10, left 9)"


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
