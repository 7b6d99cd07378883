"""Whether each region is affected, by networks that compare it with that of the other side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ASPECTSLib.atlas.regions import REGIONS, Region, RegionCode, region_of
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.geometry import Volume, apply_affine, bounding_box, crop, paste, resample
from ASPECTSLib.inference.asymmetry_inputs import (
    PAIRS,
    SIDES,
    PatchSource,
    PatchSpec,
    cut_density,
    cut_region,
    pair_grids,
    patch_source,
    region_centres,
    side_channels,
)
from ASPECTSLib.inference.calibration import Calibration
from ASPECTSLib.inference.card import ModelCard
from ASPECTSLib.networks.danet import side_logits
from ASPECTSLib.preprocessing.midplane import Midplane


@dataclass(frozen=True, eq=False)
class AsymmetryModel:
    """A network with what belongs to it.

    Parameters
    ----------
    network
        In evaluation mode; its device is used.
    codes
        The regions that it calls.
    spec
        The patches that it takes.
    calibration
        Of its logits.
    """

    network: nn.Module
    codes: tuple[RegionCode, ...]
    spec: PatchSpec
    calibration: Calibration = field(default_factory=Calibration)


@dataclass(frozen=True, eq=False)
class AsymmetryCalls:
    """What the networks say of the twenty regions, in the order of their labels.

    Parameters
    ----------
    probability
        Of being affected, shape (20,), 0 to 1; NaN where no model calls the region or both sides lack it.
    threshold
        From which on a region is called affected, shape (20,).
    heatmap
        float32, 0 to 1, on the grid of the label map: where in the region the networks see it, 0 outside the regions.
    """

    probability: NDArray[np.float64]
    threshold: NDArray[np.float64]
    heatmap: Volume


def asymmetry_model(network: nn.Module, card: ModelCard) -> AsymmetryModel:
    """Return a network with what its card says of it.

    Raises
    ------
    ResourceError
        MODEL_MISMATCH if the model is of another task; MODEL_DAMAGED if the card does not tell its patches.
    """
    if card.task not in PAIRS:
        message = f"expected a model of the task {' or '.join(PAIRS)}, got {card.task}"
        raise ResourceError(ErrorCode.MODEL_MISMATCH, message)
    spec = PatchSpec.from_json(card.input)
    return AsymmetryModel(network, PAIRS[card.task], spec, card.calibration or Calibration())


def call_by_asymmetry(
    models: Sequence[AsymmetryModel],
    volume: Volume,
    brain: Volume,
    labels: Volume,
    midplane: Midplane,
) -> AsymmetryCalls:
    """Compare the regions of both sides.

    A mirrored head with mirrored labels and midplane gives the exchanged probabilities and the mirrored heat map, to
    what rounding leaves.

    Parameters
    ----------
    models
        One for each set of regions; of two that call the same region, the last.
    volume
        CT in HU, in the image frame; slices may be averaged.
    brain
        bool mask on its grid.
    labels
        uint8 label map, 0 to 20, in the same frame, on the scan's own slices: the grid of the heat map.
    midplane
        Of the head.
    """
    probability, threshold = np.full(len(REGIONS), np.nan), np.full(len(REGIONS), np.nan)
    occupied = bounding_box(labels.array > 0) if labels.array.any() else (slice(0, 1),) * 3
    labels_part = crop(labels, occupied)
    heat = np.zeros(labels_part.array.shape, np.float32)
    centres_mm = region_centres(labels_part)
    for model in models:
        source = patch_source(volume, brain, labels_part, model.spec)
        pairs = _pairs(model, centres_mm, midplane)
        for pair, found in zip(pairs, _compared(model, source, pairs), strict=True):
            for side, grid in enumerate(pair.grids):
                region = region_of(pair.code, SIDES[side])
                probability[region.label - 1] = found.probability[side]
                evidence = Volume(found.maps[side], _on_maps(grid, found.maps[side].shape))
                _show(heat, labels_part, region, evidence, model.calibration)
        for region in REGIONS:
            if region.code in model.codes:
                threshold[region.label - 1] = model.calibration.threshold_of(region.code.value)
    return AsymmetryCalls(probability, threshold, paste(heat, occupied, labels))


@dataclass(frozen=True, eq=False)
class _Pair:
    """A region and the grids of its patches, left and right."""

    code: RegionCode
    grids: tuple[Volume, Volume]


@dataclass(frozen=True, eq=False)
class _Compared:
    """Probability of each side, and class activation maps, shape (2, d, h, w), left and right."""

    probability: NDArray[np.float64]
    maps: NDArray[np.float32]


def _pairs(
    model: AsymmetryModel, centres_mm: NDArray[np.float64], midplane: Midplane
) -> tuple[_Pair, ...]:
    found = ((code, pair_grids(code, centres_mm, midplane, model.spec)) for code in model.codes)
    return tuple(_Pair(code, grids) for code, grids in found if grids is not None)


def _compared(
    model: AsymmetryModel, source: PatchSource, pairs: Sequence[_Pair]
) -> list[_Compared]:
    """Ask the network about all pairs at once."""
    if not pairs:
        return []
    cut = [_cut(source, pair, model.spec) for pair in pairs]
    patches, regions = (np.stack(arrays) for arrays in zip(*cut, strict=True))
    device = next(model.network.parameters()).device
    with torch.inference_mode():
        maps = model.network(torch.from_numpy(patches).to(device)).float()
        logits = side_logits(maps, torch.from_numpy(regions).to(device)).cpu().numpy()
    probabilities = model.calibration.probability(logits)
    return [_Compared(*both) for both in zip(probabilities, maps.cpu().numpy(), strict=True)]


def _cut(
    source: PatchSource, pair: _Pair, spec: PatchSpec
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the channels of both sides, shape (channels, k, j, i), and the region's masks, shape (2, k, j, i)."""
    channels, masks = [], []
    for side, grid in zip(SIDES, pair.grids, strict=True):
        mask = cut_region(source, region_of(pair.code, side), grid)
        channels.append(side_channels(*cut_density(source, grid), mask, spec))
        masks.append(mask)
    return np.concatenate(channels), np.stack(masks)


def _on_maps(grid: Volume, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the affine of a map that a network made of a patch: its voxels are blocks of the patch's."""
    steps = np.array(grid.size) / shape[::-1]
    affine = grid.affine.copy()
    affine[:3, :3] *= steps
    affine[:3, 3] = apply_affine(grid.affine, (steps - 1.0) / 2.0)
    return affine


def _show(
    heat: NDArray[np.float32],
    labels: Volume,
    region: Region,
    evidence: Volume,
    calibration: Calibration,
) -> None:
    """Write what a map says of a region into the heat map, in place."""
    inside = labels.array == region.label
    if not inside.any():
        return
    box = bounding_box(inside)
    # Interpolating logits, not probabilities, keeps borders smooth between the map's coarse voxels.
    logits = resample(evidence, crop(labels, box), fill=float(evidence.array.min())).array
    shown = calibration.probability(logits).astype(np.float32)
    heat[box] = np.where(inside[box], shown, heat[box])
