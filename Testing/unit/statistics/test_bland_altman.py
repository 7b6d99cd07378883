from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.bland_altman import limits_of_agreement

# Bland & Altman 1986, doi:10.1016/S0140-6736(86)90837-8: peak flow by two meters, first readings, L/min.
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def ends(estimate):
    return estimate.low, estimate.high


def test_bias_and_deviation_are_the_published_ones():
    found = limits_of_agreement(MINI, LARGE)
    assert found.bias.value == pytest.approx(-2.1, abs=0.05)
    assert found.deviation == pytest.approx(38.8, abs=0.05)
    # Printed: -22.1 to 17.9, from rounded intermediate results.
    assert ends(found.bias) == pytest.approx((-22.1, 17.9), abs=0.15)
    assert found.bias.n == 17


def test_limits_are_the_published_ones():
    # Printed are the bias less and plus 2 deviations, -79.7 and 75.5, with standard errors of 16.3.
    found = limits_of_agreement(MINI, LARGE)
    for limit, sign, printed in ((found.lower, -1, -79.7), (found.upper, 1, 75.5)):
        with_two = limit.value + sign * 0.04 * found.deviation
        assert with_two == pytest.approx(printed, abs=0.15)
        error = (limit.high - limit.low) / 2 / stats.t.ppf(0.975, 16)
        assert error == pytest.approx(16.3, abs=0.15)


def test_the_bias_has_the_interval_of_the_paired_t_test():
    found = limits_of_agreement(MINI, LARGE)
    interval = stats.ttest_rel(LARGE, MINI).confidence_interval(0.95)
    assert ends(found.bias) == pytest.approx((interval.low, interval.high))


def test_exchanged_measurements_turn_the_limits_round():
    forth, back = limits_of_agreement(MINI, LARGE), limits_of_agreement(LARGE, MINI)
    assert back.bias.value == pytest.approx(-forth.bias.value)
    assert ends(back.lower) == pytest.approx(tuple(-end for end in reversed(ends(forth.upper))))


def test_the_interval_of_a_limit_holds_the_truth_in_about_95_of_100_studies():
    differences = np.random.default_rng(1).normal(1.0, 2.0, (2000, 40))
    found = [limits_of_agreement(np.zeros(40), row).upper for row in differences]
    inside = np.mean([limit.low <= 1.0 + 1.96 * 2.0 <= limit.high for limit in found])
    assert inside == pytest.approx(0.95, abs=0.015)


def test_a_constant_difference_has_limits_without_width():
    found = limits_of_agreement([1, 5, 9], [2, 6, 10])
    assert found.deviation == 0.0
    for estimate in (found.bias, found.lower, found.upper):
        assert (estimate.value, *ends(estimate)) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ([1], [2], "at least 2 patients, got 1"),
        ([], [], "at least 2 patients, got 0"),
        ([1, 2], [1, 2, 3], "two values for each patient"),
        ([1, np.nan, 3], [1, 2, 3], "missing"),
        ([1, np.inf, 3], [1, 2, 3], "infinite"),
    ],
)
def test_what_allows_no_limits_is_refused(first, second, words):
    with pytest.raises(InputRefusedError, match=words):
        limits_of_agreement(first, second)
