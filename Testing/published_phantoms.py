"""Files in the form of the published ASPECTS-281 atlas, made in code: two-dimensional NIfTI of 0.5 mm pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from region_phantoms import BOXES_MM

PIXEL_MM = 0.5
SIZE = (260, 340)
BRAIN_MM = (60.0, 78.0)
GROUPS = ("10_29", "30_49", "50_69", "70_89")
LABELS = {"BGL": range(1, 8), "SGL": range(8, 11)}

Change = Callable[[str, str, NDArray[np.uint8]], NDArray[np.uint8]]


def published_slice(level: str, group: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return image and labels, rows from the front to the back, columns from the patient's right to the left."""
    x, y = _points()
    older = GROUPS.index(group)
    inside = (x / BRAIN_MM[0]) ** 2 + (y / BRAIN_MM[1]) ** 2 < 1
    image = np.where(inside, 30, 0).astype(np.uint8)
    image[(np.abs(x) / (4 + 2 * older)) ** 2 + ((y - 4) / 20) ** 2 < 1] = 8
    labels = np.zeros_like(image)
    for number, (code, (middle, half)) in enumerate(BOXES_MM.items(), start=1):
        if number not in LABELS[level]:
            continue
        marked = (np.abs(np.abs(x) - middle[0]) < half[0]) & (np.abs(y - middle[1]) < half[1])
        labels[marked & inside] = number
        image[marked & inside] = 40 if code in "CL" else 26 if code == "IC" else 36
    return image, labels


def write_published(
    folder: Path, change: Change = lambda _name, _kind, array: array, prefixes=("BGL", "SGL")
) -> Path:
    """Write all sixteen files.

    Parameters
    ----------
    folder
        Made if it is not there.
    change
        Takes level and age (BGL_10_29), image or label, and the pixels; returns the pixels to write.
    prefixes
        Names of the two levels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for level, prefix in zip(LABELS, prefixes, strict=True):
        for group in GROUPS:
            for kind, array in zip(("image", "label"), published_slice(level, group), strict=True):
                changed = change(f"{level}_{group}", kind, array)
                write_plane(changed, folder / f"{prefix}_{kind}_{group}.nii.gz")
    return folder


def write_plane(array: NDArray[np.uint8], path: Path, pixel_mm: float = PIXEL_MM) -> None:
    """Write one slice as a two-dimensional file, with an origin that tells nothing."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((pixel_mm, pixel_mm))
    image.SetOrigin((-41.0, 28.0))
    sitk.WriteImage(image, str(path))


def _points() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    columns, rows = SIZE
    x = ((columns - 1) / 2 - np.arange(columns)) * PIXEL_MM
    y = ((rows - 1) / 2 - np.arange(rows)) * PIXEL_MM
    return np.meshgrid(x, y)
