"""The statistics of the severity study: what ASPECTS and core volume say about NIHSS in a cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import AFFECTED_FRACTION, Side
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.scoring.severity import (
    MODERATE_ASPECTS,
    MODERATE_ML,
    AspectsGroup,
    CoreGroup,
    aspects_group,
    core_group,
)
from ASPECTSLib.statistics.bootstrap import Bootstrap
from ASPECTSLib.statistics.correlation import MIN_PATIENTS, Correlation, spearman
from ASPECTSLib.statistics.estimates import Estimate
from ASPECTSLib.statistics.groups import Summary, rank_sum_p, summarize
from ASPECTSLib.statistics.proportions import Proportion, proportion
from ASPECTSLib.statistics.roc import (
    MIN_GROUP,
    Accuracy,
    Direction,
    RocCurve,
    accuracy_at,
    area,
    area_difference,
    best_cutoff,
    marker,
    roc_curve,
)
from ASPECTSLib.studies.infarcts import InfarctMeasure
from ASPECTSLib.studies.participants import MAX_NIHSS, Participant

NIHSS_THRESHOLDS = (6, 5, 8, 16)
"""NIHSS from which a stroke is moderate to severe, the main one first. Mild is 0 to 5 in most trials that treat mild
stroke (PRISMS: Khatri et al. 2018, doi:10.1001/jama.2018.8496), and thrombectomy is recommended from 6 (Powers et al.
2019, doi:10.1161/STR.0000000000000211); the others are in use, too."""

TERRITORY_ML = 1.0
"""Infarct inside the twenty regions from which a stroke counts as one of the middle cerebral artery."""


@dataclass(frozen=True)
class StudyOptions:
    """How the study is done.

    Parameters
    ----------
    fraction
        Share of a region, 0 to 1, above which it is affected.
    territory_ml
        Infarct inside the twenty regions that a patient of the main cohort has at least, in mL.
    nihss
        NIHSS from which a stroke is moderate to severe, the main one first.
    bootstrap
        Of the intervals.

    Raises
    ------
    UsageError
        USAGE for values out of range or thresholds that stand there twice.
    """

    fraction: float = AFFECTED_FRACTION
    territory_ml: float = TERRITORY_ML
    nihss: tuple[int, ...] = NIHSS_THRESHOLDS
    bootstrap: Bootstrap = field(default_factory=Bootstrap)

    def __post_init__(self) -> None:
        _require(0 <= self.fraction < 1, "a share of a region of 0 to below 1", self.fraction)
        known = 0 <= self.territory_ml < np.inf
        _require(known, "a volume inside the regions of 0 mL or more", self.territory_ml)
        in_range = all(1 <= threshold <= MAX_NIHSS for threshold in self.nihss)
        different = len(set(self.nihss)) == len(self.nihss) > 0
        asked = " ".join(map(str, self.nihss)) or "none"
        _require(in_range and different, f"different NIHSS of 1 to {MAX_NIHSS}", asked)


@dataclass(frozen=True)
class Patient:
    """A patient of the study: what the table says, which may be nothing, and what the mask says."""

    participant_id: str
    participant: Participant | None
    infarct: InfarctMeasure

    @property
    def nihss(self) -> int | None:
        """NIHSS, None where unknown."""
        return self.participant.nihss if self.participant else None

    @property
    def mrs(self) -> int | None:
        """Modified Rankin scale, None where unknown."""
        return self.participant.mrs if self.participant else None


@dataclass(frozen=True, eq=False)
class Cohort:
    """Patients with a known NIHSS as arrays of shape (n,).

    Parameters
    ----------
    nihss, aspects
        Whole numbers.
    volume_ml
        Of the infarct.
    mrs
        nan where unknown.
    side
        1 for strokes of the left, -1 for those of the right, 0 where neither.
    affected
        bool, shape (n, 20), in the order of `REGIONS`.
    """

    nihss: NDArray[np.int64]
    aspects: NDArray[np.int64]
    volume_ml: NDArray[np.float64]
    mrs: NDArray[np.float64]
    side: NDArray[np.int64]
    affected: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.nihss)

    def part(self, chosen: NDArray[np.bool_]) -> Cohort:
        """Return some of the patients."""
        return Cohort(**{name: array[chosen] for name, array in vars(self).items()})

    def on(self, side: Side) -> Cohort:
        """Return the patients with a stroke of one side."""
        return self.part(self.side == SIDE_SIGN[side])


SIDE_SIGN = {Side.LEFT: 1, Side.RIGHT: -1}


@dataclass(frozen=True)
class Cutoff:
    """How a measure does at one threshold of NIHSS.

    Parameters
    ----------
    area
        Under the ROC curve, with DeLong's interval.
    youden
        Best cut-off, with its bootstrap interval.
    at_youden
        There; on the patients that it was found on, which flatters.
    at_published
        At the cut-off of the paper, which these patients had no part in.
    """

    area: Estimate
    youden: Estimate
    at_youden: Accuracy
    at_published: Accuracy


@dataclass(frozen=True)
class Threshold:
    """One threshold of NIHSS; the figures are None where a group has too few patients."""

    nihss: int
    moderate_severe: int
    mild: int
    aspects: Cutoff | None = None
    core_volume: Cutoff | None = None
    area_difference: Estimate | None = None
    area_difference_p: float | None = None


@dataclass(frozen=True)
class Group:
    """What the patients of one severity, or of one group of trials, are like."""

    nihss: Summary | None
    aspects: Summary | None
    volume_ml: Summary | None
    moderate_severe: Proportion | None = None


@dataclass(frozen=True)
class Groups:
    """Mild and moderate to severe strokes by the main threshold, with p values of Mann and Whitney."""

    mild: Group
    moderate_severe: Group
    aspects_p: float
    volume_p: float


def cohort_of(patients: Sequence[Patient], options: StudyOptions) -> Cohort:
    """Return the patients with a known NIHSS as arrays."""
    known = [patient for patient in patients if patient.nihss is not None]
    sides = [patient.infarct.hemisphere(options.fraction) for patient in known]
    affected = [patient.infarct.affected(options.fraction) for patient in known]
    return Cohort(
        nihss=np.array([patient.nihss for patient in known], np.int64),
        aspects=np.array([p.infarct.score(options.fraction).score for p in known], np.int64),
        volume_ml=np.array([patient.infarct.volume_ml for patient in known], np.float64),
        mrs=np.array([np.nan if p.mrs is None else p.mrs for p in known], np.float64),
        side=np.array([SIDE_SIGN[side] if side else 0 for side in sides], np.int64),
        affected=np.array(affected, bool).reshape(len(known), -1),
    )


def correlations(cohort: Cohort, bootstrap: Bootstrap) -> dict[str, Correlation | None]:
    """Correlate ASPECTS, core volume, NIHSS and mRS; None where too few are known, or a variable is constant."""
    pairs = {
        "core_volume_nihss": (cohort.volume_ml, cohort.nihss),
        "aspects_nihss": (cohort.aspects, cohort.nihss),
        "aspects_core_volume": (cohort.aspects, cohort.volume_ml),
        "core_volume_mrs": (cohort.volume_ml, cohort.mrs),
        "aspects_mrs": (cohort.aspects, cohort.mrs),
        "nihss_mrs": (cohort.nihss, cohort.mrs),
    }
    return {name: _correlate(x, y, bootstrap) for name, (x, y) in pairs.items()}


def threshold_analysis(cohort: Cohort, nihss: int, bootstrap: Bootstrap) -> Threshold:
    """Tell moderate-severe strokes, by a threshold of NIHSS, from mild ones by ASPECTS and by core volume."""
    severe = cohort.nihss >= nihss
    counts = int(severe.sum()), int((~severe).sum())
    if min(counts) < MIN_GROUP:
        return Threshold(nihss, *counts)
    aspects = marker(cohort.aspects, severe, Direction.LOWER)
    volume = marker(cohort.volume_ml, severe, Direction.HIGHER)
    difference, p_value = area_difference(aspects, volume)
    found = []
    for measure, published in ((aspects, MODERATE_ASPECTS), (volume, MODERATE_ML)):
        best = best_cutoff(measure, bootstrap)
        at_best, at_published = (accuracy_at(measure, c) for c in (best.value, float(published)))
        found.append(Cutoff(area(measure), best, at_best, at_published))
    return Threshold(nihss, *counts, *found, difference, p_value)


def curves(cohort: Cohort, nihss: int) -> dict[str, RocCurve]:
    """Return the ROC curves of ASPECTS and core volume at a threshold of NIHSS, both groups being large enough."""
    severe = cohort.nihss >= nihss
    return {
        "aspects": roc_curve(marker(cohort.aspects, severe, Direction.LOWER)),
        "core_volume": roc_curve(marker(cohort.volume_ml, severe, Direction.HIGHER)),
    }


def group_analysis(cohort: Cohort, nihss: int) -> Groups:
    """Compare mild with moderate-severe strokes; there must be some of both."""
    severe = cohort.nihss >= nihss
    mild, ill = cohort.part(~severe), cohort.part(severe)
    return Groups(
        describe(mild),
        describe(ill),
        rank_sum_p(mild.aspects, ill.aspects),
        rank_sum_p(mild.volume_ml, ill.volume_ml),
    )


def trial_groups(cohort: Cohort, nihss: int) -> dict[str, dict[str, Group]]:
    """Describe the patients of each group of ASPECTS and of core volume that trials have drawn."""
    kinds = {
        "aspects": (AspectsGroup, [aspects_group(score) for score in cohort.aspects.tolist()]),
        "core_volume": (CoreGroup, [core_group(volume) for volume in cohort.volume_ml.tolist()]),
    }
    return {
        kind: {
            group.value: describe(cohort.part(np.array([n is group for n in names], bool)), nihss)
            for group in groups
        }
        for kind, (groups, names) in kinds.items()
    }


def describe(cohort: Cohort, nihss: int | None = None) -> Group:
    """Summarize NIHSS, ASPECTS and core volume, and with a threshold of NIHSS, who reaches it."""
    reached = None
    if nihss is not None and len(cohort):
        reached = proportion(int((cohort.nihss >= nihss).sum()), len(cohort))
    return Group(
        summarize(cohort.nihss), summarize(cohort.aspects), summarize(cohort.volume_ml), reached
    )


def _correlate(x: NDArray, y: NDArray, bootstrap: Bootstrap) -> Correlation | None:
    known = np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) < MIN_PATIENTS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return spearman(x, y, bootstrap)


def _require(met: bool, expected: str, got: object) -> None:
    if not met:
        raise UsageError(ErrorCode.USAGE, f"expected {expected}, got {got}")
