from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.bootstrap import Bootstrap
from ASPECTSLib.statistics.roc import (
    Direction,
    accuracy_at,
    area,
    area_difference,
    best_cutoff,
    marker,
    roc_curve,
)

QUICK = Bootstrap(200)
HIGHER, LOWER = Direction.HIGHER, Direction.LOWER


def some_patients(seed=0, count=60):
    """Return a score of 0 to 10 with many ties, a volume with none, and the groups."""
    generator = np.random.default_rng(seed)
    positive = generator.random(count) < 0.4
    score = np.clip(generator.integers(0, 9, count) + 2 * ~positive, 0, 10)
    return score, generator.normal(size=count) + positive, positive


def kernel(strength, positive):
    """Return of each pair of a positive and a negative patient whether it is in the right order, ties half."""
    high, low = strength[positive][:, None], strength[~positive][None]
    return (high > low) + 0.5 * (high == low)


def covariance(kernels):
    """Return DeLong's covariance of areas from the pairs, as the paper writes it."""
    positives, negatives = kernels[0].shape
    by_positive = np.cov([k.mean(axis=1) for k in kernels])
    by_negative = np.cov([k.mean(axis=0) for k in kernels])
    return by_positive / positives + by_negative / negatives


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    score, volume, positive = some_patients()
    assert area(marker(score, positive, LOWER)).value == pytest.approx(
        kernel(-score, positive).mean()
    )
    by_test = stats.mannwhitneyu(volume[positive], volume[~positive]).statistic
    pairs = positive.sum() * (~positive).sum()
    assert area(marker(volume, positive, HIGHER)).value == pytest.approx(by_test / pairs)


def test_the_interval_of_the_area_is_that_of_delong():
    score, _, positive = some_patients()
    found = area(marker(score, positive, LOWER))
    both = [kernel(-score, positive)] * 2
    half = 1.959964 * np.sqrt(covariance(both)[0, 0])
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half))


def test_two_areas_are_compared_with_their_covariance():
    score, volume, positive = some_patients()
    kernels = [kernel(-score, positive), kernel(volume, positive)]
    difference, p_value = area_difference(
        marker(score, positive, LOWER), marker(volume, positive, HIGHER)
    )
    matrix = covariance(kernels)
    error = np.sqrt(matrix[0, 0] + matrix[1, 1] - 2 * matrix[0, 1])
    assert difference.value == pytest.approx(kernels[0].mean() - kernels[1].mean())
    assert difference.high - difference.value == pytest.approx(1.959964 * error)
    assert p_value == pytest.approx(2 * stats.norm.sf(abs(difference.value) / error))


def test_a_measure_is_as_good_as_itself():
    score, _, positive = some_patients()
    one = marker(score, positive, LOWER)
    difference, p_value = area_difference(one, one)
    assert (difference.value, difference.low, difference.high, p_value) == (0.0, 0.0, 0.0, 1.0)


def test_the_trapezoids_below_the_curve_are_the_area():
    for values, positive, direction in (
        (some_patients()[0], some_patients()[2], LOWER),
        (some_patients()[1], some_patients()[2], HIGHER),
    ):
        measure = marker(values, positive, direction)
        curve = roc_curve(measure)
        x = np.concatenate([[0], 1 - curve.specificity])
        y = np.concatenate([[0], curve.sensitivity])
        assert np.trapezoid(y, x) == pytest.approx(area(measure).value)


def test_every_point_of_the_curve_is_the_accuracy_there():
    score, _, positive = some_patients()
    measure = marker(score, positive, LOWER)
    curve = roc_curve(measure)
    assert list(curve.cutoffs) == sorted(set(score.tolist()))
    for cutoff, sensitivity, specificity in zip(
        curve.cutoffs, curve.sensitivity, curve.specificity, strict=True
    ):
        there = accuracy_at(measure, float(cutoff))
        assert there.sensitivity.value == pytest.approx(sensitivity)
        assert there.specificity.value == pytest.approx(specificity)


def test_a_cutoff_belongs_to_the_positive_side():
    positive = [False, False, True, True]
    assert accuracy_at(marker([1, 2, 3, 4], positive, HIGHER), 3.0).youden == 1.0
    assert accuracy_at(marker([9, 8, 6, 5], positive, LOWER), 6.0).youden == 1.0
    assert accuracy_at(marker([1, 2, 3, 4], positive, HIGHER), 3.1).sensitivity.count == 1


@pytest.mark.parametrize("seed", range(5))
def test_the_best_cutoff_is_the_best_of_all(seed):
    score, volume, positive = some_patients(seed)
    for values, direction in ((score, LOWER), (volume, HIGHER)):
        measure = marker(values, positive, direction)
        best = best_cutoff(measure, QUICK).value
        every = [accuracy_at(measure, float(value)).youden for value in values]
        assert accuracy_at(measure, best).youden == pytest.approx(max(every))


def test_of_cutoffs_alike_the_strictest_is_taken():
    # At 3 and above one of two positives and no negative; at 1 and above both, and one of two negatives.
    values, positive = [3, 2, 1, 0], [True, False, True, False]
    assert best_cutoff(marker(values, positive, HIGHER), QUICK).value == 3.0
    assert best_cutoff(marker(np.negative(values), positive, LOWER), QUICK).value == -3.0


def test_turned_values_give_the_turned_cutoff():
    _, volume, positive = some_patients()
    plain = best_cutoff(marker(volume, positive, HIGHER), QUICK)
    turned = best_cutoff(marker(-volume, positive, LOWER), QUICK)
    assert turned.value == -plain.value
    assert {-turned.low, -turned.high} <= set(volume)


def test_the_interval_of_the_cutoff_holds_a_clear_step_and_observed_values_only():
    values = np.concatenate([np.arange(50), np.arange(100, 150)])
    found = best_cutoff(marker(values, values >= 100, HIGHER), QUICK)
    assert found.value == found.low == 100.0
    assert found.high in values
    assert found.high < 110


def test_the_same_seed_gives_the_same_interval():
    score, _, positive = some_patients()
    measure = marker(score, positive, LOWER)
    assert best_cutoff(measure, QUICK) == best_cutoff(measure, QUICK)


def test_groups_that_do_not_overlap_have_an_area_of_one():
    found = area(marker([1, 2, 3, 4], [False, False, True, True], HIGHER))
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_values_all_alike_tell_nothing():
    measure = marker([5] * 6, [True] * 3 + [False] * 3, HIGHER)
    assert area(measure).value == 0.5
    assert roc_curve(measure).cutoffs.tolist() == [5.0]


@pytest.mark.parametrize("positive", [[True] * 4, [False] * 4, [True, False, False, False]])
def test_a_group_without_patients_is_refused(positive):
    with pytest.raises(InputRefusedError, match="at least 2 patients in each group, got"):
        marker([1, 2, 3, 4], positive, HIGHER)


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(InputRefusedError, match="a finite value for each patient"):
        marker([1, np.nan, 3, 4], [True, True, False, False], HIGHER)


def test_measures_of_other_patients_are_not_compared():
    one = marker([1, 2, 3, 4], [True, True, False, False], HIGHER)
    other = marker([1, 2, 3, 4], [False, True, True, False], HIGHER)
    with pytest.raises(InputRefusedError, match="same patients"):
        area_difference(one, other)
