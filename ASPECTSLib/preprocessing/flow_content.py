"""Whether a brain without its skull is a map of blood flow and no CT: both have values of some tens."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ASPECTSLib.geometry import Volume, shrink, shrink_factors

MOST_ALIKE = 0.75
"""Share of the inner brain within `BRAIN_HU` that CT has at least: 0.82 to 0.94 of seven heads without skull, 0.78 of a
blurred average of many; maps of blood flow of sixteen synthetic patients 0.24 to 0.72."""

BRAIN_HU = (20.0, 45.0)
"""Grey and white matter on CT."""

_SPACING_MM = (3.0, 3.0, 4.0)
_OUTSIDE = 1.0
_BONE = 100.0
_MOST_BONE = 0.01  # of the head: 20 % of one that shows the skull
_CLOSED, _ERODED = 2, 3  # voxels: sulci belong to the brain, its rim does not


def looks_like_flow(volume: Volume) -> bool:
    """Tell whether a scan holds a brain without skull whose values differ more than those of CT do.

    Parameters
    ----------
    volume
        Any scan; values in its own unit.
    """
    coarse = shrink(volume, shrink_factors(volume, _SPACING_MM)).array
    head = coarse > _OUTSIDE
    if not head.any() or (coarse < -_BONE).any():
        return False
    if np.count_nonzero(coarse > 2.0 * _BONE) > _MOST_BONE * np.count_nonzero(head):
        return False
    solid = ndimage.binary_closing(head, iterations=_CLOSED)
    inner = ndimage.binary_erosion(solid, iterations=_ERODED) & (coarse < _BONE)
    if not inner.any():
        return False
    lowest, highest = BRAIN_HU
    values = coarse[inner]
    return float(((values > lowest) & (values < highest)).mean()) < MOST_ALIKE
