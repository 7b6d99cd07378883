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

INFARCT_SHAPE = (80, 112, 96)
"""Grid along k, j, i, as in training: the network normalises over all that it sees, the air around a brain included, so
that a grid of another size changes its answers. It holds all but the largest brains."""

LARGEST_SHAPE = (112, 144, 128)
"""Along k, j, i: more than any brain needs, unless its pose was not found."""

_MIDDLE_MM = (0.0, -18.0, 3.0)  # of the atlas' brain, MNI152
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


def infarct_grid(
    brain: Volume, scan_from_atlas: NDArray[np.float64], divisor: tuple[int, int, int]
) -> Volume:
    """Return the empty grid of the infarct network, which lies alike in a head however the head lies in the scan.

    Parameters
    ----------
    brain
        bool mask in the image frame, not empty; all of it will be on the grid, if `LARGEST_SHAPE` holds it.
    scan_from_atlas
        4x4 matrix from MNI152 to the scan, RAS mm. The grid follows its turn and shift; sizes stay those of the scan.
        One by which `LARGEST_SHAPE` would not hold the brain is wrong: the grid then lies around the brain as the scan
        does.
    divisor
        What the network wants slices, rows and columns to be multiples of.
    """
    placed = _rigid(scan_from_atlas)
    needed = _needed(brain, placed)
    if (needed > LARGEST_SHAPE[::-1]).any():
        placed = np.eye(4)
        placed[:3, 3] = np.mean(_extent_mm(brain), axis=0)
        needed = _needed(brain, placed)
    count = np.clip(needed, INFARCT_SHAPE[::-1], LARGEST_SHAPE[::-1])
    size = np.ceil(count / divisor[::-1]).astype(int) * divisor[::-1]
    grid = _grid(np.zeros(3), size[::-1])
    return Volume(grid.array, placed @ grid.affine)


def _needed(brain: Volume, placed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many voxels along i, j, k a grid needs to hold a brain, with its middle where a matrix places it."""
    voxels = np.argwhere(brain.array)[:, ::-1].astype(np.float64)
    points = apply_affine(np.linalg.inv(placed) @ brain.affine, voxels)
    return np.ceil(2 * np.abs(points).max(axis=0) / INFARCT_SPACING_MM + 1)


def _rigid(scan_from_atlas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the turn of an affine matrix, and the shift that takes the origin to the middle of the brain.

    The turn is the nearest in least squares (Schoenemann, Psychometrika 1966;31:1-10).
    """
    left, _, right = np.linalg.svd(scan_from_atlas[:3, :3])
    matrix = np.eye(4)
    matrix[:3, :3] = left @ right
    matrix[:3, 3] = apply_affine(scan_from_atlas, np.array(_MIDDLE_MM))
    return matrix


def infarct_grid_of(brain: Volume, shape: tuple[int, int, int]) -> Volume:
    """Return a grid of a given shape (k, j, i) along the axes of a scan, for training, where heads lie in all ways."""
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
