"""Which regions cost a point in mild and in moderate-severe strokes, and how the two sides differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS_PER_SIDE, RegionCode, Side
from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.bootstrap import Bootstrap
from ASPECTSLib.statistics.correlation import Correlation, partial_spearman
from ASPECTSLib.statistics.estimates import Estimate
from ASPECTSLib.statistics.groups import Summary, rank_sum_p, summarize
from ASPECTSLib.statistics.proportions import Proportion, compare_proportions, holm, proportion
from ASPECTSLib.studies.severity_analysis import (
    SIDE_SIGN,
    Cohort,
    Group,
    Threshold,
    correlations,
    describe,
    threshold_analysis,
)

NIHSS_BANDS = ((0, 5), (6, 10), (11, 15), (16, 20), (21, 42))
"""As Woo et al. 1999, doi:10.1161/01.STR.30.11.2355, who found that left strokes reach the same NIHSS with about half
the volume of right ones."""


@dataclass(frozen=True)
class Deduction:
    """How often a region of the affected hemisphere costs a point.

    Parameters
    ----------
    region
        Code.
    mild, moderate_severe
        Share of the patients of each group.
    difference
        The second minus the first, with Newcombe's interval.
    p_value, p_holm
        Of Fisher's exact test, as it is and corrected over the ten regions.
    """

    region: RegionCode
    mild: Proportion
    moderate_severe: Proportion
    difference: Estimate
    p_value: float
    p_holm: float


@dataclass(frozen=True)
class Band:
    """Core volume of left and right strokes whose NIHSS lies within bounds, both included."""

    lowest: int
    highest: int
    left_ml: Summary | None
    right_ml: Summary | None
    p_value: float | None


@dataclass(frozen=True)
class SideFigures:
    """The main figures on strokes of one side."""

    patients: Group
    correlations: dict[str, Correlation | None]
    threshold: Threshold


@dataclass(frozen=True)
class Sides:
    """Strokes of the left beside those of the right.

    Parameters
    ----------
    left, right
        The main figures of each.
    left_nihss_given_volume
        Rank correlation of being on the left with NIHSS at equal core volume; None for too few patients.
    bands
        Core volume of both at like NIHSS.
    """

    left: SideFigures
    right: SideFigures
    left_nihss_given_volume: Correlation | None
    bands: tuple[Band, ...]


def deductions(cohort: Cohort, nihss: int) -> tuple[Deduction, ...] | None:
    """Compare how often each region is affected in mild and moderate-severe strokes.

    Parameters
    ----------
    cohort
        The regions of the side of each stroke are looked at; patients with neither side have none affected.
    nihss
        Threshold of moderate-severe strokes.

    Returns
    -------
    tuple
        The ten regions in the order of their labels; None if a group has no patients.
    """
    severe = cohort.nihss >= nihss
    if not severe.any() or severe.all():
        return None
    affected = _of_affected_side(cohort)
    pairs = []
    for order in range(REGIONS_PER_SIDE):
        groups = [affected[~severe, order], affected[severe, order]]
        pairs.append([proportion(int(group.sum()), len(group)) for group in groups])
    compared = [compare_proportions(*pair) for pair in pairs]
    corrected = holm([difference.p_value for difference in compared])
    return tuple(
        Deduction(code, *pair, difference.value, difference.p_value, p_holm)
        for code, pair, difference, p_holm in zip(
            RegionCode, pairs, compared, corrected, strict=True
        )
    )


def compare_sides(cohort: Cohort, nihss: int, bootstrap: Bootstrap) -> Sides:
    """Set strokes of the left beside those of the right."""
    left, right = cohort.on(Side.LEFT), cohort.on(Side.RIGHT)
    return Sides(
        _figures(left, nihss, bootstrap),
        _figures(right, nihss, bootstrap),
        _given_volume(cohort, bootstrap),
        tuple(_band(left, right, *limits) for limits in NIHSS_BANDS),
    )


def _of_affected_side(cohort: Cohort) -> NDArray[np.bool_]:
    """Return which regions of the side of the stroke are affected, shape (n, 10)."""
    right, left = cohort.affected[:, :REGIONS_PER_SIDE], cohort.affected[:, REGIONS_PER_SIDE:]
    on_left = (cohort.side == SIDE_SIGN[Side.LEFT])[:, None]
    on_right = (cohort.side == SIDE_SIGN[Side.RIGHT])[:, None]
    return (left & on_left) | (right & on_right)


def _figures(cohort: Cohort, nihss: int, bootstrap: Bootstrap) -> SideFigures:
    return SideFigures(
        describe(cohort, nihss),
        correlations(cohort, bootstrap),
        threshold_analysis(cohort, nihss, bootstrap),
    )


def _given_volume(cohort: Cohort, bootstrap: Bootstrap) -> Correlation | None:
    sided = cohort.part(cohort.side != 0)
    on_left = sided.side == SIDE_SIGN[Side.LEFT]
    try:
        return partial_spearman(on_left, sided.nihss, sided.volume_ml, bootstrap)
    except InputRefusedError:  # too few patients, or too regular ones
        return None


def _band(left: Cohort, right: Cohort, lowest: int, highest: int) -> Band:
    volumes = [
        side.volume_ml[(side.nihss >= lowest) & (side.nihss <= highest)] for side in (left, right)
    ]
    p_value = rank_sum_p(*volumes) if all(len(volume) for volume in volumes) else None
    return Band(lowest, highest, *(summarize(volume) for volume in volumes), p_value)
