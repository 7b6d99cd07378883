"""Whether a map lies where the scan does, and how much of the regions it covers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS, Region
from ASPECTSLib.errors import ErrorCode, GeometryRefusedError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.diffusion import MIN_OVERLAP, overlap
from ASPECTSLib.report.result import WarningInfo

PARTLY_COVERED = "PARTLY_COVERED"

MIN_REGION_COVERED = 0.5
"""Share of each region that map or mask has to cover: what it does not cover would be called unaffected."""

NOTED_REGION_COVERED = 0.9
"""Below this share of a region a warning says so."""


def refuse_elsewhere(volume: Volume, scan: Volume, what: str) -> None:
    """Refuse a map or mask whose grid lies elsewhere than the scan.

    Parameters
    ----------
    volume, scan
        Where their files say that they lie, RAS mm.
    what
        The first one, for the message.

    Raises
    ------
    GeometryRefusedError
        GEOMETRY_INVALID.
    """
    share = overlap(volume, scan)
    if share < MIN_OVERLAP:
        message = (
            f"expected {what} where the scan lies, got one whose grid covers {share:.0%} of it; they may be of "
            "different patients or frames"
        )
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)


def coverage_warnings(labels: Volume, covered: NDArray[np.bool_]) -> Iterator[WarningInfo]:
    """Warn of regions that a map or mask covers in part.

    Parameters
    ----------
    labels
        Region label map.
    covered
        bool, on its grid: of what map or mask says anything.

    Raises
    ------
    GeometryRefusedError
        PARTIAL_COVERAGE if hardly anything is known of a region.
    """
    shares = _covered_shares(labels.array, covered)
    missing = [region for region, share in shares.items() if share < MIN_REGION_COVERED]
    if missing:
        message = (
            f"expected a map or mask that covers at least {MIN_REGION_COVERED:.0%} of each region, got less of "
            f"{_names(missing)}"
        )
        raise GeometryRefusedError(ErrorCode.PARTIAL_COVERAGE, message)
    partly = [region for region, share in shares.items() if share < NOTED_REGION_COVERED]
    if partly:
        message = (
            f"less than {NOTED_REGION_COVERED:.0%} is known of {_names(partly)}; what is not known counts as "
            "unaffected"
        )
        yield WarningInfo(PARTLY_COVERED, message)


def _covered_shares(labels: NDArray[np.uint8], covered: NDArray[np.bool_]) -> dict[Region, float]:
    total = np.bincount(labels.ravel(), minlength=len(REGIONS) + 1)
    known = np.bincount(labels[covered], minlength=len(REGIONS) + 1)
    return {r: float(known[r.label] / total[r.label]) for r in REGIONS if total[r.label]}


def _names(regions: Iterable[Region]) -> str:
    return ", ".join(f"{region.code.value} {region.side.value}" for region in regions)
