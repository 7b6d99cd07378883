"""One scan, its voxels stored in any of the 48 orders of the axes."""

from __future__ import annotations

import itertools

import numpy as np

from ASPECTSLib.geometry import Volume

AXIS_ORDERS = [
    (order, flips)
    for order in itertools.permutations(range(3))
    for flips in itertools.product((False, True), repeat=3)
]
"""All (order of the array's axes, axes to reverse before)."""


def reordered(volume: Volume, order: tuple[int, ...], flips: tuple[bool, ...]) -> Volume:
    """Return the same voxels at the same places, with the array's axes in another order."""
    affine = volume.affine.copy()
    for axis, flip in enumerate(flips):
        if flip:
            column = 2 - axis
            affine[:3, 3] += affine[:3, column] * (volume.array.shape[axis] - 1)
            affine[:3, column] *= -1
    array = volume.array[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    columns = [2 - axis for axis in reversed(order)]
    affine[:3, :3] = affine[:3, columns]
    return Volume(np.ascontiguousarray(array.transpose(order)), affine)
