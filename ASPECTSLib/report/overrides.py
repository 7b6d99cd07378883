"""Calls changed by a person: the program's own call stays beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ASPECTSLib.atlas.regions import Region, RegionCode, Side, region_of
from ASPECTSLib.report.calls import settle
from ASPECTSLib.report.result import OverrideInfo, RegionInfo, StudyResult

Overrides = Mapping[Region, OverrideInfo]
"""The overrides of a study; regions that are not in it keep the program's call."""


def overrides_of(result: StudyResult) -> Overrides:
    """Return all overrides of a result."""
    return {_region(info): info.override for info in result.regions if info.override}


def with_overrides(result: StudyResult, overrides: Overrides) -> StudyResult:
    """Return the result with these overrides and no others, and with the totals that follow."""
    regions = tuple(replace(info, override=overrides.get(_region(info))) for info in result.regions)
    return settle(replace(result, regions=regions))


def override_call(result: StudyResult, region: Region, override: OverrideInfo) -> StudyResult:
    """Return the result with one call changed by a person, and the score that follows."""
    return with_overrides(result, {**overrides_of(result), region: override})


def withdraw_override(result: StudyResult, region: Region) -> StudyResult:
    """Return the result with the program's own call of a region."""
    kept = {key: value for key, value in overrides_of(result).items() if key != region}
    return with_overrides(result, kept)


def _region(info: RegionInfo) -> Region:
    return region_of(RegionCode(info.region), Side(info.side))
