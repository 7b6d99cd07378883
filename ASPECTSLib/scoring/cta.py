"""What is measured of the regions on CT angiography: tissue between the vessels, features, density ratios."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.regions import REGIONS, Region, RegionCode, contralateral
from ASPECTSLib.geometry import Volume
from ASPECTSLib.scoring.asymmetry import TISSUE_HU, compared_tissue
from ASPECTSLib.scoring.radiomics.features import chosen_features
from ASPECTSLib.scoring.radiomics.region import take_region

WINDOW_HU = (0.0, 80.0)
"""Width 80, level 40, as in the paper on radiomics of CT angiography."""

GREY_VALUES = 255.0

VESSEL_HU = 80.0
"""Above lie vessels with contrast agent; enhanced grey matter reaches about 50 HU."""

VESSEL_MARGIN_MM = 1.5
"""Voxels this close to a vessel, in the slice, share some of it."""

MEASURED_HU = (1.0, 250.0)
"""Of the voxels whose mean the published cut-points are for."""

CUT_POINTS: Mapping[RegionCode, float] = MappingProxyType(
    {
        RegionCode.C: 0.9159,
        RegionCode.L: 0.9298,
        RegionCode.IC: 0.9489,
        RegionCode.I: 0.8706,
        RegionCode.M1: 0.9359,
        RegionCode.M2: 0.8594,
        RegionCode.M3: 0.9501,
        RegionCode.M4: 0.9575,
        RegionCode.M5: 0.9045,
        RegionCode.M6: 0.9198,
    }
)
"""Mean density of a region over that of the other side's below which it is infarcted, on CT angiography source images.

From `cutpoints.csv` of github.com/AnotherMak/aspects-on-cta (MIT), where IC is the insular cortex, InCa the internal
capsule and LN the lentiform nucleus, four digits kept. There a person names the side of the occlusion."""

_LEAST_VOXELS = 30


@dataclass(frozen=True)
class RatioCall:
    """A region by the published rule.

    Parameters
    ----------
    ratio
        Mean density here over that of the other side; None where either cannot be measured.
    cut_point
        Affected below it.
    """

    ratio: float | None
    cut_point: float

    @property
    def affected(self) -> bool:
        """Whether the ratio lies below the cut-point."""
        return self.ratio is not None and self.ratio < self.cut_point


def to_grey(volume: Volume) -> Volume:
    """Return densities as grey values from 0 to 255 in the window of 80 HU around 40."""
    low, high = WINDOW_HU
    scaled = (np.clip(volume.array, low, high) - low) * (GREY_VALUES / (high - low))
    return volume.with_array(scaled.astype(np.float32))


def vessels_of(volume: Volume, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the vessels in a brain with a margin in the slice: bool on the grid of a CT angiography in HU."""
    bright = mask & (volume.array > VESSEL_HU)
    sampling = volume.spacing_mm[[1, 0]]
    far = [
        ndimage.distance_transform_edt(~image, sampling=sampling)
        if image.any()
        else np.full(image.shape, np.inf)
        for image in bright
    ]
    return mask & (np.stack(far) <= VESSEL_MARGIN_MM)


def enhanced_tissue(smoothed: Volume, parenchyma: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Select the brain tissue to compare, away from fluid; what enhances is no calcification.

    Parameters
    ----------
    smoothed
        CT angiography in HU, smoothed in-plane within `parenchyma`.
    parenchyma
        Brain without its vessels.
    """
    limit = np.nextafter(np.float32(TISSUE_HU[1]), np.float32(0))
    return compared_tissue(smoothed.with_array(np.minimum(smoothed.array, limit)), parenchyma)


def region_features(
    grey: Volume, labels: NDArray[np.uint8], tissue: NDArray[np.bool_], names: Collection[str]
) -> dict[Region, dict[str, float] | None]:
    """Return features of each region; None where too little tissue is left.

    Parameters
    ----------
    grey
        From `to_grey`, smoothed.
    labels
        Region label map, 0 to 20, on its grid.
    tissue
        bool: voxels that count.
    names
        Of the features, as `ASPECTSLib.scoring.radiomics.features` has them.
    """
    compared = np.where(tissue, labels, 0)
    sizes = np.bincount(compared.ravel(), minlength=len(REGIONS) + 1)
    return {
        region: chosen_features(take_region(grey, compared == region.label), names)
        if sizes[region.label] >= _LEAST_VOXELS
        else None
        for region in REGIONS
    }


def side_differences(
    found: Mapping[Region, Mapping[str, float] | None], names: Collection[str]
) -> NDArray[np.float64]:
    """Return how features differ from the other side's, shape (20, names), in the order of the labels.

    Each is the difference as a share of the mean of both magnitudes, -2 to 2: about the logarithm of the quotient, and
    there for features that are negative, too. Rows of regions that were not measured on both sides are not numbers.
    """
    rows = np.full((len(REGIONS), len(names)), np.nan)
    for row, region in enumerate(REGIONS):
        own, other = found[region], found[contralateral(region)]
        if own is not None and other is not None:
            here, there = (np.array([side[name] for name in names]) for side in (own, other))
            mean = (np.abs(here) + np.abs(there)) / 2.0
            rows[row] = np.divide(here - there, mean, out=np.zeros(len(names)), where=mean > 0)
    return rows


def call_by_ratio(volume: Volume, labels: NDArray[np.uint8]) -> tuple[RatioCall, ...]:
    """Call all regions by the published rule, in the order of the labels.

    Parameters
    ----------
    volume
        CT angiography in HU, vessels and all.
    labels
        Region label map, 0 to 20, on its grid.
    """
    low, high = MEASURED_HU
    counted = np.where((volume.array >= low) & (volume.array <= high), labels, 0).ravel()
    sizes = np.bincount(counted, minlength=len(REGIONS) + 1)
    sums = np.bincount(counted, weights=volume.array.ravel(), minlength=len(REGIONS) + 1)
    means = np.divide(sums, sizes, out=np.full(len(sums), np.nan), where=sizes >= _LEAST_VOXELS)
    calls = []
    for region in REGIONS:
        ratio = float(means[region.label] / means[contralateral(region).label])
        calls.append(RatioCall(ratio if np.isfinite(ratio) else None, CUT_POINTS[region.code]))
    return tuple(calls)
