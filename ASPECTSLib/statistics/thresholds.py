"""From which probability on a region is called, chosen on patients whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ASPECTSLib.statistics.estimates import require
from ASPECTSLib.statistics.pairs import checked_truth
from ASPECTSLib.statistics.roc import (
    MIN_GROUP,
    Accuracy,
    Direction,
    Marker,
    RocCurve,
    accuracy_at,
    marker,
    roc_curve,
)

_ROUNDING = 1e-9  # of one minus a share


class Aim(StrEnum):
    """What a threshold is best for.

    The sum of sensitivity and specificity (Youden 1950), or the fewest wrong calls, each of the same cost.
    """

    YOUDEN = "youden"
    FEWEST_ERRORS = "fewest-errors"


@dataclass(frozen=True)
class ThresholdRule:
    """How thresholds are chosen.

    Parameters
    ----------
    aim
        What they are best for, of those that meet the minimum.
    minimum_specificity
        Share of unaffected regions that must not be called, 0 to 1.
    least_patients
        A region with fewer affected or fewer unaffected ones gets the threshold of all regions together.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for values out of range.
    """

    aim: Aim = Aim.YOUDEN
    minimum_specificity: float = 0.0
    least_patients: int = 10

    def __post_init__(self) -> None:
        inside = 0 <= self.minimum_specificity <= 1
        require(inside, "a specificity of 0 to 1", self.minimum_specificity)
        enough = self.least_patients >= MIN_GROUP
        require(enough, f"at least {MIN_GROUP} patients of each kind", self.least_patients)


@dataclass(frozen=True)
class RegionThreshold:
    """The threshold of a region, and how right its calls are where it was chosen.

    Parameters
    ----------
    accuracy
        Of the region's own patients; `cutoff` is called, too. None where the region has affected or unaffected
        patients only.
    cutoff
        Probability from which on the region is called.
    pooled
        Whether it is that of all regions together.
    """

    cutoff: float
    accuracy: Accuracy | None
    pooled: bool


def choose_threshold(measure: Marker, rule: ThresholdRule) -> Accuracy:
    """Return the best cut-off of a measure under a rule, the strictest of several.

    Parameters
    ----------
    measure
        Values and truth; the cut-off is an observed value and belongs to the positive side.
    rule
        Its minimum holds on these patients; expect less on others.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID if no observed value has the specificity asked for.
    """
    curve = roc_curve(measure)
    gain = {
        Aim.YOUDEN: curve.true_positives * curve.negatives
        - curve.false_positives * curve.positives,
        Aim.FEWEST_ERRORS: curve.true_positives - curve.false_positives,
    }[rule.aim]
    allowed = _allowed(curve, rule)
    expected = f"a cut-off with a specificity of at least {rule.minimum_specificity:g}"
    require(bool(allowed.any()), expected, f"{curve.specificity.max():.2f} at most")
    best = int(np.flatnonzero(allowed)[gain[allowed].argmax()])
    return accuracy_at(measure, float(curve.cutoffs[best]))


def region_thresholds(
    probabilities: ArrayLike, truth: ArrayLike, rule: ThresholdRule
) -> tuple[RegionThreshold, ...]:
    """Choose a threshold for each region.

    Parameters
    ----------
    probabilities
        Of being affected, shape (patients, regions), finite.
    truth
        bool, of the same shape.
    rule
        How each is chosen; regions with too few patients, or none that meets the minimum, take the threshold of all.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for shapes that differ, missing values, or where all regions together do not allow a choice.
    """
    said, affected = np.asarray(probabilities, np.float64), checked_truth(truth)
    alike = said.ndim == 2 and said.shape == affected.shape
    require(alike, "a probability for each truth", f"shapes {said.shape} and {affected.shape}")
    pooled = choose_threshold(marker(said.ravel(), affected.ravel(), Direction.HIGHER), rule).cutoff
    return tuple(
        _region_threshold(said[:, region], affected[:, region], rule, pooled)
        for region in range(said.shape[1])
    )


def _allowed(curve: RocCurve, rule: ThresholdRule) -> NDArray[np.bool_]:
    return curve.specificity >= rule.minimum_specificity - _ROUNDING


def _region_threshold(
    said: NDArray[np.float64], affected: NDArray[np.bool_], rule: ThresholdRule, pooled: float
) -> RegionThreshold:
    fewest = min(int(affected.sum()), int((~affected).sum()))
    if fewest < MIN_GROUP:
        return RegionThreshold(pooled, None, pooled=True)
    measure = marker(said, affected, Direction.HIGHER)
    if fewest < rule.least_patients or not _allowed(roc_curve(measure), rule).any():
        return RegionThreshold(pooled, accuracy_at(measure, pooled), pooled=True)
    own = choose_threshold(measure, rule)
    return RegionThreshold(own.cutoff, own, pooled=False)
