"""The infarct core by a threshold of ADC: what is published most, shown beside the network's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.geometry import Volume

LOW_ADC = 620.0
"""1e-6 mm2/s; below lies infarct core (Purushotham 2015, doi:10.1111/ijs.12068)."""

MIN_BODY_ML = 0.3
"""Smaller bodies are noise: on two public cases they are most of what lies below the threshold."""

DISAGREEMENT_ML = 10.0
DISAGREEMENT_RATIO = 2.0
"""The two volumes disagree when they differ by more than this much and are more than this many times each other: on
small infarcts the threshold alone is off by some millilitres in any case."""

_SMOOTHING_MM = 2.0  # full noise of single voxels would count otherwise


def low_adc(adc: Volume, brain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where the ADC of brain tissue lies below `LOW_ADC`.

    The map is averaged over about two millimetres in the slice, and bodies below `MIN_BODY_ML` are left out.

    Parameters
    ----------
    adc
        1e-6 mm2/s; 0 where it is not known.
    brain
        Mask on the same grid.
    """
    known = brain & (adc.array > 0)
    smoothed = _averaged(adc, known)
    labelled, _ = ndimage.label(known & (smoothed < LOW_ADC))
    sizes_ml = np.bincount(labelled.ravel()) * adc.voxel_volume_ml
    is_kept = sizes_ml >= MIN_BODY_ML
    is_kept[0] = False
    return is_kept[labelled]


def volumes_disagree(first_ml: float, second_ml: float) -> bool:
    """Return whether two core volumes differ by so much that one of them is likely to be wrong."""
    smaller, larger = sorted((first_ml, second_ml))
    return larger - smaller > DISAGREEMENT_ML and larger > DISAGREEMENT_RATIO * smaller


def _averaged(adc: Volume, known: NDArray[np.bool_]) -> NDArray[np.float32]:
    sigma = (0.0, *(_SMOOTHING_MM / 2.0 / adc.spacing_mm[[1, 0]]))
    weights = ndimage.gaussian_filter(known.astype(np.float32), sigma)
    values = ndimage.gaussian_filter(np.where(known, adc.array, 0).astype(np.float32), sigma)
    return np.divide(values, weights, out=np.zeros_like(values), where=known)
