"""Infarct and regions on head CT by networks that see slices: the networks of Deep-ASPECTS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from torch import nn

from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.geometry import Volume, bounding_box, crop, paste, resample
from ASPECTSLib.inference.infarct import PredictedInfarct
from ASPECTSLib.inference.regions import labels_on_scan
from ASPECTSLib.inference.run import logits
from ASPECTSLib.inference.slice_inputs import (
    BrainFrame,
    Pixels,
    anatomy_channels,
    brain_frame,
    brain_grid,
    density_on,
    infarct_channels,
    mask_on,
)
from ASPECTSLib.preprocessing.components import remove_small, strays
from ASPECTSLib.preprocessing.midplane import Midplane

CODES = tuple(RegionCode)
"""Classes of the anatomy network after the background: a region of either side."""

INFARCT_PROBABILITY = 0.5
"""Pixels from this probability on are infarct."""

MIN_INFARCT_ML = 0.1
"""Smaller bodies are dropped: a pixel or two of noise on one slice."""

ANATOMY_DEPTH_MM = 140.0
"""Below the brain's top there are no regions any more."""

_NEVER = -30.0  # logit outside of the grid


def predict_ncct_infarct(
    network: nn.Module,
    volume: Volume,
    brain: Volume,
    midplane: Midplane,
    pixels: Pixels,
    *,
    mirroring: bool = True,
) -> PredictedInfarct:
    """Segment the acute infarct on a head CT.

    Parameters
    ----------
    network
        Of the task `ncct-infarct`.
    volume
        HU in the image frame, on slices averaged to about 5 mm.
    brain
        bool mask in the image frame. Its grid, the volume's or that of thinner slices, is that of the result.
    midplane
        Of the head.
    pixels
        Of the network's slices, as its card has them.
    mirroring
        Whether the mirror image is segmented, too, and logits are averaged; takes twice as long. A mirrored scan then
        has the mirrored infarct.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN if the mask is empty.
    """
    seen = _seen(volume, brain, midplane, pixels)

    def evidence(slices: _Slices) -> NDArray[np.float32]:
        background, infarct = logits(
            network, infarct_channels(slices.density, slices.brain, pixels)
        )
        return infarct - background

    box = bounding_box(brain.array)
    part = crop(brain, box)
    # Interpolating logits, not labels, keeps borders smooth between pixels of the grid.
    found = seen.grid.with_array(_on_both_sides(evidence, seen, mirroring=mirroring))
    on_scan = resample(found, part, fill=_NEVER).array
    probability = (part.array * expit(on_scan)).astype(np.float32)
    kept = remove_small(probability >= INFARCT_PROBABILITY, MIN_INFARCT_ML / brain.voxel_volume_ml)
    return PredictedInfarct(paste(kept, box, brain), paste(probability, box, brain))


def predict_anatomy(
    network: nn.Module,
    volume: Volume,
    brain: Volume,
    midplane: Midplane,
    pixels: Pixels,
    *,
    mirroring: bool = True,
) -> Volume:
    """Find the twenty regions on a head CT.

    The network knows ten regions, not their sides: the midsagittal plane parts them.

    Parameters
    ----------
    network
        Of the task `ncct-anatomy`.
    volume, brain, midplane, pixels, mirroring
        As in `predict_ncct_infarct`.

    Returns
    -------
    Volume
        uint8 label map, 0 to 20, on the grid of the mask and within it.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN if the mask is empty.
    """
    seen = _seen(volume, brain, midplane, pixels, ANATOMY_DEPTH_MM)

    def probabilities(slices: _Slices) -> NDArray[np.float32]:
        channels = anatomy_channels(slices.density, slices.brain, seen.grid, seen.frame)
        scores = logits(network, channels)
        shifted = np.exp(scores - scores.max(axis=0))
        return shifted / shifted.sum(axis=0)

    found = _on_both_sides(probabilities, seen, mirroring=mirroring)
    codes, _ = labels_on_scan(_without_strays(found), seen.grid, brain)
    return split_sides(codes, seen.frame)


def split_sides(codes: Volume, frame: BrainFrame) -> Volume:
    """Return the twenty regions of a map of ten.

    Parameters
    ----------
    codes
        uint8, in the image frame: 0, and n for region n of `CODES`, of either side.
    frame
        Its midsagittal plane parts the sides.

    Returns
    -------
    Volume
        uint8 label map, 0 to 20, on the same grid.
    """
    across = (frame.from_image @ codes.affine)[0]
    k, j, i = np.ogrid[tuple(slice(n) for n in codes.array.shape)]
    is_right = across[0] * i + across[1] * j + across[2] * k + across[3] > 0
    labels = [
        np.array([0, *(region_of(code, side).label for code in CODES)], np.uint8)
        for side in (Side.RIGHT, Side.LEFT)
    ]
    return codes.with_array(np.where(is_right, *(of_side[codes.array] for of_side in labels)))


@dataclass(frozen=True, eq=False)
class _Slices:
    """Density and brain of slices, as they are seen or mirrored."""

    density: NDArray[np.float32]
    brain: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Seen:
    """What there is to be seen of a scan, and where."""

    frame: BrainFrame
    grid: Volume
    slices: _Slices


def _seen(
    volume: Volume, brain: Volume, midplane: Midplane, pixels: Pixels, depth_mm: float = np.inf
) -> _Seen:
    frame = brain_frame(brain, midplane)
    grid = brain_grid(frame, pixels, volume, depth_mm)
    return _Seen(frame, grid, _Slices(density_on(volume, grid), mask_on(brain, grid)))


def _on_both_sides(
    answer: Callable[[_Slices], NDArray[np.float32]], seen: _Seen, *, mirroring: bool
) -> NDArray[np.float32]:
    """Return what a network answers to slices, or the mean of that and what it answers to their mirror images."""
    found = answer(seen.slices)
    if mirroring:
        mirrored = _Slices(seen.slices.density[..., ::-1], seen.slices.brain[..., ::-1])
        found = (found + answer(mirrored)[..., ::-1]) / 2
    return np.ascontiguousarray(found)


def _without_strays(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities in which what lies apart from a region's largest body on its side is gone."""
    kept, found = probabilities.copy(), probabilities.argmax(axis=0)
    middle = found.shape[-1] // 2
    for half in (slice(middle), slice(middle, None)):
        for code, box, stray in strays(found[..., half]):
            kept[code, ..., half][box][stray] = 0.0
    return kept
