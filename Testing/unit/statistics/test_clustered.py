from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ASPECTSLib.statistics.bootstrap import Bootstrap
from ASPECTSLib.statistics.clustered import clustered_area, clustered_share
from ASPECTSLib.statistics.proportions import proportion


def cohort(seed=0, patients=60, regions=20):
    generator = np.random.default_rng(seed)
    ill = generator.random((patients, 1)) < 0.5
    truth = ill & (generator.random((patients, regions)) < 0.4)
    strength = generator.normal(truth * 1.5, 1.0)
    return truth, strength


def test_the_share_is_that_of_all_regions():
    truth, strength = cohort()
    found = clustered_share(truth, strength > 0.5)
    assert found.value == (strength[truth] > 0.5).mean()
    assert found.n == truth.sum()
    assert found.low < found.value < found.high


def test_regions_that_go_together_make_the_interval_wide():
    whole = np.random.default_rng(1).random((40, 1)) < 0.6
    together = np.repeat(whole, 10, axis=1)
    apart = np.random.default_rng(1).random((40, 10)) < 0.6
    every = np.ones((40, 10), bool)
    wide, narrow = (clustered_share(every, counted) for counted in (together, apart))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


@pytest.mark.parametrize("all_count", [True, False])
def test_a_share_of_all_or_nothing_keeps_a_width(all_count):
    every = np.ones((6, 2), bool)
    found = clustered_share(every, np.full((6, 2), all_count))
    wilson = proportion(12 * all_count, 12)
    assert (found.low, found.high) == (wilson.low, wilson.high)
    assert found.high > found.low


def test_a_share_of_nothing_is_not_defined():
    assert clustered_share(np.zeros((3, 4), bool), np.ones((3, 4), bool)) is None


def test_the_area_is_that_of_the_rank_sum_test():
    truth, strength = cohort()
    strength = np.round(strength)  # ties
    statistic = stats.mannwhitneyu(strength[truth], strength[~truth]).statistic
    expected = statistic / (truth.sum() * (~truth).sum())
    found = clustered_area(truth, strength)
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert found.low < found.value < found.high


def test_regions_that_are_not_known_take_no_part():
    truth, strength = cohort()
    known = np.ones(truth.shape, bool)
    known[:, ::2] = False
    hidden = np.where(known, strength, 1e6)
    part = clustered_area(truth[:, 1::2], strength[:, 1::2])
    assert clustered_area(truth, hidden, known).value == part.value


def test_an_area_without_both_kinds_is_not_defined():
    truth, strength = cohort()
    assert clustered_area(np.zeros_like(truth), strength) is None


def test_the_same_seed_gives_the_same_interval():
    truth, strength = cohort()
    first, again = (clustered_area(truth, strength, None, Bootstrap(200, 3)) for _ in range(2))
    other = clustered_area(truth, strength, None, Bootstrap(200, 4))
    assert first == again
    assert first.low != other.low
