"""Infarcts drawn from the regions themselves, for use without masks of real ones."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from ASPECTSLib.atlas.regions import REGIONS_PER_SIDE, Side
from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.synthesis.anatomy import COARSE_STEP, Anatomy
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import (
    Patch,
    blurred,
    every,
    fine_box,
    is_any,
    made_fine,
)

# How often each region, in the order of its label, is more than 10 % infarcted, and the loadings of the three common
# factors of its doing so: extent, deep against cortical, behind against in front. Measured on the 471 of 1165 masks of
# the Stroke Outcome Optimization Project (Absher 2024, doi:10.1038/s41597-024-03667-5) that lie to 30 % or more in the
# regions of the atlas and affect one of them: principal axes of the tetrachoric correlations, given back within 0.13.
REGION_FREQUENCY = (0.24, 0.40, 0.31, 0.58, 0.33, 0.51, 0.35, 0.35, 0.52, 0.42)
FACTOR_LOADINGS = (
    (0.70, 0.62, 0.28),
    (0.63, 0.60, 0.19),
    (0.39, 0.70, 0.19),
    (0.86, 0.07, -0.03),
    (0.90, 0.02, -0.31),
    (0.82, -0.39, -0.07),
    (0.47, -0.57, 0.56),
    (0.82, -0.06, -0.32),
    (0.73, -0.36, -0.26),
    (0.41, -0.62, 0.39),
)

# Of 1 to 10 affected regions; in the same masks low numbers are more frequent than here (25 % have one).
AFFECTED_COUNT_WEIGHTS = (16, 14, 13, 12, 11, 9, 8, 7, 5, 5)

# Share of an affected region that is infarcted; its mean rises from 0.23 where one is affected to 0.58 where nine are.
_LEAST_SHARE = 0.12
_MOST_SHARE_OF_ONE = 0.35
_MOST_SHARE_STEP = 0.07
_WHOLE_STEP = 0.04  # chance of a whole region, for each affected one

# Shapes: round numbers, set by looking at the results.
_MARGIN = 3  # coarse voxels around the regions
_WARP_MM = 2.0
_WARP_SIGMA_MM = 10.0
_PATCH_SIGMA_MM = 8.0
_CENTRE_PULL = (
    3.0  # deviations of the noise: how much a part keeps to the middle of the affected regions
)
_CENTRE_SIGMA_MM = 10.0
_SPILL_SIGMA_MM = 8.0
_SPILL_LEVEL = 0.35
_SPILL_NOISE = 0.12
_EDGE_SIGMA_MM = (0.7, 1.3)
_SPILL_TISSUES = (
    Tissue.CORTEX,
    Tissue.WHITE_MATTER,
    Tissue.CAUDATE,
    Tissue.PUTAMEN,
    Tissue.PALLIDUM,
)


def draw_region_shares(draw: Draw) -> NDArray[np.float64]:
    """Draw how much of each region of a side is infarcted.

    Regions go together as they do in patients: those of the perforating arteries, of the anterior and of the posterior
    branches.

    Parameters
    ----------
    draw
        Source of all randomness.

    Returns
    -------
    numpy.ndarray
        Shares, 0 to 1, in the order of `RegionCode`; 1 to 10 of them are above 0.
    """
    generator = draw.generator
    weights = np.array(AFFECTED_COUNT_WEIGHTS, float)
    count = 1 + int(generator.choice(REGIONS_PER_SIDE, p=weights / weights.sum()))
    loadings = np.array(FACTOR_LOADINGS)
    own = np.sqrt(1.0 - (loadings**2).sum(axis=1))
    liability = (
        ndtri(REGION_FREQUENCY)
        + loadings @ generator.standard_normal(loadings.shape[1])
        + own * generator.standard_normal(REGIONS_PER_SIDE)
    )
    most = min(_MOST_SHARE_OF_ONE + _MOST_SHARE_STEP * count, 1.0)
    shares = generator.uniform(_LEAST_SHARE, most, REGIONS_PER_SIDE)
    shares[generator.uniform(size=REGIONS_PER_SIDE) < _WHOLE_STEP * count] = 1.0
    shares[np.argsort(-liability)[count:]] = 0.0
    return shares


def regional_core(anatomy: Anatomy, side: Side, shares: NDArray[np.float64], draw: Draw) -> Patch:
    """Draw an infarct of given regions, each whole or in part, with white matter and cortex next to them.

    Parameters
    ----------
    anatomy
        Gives regions and tissue.
    side
        Of the infarct.
    shares
        Share of each region that is infarcted, 0 to 1, in the order of `RegionCode`.
    draw
        Source of shape and edges.

    Returns
    -------
    Patch
        0 to 1; not yet limited to brain tissue. Edges are soft inwards, so that a little less is infarcted.
    """
    offset = REGIONS_PER_SIDE if side is Side.LEFT else 0
    on_side = (anatomy.regions > offset) & (anatomy.regions <= offset + REGIONS_PER_SIDE)
    box = fine_box(every(on_side).astype(bool), _MARGIN)
    codes = np.where(on_side[box], anatomy.regions[box] - np.uint8(offset), 0).astype(np.uint8)
    labels = torch.from_numpy(codes).to(draw.device)
    table = torch.from_numpy(np.array([0.0, *shares], np.float32)).to(draw.device)
    inside = _parts(_warped(labels, draw.part("borders")), table, draw.part("parts"))
    tissue = torch.from_numpy(anatomy.tissue[box]).to(draw.device)
    around = (labels == 0) & is_any(tissue, *_SPILL_TISSUES)
    inside |= around & _spill(inside, draw.part("spill"))
    edge = blurred(inside.float(), draw.part("edge").uniform(*_EDGE_SIGMA_MM))
    return Patch((2.0 * edge - 1.0).clamp(0.0, 1.0), box)


def _warped(labels: Tensor, draw: Draw) -> Tensor:
    """Bend the borders between regions, which are planes in part."""
    at = []
    for axis, size in enumerate(labels.shape):
        shift = _WARP_MM * draw.smooth(tuple(labels.shape), _WARP_SIGMA_MM)
        along = torch.arange(size, device=labels.device, dtype=torch.float32)
        along = along.reshape([-1 if other == axis else 1 for other in range(3)])
        at.append((along + shift).round().long().clamp(0, size - 1))
    return labels[at[0], at[1], at[2]]


def _parts(labels: Tensor, shares: Tensor, draw: Draw) -> Tensor:
    """Return which voxels are infarcted: those of each region that are nearest to the others, but for noise."""
    shape = tuple(labels.shape)
    affected = (shares > 0)[labels.int()]
    rank = draw.smooth(shape, _PATCH_SIGMA_MM) - _CENTRE_PULL * _reach(affected, _CENTRE_SIGMA_MM)
    inside = torch.zeros(shape, dtype=torch.bool, device=labels.device)
    for label in range(1, REGIONS_PER_SIDE + 1):
        share = float(shares[label])
        ranks = rank[labels == label]
        if share > 0 and len(ranks):
            wanted = max(round(share * len(ranks)), 1)
            inside |= (labels == label) & (rank <= ranks.kthvalue(wanted).values)
    return inside


def _spill(inside: Tensor, draw: Draw) -> Tensor:
    noise = draw.smooth(tuple(inside.shape), _PATCH_SIGMA_MM / 2)
    return _reach(inside, _SPILL_SIGMA_MM) + _SPILL_NOISE * noise > _SPILL_LEVEL


def _reach(mask: Tensor, sigma_mm: float) -> Tensor:
    """Blur a mask widely, on the coarse grid."""
    coarse = mask[::COARSE_STEP, ::COARSE_STEP, ::COARSE_STEP].float()
    return made_fine(blurred(coarse, sigma_mm / COARSE_STEP)[None], tuple(mask.shape))[0]
