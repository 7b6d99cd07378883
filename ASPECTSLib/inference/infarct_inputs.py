"""What the infarct network sees: diffusion weighting and ADC on one grid, the same in training and in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, bounding_box
from ASPECTSLib.preprocessing.diffusion import peak_adc

INFARCT_SPACING_MM = (2.0, 2.0, 2.0)
INFARCT_CHANNELS = 3
"""Diffusion weighting, ADC, and whether there is an ADC."""

_MARGIN_MM = 14.0  # masks can leave out bright cortex
_MOST_SIGNAL = 5.0  # of the brain's median: infarcts are at 1.3 to 3, what is brighter is artefact
_SIGNAL_UNIT = 2.0
_MOST_ADC = 3.0  # free water
_HEALTHY_ADC = 0.8  # 1e-3 mm2/s


@dataclass(frozen=True)
class Typical:
    """What is common in a brain, which scanners and b-values that are not quite as stated scale.

    Parameters
    ----------
    signal
        Median at about b = 1000 s/mm2, above 0.
    adc
        The commonest ADC, 1e-6 mm2/s; 0 where none is known.
    """

    signal: float
    adc: float


def infarct_grid(brain: Volume, divisor: tuple[int, int, int]) -> Volume:
    """Return the empty grid of the infarct network around a brain.

    Parameters
    ----------
    brain
        bool mask in the image frame, not empty.
    divisor
        What the network wants slices, rows and columns to be multiples of.
    """
    low_mm, high_mm = _extent_mm(brain)
    count = np.ceil((high_mm - low_mm + 2 * _MARGIN_MM) / INFARCT_SPACING_MM)
    size = np.ceil(count / divisor[::-1]).astype(int) * divisor[::-1]
    return _grid((low_mm + high_mm) / 2, size[::-1])


def infarct_grid_of(brain: Volume, shape: tuple[int, int, int]) -> Volume:
    """Return the same grid in a given shape (k, j, i), for training, where samples of one shape make a batch."""
    low_mm, high_mm = _extent_mm(brain)
    return _grid((low_mm + high_mm) / 2, shape)


def _extent_mm(brain: Volume) -> NDArray[np.float64]:
    """Return the middles of the first and the last voxel of a mask, shape (2, 3)."""
    box = bounding_box(brain.array)[::-1]
    corners = [[part.start for part in box], [part.stop - 1 for part in box]]
    return apply_affine(brain.affine, np.array(corners, np.float64))


def _grid(middle_mm: NDArray[np.float64], shape: Sequence[int]) -> Volume:
    affine = np.diag([*INFARCT_SPACING_MM, 1.0])
    affine[:3, 3] = middle_mm - (np.array(shape[::-1]) - 1) / 2 * INFARCT_SPACING_MM
    return Volume(np.zeros(shape, np.uint8), affine)


def typical_of(dwi: Volume, adc: Volume | None, brain: NDArray[np.bool_]) -> Typical:
    """Return what is common in a brain.

    Parameters
    ----------
    dwi
        Diffusion-weighted scan.
    adc
        1e-6 mm2/s on its grid, 0 where unknown; None where there is none.
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
    return Typical(median, 0.0 if adc is None else peak_adc(adc.array, brain))


def infarct_channels(
    dwi: NDArray[np.float32], adc: NDArray[np.float32] | None, typical: Typical
) -> NDArray[np.float32]:
    """Return the input of the infarct network, shape (3, k, j, i).

    Parameters
    ----------
    dwi
        Signal at about b = 1000 s/mm2, any unit, shape (k, j, i).
    adc
        1e-6 mm2/s on the same grid; None where there is none.
    typical
        Of the brain, by `typical_of`; an ADC map of which nothing is known in the brain counts as none.
    """
    signal = np.clip(dwi / typical.signal, 0.0, _MOST_SIGNAL) / _SIGNAL_UNIT
    if adc is None or not typical.adc:
        missing = np.zeros_like(signal)
        return np.stack((signal, missing, missing)).astype(np.float32)
    diffusion = np.clip(adc * (_HEALTHY_ADC / typical.adc), 0.0, _MOST_ADC)
    return np.stack((signal, diffusion, np.ones_like(signal))).astype(np.float32)
