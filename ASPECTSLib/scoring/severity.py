"""Severity groups of a stroke by infarct core and ASPECTS, and what trials of thrombectomy asked of both.

Facts from publications, for tables and reports: nothing here says what to do with a patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ASPECTSLib.atlas.regions import REGIONS_PER_SIDE
from ASPECTSLib.errors import ErrorCode, UsageError

MODERATE_ML = 27.86
"""Core volume from which strokes were moderate to severe (Wei et al. 2026, doi:10.1093/braincomms/fcag053; on DWI)."""

MODERATE_ASPECTS = 6
"""ASPECTS at which strokes were moderate to severe in the same study. Its abstract says "6", not on which side 6 itself
falls; here 6 counts as moderate to severe."""

CORE_LIMITS_ML = (50.0, 70.0, 100.0)
"""Core volumes at which trials drew a line: SELECT2 (50), DEFUSE 3 and ANGEL-ASPECT (70), ANGEL-ASPECT (100)."""


class Severity(StrEnum):
    """The two groups of Wei et al."""

    MILD = "mild"
    MODERATE_SEVERE = "moderate-severe"


class AspectsGroup(StrEnum):
    """Groups of ASPECTS in trials: those of large infarcts took 3 to 5, most earlier ones 6 and more.

    The earlier ones: Goyal et al. 2016, doi:10.1016/S0140-6736(16)00163-X; the others are in `TRIALS`.
    """

    LARGEST = "0-2"
    LARGE = "3-5"
    SMALL = "6-10"


class CoreGroup(StrEnum):
    """Groups of core volume between the `CORE_LIMITS_ML`; a limit belongs to the larger group."""

    BELOW_50 = "below 50 mL"
    FROM_50 = "50 to 70 mL"
    FROM_70 = "70 to 100 mL"
    FROM_100 = "100 mL and more"


@dataclass(frozen=True)
class TrialCriterion:
    """What a trial asked of ASPECTS or core volume, among much else (age, NIHSS, time, vessel).

    Parameters
    ----------
    trial, doi
        Name and report.
    aspects
        Lowest and highest ASPECTS; None where it set none.
    core_ml
        Lowest and highest core volume in mL, None at an open end; None where it set none.
    core_is_alternative
        Whether either of the two was enough.
    """

    trial: str
    doi: str
    aspects: tuple[int, int] | None = None
    core_ml: tuple[float | None, float | None] | None = None
    core_is_alternative: bool = False


TRIALS = (
    # DAWN: below 21 mL from 80 years, below 31 or 51 mL before, by NIHSS. DEFUSE 3: below 70 mL, with a mismatch.
    TrialCriterion("DAWN", "10.1056/NEJMoa1706442", core_ml=(None, 51.0)),
    TrialCriterion("DEFUSE 3", "10.1056/NEJMoa1713973", core_ml=(None, 70.0)),
    TrialCriterion("RESCUE-Japan LIMIT", "10.1056/NEJMoa2118191", aspects=(3, 5)),
    TrialCriterion("SELECT2", "10.1056/NEJMoa2214403", (3, 5), (50.0, None), True),
    TrialCriterion("ANGEL-ASPECT", "10.1056/NEJMoa2213379", (3, 5), (70.0, 100.0), True),
    TrialCriterion("TENSION", "10.1016/S0140-6736(23)02032-9", aspects=(3, 5)),
)
"""Criteria of imaging as the trials' reports state them, in the order of publication."""


def severity_of(core_ml: float) -> Severity:
    """Return the group of a core volume in mL."""
    return Severity.MODERATE_SEVERE if core_ml >= MODERATE_ML else Severity.MILD


def severity_of_aspects(score: int) -> Severity:
    """Return the group of an ASPECTS, 0 to 10.

    Raises
    ------
    UsageError
        USAGE for any other score.
    """
    _check_score(score)
    return Severity.MODERATE_SEVERE if score <= MODERATE_ASPECTS else Severity.MILD


def aspects_group(score: int) -> AspectsGroup:
    """Return the group of trials that an ASPECTS, 0 to 10, falls into.

    Raises
    ------
    UsageError
        USAGE for any other score.
    """
    _check_score(score)
    if score <= 2:
        return AspectsGroup.LARGEST
    return AspectsGroup.LARGE if score <= 5 else AspectsGroup.SMALL


def core_group(core_ml: float) -> CoreGroup:
    """Return the group of trials that a core volume in mL falls into."""
    return tuple(CoreGroup)[sum(core_ml >= limit for limit in CORE_LIMITS_ML)]


def _check_score(score: int) -> None:
    if not 0 <= score <= REGIONS_PER_SIDE:
        message = f"expected an ASPECTS of 0 to {REGIONS_PER_SIDE}, got {score}"
        raise UsageError(ErrorCode.USAGE, message)
