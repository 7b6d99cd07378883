"""Limits of agreement between two ways to measure the same thing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ASPECTSLib.statistics.estimates import LEVEL, Estimate
from ASPECTSLib.statistics.pairs import checked_pairs

DEVIATIONS = 1.96
"""Standard deviations from the bias to a limit."""


@dataclass(frozen=True)
class LimitsOfAgreement:
    """Mean of the differences, second minus first, and where 95 % of them lie; each with its own interval.

    Parameters
    ----------
    bias
        Mean difference.
    deviation
        Standard deviation of the differences (n - 1).
    lower, upper
        Bias less and plus `DEVIATIONS` standard deviations.
    """

    bias: Estimate
    deviation: float
    lower: Estimate
    upper: Estimate


def limits_of_agreement(first: ArrayLike, second: ArrayLike) -> LimitsOfAgreement:
    """Return bias and 95 % limits of agreement of two measurements of the same patients.

    Bland & Altman 1986, doi:10.1016/S0140-6736(86)90837-8; the standard error of a limit is that of Bland & Altman
    1999, doi:10.1177/096228029900800204, section 2.2. Differences all alike give limits and intervals of no width.

    Parameters
    ----------
    first, second
        Shape (n,), finite, in one unit; the differences are second minus first.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for fewer than two patients, shapes that differ, or missing values.
    """
    x, y = checked_pairs(first, second)
    differences = y - x
    n = len(differences)
    bias, deviation = float(differences.mean()), float(differences.std(ddof=1))
    t = float(stats.t.ppf((1 + LEVEL) / 2, n - 1))
    half = t * deviation / np.sqrt(n)
    half_of_limit = t * deviation * np.sqrt(1 / n + DEVIATIONS**2 / (2 * (n - 1)))
    reach = DEVIATIONS * deviation
    return LimitsOfAgreement(
        _about(bias, half, n),
        deviation,
        _about(bias - reach, half_of_limit, n),
        _about(bias + reach, half_of_limit, n),
    )


def _about(value: float, half: float, n: int) -> Estimate:
    return Estimate(value, value - float(half), value + float(half), n)
