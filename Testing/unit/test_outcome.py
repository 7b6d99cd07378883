"""What the module says about a result."""

from __future__ import annotations

import json

import pytest

from ASPECTSSlicer.outcome import describeResult, readOutcome


def _result(score=5, side="left", warnings=(), *, abstained=False):
    return {
        "aspects": {"score": score, "side": side},
        "quality": {"warnings": list(warnings), "abstained": abstained},
        "outputs": {"regions": "regions.nii.gz"},
    }


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (_result(5, "left"), "ASPECTS 5 / 10, left"),
        (_result(10, "none"), "ASPECTS 10 / 10"),
        (_result(None, "none", abstained=True), "No score"),
    ],
)
def test_score_and_side_are_said_in_words(result, text):
    assert describeResult(result) == text


def test_warnings_follow_the_score():
    warning = {"code": "SLICES_TOO_THICK", "message": "slices are 7 mm thick"}
    assert describeResult(_result(warnings=[warning])).splitlines()[1:] == ["slices are 7 mm thick"]


def test_regions_are_found_beside_the_result(tmp_path):
    (tmp_path / "result.json").write_text(json.dumps(_result()))
    assert readOutcome(tmp_path).regionsFile == tmp_path / "regions.nii.gz"


def test_result_without_regions_has_no_file_to_show(tmp_path):
    result = _result(None, "none", abstained=True) | {"outputs": {"regions": None}}
    (tmp_path / "result.json").write_text(json.dumps(result))
    assert readOutcome(tmp_path).regionsFile is None
