from __future__ import annotations

import pytest

from ASPECTSLib.report.advice import ADVICE
from ASPECTSLib.report.diffusion_warnings import (
    CORE_DISAGREES,
    NO_ADC,
    OUTSIDE_REGIONS,
    diffusion_warnings,
)
from ASPECTSLib.report.result import CoreInfo


def codes(core, adc="given", outside_ml=0.0):
    return [warning.code for warning in diffusion_warnings(core, adc, outside_ml)]


def test_a_clear_case_has_no_warning():
    assert codes(CoreInfo(30.0, 28.0)) == []


def test_a_missing_adc_is_told():
    assert codes(CoreInfo(30.0), "none") == [NO_ADC]
    assert codes(CoreInfo(30.0, 28.0), "derived") == []


def test_volumes_that_disagree_are_both_told():
    (warning,) = diffusion_warnings(CoreInfo(4.0, 40.0), "given", 0.0)
    assert warning.code == CORE_DISAGREES
    assert "4.0 mL" in warning.message
    assert "40.0 mL" in warning.message


@pytest.mark.parametrize(("outside_ml", "told"), [(0.5, False), (4.0, False), (6.0, True)])
def test_an_infarct_that_mostly_lies_outside_the_regions_is_told(outside_ml, told):
    assert (OUTSIDE_REGIONS in codes(CoreInfo(10.0, 10.0), outside_ml=outside_ml)) is told


def test_every_warning_has_its_advice():
    assert {NO_ADC, CORE_DISAGREES, OUTSIDE_REGIONS} <= ADVICE.keys()
