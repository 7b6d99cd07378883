"""The four age groups of the ASPECTS-281 atlas (Sun et al. 2024, doi:10.1038/s41597-024-03973-y)."""

from __future__ import annotations

from enum import StrEnum

MAX_AGE_YEARS = 130.0
"""Nobody is older."""


class AgeGroup(StrEnum):
    """Age groups, in whole years, both ends included."""

    FROM_10 = "10-29"
    FROM_30 = "30-49"
    FROM_50 = "50-69"
    FROM_70 = "70-89"

    @property
    def limits_years(self) -> tuple[int, int]:
        """First and last year of age."""
        lowest, highest = self.value.split("-")
        return int(lowest), int(highest)

    @property
    def in_file_names(self) -> str:
        """As the published files are named: 10_29."""
        return self.value.replace("-", "_")

    def holds(self, age_years: float) -> bool:
        """Tell whether somebody of an age belongs to the group; one is 29 until the 30th birthday."""
        lowest, highest = self.limits_years
        return lowest <= age_years < highest + 1


def age_group(age_years: float) -> AgeGroup:
    """Return the group of an age; the youngest and the oldest stand for those beyond."""
    for group in AgeGroup:
        if age_years < group.limits_years[1] + 1:
            return group
    return AgeGroup.FROM_70


def age_of(text: str) -> float | None:
    """Return an age in years as a person wrote it; None for what is no age."""
    try:
        age_years = float(text)
    except ValueError:
        return None
    return age_years if 0 <= age_years <= MAX_AGE_YEARS else None
