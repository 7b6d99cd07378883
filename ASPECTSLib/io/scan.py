"""A scan as it was given: a file or a DICOM folder, checked for what no method can do without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import (
    ContentRefusedError,
    ErrorCode,
    GeometryRefusedError,
    UsageError,
)
from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.io.dicom import (
    DicomSeries,
    choose_series,
    list_series,
    read_series,
    series_of_file,
)
from ASPECTSLib.io.images import IMAGE_SUFFIXES, check_exists, check_is_file, read_image_with_notes
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.notes import NoteCode, ScanNote

__all__ = ["Modality", "NoteCode", "Scan", "ScanNote", "check_scan", "read_scan"]

MIN_SLICES = 8
"""The ten regions of a side span 87 mm from foot to head: 8 slices where these are 10 mm thick."""

MIN_HEIGHT_MM = 60.0
"""Holds the ganglionic level (30 mm) whole and half of the supraganglionic one (57 mm)."""

MAX_SLICE_SPACING_MM = 10.0
"""Internal capsule and lentiform nucleus are 22 and 26 mm high: two whole slices, and no fewer."""

_SPACING_TOLERANCE_MM = 0.01
_SAME_SPACING = 1.01  # axes whose spacing differs by less are none of them the thick one


@dataclass(frozen=True, eq=False)
class Scan:
    """A scan as it was given.

    Parameters
    ----------
    volume
        Voxels [k, j, i] as int16 or float32, in the units of the file (HU for CT, where the header
        gives these); affine to RAS mm.
    files
        Names of the files read, relative to the folder that was given.
    modality
        What the header says that it shows; None if it does not say, as in NIfTI.
    age_years
        The patient's age at the scan, if known.
    description
        Of the DICOM series; empty for image files.
    notes
        What was changed or assumed on reading.
    companions
        Maps and images of the same session, in the units and on the grids of their files: of DWI
        the ADC map and the image without weighting. Voxels of an ADC map may be negative or not a
        number; affines to RAS mm.
    b_value
        Diffusion weighting of `volume`, s/mm2; None where it is not known.
    """

    volume: Volume
    files: tuple[str, ...]
    modality: Modality | None = None
    age_years: float | None = None
    description: str = ""
    notes: tuple[ScanNote, ...] = ()
    companions: Mapping[Modality, Volume] = field(default_factory=dict)
    b_value: float | None = None


def read_scan(
    path: Path,
    *,
    series: str | None = None,
    frame: int | None = None,
    modality: Modality | None = None,
) -> Scan:
    """Read a scan from an image file, a DICOM folder, or one DICOM file of a series.

    Parameters
    ----------
    path
        A file that `read_image` takes, a DICOM file (which stands for its series), or a folder.
    series
        Number, description or UID of the DICOM series in a folder.
    frame
        Which frame of a four-dimensional image to take, from 0.
    modality
        What the caller takes the scan for, which picks the series in a folder: a head CT unless it
        says otherwise.

    Returns
    -------
    Scan
        Checked by `check_scan`.

    Raises
    ------
    FileRefusedError
        If the path is missing, unreadable, without images, or with several as good as each other.
    GeometryRefusedError
        If the image is not three-dimensional, or its slices are too few, too thick or incomplete.
    ContentRefusedError
        If it is of another modality, or its voxels are not finite or all equal.
    UsageError
        If a series is asked for in a file, or there is no such frame.
    """
    check_exists(path)
    if path.is_dir():
        chosen = choose_series(list_series(path), modality or Modality.NCCT, series)
        scan = _read_dicom(chosen, path, frame)
    else:
        scan = _read_file(path, series, frame)
    _refuse_other_modality(scan, modality)
    check_scan(scan.volume)
    return scan


def check_scan(volume: Volume) -> None:
    """Refuse a volume that no method can score, whatever its modality.

    Raises
    ------
    GeometryRefusedError
        If it has fewer than `MIN_SLICES` slices, less than `MIN_HEIGHT_MM` from foot to head,
        slices more than `MAX_SLICE_SPACING_MM` apart, or blank slices between others.
    ContentRefusedError
        If all voxels are equal.
    """
    canonical = canonicalize(volume).volume
    _refuse_few_or_thick_slices(canonical)
    if canonical.array.min() == canonical.array.max():
        message = f"expected a head, got {canonical.array.flat[0]} in every voxel"
        raise ContentRefusedError(ErrorCode.NO_SIGNAL, message)
    _refuse_blank_slices(canonical)


def _read_file(path: Path, series: str | None, frame: int | None) -> Scan:
    check_is_file(path)
    if series is not None:
        message = f"expected a folder to find series '{series}' in, got the file {path.name}"
        raise UsageError(ErrorCode.USAGE, message)
    if not path.name.lower().endswith(IMAGE_SUFFIXES):
        return _read_dicom(series_of_file(path), path.parent, frame)
    volume, notes = read_image_with_notes(path, frame=frame)
    return Scan(with_compact_voxels(volume), (path.name,), notes=notes)


def _read_dicom(series: DicomSeries, folder: Path, frame: int | None) -> Scan:
    volume, metadata = read_series(series, frame=frame)
    return Scan(
        volume=volume,
        files=tuple(path.relative_to(folder).as_posix() for path in series.files),
        modality=metadata.modality,
        age_years=metadata.age_years,
        description=metadata.description,
        notes=metadata.notes,
    )


def with_compact_voxels(volume: Volume) -> Volume:
    """Return the volume with int16 voxels where these hold its values, and float32 otherwise."""
    array: NDArray[Any] = volume.array
    limits = np.iinfo(np.int16)
    is_whole = array.dtype.kind in "iu"
    if is_whole and limits.min <= array.min() and array.max() <= limits.max:
        return volume.with_array(array.astype(np.int16, copy=False))
    return volume.with_array(array.astype(np.float32, copy=False))


def _refuse_other_modality(scan: Scan, expected: Modality | None) -> None:
    stated = scan.modality.dicom_modality if scan.modality else None
    if expected and stated and expected.dicom_modality not in {None, stated}:
        message = f"expected {expected}, got {scan.modality}"
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, message)


def _refuse_few_or_thick_slices(canonical: Volume) -> None:
    fewest = min(canonical.size)
    if fewest < MIN_SLICES:
        message = f"expected at least {MIN_SLICES} slices, got {fewest}"
        raise GeometryRefusedError(ErrorCode.TOO_FEW_SLICES, message)
    thickest_mm = float(canonical.spacing_mm.max())
    if thickest_mm > MAX_SLICE_SPACING_MM + _SPACING_TOLERANCE_MM:
        limit = f"{MAX_SLICE_SPACING_MM:.0f} mm"
        message = (
            f"expected slices of at most {limit}, got {thickest_mm:.1f} mm from one to the next"
        )
        raise GeometryRefusedError(ErrorCode.SLICES_TOO_THICK, message)
    height_mm = float(canonical.size[2] * canonical.spacing_mm[2])
    if height_mm < MIN_HEIGHT_MM - _SPACING_TOLERANCE_MM:
        message = (
            f"expected at least {MIN_HEIGHT_MM:.0f} mm from foot to head, got {height_mm:.0f} mm "
            f"in {canonical.size[2]} slices"
        )
        raise GeometryRefusedError(ErrorCode.TOO_FEW_SLICES, message)


def _refuse_blank_slices(canonical: Volume) -> None:
    """Refuse slices of one value between others: places where slices were lost on conversion."""
    spacing_mm = canonical.spacing_mm
    is_thick_elsewhere = spacing_mm.max() > _SAME_SPACING * spacing_mm[2]
    axis = 2 - int(np.argmax(spacing_mm)) if is_thick_elsewhere else 0
    slices = np.moveaxis(canonical.array, axis, 0)
    filled = np.flatnonzero(slices.max(axis=(1, 2)) > slices.min(axis=(1, 2)))
    blank = int(filled[-1] - filled[0] + 1 - len(filled)) if len(filled) else 0
    if blank:
        message = (
            f"expected anatomy in every slice of the head, got {blank} blank ones between others"
        )
        raise GeometryRefusedError(ErrorCode.MISSING_SLICES, message)
