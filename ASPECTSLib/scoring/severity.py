"""Severity group of a stroke from the volume of its infarct core."""

from __future__ import annotations

from enum import StrEnum

MODERATE_ML = 27.86
"""Core volume from which strokes were moderate to severe (Wei et al. 2026, doi:10.1093/braincomms/fcag053; on DWI)."""


class Severity(StrEnum):
    """The two groups of that study."""

    MILD = "mild"
    MODERATE_SEVERE = "moderate-severe"


def severity_of(core_ml: float) -> Severity:
    """Return the group of a core volume in mL."""
    return Severity.MODERATE_SEVERE if core_ml >= MODERATE_ML else Severity.MILD
