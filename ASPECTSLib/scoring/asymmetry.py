"""Each region against the same region of the other side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.regions import REGIONS, Region, contralateral
from ASPECTSLib.geometry import Volume, disk

SMOOTHING_MM = 2.0
"""In-plane Gaussian before voxels are compared: noise of thick slices falls from about 4 HU to below 1 HU."""

TISSUE_HU = (20.0, 50.0)
"""Brain tissue, early infarct included; below lies CSF and its partial volume, above calcification and blood."""

FLUID_MARGIN_MM = 1.5
"""Voxels this close to CSF, in the slice, are left out: their density tells of sulci, not of tissue."""

FLUID_MARGIN_THROUGH_MM = 4.0
"""The same across slices, a slice at least: thick slices above and below a ventricle hold some of it.

Without it the caudate nuclei of a healthy head differed by 1.7 HU, because its ventricles did."""

MIN_TISSUE_FRACTION = 0.1
"""Regions with less of their volume left are not compared."""

_MIN_VOXELS = 30


@dataclass(frozen=True)
class RegionMeasure:
    """What was measured in one region; densities in HU, None where too little tissue is left.

    Parameters
    ----------
    region
        Which region.
    volume_ml
        Volume of the whole region.
    tissue_fraction
        Share of its voxels that is brain tissue away from CSF, and was compared.
    median, contralateral_median
        Median density here and on the other side.
    """

    region: Region
    volume_ml: float
    tissue_fraction: float
    median: float | None
    contralateral_median: float | None

    @property
    def drop(self) -> float | None:
        """Contralateral minus own median, in HU: positive where this side is darker."""
        if self.median is None or self.contralateral_median is None:
            return None
        return self.contralateral_median - self.median


def compared_tissue(smoothed: Volume, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Select the voxels that take part in the comparison of sides.

    Parameters
    ----------
    smoothed
        CT in HU, smoothed in-plane, 0 outside the brain.
    mask
        Brain mask.

    Returns
    -------
    numpy.ndarray
        bool: brain tissue that is neither CSF nor close to it, nor calcified.
    """
    lowest, highest = TISSUE_HU
    fluid = mask & (smoothed.array <= lowest)
    slices = max(round(FLUID_MARGIN_THROUGH_MM / smoothed.spacing_mm[2]), 1)
    near_fluid = ndimage.binary_dilation(fluid, disk(FLUID_MARGIN_MM, smoothed.spacing_mm))
    near_fluid |= ndimage.binary_dilation(fluid, np.ones((2 * slices + 1, 1, 1), bool))
    return mask & ~near_fluid & (smoothed.array < highest)


def measure_regions(
    smoothed: Volume,
    labels: NDArray[np.uint8],
    tissue: NDArray[np.bool_],
    volumes_ml: NDArray[np.float64],
) -> tuple[RegionMeasure, ...]:
    """Measure all regions, each against the other side.

    Parameters
    ----------
    smoothed
        CT in HU, smoothed in-plane.
    labels
        Region label map, 0 to 20.
    tissue
        Voxels to compare.
    volumes_ml
        Volume of each label, shape (21,); regions may reach beyond the part of the scan given here.

    Returns
    -------
    tuple of RegionMeasure
        In the order of the labels.
    """
    compared_labels, values = labels[tissue], smoothed.array[tissue]
    sizes = np.bincount(compared_labels, minlength=len(REGIONS) + 1)
    total = np.round(volumes_ml / smoothed.voxel_volume_ml)
    groups = np.split(values[np.argsort(compared_labels, kind="stable")], np.cumsum(sizes)[:-1])
    medians = {r: _median(groups[r.label], int(total[r.label])) for r in REGIONS}
    return tuple(
        RegionMeasure(
            region=region,
            volume_ml=float(volumes_ml[region.label]),
            tissue_fraction=float(sizes[region.label] / max(total[region.label], 1)),
            median=medians[region],
            contralateral_median=medians[contralateral(region)],
        )
        for region in REGIONS
    )


def label_volumes_ml(labels: Volume) -> NDArray[np.float64]:
    """Return the volume of each label of a region label map in mL, shape (21,), background first."""
    counts = np.bincount(labels.array.ravel(), minlength=len(REGIONS) + 1)
    return counts * labels.voxel_volume_ml


def side_difference(smoothed: Volume, mirrored: Volume, mask: NDArray[np.bool_]) -> Volume:
    """Return density minus that of the mirrored place, in HU; 0 outside brain tissue of both sides.

    Parameters
    ----------
    smoothed, mirrored
        CT in HU smoothed in-plane, and its mirror image on the same grid; 0 outside the brain.
    mask
        Brain mask.
    """
    lowest, highest = TISSUE_HU
    both = mask & (smoothed.array > lowest) & (mirrored.array > lowest)
    both &= (smoothed.array < highest) & (mirrored.array < highest)
    difference = np.where(both, smoothed.array - mirrored.array, 0)
    return smoothed.with_array(difference.astype(np.float32))


def _median(values: NDArray[np.float32], region_voxels: int) -> float | None:
    if len(values) < max(_MIN_VOXELS, MIN_TISSUE_FRACTION * region_voxels):
        return None
    return float(np.median(values))
