"""Heads whose way to the atlas is known, and how far a registration is off."""

from __future__ import annotations

import numpy as np
from head_phantoms import grid_points, pose_matrix

from ASPECTSLib.geometry import Volume, apply_affine, centred_affine, resample

SHAPE, SPACING_MM = (38, 56, 46), np.array([4.0, 4.0, 5.0])


def stretched(pitch_deg=12.0, scale=(1.05, 1.08, 1.04), shift_mm=(0.0, -18.0, 15.0), shear=0.0):
    """Return a 4x4 matrix from a head in its symmetric pose to the atlas."""
    stretch = np.diag([*scale, 1.0])
    stretch[1, 2] = shear
    return stretch @ np.linalg.inv(pose_matrix(pitch_deg=pitch_deg, shift_mm=shift_mm))


def scan_of(template, matrix):
    """Return what a scanner sees of the template, 0 outside the brain."""
    like = Volume(np.zeros(SHAPE, np.float32), centred_affine(SHAPE, SPACING_MM))
    return resample(template, like, matrix)


def errors_mm(scan, found, true):
    """Return how far apart two matrices carry the voxels of the brain."""
    points = grid_points(scan.affine, SHAPE)[scan.array > 10.0]
    return np.linalg.norm(apply_affine(found, points) - apply_affine(true, points), axis=1)


KNOWN = {
    "upright": (stretched(), pose_matrix()),
    "chin_down": (
        stretched(pitch_deg=-10.0, scale=(1.1, 1.0, 1.08)),
        pose_matrix(12.0, -8.0, (6.0, 3.0, 0.0)),
    ),
    "chin_up": (stretched(pitch_deg=25.0, scale=(1.0, 1.05, 1.1)), pose_matrix(-15.0, 5.0)),
    "sheared": (stretched(pitch_deg=5.0, shift_mm=(0.0, -10.0, 25.0), shear=0.06), pose_matrix()),
}
"""From the symmetric pose to the atlas, and from the scan to the symmetric pose."""
