"""What each network sees of a patient: image and labels on the network's grid, made as they are made in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference.inputs import (
    BRAIN_SHAPE,
    BRAIN_SPACING_MM,
    fit_affine,
    head_grid,
    intensities,
    label_centres,
    on_grid,
    region_coordinates,
    region_grid,
)
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.synthesis.draw import Draw

REST_OF_BRAIN = len(REGIONS) + 1
"""Label of the coarse network for brain that belongs to no region."""

_GRID_SHIFT_MM = 10.0  # the head's middle and top are found less well in real scans
_CENTRE_ERROR_MM = 2.5  # of each region's centre as the coarse network finds it
_POSE_ERROR_MM = 2.0  # common to all regions


@dataclass(frozen=True, eq=False)
class Labelled:
    """A scan that can tell its truth on any grid.

    Parameters
    ----------
    image
        The scan, in the image frame.
    modality
        Of the scan.
    regions_on, brain_on
        Return the label map, or the brain mask, on a grid of the scan's frame: uint8 and bool, (k, j, i).
    centres_mm, volumes_ml
        Of the twenty regions, shapes (20, 3) and (20,).
    """

    image: Volume
    modality: Modality
    regions_on: Callable[[Volume], NDArray[np.uint8]]
    brain_on: Callable[[Volume], NDArray[np.bool_]]
    centres_mm: NDArray[np.float64]
    volumes_ml: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class View:
    """A way to look at a patient.

    Parameters
    ----------
    channels, classes
        Of the network.
    look
        Returns image (channels, k, j, i), float32, and labels (k, j, i), uint8.
    """

    channels: int
    classes: int
    look: Callable[[Labelled, Atlas, Draw], tuple[NDArray[np.float32], NDArray[np.uint8]]]


def look_at_brain(
    scan: Labelled, _atlas: Atlas, draw: Draw
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the upper head at 2 mm in-plane, and the brain mask."""
    grid = _shifted(head_grid(scan.image, scan.modality, BRAIN_SPACING_MM, BRAIN_SHAPE), draw)
    image = on_grid(intensities(scan.image, scan.modality), grid)
    return image[None], scan.brain_on(grid).astype(np.uint8)


def look_at_regions_coarsely(
    scan: Labelled, _atlas: Atlas, draw: Draw
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the upper head at 4 mm, and regions with the rest of the brain."""
    grid = _shifted(head_grid(scan.image, scan.modality), draw)
    image = on_grid(intensities(scan.image, scan.modality), grid)
    regions = scan.regions_on(grid)
    return image[None], np.where(
        (regions == 0) & scan.brain_on(grid), REST_OF_BRAIN, regions
    ).astype(np.uint8)


def look_at_regions_finely(
    scan: Labelled, atlas: Atlas, draw: Draw
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the regions' levels in the atlas's pose, with coordinates, and the regions."""
    centres, _ = label_centres(atlas.regions, len(REGIONS))
    noise = draw.generator.standard_normal
    wrong = scan.centres_mm + _CENTRE_ERROR_MM * noise(centres.shape) + _POSE_ERROR_MM * noise(3)
    grid = region_grid(fit_affine(centres, wrong, scan.volumes_ml))
    image = on_grid(intensities(scan.image, scan.modality), grid)
    return np.concatenate((image[None], region_coordinates())), scan.regions_on(grid)


VIEWS: Mapping[str, View] = MappingProxyType(
    {
        "brain": View(1, 2, look_at_brain),
        "regions-coarse": View(1, REST_OF_BRAIN + 1, look_at_regions_coarsely),
        "regions-fine": View(4, len(REGIONS) + 1, look_at_regions_finely),
    }
)
"""By the task of a model."""


def _shifted(grid: Volume, draw: Draw) -> Volume:
    affine = grid.affine.copy()
    affine[:3, 3] += [draw.uniform(-_GRID_SHIFT_MM, _GRID_SHIFT_MM) for _ in range(3)]
    return Volume(grid.array, affine)
