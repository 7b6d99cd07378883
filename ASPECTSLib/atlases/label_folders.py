"""Folders of region label maps: one file, or one folder, for each case."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ASPECTSLib.atlas.label_order import check_label_order, check_label_values
from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.file_names import image_stem
from ASPECTSLib.io.images import read_image

LABELS_NAME = "regions"
"""Name of the label map in the folder of a case, as `aspects score` and `aspects synthesize` write it."""


# Of `ASPECTSLib.batch`, which stands above this layer.
_COHORT_FILE, _CASES_FOLDER = "cohort.json", "cases"


def find_label_maps(folder: Path) -> Mapping[str, tuple[Path, ...]]:
    """Find the label maps of a folder.

    Parameters
    ----------
    folder
        With CASE.nii.gz, or CASE/regions.nii.gz, or CASE/*/regions.nii.gz, for each case; other formats of images, too.
        Or the results of `aspects batch`.

    Returns
    -------
    Mapping
        The files of each case by its name, in the order of names; one each, where the folder is as it should be.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND if there is no such folder, NO_IMAGES if there is no label map in it.
    """
    if not folder.is_dir():
        message = f"expected a folder of label maps, got no folder named {folder.name}"
        raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, message)
    found: dict[str, tuple[Path, ...]] = {}
    is_cohort = (folder / _COHORT_FILE).is_file() and (folder / _CASES_FOLDER).is_dir()
    for path in sorted((folder / _CASES_FOLDER if is_cohort else folder).iterdir()):
        name = path.name if path.is_dir() else image_stem(path)
        files = _in_case(path) if path.is_dir() else (path,) if name else ()
        if name and files:
            found[name] = (*found.get(name, ()), *files)
    if not found:
        message = f"expected CASE.nii.gz or CASE/{LABELS_NAME}.nii.gz in {folder.name}, found none"
        raise FileRefusedError(ErrorCode.NO_IMAGES, message)
    return found


def read_label_map(files: tuple[Path, ...]) -> Volume:
    """Read the label map of a case.

    Returns
    -------
    Volume
        uint8, on the grid of the file, checked for values, order of labels and sides.

    Raises
    ------
    InputRefusedError
        FILE_NOT_FOUND if there is none, SERIES_AMBIGUOUS if there are several, LABELS_INVALID or LABEL_ORDER if it is
        no label map in the order of this project; as `read_image` otherwise.
    """
    if not files:
        raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, "expected a label map, got none")
    if len(files) > 1:
        names = ", ".join(f"{path.parent.name}/{path.name}" for path in files)
        message = f"expected one label map for a case, got several: {names}"
        raise FileRefusedError(ErrorCode.SERIES_AMBIGUOUS, message)
    volume = read_image(files[0])
    check_label_values(volume.array)
    labels = volume.with_array(volume.array.astype(np.uint8))
    check_label_order(labels)
    return labels


def _in_case(folder: Path) -> tuple[Path, ...]:
    def labels_of(parent: Path) -> list[Path]:
        return [p for p in sorted(parent.iterdir()) if image_stem(p) == LABELS_NAME and p.is_file()]

    direct = labels_of(folder)
    if direct:
        return tuple(direct)
    below = [child for child in sorted(folder.iterdir()) if child.is_dir()]
    return tuple(path for child in below for path in labels_of(child))
