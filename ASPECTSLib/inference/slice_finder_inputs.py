"""What the slice finder sees: the slices of a head CT as they were taken, in three windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.geometry import Volume, crop, resample, shrink, shrink_factors
from ASPECTSLib.inference.inputs import head_grid
from ASPECTSLib.io.modality import Modality

WINDOWS_HU = ((40.0, 80.0), (75.0, 215.0), (600.0, 2800.0))
"""Level and width of the windows for brain, subdural blood and bone, one a channel (Sun 2024,
doi:10.1038/s41597-024-03973-y)."""

STACK_SPACING_MM = (2.5, 2.5, 5.0)
"""Pixels, and about what slices are averaged to; thicker ones stay as they are."""

STACK_SIDE = 96
"""Rows and columns: 240 mm hold a head that is turned."""

HEAD_HEIGHT_MM = 188.0
"""From just above the vertex down: what lies lower is neck."""

AIR_HU = -1000.0


@dataclass(frozen=True, eq=False)
class SliceStack:
    """The slices of the head.

    Parameters
    ----------
    slices
        HU, float32, in the image frame: the slices of the scan that show the head, averaged, with all their pixels.
    grid
        The empty grid that the network sees, of `STACK_SIDE` rows and columns around the head in each of the slices.
    first
        Slice of the scan that the first one begins with.
    averaged
        How many slices of the scan make one.
    """

    slices: Volume
    grid: Volume
    first: int
    averaged: int

    def density_hu(self, grid: Volume | None = None) -> NDArray[np.float32]:
        """Return the HU on the network's grid, or on another one, with air beyond the ends."""
        return resample(self.slices, grid or self.grid, fill=AIR_HU).array

    def own_slice(self, place: float) -> float:
        """Return where a place in the stack, in slices, lies in the scan, in its own slices."""
        return self.first + place * self.averaged + (self.averaged - 1) / 2


def slice_stack(volume: Volume) -> SliceStack:
    """Cut the slices of the head out of a scan.

    Parameters
    ----------
    volume
        HU, in the image frame, the neck included or not.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN if no slice holds as much as a head.
    """
    factors = shrink_factors(volume, STACK_SPACING_MM)
    averaged = shrink(volume, factors)
    plane = (1, STACK_SIDE, STACK_SIDE)
    # A grid of a single slice lies a little above the vertex.
    head = head_grid(volume, Modality.NCCT, STACK_SPACING_MM, plane)
    first, stop = _span(averaged, top_mm=float(head.affine[2, 3]))
    columns, rows, _ = averaged.size
    slices = crop(averaged, (slice(first, stop), slice(0, rows), slice(0, columns)))
    affine = slices.affine.copy()
    affine[:2] = head.affine[:2]
    grid = Volume(np.zeros((stop - first, *plane[1:]), np.uint8), affine)
    return SliceStack(slices, grid, first * factors[2], factors[2])


def windowed(density_hu: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return densities in each of `WINDOWS_HU` as 0 to 1: float32, a first axis of channels added."""
    channels = [(density_hu - level) / width + 0.5 for level, width in WINDOWS_HU]
    return np.clip(np.stack(channels), 0.0, 1.0).astype(np.float32)


def _span(averaged: Volume, top_mm: float) -> tuple[int, int]:
    """Return the first slice of the head and the one behind its last."""
    places_mm = averaged.affine[2, 3] + averaged.spacing_mm[2] * np.arange(averaged.size[2])
    inside = (places_mm <= top_mm) & (places_mm >= top_mm - HEAD_HEIGHT_MM)
    found = np.flatnonzero(inside)
    return int(found[0]), int(found[-1]) + 1
