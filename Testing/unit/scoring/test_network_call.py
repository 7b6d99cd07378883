from __future__ import annotations

import pytest

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.scoring.asymmetry import RegionMeasure
from ASPECTSLib.scoring.network_call import call_by_network

MEASURE = RegionMeasure(REGIONS[14], 12.0, 1.0, 27.0, 30.0)


@pytest.mark.parametrize(
    ("probability", "threshold", "affected"),
    [(0.5, 0.5, True), (0.49, 0.5, False), (0.3, 0.25, True), (0.6, 0.8, False)],
)
def test_a_region_is_affected_from_its_threshold_on(probability, threshold, affected):
    assert call_by_network(MEASURE, probability, threshold).affected is affected


def test_calls_are_unsure_where_the_odds_are_close_to_those_of_the_threshold():
    by_half = {p: call_by_network(MEASURE, p).unsure for p in (0.34, 0.36, 0.64, 0.66)}
    assert by_half == {0.34: False, 0.36: True, 0.64: True, 0.66: False}
    by_tenth = {p: call_by_network(MEASURE, p, 0.1).unsure for p in (0.05, 0.08, 0.15, 0.3)}
    assert by_tenth == {0.05: False, 0.08: True, 0.15: True, 0.3: False}


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_certain_calls_are_not_unsure(probability):
    call = call_by_network(MEASURE, probability, 0.3)
    assert (call.affected, call.unsure) == (probability == 1.0, False)


def test_the_evidence_says_probability_threshold_and_density():
    assert call_by_network(MEASURE, 0.834, 0.4).evidence == (
        "network: 0.83, affected from 0.40; 3.0 HU darker than the right side (27.0 | 30.0 HU)"
    )


def test_without_density_the_probability_stands_alone():
    bare = RegionMeasure(REGIONS[14], 12.0, 0.0, None, None)
    assert call_by_network(bare, 0.2).evidence == "network: 0.20, affected from 0.50"


def test_a_region_that_the_network_did_not_see_is_not_called():
    call = call_by_network(MEASURE, None)
    assert (call.compared, call.affected, call.unsure) == (False, False, False)
