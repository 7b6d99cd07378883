"""Whether map, mask and scan belong together, and what a person should look at."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.delineation import Delineation
from ASPECTSLib.errors import ErrorCode, FileRefusedError, GeometryRefusedError
from ASPECTSLib.geometry import Volume, bounding_box, crop, resample
from ASPECTSLib.io.notes import ScanNote
from ASPECTSLib.report.result import WarningInfo
from ASPECTSLib.systems.coverage import coverage_warnings

MIN_IN_BRAIN = 0.5
"""Share of an infarct mask inside the brain, as training wants it: less, and it is not registered to the scan."""

NOTED_IN_BRAIN = 0.9
"""Below this share a warning says so."""

MOST_OF_BRAIN = 0.6
"""A mask of more than this share of the brain marks no infarct: it is the brain itself, or turned inside out."""


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
    warnings = list(coverage_warnings(found.labels, covered))
    if found.is_doubtful:
        message = (
            f"networks and registration place the regions differently (mean Dice {found.agreement:.2f}); those of the "
            f"{found.source.value} were taken: check them"
        )
        warnings.append(WarningInfo("REGIONS_DISAGREE", message))
    return warnings
