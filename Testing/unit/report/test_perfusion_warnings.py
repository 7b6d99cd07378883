from __future__ import annotations

import pytest

from ASPECTSLib.report.perfusion_warnings import perfusion_warnings

QUIET = {
    "outside_ml": 0.0,
    "core_ml": 40.0,
    "low_on_both_ml": 0.0,
    "is_bilateral": False,
    "has_ct": True,
    "relative_cbv": None,
}


def codes(**changes):
    return [warning.code for warning in perfusion_warnings(**{**QUIET, **changes})]


def test_a_plain_core_asks_for_no_warning():
    assert codes() == []
    assert codes(relative_cbv=0.3) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"has_ct": False}, "NO_NCCT"),
        ({"is_bilateral": True}, "BOTH_SIDES"),
        ({"low_on_both_ml": 12.0}, "LOW_ON_BOTH_SIDES"),
        ({"outside_ml": 30.0}, "INFARCT_OUTSIDE_REGIONS"),
        ({"relative_cbv": 1.1}, "CORE_WITH_BLOOD_VOLUME"),
    ],
)
def test_what_a_reader_should_know_is_said(changes, code):
    assert codes(**changes) == [code]
