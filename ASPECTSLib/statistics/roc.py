"""How well a measure tells two groups of patients apart: ROC curve, its area, and the best cut-off.

The convention of cut-offs, everywhere: a cut-off is a value that was observed, and belongs to the positive side. Where
higher values speak for the positive group, patients are called positive at or above it; where lower values do, at or
below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ASPECTSLib.statistics.bootstrap import Bootstrap, percentile_interval
from ASPECTSLib.statistics.estimates import LEVEL, Estimate, require
from ASPECTSLib.statistics.proportions import Proportion, proportion

MIN_GROUP = 2
"""Patients in each group, without which the variance of the area is not defined."""


class Direction(StrEnum):
    """Which values of a measure speak for the positive group."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, eq=False)
class Marker:
    """A measure of patients of two groups.

    Parameters
    ----------
    values
        float64, shape (n,), finite.
    positive
        bool, shape (n,): who is in the positive group.
    direction
        Which values speak for it.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for fewer than `MIN_GROUP` in a group, or values that are not finite.
    """

    values: NDArray[np.float64]
    positive: NDArray[np.bool_]
    direction: Direction

    def __post_init__(self) -> None:
        positives = int(self.positive.sum())
        negatives = len(self.positive) - positives
        expected = f"at least {MIN_GROUP} patients in each group"
        enough = min(positives, negatives) >= MIN_GROUP
        require(enough, expected, f"{positives} and {negatives}")
        known = len(self.values) == len(self.positive) and bool(np.isfinite(self.values).all())
        require(known, "a finite value for each patient", "others")

    @property
    def strength(self) -> NDArray[np.float64]:
        """The values, turned so that higher ones speak for the positive group."""
        return self.values if self.direction is Direction.HIGHER else -self.values

    def calls(self, cutoff: float) -> NDArray[np.bool_]:
        """Return who is called positive at a cut-off."""
        if self.direction is Direction.HIGHER:
            return self.values >= cutoff
        return self.values <= cutoff


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Calls at every cut-off, the strictest first.

    Parameters
    ----------
    cutoffs
        Observed values, each once, shape (cutoffs,).
    true_positives, false_positives
        Who is called positive there, shape (cutoffs,).
    positives, negatives
        Patients in the groups.
    """

    cutoffs: NDArray[np.float64]
    true_positives: NDArray[np.int64]
    false_positives: NDArray[np.int64]
    positives: int
    negatives: int

    @property
    def sensitivity(self) -> NDArray[np.float64]:
        """Share of the positive group that is called positive."""
        return self.true_positives / self.positives

    @property
    def specificity(self) -> NDArray[np.float64]:
        """Share of the negative group that is not called positive."""
        return 1 - self.false_positives / self.negatives

    @property
    def best(self) -> int:
        """Index of the cut-off with the highest sum of sensitivity and specificity, the strictest of several.

        Youden 1950, doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3.
        """
        return int(_best(self.true_positives, self.false_positives, self.positives, self.negatives))


@dataclass(frozen=True)
class Accuracy:
    """Calls at one cut-off; sensitivity and specificity with intervals of Wilson."""

    cutoff: float
    sensitivity: Proportion
    specificity: Proportion

    @property
    def youden(self) -> float:
        """Sensitivity plus specificity minus 1."""
        return self.sensitivity.value + self.specificity.value - 1


def marker(values: ArrayLike, positive: ArrayLike, direction: Direction) -> Marker:
    """Make a marker of anything array-like."""
    return Marker(np.asarray(values, np.float64), np.asarray(positive, bool), direction)


def roc_curve(measure: Marker) -> RocCurve:
    """Return the calls at each observed value."""
    levels, level = _levels(measure)
    count = len(levels)
    true_positives = np.bincount(level[measure.positive], minlength=count).cumsum()
    false_positives = np.bincount(level[~measure.positive], minlength=count).cumsum()
    sign = 1.0 if measure.direction is Direction.HIGHER else -1.0
    return RocCurve(
        sign * levels,
        true_positives,
        false_positives,
        int(true_positives[-1]),
        int(false_positives[-1]),
    )


def area(measure: Marker) -> Estimate:
    """Return the area under the ROC curve with the interval of DeLong (1988, doi:10.2307/2531595), cut to 0 to 1.

    Ties count half. Where the groups do not overlap at all, the interval has no width.
    """
    value, in_positives, in_negatives = _placements(measure)
    variance = np.var(in_positives, ddof=1) / len(in_positives)
    variance += np.var(in_negatives, ddof=1) / len(in_negatives)
    half = _z() * float(np.sqrt(variance))
    low, high = max(value - half, 0.0), min(value + half, 1.0)
    return Estimate(value, low, high, len(measure.values))


def area_difference(first: Marker, second: Marker) -> tuple[Estimate, float]:
    """Compare two measures of the same patients.

    Returns
    -------
    difference
        Area of the first minus that of the second, with the interval of DeLong for correlated curves.
    p_value
        Of equal areas, two-sided; 1 where the difference has no variance and is 0.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID if the groups of the two are not the same.
    """
    same = np.array_equal(first.positive, second.positive)
    require(same, "two measures of the same patients and groups", "different groups")
    value_1, positives_1, negatives_1 = _placements(first)
    value_2, positives_2, negatives_2 = _placements(second)
    value = value_1 - value_2
    variance = np.var(positives_1 - positives_2, ddof=1) / len(positives_1)
    variance += np.var(negatives_1 - negatives_2, ddof=1) / len(negatives_1)
    error = float(np.sqrt(variance))
    half = _z() * error
    p_value = float(2 * stats.norm.sf(abs(value) / error)) if error else float(value == 0)
    return Estimate(value, value - half, value + half, len(first.values)), p_value


def accuracy_at(measure: Marker, cutoff: float) -> Accuracy:
    """Return sensitivity and specificity at a cut-off, which need not be an observed value."""
    called = measure.calls(cutoff)
    positives = int(measure.positive.sum())
    hits = int((called & measure.positive).sum())
    rejected = int((~called & ~measure.positive).sum())
    negatives = len(called) - positives
    return Accuracy(cutoff, proportion(hits, positives), proportion(rejected, negatives))


def best_cutoff(measure: Marker, bootstrap: Bootstrap) -> Estimate:
    """Return the cut-off of Youden with its interval by bootstrap.

    Patients of the two groups are drawn apart, so that each resample has as many of both. Ends of the interval are
    observed values.
    """
    curve = roc_curve(measure)
    levels, level = _levels(measure)
    positive, negative = level[measure.positive], level[~measure.positive]
    found = [
        _best(
            _counts(positive[rows_positive], len(levels)),
            _counts(negative[rows_negative], len(levels)),
            curve.positives,
            curve.negatives,
        )
        for rows_positive, rows_negative in bootstrap.rows(curve.positives, curve.negatives)
    ]
    low, high = percentile_interval(curve.cutoffs[np.concatenate(found)], observed_only=True)
    return Estimate(float(curve.cutoffs[curve.best]), low, high, len(measure.values))


def _levels(measure: Marker) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distinct strengths, highest first, and the index of each patient's among them."""
    levels, inverse = np.unique(measure.strength, return_inverse=True)
    return levels[::-1], len(levels) - 1 - inverse


def _counts(levels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return, for each resample of shape (resamples, n), how many are called positive at each of `count` cut-offs."""
    offsets = count * np.arange(len(levels))[:, None]
    flat = np.bincount((levels + offsets).ravel(), minlength=count * len(levels))
    return flat.reshape(len(levels), count).cumsum(axis=1)


def _best(
    true_positives: NDArray[np.int64],
    false_positives: NDArray[np.int64],
    positives: int,
    negatives: int,
) -> NDArray[np.int64]:
    # In whole numbers, so that equal indices are equal whatever the rounding; argmax takes the first, the strictest.
    return np.argmax(true_positives * negatives - false_positives * positives, axis=-1)


def _placements(measure: Marker) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return the area, and the share of the other group that each patient is on the right side of.

    By ranks, as Sun & Xu 2014, doi:10.1109/LSP.2014.2337313.
    """
    strength, positive = measure.strength, measure.positive
    positives, negatives = int(positive.sum()), int((~positive).sum())
    ranks = stats.rankdata(strength)
    in_positives = (ranks[positive] - stats.rankdata(strength[positive])) / negatives
    in_negatives = 1 - (ranks[~positive] - stats.rankdata(strength[~positive])) / positives
    return float(in_positives.mean()), in_positives, in_negatives


def _z() -> float:
    return float(stats.norm.ppf((1 + LEVEL) / 2))
