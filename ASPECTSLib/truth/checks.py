"""Whether map, mask and scan belong together, and what a person should look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS, Region
from ASPECTSLib.delineation import Delineation
from ASPECTSLib.errors import ErrorCode, FileRefusedError, GeometryRefusedError
from ASPECTSLib.geometry import Volume, bounding_box, crop, resample
from ASPECTSLib.io.diffusion import MIN_OVERLAP, overlap
from ASPECTSLib.io.notes import ScanNote
from ASPECTSLib.report.result import WarningInfo

MIN_REGION_COVERED = 0.5
"""Share of each region that map or mask has to cover: what it does not cover would be called unaffected."""

NOTED_REGION_COVERED = 0.9
"""Below this share of a region a warning says so."""

MIN_IN_BRAIN = 0.5
"""Share of an infarct mask inside the brain, as training wants it: less, and it is not registered to the scan."""

NOTED_IN_BRAIN = 0.9
"""Below this share a warning says so."""

MOST_OF_BRAIN = 0.6
"""A mask of more than this share of the brain marks no infarct: it is the brain itself, or turned inside out."""


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


def refuse_misplaced(mask: Volume, brain: Volume) -> float:
    """Return the share of an infarct that lies in the brain, 1 if there is no infarct.

    Parameters
    ----------
    mask
        bool, on its own grid.
    brain
        bool, on that of the scan; both where they lie in the world, RAS mm.

    Raises
    ------
    GeometryRefusedError
        GEOMETRY_INVALID if most of it lies elsewhere.
    FileRefusedError
        COHORT_INVALID if it covers the brain.
    """
    if not mask.array.any():
        return 1.0
    infarct = crop(mask, bounding_box(mask.array))
    inside = resample(brain.with_array(brain.array.astype(np.uint8)), infarct, order=0).array > 0
    share = float(inside[infarct.array].mean())
    if share < MIN_IN_BRAIN:
        message = (
            f"expected an infarct of the brain, got a mask of which {share:.0%} lies in it; register it to the scan "
            "first"
        )
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    infarct_ml = share * int(np.count_nonzero(infarct.array)) * mask.voxel_volume_ml
    of_brain = infarct_ml / (int(np.count_nonzero(brain.array)) * brain.voxel_volume_ml)
    if of_brain > MOST_OF_BRAIN:
        message = f"expected an infarct mask, got one that covers {of_brain:.0%} of the brain"
        raise FileRefusedError(ErrorCode.COHORT_INVALID, message)
    return share


def note_warnings(notes: Iterable[ScanNote], names: Iterable[str]) -> list[WarningInfo]:
    """Return what was noted on reading, without the names of files, which may be those of patients."""
    hidden = sorted({*names, *(Path(name).name for name in names)}, key=len, reverse=True)
    warnings = []
    for note in notes:
        message = note.message
        for name in hidden:
            message = message.replace(name, "the file")
        warnings.append(WarningInfo(note.code.value, message))
    return warnings


def region_warnings(found: Delineation, covered: NDArray[np.bool_]) -> list[WarningInfo]:
    """Return warnings of regions that are doubtful or covered in part.

    Parameters
    ----------
    found
        Regions.
    covered
        bool, on their grid: of what map or mask says anything.

    Raises
    ------
    GeometryRefusedError
        PARTIAL_COVERAGE if hardly anything is known of a region.
    """
    shares = _covered_shares(found, covered)
    missing = [region for region, share in shares.items() if share < MIN_REGION_COVERED]
    if missing:
        message = (
            f"expected a map or mask that covers at least {MIN_REGION_COVERED:.0%} of each region, got less of "
            f"{_names(missing)}"
        )
        raise GeometryRefusedError(ErrorCode.PARTIAL_COVERAGE, message)
    warnings = []
    partly = [region for region, share in shares.items() if share < NOTED_REGION_COVERED]
    if partly:
        message = (
            f"less than {NOTED_REGION_COVERED:.0%} is known of {_names(partly)}; what is not known counts as "
            "unaffected"
        )
        warnings.append(WarningInfo("PARTLY_COVERED", message))
    if found.is_doubtful:
        message = (
            f"networks and registration place the regions differently (mean Dice {found.agreement:.2f}); those of the "
            f"{found.source.value} were taken: check them"
        )
        warnings.append(WarningInfo("REGIONS_DISAGREE", message))
    return warnings


def _covered_shares(found: Delineation, covered: NDArray[np.bool_]) -> dict[Region, float]:
    labels = found.labels.array
    total = np.bincount(labels.ravel(), minlength=len(REGIONS) + 1)
    known = np.bincount(labels[covered], minlength=len(REGIONS) + 1)
    return {r: float(known[r.label] / total[r.label]) for r in REGIONS if total[r.label]}


def _names(regions: Sequence[Region]) -> str:
    return ", ".join(f"{region.code.value} {region.side.value}" for region in regions)
