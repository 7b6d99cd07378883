"""Shapes of bodies in the slice plane, where the resolution of thick slices is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.geometry import disk


def opened(
    mask: NDArray[np.bool_], radius_mm: float, spacing_mm: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Cut bodies where no disk of a radius fits in the slice plane; what is left keeps its shape.

    The same as `scipy.ndimage.binary_opening`, but quick where little is left.

    Parameters
    ----------
    mask
        bool, shape (k, j, i).
    radius_mm, spacing_mm
        As those of `ASPECTSLib.geometry.disk`.
    """
    element = disk(radius_mm, spacing_mm)
    eroded = ndimage.binary_erosion(mask, element)
    left = np.zeros_like(eroded)
    labelled, _ = ndimage.label(eroded)
    for box in ndimage.find_objects(labelled):
        wider = tuple(
            slice(max(span.start - size // 2, 0), span.stop + size // 2)
            for span, size in zip(box, element.shape, strict=True)
        )
        left[wider] |= ndimage.binary_dilation(eroded[wider], element)
    return left


def largest_radius_mm(body: NDArray[np.bool_], spacing_mm: NDArray[np.float64]) -> float:
    """Return the radius of the largest disk that fits in a slice of a body; 0 for an empty one.

    Parameters
    ----------
    body
        bool, shape (k, j, i); what lies beyond the array does not belong to it.
    spacing_mm
        Of the grid, along i, j and k.
    """
    padded = np.pad(body, ((0, 0), (1, 1), (1, 1)))
    in_plane = spacing_mm[1::-1]
    distances = (ndimage.distance_transform_edt(image, sampling=in_plane) for image in padded)
    farthest = max((float(distance.max()) for distance in distances), default=0.0)
    # Distances are to the middle of the nearest voxel outside; the border lies half a voxel before it.
    return max(farthest - float(in_plane.max()) / 2, 0.0)
