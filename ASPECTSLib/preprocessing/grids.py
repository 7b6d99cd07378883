"""Images of one session brought to one grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.geometry import Volume, resample
from ASPECTSLib.io.notes import NoteCode, ScanNote

SAME_GRID_VOXELS = 0.1
"""Voxels that lie closer together than this, in voxels, are the same: headers round positions to 0.01 to 0.1 mm."""

MIN_WEIGHT = 0.5
"""A voxel is known where at least this much of what it is interpolated from is."""


def place_on(volume: Volume, like: Volume, name: str) -> tuple[Volume, tuple[ScanNote, ...]]:
    """Bring an image to the grid of another, without interpolation where the voxels coincide.

    Voxels that are not finite, or not above 0, are unknown; they take no part in interpolation.

    Parameters
    ----------
    volume
        Positive signal or map, any type.
    like
        Gives the grid.
    name
        Of the image, for the note.

    Returns
    -------
    volume
        float32, at least 0, finite; 0 where unknown.
    notes
        That it was interpolated, if it was.
    """
    array = volume.array.astype(np.float32)
    with np.errstate(invalid="ignore"):
        known = np.isfinite(array) & (array > 0)
    cleaned = volume.with_array(np.where(known, array, np.float32(0.0)))
    if volumes_coincide(volume, like):
        if volume.array.shape == like.array.shape and np.allclose(volume.affine, like.affine):
            return like.with_array(cleaned.array), ()
        return resample(cleaned, like, order=0), ()
    weight = resample(volume.with_array(known.astype(np.float32)), like).array
    total = resample(cleaned, like).array
    is_known = weight >= MIN_WEIGHT
    placed = np.divide(total, weight, out=np.zeros_like(total), where=is_known)
    message = (
        f"the {name} was interpolated from {_grid(volume)} to the grid of the DWI, {_grid(like)}"
    )
    return like.with_array(placed), (ScanNote(NoteCode.COMPANION_RESAMPLED, message),)


def volumes_coincide(one: Volume, other: Volume) -> bool:
    """Return whether two grids have their voxels at the same places, in whatever order of axes."""
    to_one = np.linalg.inv(one.affine) @ other.affine
    nearest = _nearest_reordering(to_one, other)
    corners = _corners(other)
    distance = np.abs((to_one - nearest) @ corners).max()
    sizes = np.abs(nearest[:3, :3]) @ np.array(other.size)
    return bool(distance <= SAME_GRID_VOXELS and np.array_equal(sizes, one.size))


def _nearest_reordering(matrix: NDArray[np.float64], grid: Volume) -> NDArray[np.float64]:
    """Return the nearest matrix of whole numbers; its shift is right at the centre of a grid."""
    nearest = np.eye(4)
    nearest[:3, :3] = np.rint(matrix[:3, :3])
    centre = np.append((np.array(grid.size) - 1.0) / 2.0, 1.0)
    shift = (matrix @ centre)[:3] - nearest[:3, :3] @ centre[:3]
    nearest[:3, 3] = np.rint(shift)
    return nearest


def _corners(grid: Volume) -> NDArray[np.float64]:
    """Return the homogeneous indices of the outermost voxels, shape (4, 8)."""
    ends = [(0.0, length - 1.0) for length in grid.size]
    points = np.stack(np.meshgrid(*ends, indexing="ij")).reshape(3, -1)
    return np.vstack([points, np.ones(points.shape[1])])


def _grid(volume: Volume) -> str:
    size = "x".join(str(length) for length in volume.size)
    spacing = " x ".join(f"{length:.2g}" for length in volume.spacing_mm)
    return f"{size} voxels of {spacing} mm"
