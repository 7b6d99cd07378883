"""Maps of cerebral blood flow: read, and refused where they are something else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ContentRefusedError, ErrorCode, GeometryRefusedError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.dicom import choose_series, list_series, read_series, series_of_file
from ASPECTSLib.io.images import IMAGE_SUFFIXES, check_exists, read_image_with_notes
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.notes import ScanNote

MEDIAN_FLOW = (8.0, 200.0)
"""Median of the flow of a brain, mL/100 g/min, with room for software that reads low or high.

It is 22 to 50 on synthetic maps; healthy adults have 22 in white and 55 in grey matter (Leenders et al. 1990,
doi:10.1093/brain/113.1.27). Maps of blood volume, of seconds, and what was scaled to 1, lie below.
"""

MIN_FLOWING = 0.5
"""Share of the brain, as far as the map reaches, that has flow: less, and the two do not show the same head."""

_MOST_NEGATIVE = 0.01  # of the voxels: interpolation makes a few
_DENSE = 250.0  # bone on CT in HU; on a map large vessels only
_MOST_DENSE = 0.05  # of what is above 0: a head CT has four times that, a map less than a tenth


@dataclass(frozen=True, eq=False)
class FlowMap:
    """A map of cerebral blood flow, as it was given.

    Parameters
    ----------
    volume
        float32, at least 0; 0 where nothing is known; affine to RAS mm.
    files
        Names of the files read.
    notes
        What was assumed on reading.
    """

    volume: Volume
    files: tuple[str, ...]
    notes: tuple[ScanNote, ...] = ()


def read_flow(path: Path, *, series: str | None = None) -> FlowMap:
    """Read a map from an image file, a DICOM folder, or one DICOM file of a series.

    It may have few slices: which regions it covers is looked at later.

    Parameters
    ----------
    path
        As `ASPECTSLib.io.scan.read_scan` takes it; voxels of an image file may be not a number where nothing is known.
    series
        Number, description or UID of the DICOM series in a folder.

    Raises
    ------
    InputRefusedError
        As `read_scan`, and if the voxels cannot be those of such a map: NO_SIGNAL, IMPLAUSIBLE_UNITS, WRONG_MODALITY.
    """
    check_exists(path)
    if path.is_dir() or not path.name.lower().endswith(IMAGE_SUFFIXES):
        read = _read_dicom(path, series)
    else:
        volume, notes = read_image_with_notes(path, must_be_finite=False)
        read = FlowMap(volume, (path.name,), notes)
    raw = np.nan_to_num(read.volume.array.astype(np.float32), posinf=0.0, neginf=0.0)
    _refuse_others(raw)
    return FlowMap(read.volume.with_array(np.maximum(raw, 0)), read.files, read.notes)


def check_flow(flow: NDArray[np.floating], brain: NDArray[np.bool_]) -> None:
    """Refuse a map whose brain has no flow, or flow in another unit.

    Parameters
    ----------
    flow
        At least 0.
    brain
        bool on the same grid: what the map covers of the brain.

    Raises
    ------
    GeometryRefusedError
        GEOMETRY_INVALID if hardly any flow is where the brain is.
    ContentRefusedError
        IMPLAUSIBLE_UNITS.
    """
    inside = flow[brain]
    flowing = inside[inside > 0]
    share = flowing.size / max(inside.size, 1)
    if share < MIN_FLOWING:
        message = (
            f"expected flow where the brain lies, got some in {share:.0%} of it; map and scan may be of different "
            "patients or frames"
        )
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    median = float(np.median(flowing))
    lowest, highest = MEDIAN_FLOW
    if not lowest <= median <= highest:
        message = (
            f"expected cerebral blood flow in mL/100 g/min, whose median in the brain is {lowest:.0f} to "
            f"{highest:.0f}, got a median of {median:.3g}"
        )
        raise ContentRefusedError(ErrorCode.IMPLAUSIBLE_UNITS, message)


def covered_by(flow: Volume) -> Volume:
    """Return where a map says something: the slices along k in which it has any flow; bool on its grid."""
    has_flow = flow.array.any(axis=(1, 2))
    return flow.with_array(np.broadcast_to(has_flow[:, None, None], flow.array.shape).copy())


def _read_dicom(path: Path, series: str | None) -> FlowMap:
    if path.is_dir():
        chosen, folder = choose_series(list_series(path), Modality.CBF, series), path
    else:
        chosen, folder = series_of_file(path), path.parent
    volume, metadata = read_series(chosen)
    # Without a word on what it shows a CT passes for one without contrast: its voxels decide.
    if metadata.modality not in {None, Modality.CBF, Modality.NCCT}:
        message = f"expected {Modality.CBF}, got {metadata.modality}"
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, message)
    files = tuple(file.relative_to(folder).as_posix() for file in chosen.files)
    return FlowMap(volume, files, metadata.notes)


def _refuse_others(array: NDArray[np.float32]) -> None:
    """Refuse what can be no map of flow, wherever the brain lies."""
    positive = array[array > 0]
    if not positive.size:
        message = "expected a map of cerebral blood flow, got no voxel above 0"
        raise ContentRefusedError(ErrorCode.NO_SIGNAL, message)
    negative = np.count_nonzero(array < 0) / array.size
    if negative > _MOST_NEGATIVE:
        message = (
            f"expected cerebral blood flow, which is not negative, got {negative:.0%} of negative voxels: a CT, or "
            "a difference"
        )
        raise ContentRefusedError(ErrorCode.IMPLAUSIBLE_UNITS, message)
    dense = np.count_nonzero(positive > _DENSE) / positive.size
    if dense > _MOST_DENSE and float(np.median(positive)) < _DENSE:
        message = (
            f"expected cerebral blood flow in mL/100 g/min, got {dense:.0%} of the voxels above {_DENSE:.0f}: a CT "
            "with its skull, or another unit"
        )
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, message)
