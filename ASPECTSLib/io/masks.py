"""Folders of infarct masks."""

from __future__ import annotations

from pathlib import Path

from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import read_image

MASK_SUFFIX = ".nii.gz"


def mask_files(folder: Path) -> tuple[Path, ...]:
    """Return the masks of a folder in the order of their names.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND if there is no such folder, COHORT_INVALID if no mask is in it.
    """
    if not folder.is_dir():
        message = f"expected a folder of infarct masks, got no folder named {folder.name}"
        raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, message)
    paths = tuple(sorted(p for p in folder.iterdir() if p.name.lower().endswith(MASK_SUFFIX)))
    if not paths:
        message = f"expected infarct masks named *{MASK_SUFFIX} in {folder.name}, found none"
        raise FileRefusedError(ErrorCode.COHORT_INVALID, message)
    return paths


def read_mask(path: Path) -> Volume:
    """Read a mask: 0 and one other value.

    Raises
    ------
    InputRefusedError
        As `read_image`, and COHORT_INVALID if it is no mask.
    """
    volume = read_image(path)
    marked = volume.array != 0
    values = volume.array[marked]
    if values.size and (values[0] < 0 or (values != values[0]).any()):
        message = f"expected a mask of 0 and one other value in {path.name}, got several values"
        raise FileRefusedError(ErrorCode.COHORT_INVALID, message)
    return volume.with_array(marked)
