"""Series in DICOM folders: which there are, and what their headers say of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.io.dicom_bvalues import B_VALUE_TAGS
from ASPECTSLib.io.dicom_frames import Frame, frames_of, number, read_header, text
from ASPECTSLib.io.modality import Modality, has_contrast, recognise_modality

MIN_IMAGES = 3
"""Series with fewer images are scouts, key images or dose reports."""

MAX_AXIAL_ANGLE_DEG = 45.0
"""Slices whose normal is farther from the table's axis are coronal or sagittal."""

_ORIENTATION_TOLERANCE = 0.02  # a little over 1 degree; scouts differ by 90
_SPACING_TOLERANCE_MM = 1e-3
_SHARP_FROM = 50  # Siemens numbers kernels by sharpness: H31 and J40 show brain, H60 and J70 bone
_SIEMENS_KERNEL = re.compile(r"^[a-z]{1,2}(\d\d)[a-z]?\b")
_SHARP_KERNEL = re.compile(r"bone|edge|lung|sharp|detail|^fc(3\d|5\d|8\d)\b|\byb\b|\byd\b|^[de]$")
_SHARP_DESCRIPTION = re.compile(r"\bbone|knochen|\bos\b|\bosseux\b|\bhueso|\blung|\bsharp")
_KEYWORDS = (
    "Modality", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "SeriesNumber",
    "SeriesDescription", "StudyDescription", "BodyPartExamined", "ImageType", "SliceThickness",
    "ConvolutionKernel", "ContrastBolusAgent", "FrameOfReferenceUID", "AcquisitionNumber",
    "InstanceNumber", "Rows", "Columns", "PixelSpacing", "ImagePositionPatient",
    "ImageOrientationPatient", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    *B_VALUE_TAGS,
)  # fmt: skip


@dataclass(frozen=True)
class DicomSeries:
    """Images of one series that lie in parallel planes and have one size.

    Parameters
    ----------
    uid, study_uid
        Identifiers; kept out of representations and messages.
    files
        One a slice, or a file with several; in order of acquisition, not of position.
    number, description, body_part, kernel, modality
        As in the header; None or empty where absent. `modality` is DICOM's, such as CT or MR.
    kind
        What the header says that the series shows, if that can be scored.
    image_count
        Slices, those in one file counted one by one.
    matrix
        Rows and columns.
    normal_lps
        Unit vector at right angles to the slices; None if the series says not where they lie.
    coverage_mm
        From the first to the last slice, along the normal.
    thickness_mm
        Slice thickness in the header; None if absent.
    is_localizer
        Whether the images say that they are scouts.
    has_contrast
        Whether the header says that contrast agent was given.
    image_type
        As in the header, in capitals.
    frame_of_reference_uid
        Equal for series of one session in which the patient did not leave the table; empty if absent.
    b_values
        Diffusion weightings that occur, s/mm2, from low to high.
    """

    uid: str = field(repr=False)
    study_uid: str = field(repr=False)
    files: tuple[Path, ...] = field(repr=False)
    number: int | None
    description: str
    body_part: str
    kernel: str
    modality: str
    kind: Modality | None
    image_count: int
    matrix: tuple[int, int]
    normal_lps: tuple[float, float, float] | None
    coverage_mm: float
    thickness_mm: float | None
    is_localizer: bool
    has_contrast: bool
    image_type: str = ""
    frame_of_reference_uid: str = field(default="", repr=False)
    b_values: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        """Number, description and size of the series, for a person."""
        number = "without a number" if self.number is None else str(self.number)
        return f"series {number} '{self.description}' ({self.modality}, {self.image_count} images)"

    @property
    def is_axial(self) -> bool:
        """Whether the slices are nearer to axial than to anything else."""
        return self.normal_lps is not None and bool(
            abs(self.normal_lps[2]) >= np.cos(np.radians(MAX_AXIAL_ANGLE_DEG))
        )

    @property
    def is_plausible_head_ct(self) -> bool:
        """Whether this can be a stack of CT slices through a head."""
        return (
            self.modality == "CT"
            and self.is_axial
            and not self.is_localizer
            and self.image_count >= MIN_IMAGES
        )

    @property
    def has_sharp_kernel(self) -> bool:
        """Whether the series was reconstructed to show bone or lung."""
        kernel = self.kernel.lower()
        siemens = _SIEMENS_KERNEL.match(kernel)
        if siemens and not kernel.startswith("fc"):
            return int(siemens.group(1)) >= _SHARP_FROM
        return bool(
            _SHARP_KERNEL.search(kernel) or _SHARP_DESCRIPTION.search(self.description.lower())
        )


def list_series(folder: Path) -> tuple[DicomSeries, ...]:
    """Find the image series in a folder and those below it.

    Files are known by their content; what is not DICOM, or has no image, is passed over. A file
    that is there twice counts once. Slices of one series with other directions, sizes or pixel
    spacing than the rest (scouts) make a series of their own.

    Raises
    ------
    FileRefusedError
        If the folder does not exist.
    """
    if not folder.is_dir():
        message = f"expected a folder named {folder.name}, got none"
        raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, message)
    return _group(sorted(path for path in folder.rglob("*") if path.is_file()))


def series_of_file(path: Path) -> DicomSeries:
    """Return the series that a DICOM file belongs to, from the files beside it.

    Raises
    ------
    FileRefusedError
        If the file is not a DICOM image.
    """
    return series_around_file(path)[0]


def series_around_file(path: Path) -> tuple[DicomSeries, ...]:
    """Return the series that a DICOM file belongs to, then the other ones in its folder.

    Raises
    ------
    FileRefusedError
        If the file is not a DICOM image.
    """
    beside = sorted(other for other in path.parent.iterdir() if other.is_file())
    found = _group([path, *(other for other in beside if other != path)])
    own = [series for series in found if path in series.files]
    if not own:
        message = f"expected a NIfTI, NRRD, MetaImage or DICOM file, got {path.name}"
        raise FileRefusedError(ErrorCode.FILE_UNREADABLE, message)
    return (*own, *(series for series in found if series not in own))


def _group(paths: Iterable[Path]) -> tuple[DicomSeries, ...]:
    groups: list[list[_Image]] = []
    seen: set[tuple[str, ...]] = set()
    for path in paths:
        image = _read_image_header(path)
        if image is None or image.identity in seen:
            continue
        seen.add(image.identity)
        group = next((group for group in groups if group[0].goes_with(image)), None)
        if group is None:
            groups.append([image])
        else:
            group.append(image)
    series = [_describe(group) for group in groups]
    return tuple(sorted(series, key=lambda one: (one.number is None, one.number or 0)))


@dataclass(frozen=True)
class _Image:
    """The header of one file."""

    path: Path
    header: Dataset
    frames: tuple[Frame, ...]
    matrix: tuple[int, int]

    @property
    def identity(self) -> tuple[str, ...]:
        """Equal for copies of a file, even where anonymisation gave all slices one identifier."""
        keywords = ("SOPInstanceUID", "InstanceNumber", "ImagePositionPatient")
        identity = tuple(text(self.header, keyword) for keyword in keywords)
        return identity if identity[0] else (str(self.path),)

    @property
    def order(self) -> tuple[float, float, str]:
        """Sorts images as they were acquired."""
        acquisition = number(self.header, "AcquisitionNumber") or 0.0
        return acquisition, number(self.header, "InstanceNumber") or 0.0, str(self.path)

    def goes_with(self, other: _Image) -> bool:
        """Return whether another image can lie in one stack with this one."""
        if (self.series_uid, self.matrix) != (other.series_uid, other.matrix):
            return False
        if self.is_adc != other.is_adc:  # some scanners put the map beside the images it is made of
            return False
        if not self.frames or not other.frames:
            return not self.frames and not other.frames
        mine, its = self.frames[0], other.frames[0]
        return np.allclose(
            mine.orientation_lps, its.orientation_lps, rtol=0.0, atol=_ORIENTATION_TOLERANCE
        ) and np.allclose(
            mine.pixel_spacing_mm, its.pixel_spacing_mm, rtol=0.0, atol=_SPACING_TOLERANCE_MM
        )

    @property
    def is_adc(self) -> bool:
        """Whether the image itself, not only its series, says that it is an ADC map."""
        is_mr = text(self.header, "Modality") == "MR"
        return is_mr and "ADC" in text(self.header, "ImageType").upper().split()

    @property
    def series_uid(self) -> str:
        return text(self.header, "SeriesInstanceUID")


def _read_image_header(path: Path) -> _Image | None:
    header = read_header(path, _KEYWORDS)
    if header is None:
        return None
    rows, columns = number(header, "Rows"), number(header, "Columns")
    if not rows or not columns:
        return None
    return _Image(path, header, frames_of(header), (int(rows), int(columns)))


def _describe(images: list[_Image]) -> DicomSeries:
    images = sorted(images, key=lambda image: image.order)
    header = images[0].header
    frames = [frame for image in images for frame in image.frames]
    image_type = text(header, "ImageType")
    series_number = number(header, "SeriesNumber")
    description = text(header, "SeriesDescription")
    words = f"{image_type} {description}"
    agent = text(header, "ContrastBolusAgent")
    modality = text(header, "Modality")
    b_values = sorted({frame.b_value for frame in frames if frame.b_value is not None})
    b_value = b_values[-1] if b_values else None  # a series that begins with b0 is not one of b0
    return DicomSeries(
        uid=images[0].series_uid,
        study_uid=text(header, "StudyInstanceUID"),
        files=tuple(image.path for image in images),
        number=None if series_number is None else int(series_number),
        description=description or text(header, "StudyDescription"),
        body_part=text(header, "BodyPartExamined"),
        kernel=text(header, "ConvolutionKernel"),
        modality=modality,
        kind=recognise_modality(modality, words, contrast_agent=agent, b_value=b_value),
        image_count=max(len(frames), len(images)),
        matrix=images[0].matrix,
        normal_lps=tuple(frames[0].normal_lps.tolist()) if frames else None,
        coverage_mm=_coverage_mm(frames),
        thickness_mm=number(header, "SliceThickness"),
        is_localizer="LOCALIZER" in image_type.upper(),
        has_contrast=has_contrast(words, agent),
        image_type=image_type.upper(),
        frame_of_reference_uid=text(header, "FrameOfReferenceUID"),
        b_values=tuple(b_values),
    )


def _coverage_mm(frames: list[Frame]) -> float:
    if not frames:
        return 0.0
    positions: NDArray[np.float64] = np.array([frame.position_lps for frame in frames])
    return float(np.ptp(positions @ frames[0].normal_lps))
