"""Connected parts of masks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest part of a mask that is connected through faces; empty if the mask is."""
    labelled, count = ndimage.label(mask)
    if count == 0:
        return np.zeros_like(mask)
    sizes = np.bincount(labelled.ravel())
    sizes[0] = 0
    return labelled == int(sizes.argmax())


def strays(
    labels: NDArray[np.integer],
) -> Iterator[tuple[int, tuple[slice, ...], NDArray[np.bool_]]]:
    """Go through the labels from 1 that are there, with what lies apart from the largest body of each.

    Yields
    ------
    tuple of int, slices and numpy.ndarray
        The label, its bounding box, and a mask of that box.
    """
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            body = labels[box] == label
            yield label, box, body & ~largest_component(body)


def cut_bridges(
    mask: NDArray[np.bool_], spacing_mm: NDArray[np.float64], half_width_mm: float
) -> NDArray[np.bool_]:
    """Return the largest part of a mask that hangs together by more than narrow bridges.

    Parameters
    ----------
    mask
        Of shape (k, j, i); it may go on beyond the end slices.
    spacing_mm
        Along (k, j, i).
    half_width_mm
        Of the widest bridge that is cut.
    """
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    depth_mm = ndimage.distance_transform_edt(padded, sampling=spacing_mm)[:, 1:-1, 1:-1]
    core = largest_component(depth_mm > half_width_mm)
    if not core.any():
        return largest_component(mask)
    # Half a voxel more than was eroded, or rounding would leave single voxels of the rim out.
    reach_mm = half_width_mm + float(np.min(spacing_mm)) / 2
    near = ndimage.distance_transform_edt(~core, sampling=spacing_mm) <= reach_mm
    return largest_component(mask & near)


def remove_small(mask: NDArray[np.bool_], least_voxels: float) -> NDArray[np.bool_]:
    """Return a mask without the parts of fewer voxels, where voxels that touch in any way are connected."""
    labelled, _ = ndimage.label(mask, np.ones((3, 3, 3), bool))
    is_kept = np.bincount(labelled.ravel()) >= least_voxels
    is_kept[0] = False
    return is_kept[labelled]


def bodies_inside(
    mask: NDArray[np.bool_], area: NDArray[np.bool_], least_share: float
) -> NDArray[np.bool_]:
    """Return a mask without the parts of which less than a share lies in an area; touching voxels are connected."""
    labelled, _ = ndimage.label(mask, np.ones((3, 3, 3), bool))
    sizes = np.bincount(labelled.ravel())
    inside = np.bincount(labelled[area], minlength=len(sizes))
    is_kept = inside >= least_share * sizes
    is_kept[0] = False
    return is_kept[labelled]
