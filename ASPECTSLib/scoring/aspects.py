"""From measured regions to calls, sides and the score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from ASPECTSLib.atlas.regions import AFFECTED_FRACTION, REGIONS_PER_SIDE, Region, Side
from ASPECTSLib.scoring.asymmetry import RegionMeasure

DEEP_THRESHOLD_HU = 1.5
"""Drop at which C, L, IC and I are as likely affected as not.

Tissue loses about 2.6 HU for each per cent of water that it takes up (Unger et al., Stroke
1988;19:845-50), early infarcts are 2 to 6 HU darker. Set by looking at five real scans: deep regions
of unaffected sides differed by up to 1.3 HU, the caudate nucleus beside a wide ventricle by 2.1 HU.
"""

CORTICAL_THRESHOLD_HU = 2.0
"""The same for M1 to M6, higher because sulci of different width on the two sides add to the difference: up to 1.9 HU
in unaffected regions of the same scans."""

SLOPE_HU = 0.6
"""Width of the logistic curve from drop to probability; about the error of a region's difference."""

AFFECTED_PROBABILITY = 0.5
UNSURE_PROBABILITY = (0.35, 0.65)
"""Calls in this band, where the threshold is one half, are shown as unsure."""


class AffectedSide(StrEnum):
    """Which side the score speaks of."""

    LEFT = "left"
    RIGHT = "right"
    NONE = "none"
    BILATERAL = "bilateral"


@dataclass(frozen=True)
class RegionCall:
    """The call of one region.

    Parameters
    ----------
    measure
        What it rests on.
    probability
        Of being affected, 0 to 1; None where the sides could not be compared.
    evidence
        The reason in words.
    infarct_fraction
        Share of the region that a drawn or segmented infarct covers; None where there is none.
    affected_fraction
        Of which more than this costs a point.
    by_infarct
        Whether the infarct alone decides, not the probability.
    threshold
        Affected from this probability on, between 0 and 1.
    """

    measure: RegionMeasure
    probability: float | None
    evidence: str
    infarct_fraction: float | None = None
    affected_fraction: float = AFFECTED_FRACTION
    by_infarct: bool = False
    threshold: float = AFFECTED_PROBABILITY

    @property
    def region(self) -> Region:
        """The region called."""
        return self.measure.region

    @property
    def affected(self) -> bool:
        """Whether the region costs a point: for its probability, or for the infarct that covers it."""
        if self.by_infarct:
            return self._is_covered
        is_likely = self.probability is not None and self.probability >= self.threshold
        return is_likely or self._is_covered

    @property
    def compared(self) -> bool:
        """Whether there is anything that the call can rest on."""
        return self.probability is not None or self._is_covered

    @property
    def unsure(self) -> bool:
        """Whether the call could as well be the other: by the odds of the probability beside those of the threshold."""
        lowest, highest = UNSURE_PROBABILITY
        is_between = self.probability is not None and lowest < self._beside_threshold < highest
        return is_between and (self.by_infarct or not self._is_covered)

    @property
    def _beside_threshold(self) -> float:
        """The probability, moved so that the threshold comes to lie at one half."""
        likely = self.probability * (1.0 - self.threshold)
        unlikely = (1.0 - self.probability) * self.threshold
        return likely / (likely + unlikely)

    @property
    def _is_covered(self) -> bool:
        return self.infarct_fraction is not None and self.infarct_fraction > self.affected_fraction


@dataclass(frozen=True)
class Score:
    """Points of both sides, 0 to 10, and the side of the lower one."""

    left: int
    right: int

    @property
    def score(self) -> int:
        """ASPECTS: the points of the worse side."""
        return min(self.left, self.right)

    @property
    def side(self) -> AffectedSide:
        """The worse side; bilateral when both have lost as many points, none when neither has lost any."""
        if self.left != self.right:
            return AffectedSide.LEFT if self.left < self.right else AffectedSide.RIGHT
        return AffectedSide.NONE if self.left == REGIONS_PER_SIDE else AffectedSide.BILATERAL


def call_region(measure: RegionMeasure) -> RegionCall:
    """Call one region by how much darker it is than the other side."""
    drop = measure.drop
    if drop is None:
        return RegionCall(
            measure, None, "not compared: too little brain tissue in the region or its mirror"
        )
    threshold_hu = CORTICAL_THRESHOLD_HU if measure.region.is_cortical else DEEP_THRESHOLD_HU
    probability = float(1.0 / (1.0 + np.exp(-(drop - threshold_hu) / SLOPE_HU)))
    comparison = "darker" if drop > 0 else "brighter"
    evidence = (
        f"{abs(drop):.1f} HU {comparison} than the {measure.region.side.other.value} side "
        f"({measure.median:.1f} | {measure.contralateral_median:.1f} HU); called from {threshold_hu:.1f} HU"
    )
    return RegionCall(measure, probability, evidence)


def with_infarct(call: RegionCall, fraction: float | None) -> RegionCall:
    """Add to a call how much of its region an infarct covers, 0 to 1, and say so in the evidence."""
    if not fraction:
        return replace(call, infarct_fraction=fraction)
    evidence = (
        f"infarct covers {fraction:.0%} of the region, affected above {AFFECTED_FRACTION:.0%}; "
        f"{call.evidence}"
    )
    return replace(call, infarct_fraction=fraction, evidence=evidence)


def total_score(affected: Iterable[Region]) -> Score:
    """Count the points of both sides: ten each, less one for every affected region."""
    lost = dict.fromkeys(Side, 0)
    for region in affected:
        lost[region.side] += 1
    return Score(left=REGIONS_PER_SIDE - lost[Side.LEFT], right=REGIONS_PER_SIDE - lost[Side.RIGHT])
