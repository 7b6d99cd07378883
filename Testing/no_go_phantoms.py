"""A scored scan with a ball of another density in the brain: blood, or what an old infarct leaves."""

from __future__ import annotations

import numpy as np

from ASPECTSLib.geometry import Volume, apply_affine

BLOOD_HU, FLUID_HU = 65.0, 8.0
DEEP_RIGHT_MM, CORTEX_RIGHT_MM = (28.0, 4.0, 2.0), (48.0, -22.0, 30.0)
"""Places in the world of the synthetic patient; its infarct lies on the other side."""

MIDDLE_MM = (0.0, -25.0, 20.0)
"""A place on its midplane, where blood is only suspected."""

BLOOD_MM, OLD_MM = 14.0, 16.0
"""Radii of a bleeding and of an old infarct."""


def with_ball(
    scan: Volume, place_mm: tuple[float, float, float], radius_mm: float, hu: float
) -> Volume:
    """Return the scan with a ball of one density in it."""
    k, j, i = np.indices(scan.array.shape)
    points = apply_affine(scan.affine, np.stack((i, j, k), axis=-1).astype(float))
    inside = np.linalg.norm(points - place_mm, axis=-1) < radius_mm
    return scan.with_array(np.where(inside, hu, scan.array).astype(scan.array.dtype))


def mirrored_scan(scan: Volume) -> Volume:
    """Return the scan with its voxels in the opposite order from right to left."""
    return scan.with_array(np.ascontiguousarray(scan.array[..., ::-1]))
