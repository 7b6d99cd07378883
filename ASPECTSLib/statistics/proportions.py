"""Proportions, their differences, and many comparisons at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ASPECTSLib.statistics.estimates import LEVEL, Estimate, require


@dataclass(frozen=True)
class Proportion:
    """A count out of n patients, with the share and its 95 % interval."""

    count: int
    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """The second share minus the first, with its interval, and the p value of equal shares."""

    value: Estimate
    p_value: float


def proportion(count: int, n: int) -> Proportion:
    """Return a share with Wilson's score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Raises
    ------
    InputRefusedError
        COHORT_INVALID unless 0 <= count <= n and n > 0.
    """
    require(0 <= count <= n and n > 0, "a count of 0 to n patients", f"{count} of {n}")
    interval = stats.binomtest(count, n).proportion_ci(LEVEL, method="wilson")
    return Proportion(count, n, count / n, float(interval.low), float(interval.high))


def compare_proportions(first: Proportion, second: Proportion) -> Difference:
    """Compare the shares of two groups of patients.

    Returns
    -------
    Difference
        With the interval made of the two of Wilson (Newcombe 1998, method 10,
        doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I), and the two-sided p value of Fisher's
        exact test.
    """
    value = second.value - first.value
    low = value - np.hypot(second.value - second.low, first.high - first.value)
    high = value + np.hypot(second.high - second.value, first.value - first.low)
    table = [[part.count, part.n - part.count] for part in (first, second)]
    p_value = float(stats.fisher_exact(table).pvalue)
    return Difference(Estimate(value, float(low), float(high), first.n + second.n), p_value)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Correct p values of one family of tests by Holm's step-down method, in the order given.

    Holm, Scand J Stat 1979;6:65-70. A corrected value below 0.05 keeps the chance of any false finding in the family
    below 5 %.
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return tuple(corrected.tolist())
