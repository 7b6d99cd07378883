"""A region whose features are computed: its values, and the same in bins of fixed width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.geometry import Volume, bounding_box

BIN_WIDTH = 25.0
"""Of grey values from 0 to 255: what pyradiomics takes where nothing is said (van Griethuysen et al. 2017,
doi:10.1158/0008-5472.CAN-17-0339)."""

TINY = float(np.spacing(1.0))
"""Added within logarithms."""


@dataclass(frozen=True, eq=False)
class Region:
    """The voxels of a region.

    Parameters
    ----------
    values
        float64, shape (n,), in the order of the voxels in memory.
    levels
        Number of the bin of each value, from 1, shape (n,).
    places
        Indices (k, j, i) of the voxels, shape (n, 3).
    spacing_mm
        Along k, j, i.
    """

    values: NDArray[np.float64]
    levels: NDArray[np.int64]
    places: NDArray[np.int64]
    spacing_mm: NDArray[np.float64]

    @property
    def largest_level(self) -> int:
        """Number of the last bin that has a value."""
        return int(self.levels.max())


def take_region(image: Volume, mask: NDArray[np.bool_], bin_width: float = BIN_WIDTH) -> Region:
    """Return the voxels of a mask that is not empty.

    The bins are those of pyradiomics: of fixed width, beginning at the multiple of it below the lowest value.

    Parameters
    ----------
    image
        Any grey values.
    mask
        bool, on its grid.
    bin_width
        In grey values, above 0.

    Raises
    ------
    UsageError
        USAGE for an empty mask, or a width that cannot be.
    """
    if not mask.any() or not bin_width > 0:
        message = f"expected a region with voxels and bins wider than 0, got {mask.sum()} voxels and {bin_width:g}"
        raise UsageError(ErrorCode.USAGE, message)
    box = bounding_box(mask)
    values = image.array[box][mask[box]].astype(np.float64)
    places = np.argwhere(mask[box])
    return Region(values, _levels(values, bin_width), places, image.spacing_mm[::-1])


def _levels(values: NDArray[np.float64], width: float) -> NDArray[np.int64]:
    lowest = values.min() - values.min() % width
    edges = np.arange(lowest, values.max() + 2.0 * width, width)
    return np.digitize(values, edges).astype(np.int64)
