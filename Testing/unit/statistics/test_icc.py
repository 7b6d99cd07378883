from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.icc import icc_agreement, icc_consistency

# Shrout & Fleiss 1979, doi:10.1037/0033-2909.86.2.420, table 2: six patients, four raters.
PUBLISHED = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
BOTH = pytest.mark.parametrize("coefficient", [icc_agreement, icc_consistency])


def some_ratings(generator, patients, raters, *, rater_sd=0.5):
    """Return ratings of patients with a spread of 1, by raters with an offset each, and an error of 0.7."""
    rows = generator.normal(size=(patients, 1))
    columns = generator.normal(0, rater_sd, (1, raters))
    return 7 + rows + columns + generator.normal(0, 0.7, (patients, raters))


def test_coefficients_are_the_published_ones():
    assert icc_agreement(PUBLISHED).value == pytest.approx(0.29, abs=5e-3)
    assert icc_consistency(PUBLISHED).value == pytest.approx(0.71, abs=5e-3)
    # From the mean squares printed there: 11.24 between patients, 32.49 between raters, 1.02 residual.
    assert icc_agreement(PUBLISHED).value == pytest.approx(0.28976378, abs=1e-8)
    assert icc_consistency(PUBLISHED).value == pytest.approx(0.71484071, abs=1e-8)


def test_intervals_are_those_that_other_programs_print():
    # Package irr of R on the same table: 0.019 to 0.761, and 0.342 to 0.946.
    agreement, consistency = icc_agreement(PUBLISHED), icc_consistency(PUBLISHED)
    assert (agreement.low, agreement.high) == pytest.approx((0.019, 0.761), abs=5e-4)
    assert (consistency.low, consistency.high) == pytest.approx((0.342, 0.946), abs=5e-4)
    assert agreement.n == 6


def test_the_consistency_of_two_raters_is_their_covariance_over_their_mean_variance():
    pair = some_ratings(np.random.default_rng(1), 30, 2)
    covariance = np.cov(pair.T)
    expected = covariance[0, 1] / np.mean([covariance[0, 0], covariance[1, 1]])
    assert icc_consistency(pair).value == pytest.approx(expected)


def test_the_agreement_of_two_raters_is_known_from_their_moments():
    pair = some_ratings(np.random.default_rng(2), 25, 2)
    n, covariance = len(pair), np.cov(pair.T)
    offset = pair[:, 0].mean() - pair[:, 1].mean()
    error = (covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]) / 2
    between_raters = offset**2 / 2 - error / n
    expected = covariance[0, 1] / (covariance[0, 1] + error + between_raters)
    assert icc_agreement(pair).value == pytest.approx(expected)


def test_the_ends_of_the_consistency_interval_are_where_f_reaches_its_quantiles():
    ratings = some_ratings(np.random.default_rng(3), 12, 3)
    found = icc_consistency(ratings)
    ratio = (1 + 2 * found.value) / (1 - found.value)
    for end, tail in ((found.low, 0.025), (found.high, 0.975)):
        expected_ratio = (1 + 2 * end) / (1 - end)
        assert stats.f.sf(ratio / expected_ratio, 11, 22) == pytest.approx(tail)


def test_the_interval_of_agreement_holds_the_truth_in_about_95_of_100_studies():
    generator, true = np.random.default_rng(4), 1 / (1 + 0.5**2 + 0.7**2)
    found = [icc_agreement(some_ratings(generator, 20, 4)) for _ in range(1000)]
    inside = np.mean([estimate.low <= true <= estimate.high for estimate in found])
    assert inside == pytest.approx(0.95, abs=0.02)


def test_constant_offsets_cost_agreement_and_no_consistency():
    scores = np.array([3.0, 5, 6, 8, 9, 10])
    ratings = np.stack([scores, scores - 1], axis=1)
    assert icc_consistency(ratings).value == 1.0
    # Variance 209/30 of the patients, and 1/2 between raters who differ by 1.
    assert icc_agreement(ratings).value == pytest.approx(209 / 30 / (209 / 30 + 1 / 2))
    assert 0 < icc_agreement(ratings).low < icc_agreement(ratings).value


@BOTH
def test_raters_who_agree_throughout_have_a_coefficient_of_one(coefficient):
    found = coefficient(np.stack([[3.1, 5.7, 10.0]] * 3, axis=1))
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


@BOTH
def test_the_order_of_patients_and_raters_does_not_matter(coefficient):
    turned = coefficient(np.array(PUBLISHED)[::-1, [2, 0, 3, 1]])
    plain = coefficient(PUBLISHED)
    assert (turned.value, turned.low, turned.high) == pytest.approx(
        (plain.value, plain.low, plain.high)
    )


@BOTH
def test_raters_who_contradict_one_another_have_a_coefficient_below_zero(coefficient):
    found = coefficient([[9, 2], [5, 6], [2, 8.5], [4, 5]])
    assert found.low <= found.value < found.high < 1
    assert found.value < 0


@BOTH
@pytest.mark.parametrize("ratings", [[[7, 7], [7, 7]], [[9.1, 9.3], [9.1, 9.3]], [[1, 2], [2, 1]]])
def test_patients_without_a_difference_are_refused(coefficient, ratings):
    with pytest.raises(InputRefusedError, match="patients who differ in their mean rating"):
        coefficient(ratings)


@BOTH
@pytest.mark.parametrize("ratings", [[[1, 2]], [[1], [2]], [1, 2, 3], []])
def test_too_few_patients_or_raters_are_refused(coefficient, ratings):
    with pytest.raises(InputRefusedError, match="at least 2 patients by at least 2 raters"):
        coefficient(ratings)


@BOTH
def test_missing_ratings_are_refused(coefficient):
    with pytest.raises(InputRefusedError, match="finite rating in each cell"):
        coefficient([[1, 2], [3, np.nan]])
