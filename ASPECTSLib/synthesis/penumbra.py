"""Tissue around an infarct that is short of blood and still alive."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.atlas.regions import REGIONS_PER_SIDE, Side
from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.synthesis.anatomy import COARSE_STEP, Anatomy
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import (
    SOLID,
    Patch,
    blurred,
    coarse_box,
    every,
    fine_box,
    fine_part,
    is_any,
    right_half,
)

# Round numbers, set by looking at the results.
_BEYOND_CORE = (0.2, 5.0)  # volume outside of the core over that of the core, at onset
_HALF_LIFE_HOURS = 12.0
_REACH = 0.5  # distance from the core that counts as much as one unit of the rest, over the radius of a ball as large
_TERRITORY_WEIGHT = 1.5
_TERRITORY_SIGMA_MM = 10.0
_NOISE_WEIGHT = 0.4
_NOISE_SIGMA_MM = 16.0
_EDGE = 0.08
_EDGE_REACH = 4.0  # beyond that many edges it is 0

_INFRATENTORIAL = (Tissue.CEREBELLAR_CORTEX, Tissue.CEREBELLAR_WHITE_MATTER, Tissue.BRAINSTEM)


def draw_penumbra(
    anatomy: Anatomy, core: Patch, side: Side, age_hours: float, draw: Draw
) -> Tensor:
    """Draw what is hypo-perfused: the core and tissue near it, most of all in the artery's territory.

    Parameters
    ----------
    anatomy
        The head.
    core
        Share of each voxel that is infarcted, 0 to 1, in brain tissue, on a box that `fine_box` gave; not empty.
    side
        Of the larger part of the core; the penumbra keeps to it, and to its own side of the tentorium.
    age_hours
        Since onset; the older, the less is left to die.
    draw
        Source of all randomness.

    Returns
    -------
    Tensor
        Share of each voxel, 0 to 1, at least that of the core; float32, shape (k, j, i).
    """
    tissues = _compartment(anatomy, core)
    tissue = torch.from_numpy(every(anatomy.tissue).copy()).to(draw.device)
    on_right = torch.from_numpy(anatomy.atlas_points[0]).to(draw.device) > 0
    is_open = is_any(tissue, *tissues) & (on_right == (side is Side.RIGHT))
    decay = 0.5 ** (age_hours / _HALF_LIFE_HOURS)
    size = float(core.values.sum()) * (1.0 + decay * draw.log_uniform(*_BEYOND_CORE))
    reach_mm = _REACH * (size * 3 / (4 * math.pi)) ** (1 / 3)
    near = _preference(anatomy, side, draw) - _distance_mm(anatomy, core) / reach_mm
    score = (near - _level(near[is_open], size / COARSE_STEP**3)) / _EDGE
    penumbra = torch.zeros(anatomy.tissue.shape, device=draw.device)
    reached = (is_open & (score > -_EDGE_REACH)).cpu().numpy()
    if reached.any():
        box = fine_box(reached, 1)
        inside = is_any(torch.from_numpy(anatomy.tissue[box]).to(draw.device), *tissues)
        inside &= right_half(anatomy, box, draw.device) == (side is Side.RIGHT)
        penumbra[box] = torch.sigmoid(fine_part(score[None], box)[0]) * inside
    core.add_to(penumbra)
    return penumbra


def _compartment(anatomy: Anatomy, core: Patch) -> tuple[Tissue, ...]:
    """Return the tissues on that side of the tentorium on which the larger part of the core lies."""
    tissue = torch.from_numpy(anatomy.tissue[core.box]).to(core.values.device)
    below = float(core.values[is_any(tissue, *_INFRATENTORIAL)].sum())
    if below > float(core.values.sum()) / 2:
        return _INFRATENTORIAL
    return tuple(t for t in SOLID if t not in _INFRATENTORIAL)


def _distance_mm(anatomy: Anatomy, core: Patch) -> Tensor:
    """Return the distance of each coarse voxel from the core."""
    peak = functional.max_pool3d(
        core.values[None], COARSE_STEP + 1, stride=COARSE_STEP, padding=COARSE_STEP // 2
    )[0]
    outside = np.ones(anatomy.atlas_points.shape[1:], bool)
    outside[coarse_box(core.box)] = (peak <= 0.5).cpu().numpy()
    distance_mm = ndimage.distance_transform_edt(outside) * COARSE_STEP
    return torch.from_numpy(distance_mm.astype(np.float32)).to(core.values.device)


def _preference(anatomy: Anatomy, side: Side, draw: Draw) -> Tensor:
    """Return how easily each coarse voxel is drawn into the penumbra, whatever its distance."""
    labels = every(anatomy.regions)
    on_side = (labels > REGIONS_PER_SIDE) == (side is Side.LEFT)
    territory = torch.from_numpy((on_side & (labels > 0)).astype(np.float32)).to(draw.device)
    noise = draw.smooth(tuple(labels.shape), _NOISE_SIGMA_MM / COARSE_STEP)
    inside = blurred(territory, _TERRITORY_SIGMA_MM / COARSE_STEP)
    return _TERRITORY_WEIGHT * inside + _NOISE_WEIGHT * noise


def _level(values: Tensor, count: float) -> Tensor | float:
    """Return the value above which so many lie."""
    if not len(values):
        return torch.inf
    rank = min(max(round(len(values) - count), 1), len(values))
    return values.kthvalue(rank).values
