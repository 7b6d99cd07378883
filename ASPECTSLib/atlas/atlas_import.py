"""The published files of the ASPECTS-281 atlas, checked and brought to the labels of this project.

Sun et al. 2024, doi:10.1038/s41597-024-03973-y, table 1. Each file is one slice of 0.5 mm pixels. Labels are 1 to 10 in
the order C, L, IC, I, M1 to M6, the same on both sides; which side a pixel belongs to is read from where it lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.freesurfer import canonical_affine
from ASPECTSLib.atlas.label_order import check_label_order
from ASPECTSLib.atlas.regions import REGIONS_PER_SIDE, Level
from ASPECTSLib.atlas.slice_atlas import AtlasSlice, SliceAtlas, levels_labels
from ASPECTSLib.errors import (
    ContentRefusedError,
    ErrorCode,
    FileRefusedError,
    GeometryRefusedError,
)
from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.io.images import read_image

NAME = "aspects-281"
SOURCE = "doi:10.6084/m9.figshare.26819290"

PREFIXES: Mapping[Level, tuple[str, ...]] = MappingProxyType(
    {
        Level.GANGLIONIC: ("BGL", "subcortical"),
        Level.SUPRAGANGLIONIC: ("SGL", "cortical"),
    }
)
"""How the files of a level begin: as in table 1 of the paper, and as the authors named them before."""

PIXEL_MM = 0.5

_PIXEL_TOLERANCE_MM = 0.01
_GRID_TOLERANCE_MM = 0.01
_BRAIN_HU = (15.0, 60.0)  # median of brain tissue
_MIN_IN_BRAIN = 0.9  # of the labelled pixels; regions may run a pixel beyond a smoothed rim
_MIN_SIDE_SHARE = 0.2  # of each label on the side that has less: both sides are labelled
_MIDLINE_SEARCH_MM = 10.0


@dataclass(frozen=True)
class _Files:
    image: Path
    labels: Path


def import_published(folder: Path) -> SliceAtlas:
    """Read the published files of all four age groups.

    Parameters
    ----------
    folder
        With BGL_image_10_29.nii.gz, BGL_label_10_29.nii.gz, SGL_image_10_29.nii.gz and so on.

    Raises
    ------
    FileRefusedError
        NO_IMAGES if no file has such a name, FILE_NOT_FOUND if some are missing.
    GeometryRefusedError
        GEOMETRY_INVALID if a file is not one slice of 0.5 mm pixels, or image and labels differ in their grid.
    ContentRefusedError
        IMPLAUSIBLE_UNITS if an image holds no brain in HU; LABELS_INVALID or LABEL_ORDER if labels are not those of
        the level, lie outside of the brain, or have their sides or order exchanged.
    """
    files = _find_files(folder)
    slices = {
        group: {level: _read_slice(files[group, level], level) for level in Level}
        for group in AgeGroup
    }
    return SliceAtlas(slices, NAME, "1", {}, SOURCE)


def file_names(group: AgeGroup, level: Level) -> tuple[tuple[str, str], ...]:
    """Return the names of image and labels as published, and as the authors named them before."""
    ages = group.in_file_names
    return tuple((f"{p}_image_{ages}.nii.gz", f"{p}_label_{ages}.nii.gz") for p in PREFIXES[level])


def _find_files(folder: Path) -> dict[tuple[AgeGroup, Level], _Files]:
    if not folder.is_dir():
        message = f"expected a folder with the published files, got no folder named {folder.name}"
        raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, message)
    there = {path.name for path in folder.iterdir()}
    wanted = {(group, level): file_names(group, level) for group in AgeGroup for level in Level}
    known = {name for choices in wanted.values() for pair in choices for name in pair}
    if not there & known:
        others = ", ".join(sorted(there)[:3]) or "an empty folder"
        message = f"expected files named BGL_image_10_29.nii.gz and so on, got {others}"
        raise FileRefusedError(ErrorCode.NO_IMAGES, message)
    return {key: _complete(folder, there, choices, key[0]) for key, choices in wanted.items()}


def _complete(
    folder: Path, there: set[str], choices: tuple[tuple[str, str], ...], group: AgeGroup
) -> _Files:
    for image, labels in choices:
        if {image, labels} <= there:
            return _Files(folder / image, folder / labels)
    image, labels = next((pair for pair in choices if set(pair) & there), choices[0])
    missing = [name for name in (image, labels) if name not in there]
    words = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    message = f"expected all files of the age group {group.value}, but {words}"
    raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, message)


def _read_slice(files: _Files, level: Level) -> AtlasSlice:
    image, labels = (_read_plane(path) for path in (files.image, files.labels))
    _check_same_grid(image, labels, files)
    _check_units(image, files.image.name)
    image = _with_midline_at_zero(image)
    labels = Volume(labels.array, image.affine)
    sided = _with_sides(labels, level, files.labels.name)
    _check_in_brain(image, sided, files.labels.name)
    try:
        check_label_order(sided)
    except ContentRefusedError as error:
        raise ContentRefusedError(error.code, f"{files.labels.name}: {error.message}") from error
    return AtlasSlice(image.with_array(image.array.astype(np.float32)), sided)


def _read_plane(path: Path) -> Volume:
    """Read one slice with its axes running right and anterior."""
    volume = read_image(path)
    canonical = canonicalize(volume)
    plane = Volume(canonical.volume.array, canonical_affine(canonical))
    spacing = plane.spacing_mm[:2]
    if plane.size[2] != 1 or np.abs(spacing - PIXEL_MM).max() > _PIXEL_TOLERANCE_MM:
        size = " x ".join(str(length) for length in plane.size)
        message = (
            f"expected one slice of {PIXEL_MM} mm pixels in {path.name}, got {size} voxels of "
            f"{spacing[0]:.3g} x {spacing[1]:.3g} mm"
        )
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    return plane


def _check_same_grid(image: Volume, labels: Volume, files: _Files) -> None:
    off_mm = np.abs(image.affine - labels.affine).max()
    if image.array.shape != labels.array.shape or off_mm > _GRID_TOLERANCE_MM:
        message = f"expected {files.labels.name} on the grid of {files.image.name}, got another one"
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)


def _check_units(image: Volume, name: str) -> None:
    brain = image.array[image.array > 0]
    median = float(np.median(brain)) if brain.size else 0.0
    if not _BRAIN_HU[0] <= median <= _BRAIN_HU[1]:
        message = (
            f"expected a brain of {_BRAIN_HU[0]:.0f} to {_BRAIN_HU[1]:.0f} HU without skull in {name}, "
            f"got a median of {median:.0f}"
        )
        raise ContentRefusedError(ErrorCode.IMPLAUSIBLE_UNITS, message)


def _with_midline_at_zero(image: Volume) -> Volume:
    """Shift a slice so that the line about which it is most like its mirror image lies at x = 0."""
    rows = image.array[0].astype(np.float64)
    columns = np.arange(rows.shape[1])
    middle = float((rows > 0).sum(axis=0) @ columns / np.count_nonzero(rows > 0))
    reach = round(_MIDLINE_SEARCH_MM / PIXEL_MM)
    candidates = [(round(2 * middle) + step) / 2 for step in range(-2 * reach, 2 * reach + 1)]
    best = min(candidates, key=lambda midline: _asymmetry(rows, midline))
    affine = image.affine.copy()
    affine[0, 3] = -best * affine[0, 0]
    return Volume(image.array, affine)


def _asymmetry(rows: NDArray[np.float64], midline: float) -> float:
    """Return the mean absolute difference of a slice and its mirror image about a column."""
    width = rows.shape[1]
    mirrored = round(2 * midline) - np.arange(width)
    inside = (mirrored >= 0) & (mirrored < width)
    other = np.zeros_like(rows)
    other[:, inside] = rows[:, mirrored[inside]]
    return float(np.abs(rows - other).mean())


def _with_sides(labels: Volume, level: Level, name: str) -> Volume:
    """Return labels 1 to 20 of labels 1 to 10 on both sides; those that have sides already stay."""
    present = {int(value) for value in np.unique(labels.array)} - {0}
    sided = set(levels_labels(level))
    shared = {label for label in sided if label <= REGIONS_PER_SIDE}
    whole = labels.array.astype(np.uint8)
    if present == sided:
        return labels.with_array(whole)
    if present != shared:
        wanted = f"{min(shared)} to {max(shared)}"
        message = f"expected the labels {wanted} in {name}, got {', '.join(map(str, sorted(present))) or 'none'}"
        raise ContentRefusedError(ErrorCode.LABELS_INVALID, message)
    x = labels.affine[0, 3] + labels.affine[0, 0] * np.arange(whole.shape[2])
    on_left = np.broadcast_to(x < 0, whole.shape)
    _check_both_sides(whole, on_left, shared, name)
    return labels.with_array(
        np.where((whole > 0) & on_left, whole + np.uint8(REGIONS_PER_SIDE), whole).astype(np.uint8)
    )


def _check_both_sides(
    labels: NDArray[np.uint8], on_left: NDArray[np.bool_], shared: set[int], name: str
) -> None:
    for label in sorted(shared):
        share = float(on_left[labels == label].mean())
        if not _MIN_SIDE_SHARE <= share <= 1 - _MIN_SIDE_SHARE:
            message = f"expected each label on both sides in {name}, got {label} on one side only"
            raise ContentRefusedError(ErrorCode.LABELS_INVALID, message)


def _check_in_brain(image: Volume, labels: Volume, name: str) -> None:
    brain = ndimage.binary_fill_holes(image.array[0] > 0)
    share = float(brain[labels.array[0] > 0].mean())
    if share < _MIN_IN_BRAIN:
        message = f"expected regions in the brain of the image, but {1 - share:.0%} of {name} lies outside"
        raise ContentRefusedError(ErrorCode.LABELS_INVALID, message)
