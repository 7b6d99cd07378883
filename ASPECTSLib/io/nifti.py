"""NIfTI files: what ITK makes up, mends or gets wrong without a word."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.linalg import polar

from ASPECTSLib.errors import (
    ContentRefusedError,
    ErrorCode,
    FileRefusedError,
    GeometryRefusedError,
)
from ASPECTSLib.io.notes import NoteCode, ScanNote

MAX_SHEAR_DEG = 1.0
"""A header sheared by less is straightened: 100 mm from the centre that moves a point by 2 mm."""

_GZIP_MAGIC = b"\x1f\x8b"
_LITTLE_ENDIAN_STARTS = (b"\x5c\x01\x00\x00", b"\x1c\x02\x00\x00")  # header sizes 348 and 540
_NIFTI_2_SIZES = (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c")
_FLOAT_TYPES = {"16": "f4", "64": "f8"}  # NIfTI's data type codes


def read_content(path: Path) -> bytes:
    """Return the content of a file, decompressed to its checksum if it is gzip.

    Raises
    ------
    FileRefusedError
        If the compressed data end early or are damaged, which ITK does not notice.
    """
    stored = path.read_bytes()
    if not stored.startswith(_GZIP_MAGIC):
        return stored
    try:
        return gzip.decompress(stored)
    except EOFError as error:
        message = f"expected a complete gzip file, but {path.name} ends early"
        raise FileRefusedError(ErrorCode.FILE_TRUNCATED, message) from error
    except (zlib.error, gzip.BadGzipFile) as error:
        message = f"expected an intact gzip file, but {path.name} is damaged"
        raise FileRefusedError(ErrorCode.FILE_UNREADABLE, message) from error


def check_nifti(
    content: bytes, reader: sitk.ImageFileReader, name: str, *, must_be_finite: bool = True
) -> None:
    """Refuse a NIfTI file that ITK would read as something else than it is.

    ITK takes whatever is in memory for voxels that are missing, 0 for those that are not a number,
    and 1 mm for voxel sizes of 0.

    Parameters
    ----------
    content
        The file, decompressed.
    reader
        With the information of the file already read.
    name
        Of the file, for messages.
    must_be_finite
        Whether to refuse voxels that are infinite or not a number, for which ITK hands out 0.

    Raises
    ------
    FileRefusedError
        If there are fewer bytes than the header announces.
    GeometryRefusedError
        If a voxel size is 0.
    ContentRefusedError
        If voxels are infinite or not a number.
    """
    size = [int(reader.GetMetaData(f"dim[{axis}]")) for axis in range(1, 8)]
    voxels = math.prod(max(length, 1) for length in size)
    start = int(float(reader.GetMetaData("vox_offset")))
    expected = start + voxels * int(reader.GetMetaData("bitpix")) // 8
    if len(content) < expected:
        message = f"expected {expected} bytes in {name}, got {len(content)}; it is incomplete"
        raise FileRefusedError(ErrorCode.FILE_TRUNCATED, message)
    order = "<" if content.startswith(_LITTLE_ENDIAN_STARTS) else ">"
    if not _voxel_sizes_mm(content, order).all():
        message = f"expected voxel sizes above 0 mm in the header of {name}"
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    float_type = _FLOAT_TYPES.get(reader.GetMetaData("datatype"))
    if must_be_finite and float_type:
        refuse_non_finite(np.frombuffer(content, order + float_type, voxels, start), name)


def refuse_non_finite(array: NDArray[np.floating], name: str) -> None:
    """Refuse voxels that are infinite or not a number.

    Raises
    ------
    ContentRefusedError
        With their number.
    """
    wrong = array.size - int(np.count_nonzero(np.isfinite(array)))
    if wrong:
        message = f"expected finite voxels in {name}, got {wrong} that are infinite or not a number"
        raise ContentRefusedError(ErrorCode.NON_FINITE_VOXELS, message)


def orientation_notes(reader: sitk.ImageFileReader, name: str) -> tuple[ScanNote, ...]:
    """Return a note if the header has neither of the two forms of orientation."""
    if not reader.GetMetaData("sform_code") == reader.GetMetaData("qform_code") == "0":
        return ()
    message = (
        f"{name} does not say where left and right are; "
        "its axes were taken to run to the left, the back and the head"
    )
    return (ScanNote(NoteCode.ORIENTATION_ASSUMED, message),)


def straight_axes_ras(
    reader: sitk.ImageFileReader, name: str
) -> tuple[NDArray[np.float64], ScanNote]:
    """Return the perpendicular axes nearest to those of a sheared sform.

    ITK 5.4 can be told to straighten them, but then it hands out the transpose of these axes.

    Returns
    -------
    axes_ras
        Directions of i, j and k as columns, RAS.
    note
        How far they are from what the header states.

    Raises
    ------
    GeometryRefusedError
        If that is more than `MAX_SHEAR_DEG`.
    """
    rows = [reader.GetMetaData(f"srow_{axis}").split()[:3] for axis in "xyz"]
    stated = np.array(rows, dtype=float)
    lengths = np.linalg.norm(stated, axis=0)
    nearest, shear_deg = np.eye(3), math.inf
    if (np.isfinite(lengths) & (lengths > 0.0)).all():
        nearest, _ = polar(stated / lengths)
        cosine = (stated / lengths * nearest).sum(axis=0).min()
        shear_deg = float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
    if shear_deg > MAX_SHEAR_DEG:
        message = f"expected perpendicular axes in the header of {name}; resample it to such a grid"
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    message = f"the axes of {name} were {shear_deg:.2f} degrees off perpendicular; straightened"
    return nearest, ScanNote(NoteCode.DIRECTIONS_ORTHONORMALIZED, message)


def _voxel_sizes_mm(content: bytes, order: str) -> NDArray[np.floating]:
    if content.startswith(_NIFTI_2_SIZES):
        return np.frombuffer(content, f"{order}f8", count=3, offset=112)
    return np.frombuffer(content, f"{order}f4", count=3, offset=80)
