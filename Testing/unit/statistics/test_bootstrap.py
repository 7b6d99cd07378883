from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.errors import InputRefusedError, UsageError
from ASPECTSLib.statistics.bootstrap import (
    MIN_RESAMPLES,
    Bootstrap,
    percentile_interval,
    replicates,
)


def means(rows):
    return rows.mean(axis=1)


def test_the_interval_of_a_mean_is_that_of_theory():
    values = np.random.default_rng(3).normal(10.0, 2.0, 400)
    low, high = percentile_interval(replicates(means, Bootstrap(4000), values))
    half = 1.96 * values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_the_same_seed_gives_the_same_replicates_and_another_one_others():
    values = np.arange(20.0)
    first, again = (replicates(means, Bootstrap(seed=7), values) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, replicates(means, Bootstrap(seed=8), values))


@pytest.mark.parametrize("count", [100, 250, 251, 1000])
def test_there_are_as_many_replicates_as_asked_for(count):
    assert replicates(means, Bootstrap(count), np.arange(5.0)).shape == (count,)


def test_a_patient_is_drawn_with_all_variables():
    values = np.arange(30.0)
    differences = replicates(
        lambda x, y: np.abs(2 * x - y).max(axis=1), Bootstrap(), values, 2 * values
    )
    assert not differences.any()


def test_groups_keep_their_sizes():
    for first, second in Bootstrap().rows(3, 5):
        assert (first.shape[1], second.shape[1]) == (3, 5)
        assert first.max() <= 2
        assert second.max() <= 4


def test_ends_of_an_interval_can_be_made_to_be_observed_values():
    values = np.repeat([5.0, 6.0], [50, 50])
    assert percentile_interval(values, observed_only=True) == (5.0, 6.0)
    low, high = percentile_interval(np.arange(100.0))
    assert (low, high) == pytest.approx((2.475, 96.525))


def test_replicates_that_are_not_defined_are_left_out():
    assert percentile_interval(np.array([np.nan, 2.0, 2.0])) == (2.0, 2.0)
    with pytest.raises(InputRefusedError, match="defined"):
        percentile_interval(np.array([np.nan]))


@pytest.mark.parametrize("changes", [{"resamples": MIN_RESAMPLES - 1}, {"seed": -1}])
def test_a_bootstrap_that_cannot_be_drawn_is_refused(changes):
    with pytest.raises(UsageError, match="at least 100 resamples and a seed of 0 or more"):
        Bootstrap(**changes)
