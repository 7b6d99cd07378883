"""How far two label maps of one head agree, region by region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.regions import REGIONS, Region
from ASPECTSLib.geometry import Volume, bounding_box
from ASPECTSLib.scoring.overlap import region_dice

HAUSDORFF_PERCENTILE = 95.0
"""The largest distance of all hangs on single voxels."""


@dataclass(frozen=True)
class RegionMeasure:
    """Agreement of a region in two label maps.

    Parameters
    ----------
    region
        Which.
    dice
        Overlap, 0 to 1; nan where neither map has the region.
    hausdorff95_mm
        The 95th percentile of the distance of one surface to the other, the larger of both directions; nan where one
        map lacks the region.
    first_ml, second_ml
        Volumes.
    """

    region: Region
    dice: float
    hausdorff95_mm: float
    first_ml: float
    second_ml: float

    @property
    def volume_error_ml(self) -> float:
        """Volume in the first map less that in the second."""
        return self.first_ml - self.second_ml

    @property
    def volume_error(self) -> float:
        """The same as a share of the second map's volume; nan where that has none."""
        return self.volume_error_ml / self.second_ml if self.second_ml else float("nan")

    @property
    def absolute_volume_error(self) -> float:
        """The size of that share, whichever map has more."""
        return abs(self.volume_error)


def measure_regions(
    first: Volume, second: Volume, *, planar: bool = False
) -> tuple[RegionMeasure, ...]:
    """Compare two label maps.

    Parameters
    ----------
    first, second
        uint8 labels 0 to 20 on one grid, whose first array axis counts the slices.
    planar
        Whether the labels were drawn on single slices: a surface is then the outline in each slice.

    Returns
    -------
    tuple
        A measure for each of the twenty regions, in the order of their labels.
    """
    overlaps = region_dice(first.array, second.array)
    counts = [np.bincount(v.array.ravel(), minlength=len(REGIONS) + 1) for v in (first, second)]
    return tuple(
        _measure(region, first, second, overlaps, counts, planar=planar) for region in REGIONS
    )


def _measure(
    region: Region,
    first: Volume,
    second: Volume,
    overlaps: NDArray[np.float64],
    counts: list[NDArray[np.int64]],
    *,
    planar: bool,
) -> RegionMeasure:
    volumes_ml = [float(count[region.label]) * first.voxel_volume_ml for count in counts]
    distance_mm = float("nan")
    if min(volumes_ml) > 0:
        masks = [volume.array == region.label for volume in (first, second)]
        distance_mm = hausdorff_mm(masks[0], masks[1], first.spacing_mm[::-1], planar=planar)
    overlap = float(overlaps[region.label - 1]) if max(volumes_ml) > 0 else float("nan")
    return RegionMeasure(region, overlap, distance_mm, *volumes_ml)


def hausdorff_mm(
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    spacing_kji_mm: NDArray[np.float64],
    *,
    planar: bool = False,
) -> float:
    """Return the 95th percentile of the distance between two surfaces, the larger of both directions.

    Parameters
    ----------
    first, second
        Masks of one shape (k, j, i), neither of them empty.
    spacing_kji_mm
        Spacing along the axes of the array.
    planar
        Surfaces are outlines within each slice (k).

    Notes
    -----
    Surfaces are the outermost voxels of the masks, and distances go from centre to centre; Huttenlocher et al. 1993,
    doi:10.1109/34.232073.
    """
    box = bounding_box(first | second)
    neighbours = ndimage.generate_binary_structure(3, 1)
    if planar:
        neighbours[[0, 2]] = False
    surfaces = [
        part & ~ndimage.binary_erosion(part, neighbours) for part in (first[box], second[box])
    ]
    directed = [
        np.percentile(
            ndimage.distance_transform_edt(~to, sampling=spacing_kji_mm)[of], HAUSDORFF_PERCENTILE
        )
        for of, to in (surfaces, surfaces[::-1])
    ]
    return float(max(directed))
