from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.icc import icc_agreement
from ASPECTSLib.statistics.kappa import Weighting, kappa, kappa_of_table

# Fleiss, Cohen & Everitt 1969, doi:10.1037/h0028106: 200 patients, three diagnoses.
PUBLISHED = np.array([[106, 10, 4], [22, 28, 10], [2, 12, 6]])
PUBLISHED_WEIGHTS = np.array([[1, 0, 0.4444], [0, 1, 0.6667], [0.4444, 0.6667, 1]])


def variance(estimate):
    return ((estimate.high - estimate.low) / 2 / 1.959963985) ** 2


def ratings(table):
    """Return a list of pairs with the counts of a table."""
    table = np.asarray(table)
    first, second = np.indices(table.shape)
    return np.repeat(first.ravel(), table.ravel()), np.repeat(second.ravel(), table.ravel())


def some_scores(seed=0, count=80):
    generator = np.random.default_rng(seed)
    first = generator.integers(0, 11, count)
    return first, np.clip(first + generator.integers(-2, 3, count), 0, 10)


def test_kappa_and_its_variance_are_the_published_ones():
    found = kappa_of_table(PUBLISHED, np.eye(3))
    assert found.value == pytest.approx(0.429, abs=5e-4)
    assert variance(found) == pytest.approx(0.002885, abs=5e-7)
    assert found.n == 200


def test_weighted_kappa_and_its_variance_are_the_published_ones():
    found = kappa_of_table(PUBLISHED, PUBLISHED_WEIGHTS)
    assert found.value == pytest.approx(0.507, abs=5e-4)
    assert variance(found) == pytest.approx(0.003248, abs=5e-7)


def test_pairs_give_the_kappa_of_their_table():
    assert kappa(*ratings(PUBLISHED)) == kappa_of_table(PUBLISHED, np.eye(3))


def test_kappa_is_the_textbook_quotient_for_two_calls():
    # Cohen 1960: 45 + 15 of 100 alike where chance gives 0.54.
    assert kappa(*ratings([[45, 15], [25, 15]])).value == pytest.approx((0.60 - 0.54) / 0.46)
    assert kappa([True, False, True, True], [True, False, False, True]).value == pytest.approx(0.5)


def test_quadratic_weights_give_nearly_the_intraclass_correlation():
    # Fleiss & Cohen 1973, doi:10.1177/001316447303300309: alike but for a term of order 1/n.
    first, second = some_scores(count=400)
    by_variance = icc_agreement(np.stack([first, second], axis=1)).value
    assert kappa(first, second, Weighting.QUADRATIC).value == pytest.approx(by_variance, abs=1e-3)


def test_weights_count_the_gap_of_a_score_that_nobody_gave():
    first, second = [0, 0, 9, 10, 10, 9], [0, 0, 10, 10, 9, 9]
    exact = kappa(first, second).value
    linear = kappa(first, second, Weighting.LINEAR).value
    expected = 1 - 2 / 6 / np.abs(np.subtract.outer(first, second)).mean()
    assert linear == pytest.approx(expected)
    assert linear > exact


@pytest.mark.parametrize("weighting", Weighting)
def test_the_interval_is_about_that_of_the_bootstrap(weighting):
    first, second = some_scores(1, 150)
    generator = np.random.default_rng(2)
    rows = generator.integers(0, 150, (500, 150))
    spread = np.std([kappa(first[row], second[row], weighting).value for row in rows])
    found = kappa(first, second, weighting)
    assert np.sqrt(variance(found)) == pytest.approx(spread, rel=0.12)


@pytest.mark.parametrize("weighting", Weighting)
def test_raters_who_agree_throughout_have_a_kappa_of_one(weighting):
    found = kappa([1, 2, 2, 7], [1, 2, 2, 7], weighting)
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 1.0, 1.0))


def test_raters_who_never_agree_have_a_kappa_of_at_most_zero():
    assert kappa([0, 1, 0, 1], [1, 0, 1, 0]).value == pytest.approx(-1.0)
    assert kappa([0, 0, 0], [1, 1, 1]).value == 0.0


@pytest.mark.parametrize("weighting", Weighting)
def test_one_value_for_all_patients_is_refused(weighting):
    with pytest.raises(InputRefusedError, match="more than one value, got 10 for all patients"):
        kappa([10, 10, 10], [10, 10, 10], weighting)


def test_tables_that_say_nothing_are_refused():
    with pytest.raises(InputRefusedError, match="counts of patients"):
        kappa_of_table(np.zeros((2, 2)), np.eye(2))
    with pytest.raises(InputRefusedError, match="chance does not explain"):
        kappa_of_table([[5, 0], [0, 0]], np.eye(2))


def test_one_patient_and_missing_ratings_are_refused():
    with pytest.raises(InputRefusedError, match="at least 2 patients, got 1"):
        kappa([1], [1])
    with pytest.raises(InputRefusedError, match="missing"):
        kappa([1, np.nan], [1, 2])
