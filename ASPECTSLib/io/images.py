"""Image files: NIfTI, NRRD and MetaImage, and the one place where LPS becomes RAS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ASPECTSLib.errors import (
    ErrorCode,
    FileRefusedError,
    GeometryRefusedError,
    OutputError,
)
from ASPECTSLib.geometry import LPS_FROM_RAS, Volume
from ASPECTSLib.io.headers import ImageHeader, open_header, pick_frame, read_voxels
from ASPECTSLib.io.nifti import refuse_non_finite
from ASPECTSLib.io.notes import ScanNote

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
"""File names that `read_image` takes; case does not matter."""

_COMPRESSION_LEVEL = 1  # the fastest; for NRRD and MetaImage only, as ITK has a fixed one for NIfTI


def read_image(path: Path, *, frame: int | None = None) -> Volume:
    """Read an image file.

    Parameters
    ----------
    path
        A .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd file.
    frame
        Which frame of a four-dimensional image to take, from 0; a single frame needs none.

    Returns
    -------
    Volume
        Voxels [k, j, i] in the type of the file with its scale factors applied; affine to RAS mm.

    Raises
    ------
    FileRefusedError
        If the file is missing, empty, cut short or not an image.
    GeometryRefusedError
        If it has several frames and none was picked, several values per voxel, or a header that
        cannot be used.
    ContentRefusedError
        If voxels are infinite or not a number.
    UsageError
        If there is no such frame.
    """
    return read_image_with_notes(path, frame=frame)[0]


def read_image_with_notes(
    path: Path, *, frame: int | None = None, must_be_finite: bool = True
) -> tuple[Volume, tuple[ScanNote, ...]]:
    """Read an image file as `read_image` does, and say what its header left open.

    Parameters
    ----------
    path, frame
        As for `read_image`.
    must_be_finite
        Whether to refuse voxels that are infinite or not a number. Otherwise NIfTI files give 0 for
        them, and other files what they hold.

    Returns
    -------
    volume
        As `read_image` returns it.
    notes
        Assumptions about the orientation that the header forced.
    """
    header = open_image(path, must_be_finite=must_be_finite)
    volume = read_frame(header, path.name, frame, must_be_finite=must_be_finite)
    return volume, header.notes


def open_image(path: Path, *, must_be_finite: bool = True) -> ImageHeader:
    """Read the header of an image file, for `read_frame` to read its frames one by one.

    Raises
    ------
    FileRefusedError, GeometryRefusedError, ContentRefusedError
        As `read_image` does, but for the voxels of other files than NIfTI.
    """
    check_is_file(path)
    if not path.name.lower().endswith(IMAGE_SUFFIXES):
        message = f"expected a file named {', '.join(IMAGE_SUFFIXES)}, got {path.name}"
        raise FileRefusedError(ErrorCode.FILE_UNREADABLE, message)
    # ITK's warnings go to the terminal past Python; what matters in them is checked here.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    return open_header(path, must_be_finite=must_be_finite)


def read_frame(
    header: ImageHeader, name: str, frame: int | None = None, *, must_be_finite: bool = True
) -> Volume:
    """Read one frame of an image file whose header was read.

    Parameters
    ----------
    header
        Of `open_image`.
    name
        Of the file, for messages.
    frame, must_be_finite
        As for `read_image_with_notes`.

    Raises
    ------
    FileRefusedError, GeometryRefusedError, ContentRefusedError, UsageError
        As `read_image` does.
    """
    pick_frame(header.reader, frame, name)
    image = read_voxels(header, name)
    volume = from_sitk(image if image.GetDimension() == 3 else sitk.JoinSeries(image))
    if must_be_finite and volume.array.dtype.kind == "f":
        refuse_non_finite(volume.array, name)
    return _with_axes(volume, header.axes_ras)


def write_image(volume: Volume, path: Path) -> None:
    """Write a volume, whole or not at all.

    Parameters
    ----------
    volume
        Voxels in any type; booleans become 8-bit.
    path
        A .nii.gz, .nii, .nrrd or .mha file in an existing folder; replaced if it is there.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    staged = path.with_name(f".writing-{path.name}")
    try:
        sitk.WriteImage(to_sitk(volume), str(staged), True, _COMPRESSION_LEVEL)
        staged.replace(path)
    except (RuntimeError, OSError) as error:
        staged.unlink(missing_ok=True)
        message = f"expected to write {path.name}, but its folder does not take the file"
        raise OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, message) from error


def to_sitk(volume: Volume) -> sitk.Image:
    """Convert a volume in RAS to a SimpleITK image in LPS, with a copy of its voxels."""
    array = volume.array.astype(np.uint8) if volume.array.dtype == bool else volume.array
    affine_lps = LPS_FROM_RAS @ volume.affine
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetOrigin(affine_lps[:3, 3].tolist())
    image.SetDirection((affine_lps[:3, :3] / volume.spacing_mm).ravel().tolist())
    return image


def from_sitk(image: sitk.Image) -> Volume:
    """Convert a SimpleITK image in LPS to a volume in RAS, with a copy of its voxels.

    Raises
    ------
    GeometryRefusedError
        If the image is not three-dimensional.
    """
    if image.GetDimension() != 3:
        message = f"expected a three-dimensional image, got {image.GetDimension()} dimensions"
        raise GeometryRefusedError(ErrorCode.NOT_THREE_DIMENSIONAL, message)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    # Directions from single-precision headers are off unit length by 1e-7; spacing must not be.
    direction = direction / np.linalg.norm(direction, axis=0)
    affine_lps = np.eye(4)
    affine_lps[:3, :3] = direction * image.GetSpacing()
    affine_lps[:3, 3] = image.GetOrigin()
    return volume_from_lps(sitk.GetArrayFromImage(image), affine_lps)


def volume_from_lps(array: NDArray[Any], affine_lps: NDArray[np.float64]) -> Volume:
    """Make a volume in RAS from voxels [k, j, i] and their affine from (i, j, k) to LPS mm."""
    return Volume(array, LPS_FROM_RAS @ affine_lps)


def check_is_file(path: Path) -> None:
    """Refuse what is not there, not a file, or empty.

    Raises
    ------
    FileRefusedError
        With the code that says which.
    """
    check_exists(path)
    if not path.is_file():
        message = f"expected a file, got the folder {path.name}"
        raise FileRefusedError(ErrorCode.FILE_UNREADABLE, message)
    if path.stat().st_size == 0:
        message = f"expected an image, got an empty file: {path.name}"
        raise FileRefusedError(ErrorCode.FILE_EMPTY, message)
    try:
        path.open("rb").close()
    except OSError as error:
        raise _unreadable(path, error) from error


def check_exists(path: Path) -> None:
    """Refuse a file or folder that is not there, or that may not be looked at.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND or FILE_UNREADABLE.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        message = f"expected a file or folder named {path.name}, got none"
        raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, message) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> FileRefusedError:
    message = f"{path.name[:80]} cannot be opened: {error.strerror}"
    return FileRefusedError(ErrorCode.FILE_UNREADABLE, message)


def _with_axes(volume: Volume, axes_ras: NDArray[np.float64] | None) -> Volume:
    if axes_ras is None:
        return volume
    affine = volume.affine.copy()
    affine[:3, :3] = axes_ras * volume.spacing_mm
    return Volume(volume.array, affine)
