"""Headers of image files, read before their voxels to tell what is wrong from what is large."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ASPECTSLib.errors import ErrorCode, FileRefusedError, GeometryRefusedError, UsageError
from ASPECTSLib.io.nifti import check_nifti, orientation_notes, read_content, straight_axes_ras
from ASPECTSLib.io.notes import ScanNote

_NIFTI_SUFFIXES = (".nii", ".nii.gz")
_PERMISSIVE_SFORM = "ITK_NIFTI_SFORM_PERMISSIVE"


@dataclass(frozen=True, eq=False)
class ImageHeader:
    """A file whose header was read, and what had to be assumed for that.

    Parameters
    ----------
    reader
        Ready to give the voxels.
    axes_ras
        Directions of i, j and k as columns, RAS; None where those that ITK gives are right.
    notes
        Assumptions about the orientation that the header forced.
    """

    reader: sitk.ImageFileReader
    axes_ras: NDArray[np.float64] | None = None
    notes: tuple[ScanNote, ...] = ()

    @property
    def frame_count(self) -> int:
        """How many volumes the file holds."""
        return math.prod(self.reader.GetSize()[3:])


def open_header(path: Path, *, must_be_finite: bool = True) -> ImageHeader:
    """Read the header of an image file, without its shear where that is small and ITK refuses it.

    Parameters
    ----------
    path
        The file.
    must_be_finite
        Whether to refuse NIfTI voxels that are infinite or not a number.

    Raises
    ------
    FileRefusedError
        If the content is not an image, or a NIfTI file is shorter than its header announces.
    GeometryRefusedError
        If voxel sizes are 0 or the axes are not perpendicular.
    ContentRefusedError
        If a NIfTI file has voxels that are infinite or not a number.
    """
    is_nifti = path.name.lower().endswith(_NIFTI_SUFFIXES)
    content = read_content(path) if is_nifti else b""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    is_sheared = False
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        is_sheared = "orthonormal" in str(error)
        if not is_sheared:
            message = f"expected an image in {path.name}, but its content cannot be read as one"
            raise FileRefusedError(ErrorCode.FILE_UNREADABLE, message) from error
    if not is_nifti:
        return ImageHeader(reader)
    if is_sheared:
        _read_sheared_information(reader, path.name)
    check_nifti(content, reader, path.name, must_be_finite=must_be_finite)
    if not is_sheared:
        return ImageHeader(reader, notes=orientation_notes(reader, path.name))
    axes_ras, note = straight_axes_ras(reader, path.name)
    return ImageHeader(reader, axes_ras, (note,))


def pick_frame(reader: sitk.ImageFileReader, frame: int | None, name: str) -> None:
    """Set a reader to one frame of an image with one value per voxel.

    Raises
    ------
    GeometryRefusedError
        If voxels are colours or vectors, or several frames are there and none was picked.
    UsageError
        If there is no such frame.
    """
    values = reader.GetNumberOfComponents()
    if values != 1:
        message = f"expected one value per voxel in {name}, got {values} (colours or complex)"
        raise GeometryRefusedError(ErrorCode.NOT_THREE_DIMENSIONAL, message)
    size = reader.GetSize()
    frames = math.prod(size[3:])
    if frame is None and frames > 1:
        message = f"expected one frame in {name}, got {frames}; frame= picks one, from 0"
        raise GeometryRefusedError(ErrorCode.NOT_THREE_DIMENSIONAL, message)
    picked = frame or 0
    if not 0 <= picked < frames:
        message = f"expected a frame of {name} from 0 to {frames - 1}, got {picked}"
        raise UsageError(ErrorCode.USAGE, message)
    if len(size) > 3:
        position = np.unravel_index(picked, size[3:], order="F")
        reader.SetExtractSize([*size[:3], *(0 for _ in size[3:])])
        reader.SetExtractIndex([0, 0, 0, *(int(index) for index in position)])


def read_voxels(header: ImageHeader, name: str) -> sitk.Image:
    """Read the voxels that belong to a header; their axes are to be replaced where it has others.

    Raises
    ------
    FileRefusedError
        If they end early or cannot be decoded.
    """
    try:
        with nullcontext() if header.axes_ras is None else _permissive_sform():
            return header.reader.Execute()
    except RuntimeError as error:
        # The header was in order: voxels are missing, here or in the file that the header names.
        message = f"expected voxels up to the end of {name}; it is incomplete or damaged"
        raise FileRefusedError(ErrorCode.FILE_TRUNCATED, message) from error


def _read_sheared_information(reader: sitk.ImageFileReader, name: str) -> None:
    try:
        with _permissive_sform():
            reader.ReadImageInformation()
    except RuntimeError as error:
        message = f"expected three perpendicular axes in the header of {name}"
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message) from error


@contextmanager
def _permissive_sform() -> Iterator[None]:
    """Let ITK take a sheared sform; it offers no switch other than this environment variable."""
    before = os.environ.get(_PERMISSIVE_SFORM)
    os.environ[_PERMISSIVE_SFORM] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PERMISSIVE_SFORM]
        else:
            os.environ[_PERMISSIVE_SFORM] = before
