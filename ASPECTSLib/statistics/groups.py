"""What a variable is like in a group of patients, and whether two groups differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ASPECTSLib.statistics.estimates import require


@dataclass(frozen=True)
class Summary:
    """Number of patients, median and quartiles (linear interpolation)."""

    n: int
    median: float
    lower_quartile: float
    upper_quartile: float


def summarize(values: ArrayLike) -> Summary | None:
    """Summarize a variable; None for nobody."""
    array = np.asarray(values, np.float64)
    if not array.size:
        return None
    lower, median, upper = np.quantile(array, [0.25, 0.5, 0.75])
    return Summary(len(array), float(median), float(lower), float(upper))


def rank_sum_p(first: ArrayLike, second: ArrayLike) -> float:
    """Return the two-sided p value of the test of Mann and Whitney (1947, doi:10.1214/aoms/1177730491), asymptotic.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID if there is nobody in a group.
    """
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    require(x.size > 0 and y.size > 0, "patients in both groups", f"{x.size} and {y.size}")
    if np.ptp(np.concatenate([x, y])) == 0:
        return 1.0
    return float(stats.mannwhitneyu(x, y, method="asymptotic").pvalue)
