"""Whether the anatomy runs on from slice to slice, where the header cannot tell that slices are missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ErrorCode, GeometryRefusedError
from ASPECTSLib.geometry import Volume, shrink, shrink_factors
from ASPECTSLib.io.notes import NoteCode, ScanNote

NOTED_JUMP = 1.6
"""Change between two slices over that of their neighbours from which it is noted. In the middle of six whole heads it
stayed below 1.4; with three slices of 5 mm cut out there it was 1.2 to 3.6."""

REFUSED_JUMP = 2.0
"""From here on slices are taken for missing: half of the cuts of three slices, no whole head."""

_SPACING_MM = (4.0, 4.0, 4.0)
_LIMITS_HU = (-200.0, 300.0)
_MIDDLE = (0.30, 0.85)  # of the slices: at the skull base and the vertex anatomy changes by itself
_NEIGHBOURS = 3


def check_continuity(volume: Volume) -> tuple[ScanNote, ...]:
    """Compare the change from each slice to the next with the changes around it.

    Parameters
    ----------
    volume
        CT in HU, in the image frame.

    Returns
    -------
    tuple of ScanNote
        SLICE_JUMP if slices may be missing.

    Raises
    ------
    GeometryRefusedError
        MISSING_SLICES if the anatomy jumps.
    """
    coarse = shrink(volume, shrink_factors(volume, _SPACING_MM))
    jumps = _jumps(np.clip(coarse.array, *_LIMITS_HU))
    first, last = (int(len(jumps) * share) for share in _MIDDLE)
    middle = jumps[first:last]
    if middle.size == 0 or middle.max() < NOTED_JUMP:
        return ()
    percent = 100.0 * (first + int(middle.argmax()) + 1) / len(coarse.array)
    where = f"at {percent:.0f} % of the way from foot to head"
    if middle.max() >= REFUSED_JUMP:
        message = f"expected anatomy that runs on from slice to slice, but it jumps {where}; slices are missing"
        raise GeometryRefusedError(ErrorCode.MISSING_SLICES, message)
    message = (
        f"the anatomy jumps {where}: slices may be missing, or the patient moved; look at the scan"
    )
    return (ScanNote(NoteCode.SLICE_JUMP, message),)


def _jumps(array: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return each change between slices over the median of up to three changes on either side."""
    changes = np.abs(np.diff(array, axis=0)).mean(axis=(1, 2), dtype=np.float64)
    ratios = np.ones(len(changes))
    for index, change in enumerate(changes):
        before = changes[max(index - _NEIGHBOURS, 0) : index]
        after = changes[index + 1 : index + 1 + _NEIGHBOURS]
        typical = np.median(np.concatenate([before, after])) if len(changes) > 1 else change
        ratios[index] = change / typical if typical > 0 else 1.0
    return ratios
