"""What the infarct network sees: diffusion weighting and ADC on one grid, the same in training and in use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, bounding_box

INFARCT_SPACING_MM = (2.0, 2.0, 2.0)
INFARCT_CHANNELS = 3
"""Diffusion weighting, ADC, and whether there is an ADC."""

_MARGIN_MM = 14.0  # masks can leave out bright cortex
_MOST_SIGNAL = 5.0  # of the brain's median: infarcts are at 1.3 to 3, what is brighter is artefact
_SIGNAL_UNIT = 2.0
_MOST_ADC = 3000.0  # free water
_ADC_UNIT = 1000.0


def infarct_grid(brain: Volume, divisor: tuple[int, int, int]) -> Volume:
    """Return the empty grid of the infarct network around a brain.

    Parameters
    ----------
    brain
        bool mask in the image frame, not empty.
    divisor
        What the network wants slices, rows and columns to be multiples of.
    """
    box = bounding_box(brain.array)
    first = np.array([part.start for part in box[::-1]])
    last = np.array([part.stop - 1 for part in box[::-1]])
    low_mm, high_mm = apply_affine(brain.affine, np.array([first, last], np.float64))
    count = np.ceil((high_mm - low_mm + 2 * _MARGIN_MM) / INFARCT_SPACING_MM)
    size = np.ceil(count / divisor[::-1]).astype(int) * divisor[::-1]
    affine = np.diag([*INFARCT_SPACING_MM, 1.0])
    affine[:3, 3] = (low_mm + high_mm) / 2 - (size - 1) / 2 * INFARCT_SPACING_MM
    return Volume(np.zeros(size[::-1], np.uint8), affine)


def typical_signal(dwi: Volume, brain: NDArray[np.bool_]) -> float:
    """Return the median signal of the brain.

    Parameters
    ----------
    dwi
        Diffusion-weighted scan.
    brain
        Mask on its grid.

    Raises
    ------
    ContentRefusedError
        NO_SIGNAL if the mask is empty or the brain has no signal.
    """
    median = float(np.median(dwi.array[brain])) if brain.any() else 0.0
    if median <= 0:
        raise ContentRefusedError(ErrorCode.NO_SIGNAL, "expected a brain with signal, found none")
    return median


def infarct_channels(
    dwi: NDArray[np.float32], adc: NDArray[np.float32] | None, typical: float
) -> NDArray[np.float32]:
    """Return the input of the infarct network, shape (3, k, j, i).

    Parameters
    ----------
    dwi
        Signal at about b = 1000 s/mm2, any unit, shape (k, j, i).
    adc
        1e-6 mm2/s on the same grid; None where there is none.
    typical
        Median signal of the brain, by `typical_signal`.
    """
    signal = np.clip(dwi / typical, 0.0, _MOST_SIGNAL) / _SIGNAL_UNIT
    if adc is None:
        missing = np.zeros_like(signal)
        return np.stack((signal, missing, missing)).astype(np.float32)
    diffusion = np.clip(adc, 0.0, _MOST_ADC) / _ADC_UNIT
    return np.stack((signal, diffusion, np.ones_like(signal))).astype(np.float32)
