"""What follows from calls and core: the totals, the severity, and the warnings about calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.report.result import AspectsInfo, CoreInfo, RegionInfo, StudyResult, WarningInfo
from ASPECTSLib.scoring.aspects import total_score
from ASPECTSLib.scoring.severity import (
    aspects_group,
    core_group,
    severity_of,
    severity_of_aspects,
)

NOT_COMPARED = "REGION_NOT_COMPARED"
UNSURE = "UNSURE_CALLS"
INCOMPLETE = "READING_INCOMPLETE"
_CALL_WARNINGS = (NOT_COMPARED, UNSURE, INCOMPLETE)


def settle(result: StudyResult) -> StudyResult:
    """Return the result with totals and warnings that follow from its calls and overrides.

    An abstained study gets a total from the first override on: the reader's, in which regions
    without a call cost no point.
    """
    others = [w for w in result.quality.warnings if w.code not in _CALL_WARNINGS]
    warnings = (*others, *_call_warnings(result.regions, abstained=result.quality.abstained))
    totals = _totals(result.regions)
    return replace(
        result,
        aspects=totals,
        core=_with_groups(result.core, totals.score),
        quality=replace(result.quality, warnings=warnings),
    )


def _with_groups(core: CoreInfo, score: int | None) -> CoreInfo:
    volumes = replace(
        core, severity=None, severity_by_aspects=None, core_group=None, aspects_group=None
    )
    if core.volume_ml is None:
        return volumes
    by_volume = replace(
        volumes,
        severity=severity_of(core.volume_ml).value,
        core_group=core_group(core.volume_ml).value,
    )
    if score is None:
        return by_volume
    return replace(
        by_volume,
        severity_by_aspects=severity_of_aspects(score).value,
        aspects_group=aspects_group(score).value,
    )


def automatic_totals(result: StudyResult) -> AspectsInfo:
    """Return the program's own totals: without overrides, and as they were before any edit of borders."""
    if result.automatic is not None:
        return result.automatic
    return _totals(tuple(replace(info, override=None) for info in result.regions))


def score_range(result: StudyResult) -> tuple[int, int] | None:
    """Return the lowest and the highest score that unsure and missing calls leave open; None without a score."""
    if result.aspects.score is None:
        return None
    lowest, highest = (
        _totals(tuple(_decided(info, unsure_is=call) for info in result.regions)).score
        for call in (True, False)
    )
    return lowest, highest


def _decided(info: RegionInfo, *, unsure_is: bool) -> RegionInfo:
    is_open = info.override is None and (info.unsure or info.affected is None)
    return replace(info, affected=unsure_is) if is_open else info


def uncalled_regions(regions: Iterable[RegionInfo]) -> list[RegionInfo]:
    """Return the regions that have no call in a study of which a person has called some; none otherwise."""
    given = list(regions)
    uncalled = [info for info in given if info.final_call is None]
    return uncalled if len(uncalled) < len(given) else []


def _totals(regions: tuple[RegionInfo, ...]) -> AspectsInfo:
    if all(info.final_call is None for info in regions):
        return AspectsInfo(score=None, side=None, left=None, right=None)
    affected = (info for info in regions if info.final_call)
    total = total_score(region_of(RegionCode(info.region), Side(info.side)) for info in affected)
    return AspectsInfo(total.score, total.side.value, total.left, total.right)


def _call_warnings(regions: tuple[RegionInfo, ...], *, abstained: bool) -> Iterable[WarningInfo]:
    """Name the regions that the reader should look at, unless the reader has decided on them."""
    open_calls = [info for info in regions if info.override is None]
    unseen = [
        info
        for info in open_calls
        if info.probability is None and None in (info.median, info.contralateral_median)
    ]
    if unseen:
        yield WarningInfo(
            NOT_COMPARED,
            f"too little brain tissue to compare the sides in {_names(unseen)}: read these yourself",
        )
    uncalled = uncalled_regions(regions) if abstained else []
    if uncalled:
        yield WarningInfo(
            INCOMPLETE,
            f"the program abstained and {len(uncalled)} regions have no call yet; they cost no point",
        )
    unsure = [info for info in open_calls if info.unsure]
    if unsure and not abstained:
        yield WarningInfo(UNSURE, f"unsure, look at these yourself: {_names(unsure)}")


def _names(regions: Iterable[RegionInfo]) -> str:
    return ", ".join(f"{info.region} {info.side}" for info in regions)
