"""Rank correlation, with intervals by bootstrap over patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ASPECTSLib.statistics.bootstrap import Bootstrap, percentile_interval, replicates
from ASPECTSLib.statistics.estimates import Estimate, require

MIN_PATIENTS = 5
"""With fewer the ranks can hardly be other than monotone in a resample."""


@dataclass(frozen=True)
class Correlation:
    """Spearman's rho with its interval, and the p value of no correlation (t distribution)."""

    rho: Estimate
    p_value: float


def spearman(first: ArrayLike, second: ArrayLike, bootstrap: Bootstrap) -> Correlation:
    """Correlate two variables of the same patients by ranks (Spearman 1904, doi:10.2307/1412159).

    Parameters
    ----------
    first, second
        Shape (n,), finite; ties share their mean rank.
    bootstrap
        Of the interval.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for fewer than `MIN_PATIENTS`, or where all values of a variable are alike.
    """
    x, y = _checked(first, second)
    result = stats.spearmanr(x, y)
    low, high = percentile_interval(replicates(_spearman_rows, bootstrap, x, y))
    return Correlation(Estimate(float(result.statistic), low, high, len(x)), float(result.pvalue))


def partial_spearman(
    first: ArrayLike, second: ArrayLike, given: ArrayLike, bootstrap: Bootstrap
) -> Correlation:
    """Correlate two variables by ranks with a third held constant, linearly in ranks.

    Parameters
    ----------
    first, second, given
        Shape (n,), finite.
    bootstrap
        Of the interval.

    Returns
    -------
    Correlation
        The p value is that of a t distribution with n - 3 degrees of freedom.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID as for `spearman`, or where the third variable ranks the patients as one of the others does.
    """
    x, y, z = _checked(first, second, given)
    rho = float(_partial_rows(x[None], y[None], z[None])[0])
    expected = "a third variable that leaves something to correlate"
    require(np.isfinite(rho), expected, "one that orders alike")
    low, high = percentile_interval(replicates(_partial_rows, bootstrap, x, y, z))
    freedom = len(x) - 3
    t = abs(rho) * np.sqrt(freedom / max(1 - rho**2, np.finfo(float).eps))
    return Correlation(Estimate(rho, low, high, len(x)), float(2 * stats.t.sf(t, freedom)))


def _checked(*variables: ArrayLike) -> list[NDArray[np.float64]]:
    arrays = [np.asarray(variable, np.float64) for variable in variables]
    sizes = {array.shape for array in arrays}
    alike = len(sizes) == 1 and arrays[0].ndim == 1
    require(alike, "variables of the same patients", f"shapes {sorted(sizes)}")
    count = len(arrays[0])
    require(count >= MIN_PATIENTS, f"at least {MIN_PATIENTS} patients to correlate", count)
    finite = all(np.isfinite(array).all() for array in arrays)
    require(finite, "finite values to correlate", "some that are infinite or not a number")
    vary = all(np.ptp(array) > 0 for array in arrays)
    require(vary, "variables that differ between patients", "one that is the same for all")
    return arrays


def _spearman_rows(x: NDArray, y: NDArray) -> NDArray[np.float64]:
    """Return the rank correlation of each row; nan where a row of one variable is constant."""
    return _pearson_rows(_ranks(x), _ranks(y))


def _partial_rows(x: NDArray, y: NDArray, z: NDArray) -> NDArray[np.float64]:
    x, y, z = _ranks(x), _ranks(y), _ranks(z)
    xy, xz, yz = _pearson_rows(x, y), _pearson_rows(x, z), _pearson_rows(y, z)
    return _ratio(xy - xz * yz, np.sqrt(np.maximum((1 - xz**2) * (1 - yz**2), 0.0)))


def _ranks(rows: NDArray) -> NDArray[np.float64]:
    """Return the ranks of each row about their mean."""
    ranks = stats.rankdata(rows, axis=1)
    return ranks - ranks.mean(axis=1, keepdims=True)


def _pearson_rows(x: NDArray, y: NDArray) -> NDArray[np.float64]:
    spread = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return _ratio((x * y).sum(axis=1), spread)


def _ratio(numerator: NDArray, denominator: NDArray) -> NDArray[np.float64]:
    defined = denominator > np.finfo(np.float32).eps
    ratio = np.full(numerator.shape, np.nan)
    return np.divide(numerator, denominator, out=ratio, where=defined)
