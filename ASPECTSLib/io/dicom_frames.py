"""DICOM files one by one: where each frame lies, and its voxels in the units of the modality."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom import Dataset, config, dcmread
from pydicom.errors import InvalidDicomError

from ASPECTSLib.errors import ErrorCode, FileRefusedError, GeometryRefusedError
from ASPECTSLib.io.dicom_bvalues import b_value_of

# What pydicom and its decoders raise where they cannot decode; OverflowError is that of 2.4.
_DECODER_ERRORS = (RuntimeError, NotImplementedError, AttributeError, KeyError, OverflowError)

# What pydicom raises on headers that are cut short or are no DICOM at all.
_HEADER_ERRORS = (InvalidDicomError, EOFError, OSError, ValueError, KeyError, NotImplementedError)


@dataclass(frozen=True)
class Frame:
    """Where one slice lies, and how its stored values become those of the modality.

    Parameters
    ----------
    position_lps
        Centre of the first pixel, LPS mm.
    orientation_lps
        Unit vectors along which columns, and rows, are counted; six numbers, as in DICOM.
    pixel_spacing_mm
        Distance between rows and between columns.
    slope, intercept
        Modality value = slope x stored value + intercept; 1 and 0 where the header has none.
    b_value
        Diffusion weighting, s/mm2; None where the header does not state it.
    """

    position_lps: tuple[float, ...]
    orientation_lps: tuple[float, ...]
    pixel_spacing_mm: tuple[float, ...]
    slope: float
    intercept: float
    b_value: float | None = None

    @property
    def normal_lps(self) -> NDArray[np.float64]:
        """Unit vector at right angles to the slice, LPS."""
        return np.cross(self.orientation_lps[:3], self.orientation_lps[3:])


def read_header(path: Path, keywords: Iterable[str | int]) -> Dataset | None:
    """Read some elements of a DICOM file without its voxels; None for what is not DICOM.

    Files without the DICOM preamble are taken for something else.
    """
    try:
        with config.disable_value_validation():
            return dcmread(path, stop_before_pixels=True, specific_tags=list(keywords))
    except _HEADER_ERRORS:
        return None


def frames_of(dataset: Dataset) -> tuple[Frame, ...]:
    """Return the frames of an image, one for a classic file; none if it says not where they lie."""
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    shared = dataset.get("SharedFunctionalGroupsSequence") or [Dataset()]
    groups = [(own, shared[0]) for own in per_frame] if per_frame else [(dataset,)]
    frames = [_frame(levels) for levels in groups]
    return tuple(frame for frame in frames if frame) if all(frames) else ()


def number(dataset: Dataset, keyword: str) -> float | None:
    """Return the first number of an element, None where it is absent, empty or malformed."""
    values = numbers(dataset, keyword)
    return values[0] if values else None


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Return the numbers of an element, none where it is absent, empty or malformed."""
    try:
        with config.disable_value_validation():
            value = dataset.get(keyword)
            found = tuple(float(item) for item in (value if _is_multiple(value) else [value]))
            return found if all(math.isfinite(item) for item in found) else ()
    except (TypeError, ValueError, OverflowError):
        return ()


def text(dataset: Dataset, keyword: str) -> str:
    """Return an element as text, several values with spaces between them; empty if malformed."""
    try:
        with config.disable_value_validation():
            value = dataset.get(keyword)
    except (TypeError, ValueError, OverflowError):
        return ""
    if value is None:
        return ""
    return " ".join(str(item) for item in value) if _is_multiple(value) else str(value).strip()


def read_slices(path: Path) -> tuple[tuple[Frame, ...], NDArray[Any]]:
    """Read a DICOM file with its voxels.

    Returns
    -------
    frames
        Where each slice lies.
    pixels
        Slices [n, row, column] in the units of the modality (HU for CT where the header has the
        rescale elements): int16 where that is exact, float32 otherwise.

    Raises
    ------
    FileRefusedError
        If voxels are absent, cut short or compressed in a way that cannot be decoded.
    GeometryRefusedError
        If the file does not say where its slices lie.
    """
    try:
        with config.disable_value_validation():
            dataset = dcmread(path)
    except _HEADER_ERRORS as error:
        message = f"expected a DICOM file, but {path.name} cannot be read as one"
        raise FileRefusedError(ErrorCode.FILE_UNREADABLE, message) from error
    frames = frames_of(dataset)
    if not frames:
        message = f"expected an image with a position and orientation, {path.name} has none"
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    return frames, _decode(dataset, frames, path)


def _frame(levels: tuple[Dataset, ...]) -> Frame | None:
    """Read one frame from its own functional groups, then from those that all frames share."""
    position = _find(levels, "PlanePositionSequence", "ImagePositionPatient")
    orientation = _find(levels, "PlaneOrientationSequence", "ImageOrientationPatient")
    spacing = _find(levels, "PixelMeasuresSequence", "PixelSpacing")
    slope = _find(levels, "PixelValueTransformationSequence", "RescaleSlope")
    intercept = _find(levels, "PixelValueTransformationSequence", "RescaleIntercept")
    if (len(position), len(orientation), len(spacing)) != (3, 6, 2) or min(spacing) <= 0.0:
        return None
    return Frame(
        position_lps=position,
        orientation_lps=orientation,
        pixel_spacing_mm=spacing,
        slope=(slope or (1.0,))[0],
        intercept=(intercept or (0.0,))[0],
        b_value=b_value_of(levels),
    )


def _find(levels: tuple[Dataset, ...], group: str, keyword: str) -> tuple[float, ...]:
    for level in levels:
        found = numbers((level.get(group) or [level])[0], keyword)
        if found:
            return found
    return ()


def _is_multiple(value: object) -> bool:
    """Tell several values, which pydicom gives in a type of its own, from a single one."""
    return hasattr(value, "__iter__") and not isinstance(value, (str, bytes))


def _decode(dataset: Dataset, frames: tuple[Frame, ...], path: Path) -> NDArray[Any]:
    if "PixelData" not in dataset:
        message = f"expected voxels in {path.name}, got a header alone; the file is incomplete"
        raise FileRefusedError(ErrorCode.FILE_TRUNCATED, message)
    try:
        with config.disable_value_validation():
            stored = dataset.pixel_array
    except ValueError as error:
        message = f"expected voxels up to the end of {path.name}, got fewer; it is incomplete"
        raise FileRefusedError(ErrorCode.FILE_TRUNCATED, message) from error
    except _DECODER_ERRORS as error:
        rescaled = _one_per_frame(_decode_with_itk(path, error), frames, path)
        return _rescale(rescaled, 1.0, 0.0)
    stored = stored[np.newaxis] if len(frames) == 1 else stored
    slices = zip(_one_per_frame(stored, frames, path), frames, strict=True)
    return np.stack([_rescale(pixels, frame.slope, frame.intercept) for pixels, frame in slices])


def _one_per_frame(stored: NDArray[Any], frames: tuple[Frame, ...], path: Path) -> NDArray[Any]:
    if stored.ndim != 3 or len(stored) != len(frames):
        message = (
            f"expected {len(frames)} slices with one grey value per pixel in {path.name}, "
            f"got an array of shape {stored.shape}"
        )
        raise GeometryRefusedError(ErrorCode.NOT_THREE_DIMENSIONAL, message)
    return stored


def _decode_with_itk(path: Path, cause: Exception) -> NDArray[Any]:
    """Decode and rescale what pydicom has no decoder for here, such as lossless JPEG."""
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # as in `images`
    try:
        return sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO="GDCMImageIO"))
    except RuntimeError:
        message = f"expected voxels that can be decoded, {path.name} is compressed in another way"
        raise FileRefusedError(ErrorCode.FILE_UNREADABLE, message) from cause


def _rescale(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    if slope == 1.0 and intercept.is_integer() and stored.dtype.kind in "iu":
        values = stored.astype(np.int32) + int(intercept)
        limits = np.iinfo(np.int16)
        if limits.min <= values.min() and values.max() <= limits.max:
            return values.astype(np.int16)
    return (stored * np.float32(slope) + np.float32(intercept)).astype(np.float32)
