from __future__ import annotations

import itertools

import numpy as np
import pytest

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, contralateral, region_of
from ASPECTSLib.scoring.aspects import (
    CORTICAL_THRESHOLD_HU,
    DEEP_THRESHOLD_HU,
    UNSURE_PROBABILITY,
    AffectedSide,
    Score,
    call_region,
    total_score,
)
from ASPECTSLib.scoring.asymmetry import RegionMeasure

LEFT_M5 = region_of(RegionCode.M5, Side.LEFT)
LEFT_L = region_of(RegionCode.L, Side.LEFT)
RIGHT_SIDE, LEFT_SIDE = REGIONS[:10], REGIONS[10:]


def call(region, drop, median=30.0):
    other = None if drop is None else median + drop
    return call_region(RegionMeasure(region, 10.0, 0.9, median, other))


def threshold_of(region):
    return CORTICAL_THRESHOLD_HU if region.code.value.startswith("M") else DEEP_THRESHOLD_HU


@pytest.mark.parametrize("region", REGIONS, ids=lambda region: f"{region.side}-{region.code}")
def test_a_drop_of_just_the_threshold_is_as_likely_affected_as_not(region):
    at_threshold = call(region, threshold_of(region))
    assert at_threshold.probability == pytest.approx(0.5)
    assert at_threshold.unsure
    assert at_threshold.region is region


@pytest.mark.parametrize("region", [LEFT_L, LEFT_M5], ids=["deep", "cortical"])
@pytest.mark.parametrize(
    ("beyond_hu", "affected"), [(-3.0, False), (-0.1, False), (0.1, True), (3.0, True)]
)
def test_regions_darker_than_the_threshold_are_affected(region, beyond_hu, affected):
    assert call(region, threshold_of(region) + beyond_hu).affected is affected


def test_a_darker_region_is_never_less_likely_affected():
    probabilities = [call(LEFT_M5, drop).probability for drop in np.linspace(-10.0, 10.0, 81)]
    assert (np.diff(probabilities) > 0).all()
    assert probabilities[0] < 0.001
    assert probabilities[-1] > 0.999


@pytest.mark.parametrize("excess_hu", [0.2, 1.0, 4.0])
def test_probabilities_are_symmetric_about_the_threshold(excess_hu):
    above, below = (
        call(LEFT_L, DEEP_THRESHOLD_HU + sign * excess_hu).probability for sign in (1, -1)
    )
    assert above + below == pytest.approx(1.0)


def test_sides_that_differ_like_those_of_a_healthy_head_are_not_affected():
    assert not any(call(region, drop).affected for region in REGIONS for drop in (-1.0, 0.0, 1.0))


def test_infarcts_that_are_darker_by_4_hu_are_affected_for_sure():
    calls = [call(region, 4.0) for region in REGIONS]
    assert all(found.affected and not found.unsure for found in calls)


@pytest.mark.parametrize("drop", [-4.0, -0.5, 0.0, 2.5])
def test_both_sides_are_called_alike(drop):
    for region in RIGHT_SIDE:
        assert call(region, drop).probability == call(contralateral(region), drop).probability


def test_calls_are_unsure_only_near_the_threshold():
    calls = [
        call(LEFT_L, DEEP_THRESHOLD_HU + excess_hu) for excess_hu in np.linspace(-2.0, 2.0, 41)
    ]
    lowest, highest = UNSURE_PROBABILITY
    assert [c.unsure for c in calls] == [lowest < c.probability < highest for c in calls]
    assert 0 < sum(c.unsure for c in calls) < 20


def test_a_region_without_enough_tissue_is_not_compared_and_not_affected():
    missing = call(LEFT_M5, None)
    assert missing.probability is None
    assert not missing.affected
    assert "not compared" in missing.evidence


@pytest.mark.parametrize(
    ("drop", "words"), [(2.5, "2.5 HU darker than the right side"), (-1.0, "1.0 HU brighter")]
)
def test_the_evidence_says_how_the_sides_differ(drop, words):
    evidence = call(LEFT_M5, drop).evidence
    assert words in evidence
    assert "30.0" in evidence
    assert f"called from {CORTICAL_THRESHOLD_HU:.1f} HU" in evidence


def test_every_number_of_affected_regions_of_both_sides_is_counted():
    for right, left in itertools.product(range(11), repeat=2):
        score = total_score([*RIGHT_SIDE[:right], *LEFT_SIDE[:left]])
        assert (score.right, score.left) == (10 - right, 10 - left)
        assert score.score == min(10 - right, 10 - left)


def test_every_set_of_regions_of_one_side_costs_a_point_each():
    for chosen in itertools.product((False, True), repeat=10):
        affected = itertools.compress(LEFT_SIDE, chosen)
        assert total_score(affected) == Score(left=10 - sum(chosen), right=10)


@pytest.mark.parametrize(
    ("left", "right", "side", "score"),
    [
        (10, 10, AffectedSide.NONE, 10),
        (9, 10, AffectedSide.LEFT, 9),
        (10, 3, AffectedSide.RIGHT, 3),
        (4, 7, AffectedSide.LEFT, 4),
        (7, 4, AffectedSide.RIGHT, 4),
        (6, 6, AffectedSide.BILATERAL, 6),
        (0, 0, AffectedSide.BILATERAL, 0),
        (0, 10, AffectedSide.LEFT, 0),
    ],
)
def test_the_score_is_that_of_the_worse_side(left, right, side, score):
    points = Score(left=left, right=right)
    assert (points.side, points.score) == (side, score)


def test_swapped_sides_give_the_swapped_score():
    for right, left in itertools.product(range(11), repeat=2):
        affected = [*RIGHT_SIDE[:right], *LEFT_SIDE[:left]]
        score, mirror = total_score(affected), total_score(map(contralateral, affected))
        assert (mirror.left, mirror.right, mirror.score) == (score.right, score.left, score.score)
