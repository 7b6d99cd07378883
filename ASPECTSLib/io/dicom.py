"""DICOM folders: the series in them, the one to score, and its slices as a volume."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from ASPECTSLib.errors import ErrorCode, GeometryRefusedError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.dicom_choice import choose_head_ct, choose_series
from ASPECTSLib.io.dicom_frames import Frame, read_header, read_slices, text
from ASPECTSLib.io.dicom_series import (
    DicomSeries,
    list_series,
    series_around_file,
    series_of_file,
)
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.notes import NoteCode, ScanNote
from ASPECTSLib.io.stack import AssembledStack, SliceStack, assemble

__all__ = [
    "DicomMetadata",
    "DicomSeries",
    "choose_head_ct",
    "choose_series",
    "list_series",
    "metadata_of",
    "read_series",
    "read_stack",
    "series_around_file",
    "series_of_file",
]

_AGE = re.compile(r"^(\d{1,3})([DWMY]?)$")
_YEARS_OF_UNIT = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0, "": 1.0}
_DAYS_PER_YEAR = 365.25
_KEYWORDS = ("PatientAge", "PatientBirthDate", "StudyDate", "ContrastBolusAgent")
_RIGHT_ANGLE_TOLERANCE = 1e-2  # cosine; headers round to 4 to 6 digits


@dataclass(frozen=True)
class DicomMetadata:
    """What the headers of a series say, without anything that names the patient.

    Parameters
    ----------
    modality
        What the series shows, if that can be scored.
    age_years
        Age at the time of the scan; None if absent or blanked.
    description
        Of the series, or else of the study.
    tilt_deg
        Measured tilt of the gantry: how far the stack leans from the normal of its slices.
    slice_thickness_mm
        As in the header, which is not the spacing; None if absent.
    contrast_agent
        As in the header; empty if absent.
    notes
        What was removed or resampled.
    """

    modality: Modality | None
    age_years: float | None
    description: str
    tilt_deg: float
    slice_thickness_mm: float | None
    contrast_agent: str
    notes: tuple[ScanNote, ...]

    @property
    def is_resampled(self) -> bool:
        """Whether voxels were interpolated, for gantry tilt or uneven spacing."""
        resampling = {NoteCode.RESAMPLED_TILT, NoteCode.RESAMPLED_SPACING}
        return any(note.code in resampling for note in self.notes)


def read_series(series: DicomSeries, *, frame: int | None = None) -> tuple[Volume, DicomMetadata]:
    """Read the slices of a series as a volume.

    Slope and intercept are applied slice by slice; a series without them keeps its stored values.
    Gantry tilt and uneven spacing are resampled, as `assemble` does it.

    Parameters
    ----------
    series
        What `list_series` found and a `choose_` function took.
    frame
        Which image to take at each position, from 0, if there are several (b-values, time points).

    Returns
    -------
    volume
        Voxels [k, j, i] in HU for CT, int16 or float32; affine to RAS mm.
    metadata
        What the headers say.

    Raises
    ------
    FileRefusedError
        If voxels are absent, cut short or cannot be decoded.
    GeometryRefusedError
        If slices are missing, differ in size or direction, or say not where they lie.
    UsageError
        If there is no such frame.
    """
    assembled = assemble(read_stack(series)[0], frame=frame)
    return assembled.volume, metadata_of(series, assembled)


def read_stack(series: DicomSeries) -> tuple[SliceStack, tuple[float | None, ...]]:
    """Read the slices of a series, in the order of its files.

    Returns
    -------
    stack
        All of them, several at a position where there are.
    b_values
        Diffusion weighting of each, s/mm2; None where its header does not state it.

    Raises
    ------
    FileRefusedError, GeometryRefusedError
        As `read_series` does.
    """
    read = [read_slices(path) for path in series.files]
    frames = [one for frames, _ in read for one in frames]
    if len({pixels.shape[1:] for _, pixels in read}) > 1:
        message = "expected slices of one size in a series, got several sizes"
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    pixels = np.concatenate([pixels for _, pixels in read])
    stack = _stack(pixels, frames, series.thickness_mm)
    return stack, tuple(frame.b_value for frame in frames)


def metadata_of(series: DicomSeries, assembled: AssembledStack) -> DicomMetadata:
    """Return what the headers of a series say, and what was done to make a volume of it."""
    header = read_header(series.files[0], _KEYWORDS) or Dataset()
    return DicomMetadata(
        modality=series.kind,
        age_years=age_in_years(header),
        description=series.description,
        tilt_deg=assembled.tilt_deg,
        slice_thickness_mm=series.thickness_mm,
        contrast_agent=text(header, "ContrastBolusAgent"),
        notes=assembled.notes,
    )


def age_in_years(header: Dataset) -> float | None:
    """Return the patient's age from its element, or else from the dates of birth and study.

    An age of zero years is what anonymisation leaves, and is taken for absent.
    """
    age = _AGE.match(text(header, "PatientAge").upper())
    if age:
        years = int(age.group(1)) * _YEARS_OF_UNIT[age.group(2)]
        return years or None
    born, studied = _date(text(header, "PatientBirthDate")), _date(text(header, "StudyDate"))
    if born is None or studied is None or studied <= born:
        return None
    return (studied - born).days / _DAYS_PER_YEAR


def _date(value: str) -> date | None:
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:8]))
    except ValueError:
        return None


def _stack(pixels: NDArray[Any], frames: list[Frame], thickness_mm: float | None) -> SliceStack:
    orientation = np.array(frames[0].orientation_lps)
    row, column = orientation[:3], orientation[3:]
    row = row / np.linalg.norm(row)
    if not abs(row @ column) < _RIGHT_ANGLE_TOLERANCE * np.linalg.norm(column):
        message = "expected rows and columns at right angles in the header of the series"
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    column = column - (row @ column) * row
    return SliceStack(
        pixels=pixels,
        positions_lps=np.array([frame.position_lps for frame in frames]),
        row_direction=row,
        column_direction=column / np.linalg.norm(column),
        pixel_spacing_mm=(frames[0].pixel_spacing_mm[0], frames[0].pixel_spacing_mm[1]),
        thickness_mm=thickness_mm or 1.0,
    )
