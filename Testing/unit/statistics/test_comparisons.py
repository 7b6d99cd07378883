from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.comparisons import (
    EXACT_PAIRS,
    kolmogorov_smirnov_p,
    paired_t,
    signed_rank_p,
)

# Student 1908, doi:10.2307/2331554: hours of sleep gained under two drugs by ten patients.
FIRST_DRUG = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND_DRUG = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
# Darwin 1876, in Fisher 1935: cross- less self-fertilised maize, eighths of an inch.
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def by_all_signs(differences):
    """Return the two-sided p value of signed ranks from every possible set of signs."""
    differences = np.array([d for d in differences if d])
    ranks = stats.rankdata(np.abs(differences))
    middle = ranks.sum() / 2
    seen = abs(ranks[differences > 0].sum() - middle)
    sums = [ranks @ signs for signs in itertools.product((0, 1), repeat=len(ranks))]
    return np.mean([abs(total - middle) >= seen - 1e-9 for total in sums])


def test_the_paired_t_test_gives_the_published_numbers():
    found = paired_t(FIRST_DRUG, SECOND_DRUG)
    assert found.value.value == pytest.approx(1.58)
    # As R prints them: t = -4.0621, df = 9, p = 0.002833, interval 0.7001142 to 2.4598858.
    assert found.p_value == pytest.approx(0.002833, abs=5e-7)
    assert (found.value.low, found.value.high) == pytest.approx((0.7001142, 2.4598858), abs=5e-8)


def test_differences_all_alike_are_certain():
    assert paired_t([1, 2, 3], [1, 2, 3]).p_value == 1.0
    shifted = paired_t([0.1, 0.2, 0.3], [1.1, 1.2, 1.3])
    assert shifted.p_value == 0.0
    assert shifted.value.low == shifted.value.high == pytest.approx(1.0)


def test_signed_ranks_of_darwins_maize_give_the_exact_p_value():
    # 2048 sets of signs are at most as large as 24: doubled, 0.0413 of all 32768.
    assert signed_rank_p(np.zeros(15), MAIZE) == pytest.approx(by_all_signs(MAIZE))
    expected = stats.wilcoxon(MAIZE, method="exact").pvalue
    assert signed_rank_p(np.zeros(15), MAIZE) == pytest.approx(expected)
    assert expected == pytest.approx(0.0413, abs=5e-5)


@pytest.mark.parametrize("seed", range(6))
def test_signed_ranks_are_exact_with_ties_and_zeros(seed):
    differences = np.random.default_rng(seed).integers(-3, 5, 11)
    assert signed_rank_p(np.zeros(11), differences) == pytest.approx(by_all_signs(differences))


def test_signed_ranks_of_many_patients_are_nearly_normal():
    differences = np.random.default_rng(1).normal(0.1, 1.0, EXACT_PAIRS)
    exact = signed_rank_p(np.zeros(EXACT_PAIRS), differences)
    extra = np.append(differences, 1e-9)  # one more, with the least rank
    assert signed_rank_p(np.zeros(EXACT_PAIRS + 1), extra) == pytest.approx(exact, rel=0.02)
    expected = stats.wilcoxon(extra, method="asymptotic").pvalue
    assert signed_rank_p(np.zeros(EXACT_PAIRS + 1), extra) == pytest.approx(expected)


def test_nobody_with_a_difference_gives_a_p_value_of_one():
    assert signed_rank_p([1, 2], [1, 2]) == 1.0
    assert signed_rank_p([1], [2]) == 1.0


def test_two_groups_are_compared_by_the_largest_step_between_their_distributions():
    x, y = [1, 2, 3], [4, 5, 6]  # 2 of the 20 orders part the groups completely
    assert kolmogorov_smirnov_p(x, y) == pytest.approx(0.1)
    assert kolmogorov_smirnov_p(x, x) == 1.0
    assert kolmogorov_smirnov_p([5] * 4, [5] * 3) == 1.0
    assert kolmogorov_smirnov_p([1], [2]) == 1.0


def test_large_groups_are_compared_asymptotically():
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=501), generator.normal(0.3, 1.0, 499)
    expected = stats.ks_2samp(x, y, method="asymp").pvalue
    assert kolmogorov_smirnov_p(x, y) == expected
    assert kolmogorov_smirnov_p(x[:500], y) == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("test", [paired_t, signed_rank_p, kolmogorov_smirnov_p])
def test_missing_values_are_refused(test):
    with pytest.raises(InputRefusedError, match="missing"):
        test([1, 2, np.nan], [1, 2, 3])


@pytest.mark.parametrize("test", [paired_t, signed_rank_p, kolmogorov_smirnov_p])
def test_nobody_is_refused(test):
    with pytest.raises(InputRefusedError, match=r"expected .*patients"):
        test([], [])
