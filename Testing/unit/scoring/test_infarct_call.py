from __future__ import annotations

import pytest

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.scoring.asymmetry import RegionMeasure
from ASPECTSLib.scoring.infarct_call import call_by_infarct

MEASURE = RegionMeasure(REGIONS[4], 12.0, 1.0, 100.0, 98.0)


@pytest.mark.parametrize(
    ("fraction", "affected"), [(0.0, False), (0.1, False), (0.101, True), (1.0, True)]
)
def test_a_region_is_affected_above_the_share(fraction, affected):
    assert call_by_infarct(MEASURE, fraction, 0.1).affected is affected


def test_the_share_at_which_a_region_counts_is_a_choice():
    assert call_by_infarct(MEASURE, 0.2, 0.1).affected
    assert not call_by_infarct(MEASURE, 0.2, 0.3).affected


def test_the_probability_rises_with_the_share_and_is_one_half_at_the_limit():
    shares = (0.0, 0.01, 0.05, 0.1, 0.2, 0.6)
    found = [call_by_infarct(MEASURE, share, 0.1).probability for share in shares]
    assert found == sorted(found)
    assert found[0] < 0.001
    assert found[3] == pytest.approx(0.5)
    assert found[-1] > 0.9


def test_calls_close_to_the_limit_are_unsure_on_both_sides():
    unsure = {f: call_by_infarct(MEASURE, f, 0.1).unsure for f in (0.05, 0.09, 0.11, 0.2)}
    assert unsure == {0.05: False, 0.09: True, 0.11: True, 0.2: False}


def test_the_evidence_says_share_and_rule():
    assert call_by_infarct(MEASURE, 0.42, 0.1).evidence == (
        "infarct covers 42% of the region; affected above 10%"
    )
    assert call_by_infarct(MEASURE, 0.0, 0.1).evidence.startswith("no infarct")


def test_a_region_that_is_not_in_the_scan_is_not_called():
    call = call_by_infarct(MEASURE, None, 0.1)
    assert not call.compared
    assert not call.affected
    assert call.probability is None
