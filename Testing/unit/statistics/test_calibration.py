from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.calibration import (
    CERTAIN,
    TEMPERATURES,
    fit_isotonic,
    fit_logistic,
    fit_temperature,
    logits_of,
)
from ASPECTSLib.statistics.reliability import brier_score, expected_calibration_error


def overconfident(count=4000, factor=2.5, seed=1):
    """Return logits a factor too large, and the truth that the right ones stand for."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0.0, 1.5, count)
    truth = generator.random(count) < special.expit(logits)
    return factor * logits, truth


def test_the_factor_of_an_overconfident_network_is_found():
    found = fit_temperature(*overconfident(20_000))
    assert found.value == pytest.approx(2.5, rel=0.05)


def test_the_temperature_is_the_likeliest():
    logits, truth = overconfident(200)
    signed = np.where(truth, logits, -logits)
    # At the likeliest temperature the derivative of the likelihood by its inverse is 0.
    slope = optimize.brentq(lambda b: (signed * special.expit(-signed * b)).mean(), 0.05, 20)
    assert fit_temperature(logits, truth).value == pytest.approx(1 / slope, rel=1e-6)


def test_calibration_by_temperature_lowers_the_error_on_other_cases():
    fitted = fit_temperature(*overconfident())
    logits, truth = overconfident(seed=2)
    before, after = special.expit(logits), fitted.probabilities(logits)
    assert expected_calibration_error(after, truth) < 0.3 * expected_calibration_error(
        before, truth
    )
    assert brier_score(after, truth) < brier_score(before, truth)


def test_temperature_keeps_the_order_and_one_half():
    found = fit_temperature(*overconfident())
    assert found.probabilities(0.0) == 0.5
    assert (np.diff(found.probabilities(np.linspace(-5, 5, 50))) > 0).all()


def test_a_network_that_calls_too_often_is_offset():
    logits, truth = overconfident(20_000)
    found = fit_logistic(logits + 2.0, truth)
    assert found.temperature == pytest.approx(2.5, rel=0.05)
    assert found.offset == pytest.approx(-2.0 / 2.5, abs=0.06)


def test_temperature_and_offset_are_the_likeliest():
    logits, truth = overconfident(400)
    found = fit_logistic(logits + 1.0, truth)
    residual = found.probabilities(logits + 1.0) - truth
    # Both derivatives of the likelihood are 0: the mean said is the mean seen, and neither goes with the logits.
    assert residual.mean() == pytest.approx(0.0, abs=1e-4)
    assert (residual * logits).mean() == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(
    ("logits", "truth", "words"),
    [
        ([1.0, 1.0], [True, False], "logits that say anything"),
        ([1.0, 2.0], [True, True], "positive and negative"),
    ],
)
def test_a_curve_that_cannot_be_fitted_is_refused(logits, truth, words):
    with pytest.raises(InputRefusedError, match=words):
        fit_logistic(logits, truth)


@pytest.mark.parametrize(("sign", "end"), [(1, 0), (-1, 1)])
def test_logits_that_order_all_cases_end_at_a_bound(sign, end):
    logits = sign * np.array([-2.0, -1.0, 1.0, 3.0])
    found = fit_temperature(logits, [False, False, True, True])
    assert found.value == pytest.approx(TEMPERATURES[end])


def test_logits_are_those_of_the_probabilities():
    assert special.expit(logits_of([0.2, 0.9])) == pytest.approx([0.2, 0.9])
    assert logits_of([0.0, 1.0]) == pytest.approx([special.logit(CERTAIN), -special.logit(CERTAIN)])


@pytest.mark.parametrize(
    ("logits", "truth", "words"),
    [
        ([1, 2], [True, True], "positive and negative cases"),
        ([0, 0], [True, False], "logits that say anything"),
        ([1, np.inf], [True, False], "finite scores"),
        ([1, 2], [True], "a score for each truth"),
        ([1, 2], [1, np.nan], "true or false"),
        ([], [], "a score for each truth"),
    ],
)
def test_what_has_no_temperature_is_refused(logits, truth, words):
    with pytest.raises(InputRefusedError, match=words):
        fit_temperature(logits, truth)


def test_neighbours_out_of_order_are_pooled():
    # Barlow 1972: shares 0, 1, 0, 1 become 0, 1/2, 1/2, 1.
    found = fit_isotonic([0.1, 0.2, 0.3, 0.4], [False, True, False, True])
    assert found.apply([0.1, 0.2, 0.25, 0.3, 0.4]) == pytest.approx([0, 0.5, 0.5, 0.5, 1])
    assert found.apply([-1, 9]) == pytest.approx([0, 1])
    assert found.apply(0.35) == pytest.approx(0.75)


def test_the_isotonic_fit_has_the_least_squared_error_of_all_rising_maps():
    generator = np.random.default_rng(3)
    scores = generator.integers(0, 6, 40) / 5
    truth = generator.random(40) < scores
    found = fit_isotonic(scores, truth)
    error = ((found.apply(scores) - truth) ** 2).mean()
    levels = np.unique(scores)

    def loss(steps):
        return ((np.cumsum(steps)[np.searchsorted(levels, scores)] - truth) ** 2).mean()

    other = optimize.minimize(loss, np.full(6, 0.1), bounds=[(0, 1)] * 6)
    assert error == pytest.approx(other.fun, abs=1e-6)


def test_equal_scores_are_one_point():
    found = fit_isotonic([0.5] * 4, [True, False, False, False])
    assert found.apply([0.0, 0.5, 1.0]) == pytest.approx([0.25] * 3)


@pytest.mark.parametrize("all_alike", [True, False])
def test_a_truth_without_change_gives_a_constant_map(all_alike):
    found = fit_isotonic([0.2, 0.7, 0.9], [all_alike] * 3)
    assert found.apply([0.0, 0.5, 1.0]) == pytest.approx([float(all_alike)] * 3)


def test_a_map_keeps_only_the_ends_of_its_steps():
    scores = np.linspace(0, 1, 200)
    found = fit_isotonic(scores, scores > 0.5)
    assert len(found.scores) == 4
    assert found.apply(scores) == pytest.approx((scores > 0.5).astype(float))


def test_isotonic_calibration_lowers_the_error_on_other_cases():
    logits, truth = overconfident()
    found = fit_isotonic(special.expit(logits), truth)
    others, other_truth = overconfident(seed=5)
    before = special.expit(others)
    after = expected_calibration_error(found.apply(before), other_truth)
    assert after < 0.3 * expected_calibration_error(before, other_truth)
