"""A flag for blood: hyperdense volume inside the brain, away from skull and falx."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.geometry import Volume, shrink, shrink_factors

HYPERDENSE_HU = 55.0
"""Fresh blood is 60 to 90 HU, grey matter below 45 HU after smoothing."""

DEPTH_MM = 6.0
"""Distance from the skull's inside, where partial volume of bone and the dura are dense too."""

FLAGGED_ML = 1.5
"""Largest connected hyperdense volume without a flag; pineal gland, choroid plexus and falx of five heads stayed below
0.6 mL."""

_WORKING_SPACING_MM = 2.0


def largest_hyperdense_ml(smoothed: Volume, mask: NDArray[np.bool_]) -> float:
    """Return the volume of the largest connected hyperdense body inside the brain, in mL.

    Calcification counts as well: what is flagged must be looked at, it need not be blood.

    Parameters
    ----------
    smoothed
        CT in HU, smoothed in-plane.
    mask
        Brain mask.
    """
    factors = shrink_factors(smoothed, (_WORKING_SPACING_MM,) * 3)
    coarse = shrink(smoothed, factors)
    inside = shrink(smoothed.with_array(mask), factors).array > 0.5
    dense = inside & (coarse.array > HYPERDENSE_HU)
    if not dense.any():
        return 0.0
    padded = np.pad(inside, 1)  # the scan's ends count as borders: the skull base hardens the beam
    depth_mm = ndimage.distance_transform_edt(padded, sampling=coarse.spacing_mm[::-1])
    labelled, count = ndimage.label(dense & (depth_mm[1:-1, 1:-1, 1:-1] > DEPTH_MM))
    if count == 0:
        return 0.0
    return float(np.bincount(labelled.ravel())[1:].max()) * coarse.voxel_volume_ml
