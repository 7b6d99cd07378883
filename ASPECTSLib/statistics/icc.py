"""Intraclass correlation: how much of the spread of ratings lies between patients, not between raters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ASPECTSLib.statistics.estimates import LEVEL, Estimate, require

_QUANTILE = (1 + LEVEL) / 2
_LARGEST_F = 1e100  # patients who hardly differ leave hardly any degrees of freedom
_ROUNDING = 1e-12  # of the total sum of squares: less is none


@dataclass(frozen=True)
class _MeanSquares:
    """Of a two-way analysis of variance with one rating in each cell."""

    patients: float
    raters: float
    error: float
    n: int
    k: int

    @property
    def freedom(self) -> tuple[int, int]:
        """Degrees of freedom of patients and of error."""
        return self.n - 1, (self.n - 1) * (self.k - 1)


def icc_agreement(ratings: ArrayLike) -> Estimate:
    """Return ICC(2,1): absolute agreement of single ratings by raters who stand for others.

    Parameters
    ----------
    ratings
        Shape (patients, raters), finite, at least two of both.

    Returns
    -------
    Estimate
        Coefficient (Shrout & Fleiss 1979, doi:10.1037/0033-2909.86.2.420) with the interval of McGraw & Wong 1996,
        doi:10.1037/1082-989X.1.1.30, ICC(A,1), cut at -1 / (raters - 1) or a lower coefficient. Below 0 where raters
        differ more than patients do. Ratings alike of all raters give 1 with no width.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for another shape, missing values, or patients who do not differ in their mean rating.
    """
    squares = _mean_squares(ratings)
    n, k = squares.n, squares.k
    between, raters, error = squares.patients, squares.raters, squares.error
    if raters == error == 0:
        return Estimate(1.0, 1.0, 1.0, n)
    value = (between - error) / (between + (k - 1) * error + k * (raters - error) / n)
    # Satterthwaite's degrees of freedom; the coefficient's own terms cancel to the patients' mean square.
    a = k * value / (n * (1 - value))
    terms = (a * raters) ** 2 / (k - 1) + (between - a * raters) ** 2 / squares.freedom[1]
    freedom = between**2 / terms
    spread = k * raters + (k * n - k - n) * error
    f_low = min(float(stats.f.ppf(_QUANTILE, n - 1, freedom)), _LARGEST_F)
    f_high = float(stats.f.ppf(_QUANTILE, freedom, n - 1))
    low = n * (between - f_low * error) / (f_low * spread + n * between)
    high = n * (f_high * between - error) / (spread + n * f_high * between)
    return Estimate(value, max(low, min(value, -1 / (k - 1))), high, n)


def icc_consistency(ratings: ArrayLike) -> Estimate:
    """Return ICC(3,1): agreement of single ratings by these raters, whatever their constant offsets.

    Parameters
    ----------
    ratings
        Shape (patients, raters), finite, at least two of both.

    Returns
    -------
    Estimate
        Coefficient and interval by F (Shrout & Fleiss 1979, doi:10.1037/0033-2909.86.2.420).

    Raises
    ------
    InputRefusedError
        COHORT_INVALID as `icc_agreement`.
    """
    squares = _mean_squares(ratings)
    k, between, error = squares.k, squares.patients, squares.error
    if error == 0:
        return Estimate(1.0, 1.0, 1.0, squares.n)
    ratio = between / error
    numerator, denominator = squares.freedom
    low = ratio / float(stats.f.ppf(_QUANTILE, numerator, denominator))
    high = ratio * float(stats.f.ppf(_QUANTILE, denominator, numerator))
    value, low, high = ((f - 1) / (f + k - 1) for f in (ratio, low, high))
    return Estimate(value, low, high, squares.n)


def _mean_squares(ratings: ArrayLike) -> _MeanSquares:
    table = np.asarray(ratings, np.float64)
    shaped = table.ndim == 2 and min(table.shape) >= 2
    require(shaped, "ratings of at least 2 patients by at least 2 raters", f"shape {table.shape}")
    finite = bool(np.isfinite(table).all())
    require(finite, "a finite rating in each cell", "some that are missing or infinite")
    n, k = table.shape
    deviations = table - table.mean()
    by_patient = deviations.mean(axis=1, keepdims=True)
    by_rater = deviations.mean(axis=0, keepdims=True)
    total = _sum_of_squares(deviations)
    patients = k * _sum_of_squares(by_patient)
    raters = n * _sum_of_squares(by_rater)
    error = _sum_of_squares(deviations - by_patient - by_rater)
    # Rounding leaves a constant table about eps times its values.
    smallest = max(_ROUNDING * total, table.size * (np.finfo(float).eps * _largest(table)) ** 2)
    differ = patients > smallest
    require(differ, "patients who differ in their mean rating", "the same mean for all")
    raters, error = (part if part > smallest else 0.0 for part in (raters, error))
    return _MeanSquares(patients / (n - 1), raters / (k - 1), error / ((n - 1) * (k - 1)), n, k)


def _sum_of_squares(values: NDArray[np.float64]) -> float:
    return float((values**2).sum())


def _largest(table: NDArray[np.float64]) -> float:
    return float(np.abs(table).max())
