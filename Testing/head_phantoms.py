"""Phantoms of heads on head CT, made in code: their anatomy and their midsagittal plane are known.

The head's own frame is RAS in mm with the origin in the middle of the brain, so that x = 0 is the
midsagittal plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.geometry import Volume, apply_affine, centred_affine, shrink

AIR_HU, SKIN_HU, BONE_HU, FLUID_HU, GREY_HU, WHITE_HU = -1000.0, 30.0, 900.0, 8.0, 37.0, 29.0
NOISE_HU = 3.0
HEAD_AXES_MM = (79.0, 97.0, 88.0)
SKULL_AXES_MM = (73.0, 91.0, 82.0)
BRAIN_AXES_MM = (66.0, 84.0, 75.0)
SIZE_MM = (180.0, 220.0, 190.0)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeadScan:
    """A CT of a phantom head, and what it was made from.

    Parameters
    ----------
    ct
        HU, in the image frame.
    brain
        bool on the same grid: voxels that are more than half inside the skull.
    to_head
        4x4 rigid matrix from the image frame to the head's own frame.
    """

    ct: Volume
    brain: Volume
    to_head: Array


def head_scan(
    to_head: Array | None = None,
    *,
    spacing_mm: tuple[float, float, float] = (3.0, 3.0, 5.0),
    noise_hu: float = NOISE_HU,
    seed: int = 0,
) -> HeadScan:
    """Scan a head: mirror-symmetric, with skin, skull, brain, ventricles, a nose and a neck.

    Parameters
    ----------
    to_head
        4x4 rigid matrix from the image frame to the head's own frame; identity when left out.
    """
    matrix = np.eye(4) if to_head is None else to_head
    size = np.ceil(np.array(SIZE_MM) / spacing_mm).astype(int)
    # Eight samples a voxel give borders the partial volume that they have in scans.
    fine_spacing_mm = np.array(spacing_mm) / 2.0
    fine_affine = centred_affine(tuple(2 * size[::-1]), fine_spacing_mm)
    points = apply_affine(matrix, grid_points(fine_affine, tuple(2 * size[::-1])))
    ct = shrink(Volume(head_hu(points), fine_affine), (2, 2, 2))
    inside = shrink(Volume(inside_skull(points), fine_affine), (2, 2, 2))
    noise = np.random.default_rng(seed).normal(scale=noise_hu, size=ct.array.shape)
    noisy = np.maximum(ct.array + noise, AIR_HU - 24.0).astype(np.float32)
    return HeadScan(ct.with_array(noisy), inside.with_array(inside.array > 0.5), matrix)


def head_hu(points: Array) -> Array:
    """Return the HU of points of shape (..., 3) in the head's own frame."""
    x, y, z = np.moveaxis(points, -1, 0)
    hu = np.full(x.shape, AIR_HU)
    in_neck = (z < -20.0) & ((x / 55.0) ** 2 + ((y + 25.0) / 60.0) ** 2 < 1.0)
    in_nose = ellipsoid(points, (12.0, 22.0, 20.0), (0.0, 95.0, -25.0))
    hu[in_neck | in_nose | ellipsoid(points, HEAD_AXES_MM)] = SKIN_HU
    hu[ellipsoid(points, SKULL_AXES_MM)] = BONE_HU
    hu[inside_skull(points)] = FLUID_HU
    # The cord leaves the skull through the foramen magnum and runs in its canal of bone.
    from_cord = np.hypot(x, y + 20.0)
    hu[(z < -75.0) & (from_cord < 20.0)] = BONE_HU
    hu[(z < -65.0) & (from_cord < 11.0)] = FLUID_HU
    hu[(z < -65.0) & (from_cord < 6.0)] = WHITE_HU
    hu[ellipsoid(points, tuple(axis - 2.0 for axis in BRAIN_AXES_MM))] = GREY_HU
    hu[ellipsoid(points, tuple(axis - 9.0 for axis in BRAIN_AXES_MM))] = WHITE_HU
    for side in (-1.0, 1.0):
        hu[ellipsoid(points, (9.0, 16.0, 14.0), (25.0 * side, 2.0, 0.0))] = GREY_HU
        hu[ellipsoid(points, (6.0, 34.0, 11.0), (9.0 * side, -5.0, 16.0))] = FLUID_HU
    return hu


def inside_skull(points: Array) -> NDArray[np.bool_]:
    """Tell which points of the head's own frame lie inside the skull."""
    return ellipsoid(points, BRAIN_AXES_MM)


def ellipsoid(
    points: Array,
    axes_mm: tuple[float, ...],
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> NDArray[np.bool_]:
    """Tell which points lie in an ellipsoid with these half axes."""
    return (((points - np.array(centre)) / np.array(axes_mm)) ** 2).sum(axis=-1) < 1.0


def grid_points(affine: Array, shape: tuple[int, ...]) -> Array:
    """Return the points of all voxel centres of a grid, shape (k, j, i, 3)."""
    indices = np.moveaxis(np.indices(shape)[::-1], 0, -1)
    return apply_affine(affine, indices.astype(np.float64))


def pose_matrix(
    yaw_deg: float = 0.0,
    roll_deg: float = 0.0,
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    pitch_deg: float = 0.0,
) -> Array:
    """Return the 4x4 rigid matrix from the image frame to the frame of a head that was moved.

    Parameters
    ----------
    yaw_deg
        Turns the face to the left.
    roll_deg
        Raises the right side; applied before the yaw.
    shift_mm
        Moves the head's middle to this point of the image frame.
    pitch_deg
        Raises the chin; applied first.
    """
    yaw, roll, pitch = np.radians([yaw_deg, roll_deg, pitch_deg])
    turn_yaw = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    turn_roll = np.array(
        [[np.cos(roll), 0, -np.sin(roll)], [0, 1, 0], [np.sin(roll), 0, np.cos(roll)]]
    )
    turn_pitch = np.array(
        [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    )
    from_head = np.eye(4)
    from_head[:3, :3] = turn_yaw @ turn_roll @ turn_pitch
    from_head[:3, 3] = shift_mm
    return np.linalg.inv(from_head)


def mirrored(volume: Volume) -> Volume:
    """Return the mirror image of a volume on a grid that is centred left to right."""
    return volume.with_array(np.ascontiguousarray(volume.array[..., ::-1]))


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the overlap of two masks, 0 to 1."""
    return float(2.0 * (first & second).sum() / (first.sum() + second.sum()))
