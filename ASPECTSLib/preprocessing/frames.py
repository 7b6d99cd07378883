"""Between the frames of one patient: the image frame of a scan, the world of its files, and a symmetric grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.geometry import (
    CanonicalVolume,
    Volume,
    apply_affine,
    bounding_box,
    canonicalize,
    crop,
    paste,
    resample,
    shrink,
)

_MOST_SUBVOXELS = 8  # along each axis: a slice of 8 mm in a mask of 1 mm
_HALF = 0.5


def world_grid(canonical: CanonicalVolume) -> Volume:
    """Return a volume in the canonical order of its axes, with the affine to the world of its file, RAS mm.

    The image frame, in which the canonical volume lies, leaves out how the scan's axes are turned.
    """
    affine = canonical.source_affine @ _source_from_canonical(canonical)
    return Volume(canonical.volume.array, affine)


def world_from_image(canonical: CanonicalVolume) -> NDArray[np.float64]:
    """Return the 4x4 matrix from the image frame of a scan to the world of its file, RAS mm."""
    return world_grid(canonical).affine @ np.linalg.inv(canonical.volume.affine)


def in_order(volume: Volume) -> Volume:
    """Return the same voxels at the same places in the world, in the canonical order of axes.

    Whatever the order in the file, everything later is then done on the same numbers.
    """
    return world_grid(canonicalize(volume))


def symmetric_grid(
    mask: Volume, pose: NDArray[np.float64], spacing_mm: float
) -> tuple[Volume, NDArray[np.float64]]:
    """Return an empty grid around a brain that is its own mirror image.

    Parameters
    ----------
    mask
        bool brain mask in the image frame, not empty.
    pose
        4x4 rigid matrix from the image frame to the symmetric pose, as `Midplane.pose`.
    spacing_mm
        Of the grid, along all axes.

    Returns
    -------
    grid
        In the symmetric pose, mm: column i lies opposite to column n - 1 - i.
    image_from_grid
        4x4 matrix from points of the grid, in mm, to the image frame.
    """
    points = apply_affine(pose, apply_affine(mask.affine, np.argwhere(mask.array)[:, ::-1] * 1.0))
    half = int(np.ceil(np.abs(points[:, 0]).max() / spacing_mm)) + 1
    low = np.floor(points[:, 1:].min(axis=0) / spacing_mm).astype(int) - 1
    high = np.ceil(points[:, 1:].max(axis=0) / spacing_mm).astype(int) + 1
    length_j, length_k = high - low + 1
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = spacing_mm * np.array([_HALF - half, *low])
    grid = Volume(np.zeros((length_k, length_j, 2 * half), np.uint8), affine)
    return grid, np.linalg.inv(pose)


def sample(
    volume: Volume, grid: Volume, volume_from_grid: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Interpolate a volume on a coarser grid, after the Gaussian that keeps its noise from aliasing.

    Parameters
    ----------
    volume
        Any scalar volume; 0 beyond it.
    grid
        Its axes i, j and k run about as those of the volume, or its voxels are isotropic.
    volume_from_grid
        4x4 matrix from points of the grid to those of the volume, mm.
    """
    ratio = (grid.spacing_mm / volume.spacing_mm)[::-1]
    sigma = _HALF * np.sqrt(np.maximum(ratio**2 - 1.0, 0.0))
    array = volume.array.astype(np.float32)
    smooth = ndimage.gaussian_filter(array, sigma, mode="nearest") if sigma.any() else array
    return resample(volume.with_array(smooth), grid, volume_from_grid).array


def mask_on(mask: Volume, like: Volume) -> NDArray[np.bool_]:
    """Return which voxels of a grid a mask covers by more than half, both lying in the world.

    Where the grid is coarser than the mask, each of its voxels is looked at in several places.

    Parameters
    ----------
    mask
        bool.
    like
        Gives the grid.
    """
    near = _reached(mask, like)
    if near is None:
        return np.zeros(like.array.shape, bool)
    part = crop(like.with_array(np.zeros(like.array.shape, np.uint8)), near)
    ratio = part.spacing_mm / float(mask.spacing_mm.min())
    factors = np.clip(np.ceil(ratio - 1e-3), 1, _MOST_SUBVOXELS).astype(int)
    counts = (int(factors[0]), int(factors[1]), int(factors[2]))
    share = shrink(resample(mask, _divided(part, counts)), counts)
    return paste(share.array > _HALF, near, like).array


def _reached(mask: Volume, like: Volume) -> tuple[slice, slice, slice] | None:
    """Return the part of a grid that a mask reaches; None if it reaches none."""
    if not mask.array.any():
        return None
    box = bounding_box(mask.array)
    ends = [(span.start - 1.0, float(span.stop)) for span in reversed(box)]
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    places = apply_affine(np.linalg.inv(like.affine) @ mask.affine, corners)
    first = np.clip(np.floor(places.min(axis=0)).astype(int) - 1, 0, like.size)
    last = np.clip(np.ceil(places.max(axis=0)).astype(int) + 2, 0, like.size)
    if (last <= first).any():
        return None
    i, j, k = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return k, j, i


def _divided(grid: Volume, counts: tuple[int, int, int]) -> Volume:
    """Return the empty grid that `shrink` by these block lengths makes a grid of."""
    step = np.eye(4)
    step[:3, :3] = np.diag(1.0 / np.array(counts))
    step[:3, 3] = (1.0 / np.array(counts) - 1.0) / 2.0
    shape = tuple(np.array(grid.array.shape) * counts[::-1])
    return Volume(np.zeros(shape, np.uint8), grid.affine @ step)


def _source_from_canonical(canonical: CanonicalVolume) -> NDArray[np.float64]:
    """Return the 4x4 matrix from canonical voxel indices (i, j, k) to those of the volume as it was given."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1.0
    for axis, length in enumerate(canonical.volume.array.shape):
        column, row = 2 - axis, 2 - canonical.axis_of[axis]
        flipped = canonical.flipped[axis]
        matrix[row, column] = -1.0 if flipped else 1.0
        matrix[row, 3] = length - 1.0 if flipped else 0.0
    return matrix
