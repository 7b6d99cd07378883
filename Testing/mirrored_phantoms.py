"""A brain of even density with ventricles, beside its mirror image: for what is found by comparing its sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.scoring.mirrored_brain import MirroredBrain, mirror_brain

SHAPE = (24, 81, 81)
SPACING_MM = np.array([2.0, 2.0, 5.0])
VOXEL_ML = 0.02
BASE = 8
"""The lowest slice with regions."""

BRAIN_HU, FLUID_HU = 34.0, 9.0
RADIUS_MM = 70.0

Mask = NDArray[np.bool_]


def axes_mm() -> tuple[NDArray[np.float64], ...]:
    """Return x, y and z of each voxel, 0 in the middle of the brain; right is positive."""
    k, j, i = np.indices(SHAPE)
    return tuple(
        (index - (size - 1) / 2) * step
        for index, size, step in zip((i, j, k), SHAPE[::-1], SPACING_MM, strict=True)
    )


def ball(centre_mm: tuple[float, float, float], radius_mm: float) -> Mask:
    """Return the voxels within a distance of a point."""
    offsets = (axis - at for axis, at in zip(axes_mm(), centre_mm, strict=True))
    return sum(offset**2 for offset in offsets) <= radius_mm**2


def brain_mask() -> Mask:
    """Return a cylinder that the ends of the scan cut."""
    x, y, _ = axes_mm()
    return np.hypot(x, y) < RADIUS_MM


def density() -> NDArray[np.float32]:
    """Return brain with a ventricle on each side, 0 outside."""
    x, y, z = axes_mm()
    hu = np.where(brain_mask(), BRAIN_HU, 0.0).astype(np.float32)
    hu[(np.abs(np.abs(x) - 12) <= 6) & (np.abs(y) <= 20) & (np.abs(z) <= 20)] = FLUID_HU
    return hu


def labels() -> NDArray[np.uint8]:
    """Return a region on each side, lateral to the ventricles and above the skull base: 7 right, 17 left."""
    x, _, _ = axes_mm()
    regions = np.where(x > 0, 7, 17) * ((np.abs(x) > 22) & brain_mask())
    regions[:BASE] = 0
    return regions.astype(np.uint8)


def mirrored_brain(
    hu: NDArray[np.float32] | None = None,
    *,
    mask: Mask | None = None,
    regions: NDArray[np.uint8] | None = None,
) -> MirroredBrain:
    """Return the brain of a density, which stands for the smoothed one as well."""
    volume = Volume(density() if hu is None else hu, centred_affine(SHAPE, SPACING_MM))
    return mirror_brain(
        volume,
        volume,
        np.diag([-1.0, 1.0, 1.0, 1.0]),
        brain_mask() if mask is None else mask,
        labels() if regions is None else regions,
    )
