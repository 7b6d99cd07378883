"""Tests of whether measurements differ: of the same patients twice, or of two groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ASPECTSLib.statistics.estimates import LEVEL, Estimate, require
from ASPECTSLib.statistics.pairs import checked_pairs, is_constant

EXACT_PAIRS = 300
"""Pairs up to which the distribution of signed ranks is counted out, which takes the third power of them in steps."""

EXACT_GROUP = 500
"""Patients in a group up to which the test of Kolmogorov and Smirnov is exact."""


@dataclass(frozen=True)
class PairedDifference:
    """Mean of second minus first with its interval, and the p value of no difference."""

    value: Estimate
    p_value: float


def paired_t(first: ArrayLike, second: ArrayLike) -> PairedDifference:
    """Compare two measurements of the same patients by the paired t test (Student 1908, doi:10.2307/2331554).

    Differences all alike have an interval of no width, and p is 1 where they are 0 and 0 where they are not.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for fewer than two patients, shapes that differ, or missing values.
    """
    x, y = checked_pairs(first, second)
    differences = y - x
    n, mean = len(x), float(differences.mean())
    if is_constant(differences):
        return PairedDifference(Estimate(mean, mean, mean, n), float(mean == 0))
    error = float(differences.std(ddof=1) / np.sqrt(n))
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * error
    p_value = float(2 * stats.t.sf(abs(mean) / error, n - 1))
    return PairedDifference(Estimate(mean, mean - half, mean + half, n), p_value)


def signed_rank_p(first: ArrayLike, second: ArrayLike) -> float:
    """Return the two-sided p value of Wilcoxon's signed-rank test (1945, doi:10.2307/3001968).

    Patients without a difference are left out, as he did. Up to `EXACT_PAIRS` others p is exact, ties included: given
    the sizes of the differences, all signs are as likely. Beyond, it is that of the normal distribution with ties
    corrected for. Where nobody differs, it is 1.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for nobody, shapes that differ, or missing values.
    """
    x, y = checked_pairs(first, second, 1)
    differences = (y - x)[y != x]
    if not len(differences):
        return 1.0
    ranks = stats.rankdata(np.abs(differences))
    positive = float(ranks[differences > 0].sum())
    lesser = min(positive, float(ranks.sum()) - positive)
    if len(ranks) <= EXACT_PAIRS:
        return min(2 * _share_at_most(ranks, lesser), 1.0)
    error = np.sqrt((ranks**2).sum()) / 2
    return float(2 * stats.norm.cdf((lesser - ranks.sum() / 2) / error))


def kolmogorov_smirnov_p(first: ArrayLike, second: ArrayLike) -> float:
    """Return the two-sided p value that two groups have one distribution (Smirnov 1939).

    Exact up to `EXACT_GROUP` patients in the larger group, asymptotic beyond; conservative where values are tied, as
    scores are.

    Parameters
    ----------
    first, second
        Shapes (n,) and (m,): a measure in two groups of different patients.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for an empty group or missing values.
    """
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    flat = x.ndim == y.ndim == 1 and min(x.size, y.size) > 0
    require(flat, "values of patients in two groups", f"shapes {x.shape} and {y.shape}")
    finite = bool(np.isfinite(x).all() and np.isfinite(y).all())
    require(finite, "finite values for all patients", "some that are missing or infinite")
    method = "exact" if max(x.size, y.size) <= EXACT_GROUP else "asymp"
    return float(stats.ks_2samp(x, y, method=method).pvalue)


def _share_at_most(ranks: NDArray[np.float64], rank_sum: float) -> float:
    """Return the share of all signs of the ranks with which those above 0 sum up to no more than a number."""
    doubled = np.rint(2 * ranks).astype(np.int64)  # tied ranks are halves
    shares = np.zeros(int(doubled.sum()) + 1)
    shares[0] = 1.0
    for rank in doubled:
        moved = np.zeros_like(shares)
        moved[rank:] = shares[: len(shares) - rank]
        shares = (shares + moved) / 2
    return float(shares[: round(2 * rank_sum) + 1].sum())
