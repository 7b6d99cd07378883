"""Probabilities that mean something: mapped so that of regions called with 0.7, seven in ten are affected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from ASPECTSLib.statistics.estimates import require
from ASPECTSLib.statistics.pairs import checked_truth

TEMPERATURES = (0.05, 20.0)
"""Lowest and highest temperature looked for: calls without any error would be made ever sharper."""

OFFSETS = (-20.0, 20.0)
"""Lowest and highest offset looked for."""

CERTAIN = 1e-6
"""Probabilities are kept this far from 0 and 1 before their logit is taken."""


@dataclass(frozen=True)
class Temperature:
    """What logits are divided by: above 1 where a network is surer than it is right."""

    value: float

    def probabilities(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Return calibrated probabilities, of the shape of the logits."""
        return special.expit(np.asarray(logits, np.float64) / self.value)


@dataclass(frozen=True)
class Logistic:
    """What logits are divided by, and what is added then: below 0 where a network calls too often."""

    temperature: float
    offset: float

    def probabilities(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Return calibrated probabilities, of the shape of the logits."""
        return special.expit(np.asarray(logits, np.float64) / self.temperature + self.offset)


@dataclass(frozen=True)
class Isotonic:
    """A rising map from scores to probabilities: straight between its points, constant beyond them.

    Parameters
    ----------
    scores, probabilities
        The points; scores rise, probabilities do not fall.
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def apply(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Return calibrated probabilities, of the shape of the scores."""
        return np.interp(np.asarray(scores, np.float64), self.scores, self.probabilities)


def logits_of(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Return the logits of probabilities, which are kept `CERTAIN` away from 0 and 1."""
    return special.logit(np.clip(np.asarray(probabilities, np.float64), CERTAIN, 1 - CERTAIN))


def fit_temperature(logits: ArrayLike, truth: ArrayLike) -> Temperature:
    """Find the temperature under which the truth is likeliest (Guo 2017, doi:10.48550/arXiv.1706.04599).

    Parameters
    ----------
    logits
        Of being positive, shape (n,), finite: of patients that the network was not trained on.
    truth
        bool, shape (n,).

    Returns
    -------
    Temperature
        Within `TEMPERATURES`; one of its ends where logits order the truth without error, or the wrong way round.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for shapes that differ, missing values, a truth that is the same for all, or logits of 0 only.
    """
    z, positive = _checked(logits, truth)
    mixed = 0 < positive.sum() < len(positive)
    require(mixed, "positive and negative cases", "one kind only")
    require(bool(z.any()), "logits that say anything", "0 for all")
    signed = np.where(positive, z, -z)

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0.0, -signed / np.exp(log_temperature)).mean())

    bounds = tuple(np.log(TEMPERATURES))
    best = optimize.minimize_scalar(loss, bounds=bounds, options={"xatol": 1e-9})
    candidates = (float(best.x), *bounds)  # the search never ends at its bounds themselves
    return Temperature(float(np.exp(min(candidates, key=loss))))


def fit_logistic(logits: ArrayLike, truth: ArrayLike) -> Logistic:
    """Find temperature and offset under which the truth is likeliest (Platt 1999).

    Parameters
    ----------
    logits
        Of being positive, shape (n,), finite: of patients that the network was not trained on.
    truth
        bool, shape (n,).

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for shapes that differ, missing values, a truth that is the same for all, or logits that are.
    """
    z, positive = _checked(logits, truth)
    mixed = 0 < positive.sum() < len(positive)
    require(mixed, "positive and negative cases", "one kind only")
    require(bool(np.ptp(z) > 0), "logits that say anything", "the same for all")

    def loss(parameters: NDArray[np.float64]) -> float:
        calibrated = z / np.exp(parameters[0]) + parameters[1]
        return float(np.logaddexp(0.0, np.where(positive, -calibrated, calibrated)).mean())

    started = np.array([np.log(fit_temperature(z, positive).value), 0.0])
    found = optimize.minimize(
        loss, started, method="L-BFGS-B", bounds=[np.log(TEMPERATURES), OFFSETS]
    )
    return Logistic(float(np.exp(found.x[0])), float(found.x[1]))


def fit_isotonic(scores: ArrayLike, truth: ArrayLike) -> Isotonic:
    """Fit the rising map from scores to shares of positives with the least squared error, by pooling neighbours.

    Ayer 1955, doi:10.1214/aoms/1177728423; Zadrozny & Elkan 2002, doi:10.1145/775047.775151. Equal scores are one
    point.

    Parameters
    ----------
    scores
        Probabilities or logits, shape (n,), finite, at least one.
    truth
        bool, shape (n,); the same for all gives a map that is constant.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for shapes that differ, nobody, or missing values.
    """
    values, positive = _checked(scores, truth)
    points, index = np.unique(values, return_inverse=True)
    counts = np.bincount(index)
    shares = np.bincount(index, weights=positive) / counts
    fitted = np.clip(optimize.isotonic_regression(shares, weights=counts).x, 0.0, 1.0)
    # Only the ends of each step are kept.
    is_end = np.ones(len(points), bool)
    is_end[1:-1] = (fitted[1:-1] != fitted[:-2]) | (fitted[1:-1] != fitted[2:])
    return Isotonic(tuple(points[is_end].tolist()), tuple(fitted[is_end].tolist()))


def _checked(scores: ArrayLike, truth: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values, positive = np.asarray(scores, np.float64), checked_truth(truth)
    alike = values.ndim == 1 and values.shape == positive.shape and values.size > 0
    require(alike, "a score for each truth", f"shapes {values.shape} and {positive.shape}")
    finite = bool(np.isfinite(values).all())
    require(finite, "finite scores", "some that are missing or infinite")
    return values, positive
