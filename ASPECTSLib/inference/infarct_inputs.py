"""What the infarct network sees: diffusion weighting and ADC on one grid, the same in training and in use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference.inputs import head_grid
from ASPECTSLib.io.modality import Modality

INFARCT_SPACING_MM = (2.0, 2.0, 2.0)
INFARCT_SHAPE = (80, 112, 96)
"""Grid of the infarct network, along k, j, i: the upper 160 mm of the head, which hold the brain."""

INFARCT_CHANNELS = 3
"""Diffusion weighting, ADC, and whether there is an ADC."""

_MOST_SIGNAL = 5.0  # of the brain's median: infarcts are at 1.3 to 3, what is brighter is artefact
_SIGNAL_UNIT = 2.0
_MOST_ADC = 3000.0  # free water
_ADC_UNIT = 1000.0


def infarct_grid(dwi: Volume) -> Volume:
    """Return the empty grid of the infarct network over a head.

    Parameters
    ----------
    dwi
        Diffusion-weighted scan in the image frame.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN if no slice holds as much as a head.
    """
    return head_grid(dwi, Modality.DWI, INFARCT_SPACING_MM, INFARCT_SHAPE)


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
