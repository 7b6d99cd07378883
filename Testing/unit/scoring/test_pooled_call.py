"""The pool of measures, and the calls that it makes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.scoring.asymmetry import RegionMeasure
from ASPECTSLib.scoring.pooled_call import Measures, Pool, WeighedRegion, call_by_pool, read_pool

POOL = Pool(density=0.5, coverage=1.0, asymmetry=0.5, offset=1.0, threshold={"M2": 0.4})
M2_LEFT = region_of(RegionCode.M2, Side.LEFT)
MEASURE = RegionMeasure(M2_LEFT, 20.0, 0.9, median=30.0, contralateral_median=33.0)


def measures(drop_hu=(0.0,), suspected=(0.0,), asymmetry=(0.5,)):
    return Measures(*(np.array(values, float) for values in (drop_hu, suspected, asymmetry)))


def probability(**named):
    return float(POOL.probability(measures(**named))[0])


def test_the_log_odds_are_the_weighed_sum():
    found = probability(drop_hu=[2.0], suspected=[0.18], asymmetry=[0.8])
    log_odds = 0.5 * 2.0 + np.log(0.2) + 0.5 * np.log(4.0) + 1.0
    assert found == pytest.approx(1 / (1 + np.exp(-log_odds)))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("drop_hu", [-2.0, 0.0, 1.0, 5.0]),
        ("suspected", [0.0, 0.1, 0.5, 1.0]),
        ("asymmetry", [0.01, 0.2, 0.5, 0.99]),
    ],
)
def test_more_of_each_measure_makes_it_likelier(name, values):
    found = [probability(**{name: [value]}) for value in values]
    assert np.all(np.diff(found) > 0.01)


def test_absurd_densities_and_certain_networks_do_not_drown_the_others():
    assert probability(drop_hu=[900.0]) == probability(drop_hu=[6.0])
    assert probability(drop_hu=[-900.0]) == probability(drop_hu=[-3.0])
    assert 0.0 < probability(asymmetry=[0.0]) < probability(asymmetry=[1.0]) < 1.0


def test_sides_that_were_not_compared_count_as_alike_and_what_no_network_saw_is_not_known():
    assert probability(drop_hu=[np.nan]) == probability(drop_hu=[0.0])
    assert np.isnan(probability(asymmetry=[np.nan]))


def test_exchanged_sides_give_exchanged_probabilities():
    rng = np.random.default_rng(1)
    both = measures(rng.normal(size=20), rng.uniform(size=20), rng.uniform(size=20))
    exchanged = Measures(
        *(np.roll(column, 10) for column in (both.drop_hu, both.suspected, both.asymmetry))
    )
    np.testing.assert_array_equal(POOL.probability(exchanged), np.roll(POOL.probability(both), 10))


def test_a_pool_is_read_as_it_was_written():
    text = json.dumps({"name": "any", "pool": POOL.as_dict()})
    assert read_pool(text) == POOL
    assert POOL.threshold_of("M2") == 0.4
    assert POOL.threshold_of("C") == 0.5


@pytest.mark.parametrize(
    "pool",
    [
        {"density": -0.1},
        {"coverage": float("nan")},
        {"asymmetry": "1"},
        {"offset": None},
        {"threshold": {"M2": 1.0}},
        {"threshold": {"M2": True}},
        {"threshold": [0.5]},
        {"more": 1.0},
    ],
)
def test_a_damaged_pool_is_refused(pool):
    text = json.dumps({"pool": POOL.as_dict() | pool})
    with pytest.raises(ResourceError) as caught:
        read_pool(text)
    assert caught.value.code is ErrorCode.MODEL_DAMAGED


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pool": 1}', '{"pool": {"density": 1.0}}'])
def test_what_is_no_pool_is_refused(text):
    with pytest.raises(ResourceError, match="weights of measures") as caught:
        read_pool(text)
    assert caught.value.code is ErrorCode.MODEL_DAMAGED


def call(probability=0.6, *, share=0.2, covered=True, threshold=0.5, measure=MEASURE):
    weighed = WeighedRegion(probability, threshold, 0.35, 0.7, covered)
    return call_by_pool(measure, weighed, share, affected_fraction=0.1)


def test_a_region_is_called_by_its_probability_and_its_reasons_are_told():
    found = call()
    assert found.affected
    assert found.infarct_fraction == 0.2
    assert found.evidence == (
        "density, infarct and network together: 0.60, affected from 0.50; 3.0 HU darker than the right side "
        "(30.0 | 33.0 HU); infarct suspected in 35% of the region, shown in 20%; network that compares the sides: 0.70"
    )


def test_an_infarct_that_the_program_found_does_not_decide_alone():
    found = call(0.2, share=0.3)
    assert not found.affected
    assert found.infarct_fraction == 0.3


def test_drawing_infarct_into_a_region_calls_it_and_erasing_it_clears_it():
    drawn, erased = call(0.1, share=0.3, covered=False), call(0.9, share=0.0)
    assert drawn.affected
    assert not drawn.unsure
    assert not erased.affected


def test_a_border_that_is_moved_a_little_leaves_the_call():
    assert call(0.6, share=0.12).affected
    assert call(0.6, share=0.05, covered=False).affected


def test_a_region_that_is_not_there_is_not_called():
    gone = replace(MEASURE, median=None, contralateral_median=None, volume_ml=0.0)
    assert call(0.9, share=None, measure=gone).probability is None
    assert call(None, share=0.0, covered=False).probability is None


def test_calls_near_the_threshold_are_unsure():
    assert call(0.45).unsure
    assert not call(0.45, threshold=0.2).unsure
