"""The two classic slices of an ASPECTS reading, found in the image itself: a check of those that the regions give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference.run import logits
from ASPECTSLib.inference.slice_finder_inputs import slice_stack, windowed
from ASPECTSLib.preprocessing.handedness import is_heavier_on_the_left, mirror
from ASPECTSLib.scoring.key_slices import SUPRAGANGLIONIC_DISTANCE_MM, KeySlices

_SMOOTHING = (0.25, 0.5, 0.25)
_REACH = (
    2  # slices on either side of the most probable one that say where between slices the level is
)


@dataclass(frozen=True, eq=False)
class FoundSlices:
    """What the network found, in the slices of the scan.

    Parameters
    ----------
    ganglionic, supraganglionic
        Indices along k; the second lies 2 cm above the first, or is the last slice.
    probability
        float32, shape (slices of the scan,): of being the ganglionic one; 0 where no head is.
    """

    ganglionic: int
    supraganglionic: int
    probability: NDArray[np.float32]


def find_ganglionic(network: nn.Module, volume: Volume) -> FoundSlices:
    """Find the ganglionic slice of a head CT, and the supraganglionic one 2 cm above.

    The mirrored head gives the same slices.

    Parameters
    ----------
    network
        Of the task `slice-finder`.
    volume
        HU, in the image frame.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN if no slice holds as much as a head.
    """
    stack = slice_stack(mirror(volume) if is_heavier_on_the_left(volume) else volume)
    background, ganglionic = logits(network, windowed(stack.density_hu()))[:, :, 0, 0]
    probability = 1.0 / (1.0 + np.exp(background - ganglionic))
    last = volume.size[2] - 1
    found = min(max(round(stack.own_slice(level_of(probability))), 0), last)
    above = round(found + SUPRAGANGLIONIC_DISTANCE_MM / float(volume.spacing_mm[2]))
    own = np.zeros(volume.size[2], np.float32)
    repeated = np.repeat(probability, stack.averaged)
    own[stack.first : stack.first + len(repeated)] = repeated
    return FoundSlices(found, min(above, last), own)


def level_of(probability: NDArray[np.floating]) -> float:
    """Return where in a stack the ganglionic level lies, in slices, between slices too.

    Parameters
    ----------
    probability
        Of each slice, shape (slices,), from foot to head.
    """
    smooth = np.convolve(probability.astype(np.float64), _SMOOTHING)[1:-1]
    best = int(np.argmax(smooth))
    around = np.arange(max(best - _REACH, 0), min(best + _REACH + 1, len(smooth)))
    weights = smooth[around]
    return float(np.average(around, weights=weights)) if weights.sum() > 0 else float(best)


def compare_key_slices(found: FoundSlices, key_slices: KeySlices, spacing_mm: float) -> float:
    """Return how far apart the ganglionic slices of network and regions are, in mm.

    Parameters
    ----------
    found, key_slices
        Both in the slices of the same scan.
    spacing_mm
        Distance of its slices.
    """
    return abs(found.ganglionic - key_slices.ganglionic) * spacing_mm
