"""Maps of cerebral blood flow of a synthetic patient, as CT perfusion gives them."""

from __future__ import annotations

from math import exp

import torch
from torch import Tensor

from ASPECTSLib.atlas.tissues import FLUID, INTRACRANIAL, Tissue
from ASPECTSLib.geometry import Box
from ASPECTSLib.synthesis.contrasts import (
    CBF,
    CBF_AGE_YEARS,
    CBF_LOSS_PER_YEAR,
    CORE_CBF_SHARE,
    LEUKOARAIOSIS_CBF_SHARE,
    PENUMBRA_CBF_SHARE,
    VESSEL_CBF,
)
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import blurred, made_fine
from ASPECTSLib.synthesis.head import Head
from ASPECTSLib.synthesis.tissue_maps import brain_box, by_tissue, coarsened
from ASPECTSLib.synthesis.vessels import Vessels, draw_large_vessels

_STEP = 2  # maps are made at 2 mm: perfusion CT resolves no more
_BLUR_MM = (1.5, 3.0)  # denoising of the series before the maps are computed
_FLOW_SPREAD = 0.15  # of whole patients: heart, carbon dioxide, and how the maps were computed
_TISSUE_SPREAD = 0.06
_SIDE_SPREAD = 0.02
_TEXTURE_SHARE = 0.05
_MAX_TEXTURE = 0.1  # so that a core stays below 30 % of the other side
_TEXTURE_SIGMA_MM = 10.0
_OLD_INFARCT_SHARE = 0.04
_HAEMORRHAGE_SHARE = 0.1
_VEIN_SHARE = 0.5  # of the vessels' flow: veins are wide, and show less
_VESSEL_SPREAD = 0.3
_SPREAD_MM = 1.6
_LEAST_SOLID = 0.05
_IS_SOLID = {t: float(t in INTRACRANIAL - FLUID) for t in Tissue}
_IS_INSIDE = {t: float(t in INTRACRANIAL) for t in Tissue}


def render_cbf(head: Head, draw: Draw, vessels: Vessels | None = None) -> Tensor:
    """Render the cerebral blood flow of a head.

    In the middle of an infarct's core it is below 30 % of the other side's; outside the skull it is 0.

    Parameters
    ----------
    head
        Anatomy, infarct, distractors and age.
    draw
        Decides flow, smoothing and all else that differs between patients.
    vessels
        Of the head; drawn when left out.

    Returns
    -------
    Tensor
        float32, mL/100 g/min, shape (k, j, i).
    """
    vessels = vessels or draw_large_vessels(head, draw.part("vessels"))
    box = brain_box(head.tissue)
    tissue = head.tissue[box]
    inside = by_tissue(tissue, _IS_INSIDE)
    flow = coarsened(by_tissue(tissue, _flows(head.age_years, draw.part("flow"))), _STEP)
    # Vessels are added first, and all is blurred as one, as in a scan.
    flow += _vessel_flow(vessels, box, draw.part("vessel flow"))
    smoothing = draw.part("smoothing")
    flow = blurred(flow, smoothing.uniform(*_BLUR_MM) / _STEP) * _uneven(flow, draw.part("texture"))
    # Disease reduces what is smooth already, so that the middle of a core keeps its share.
    flow = flow * _supply(head, box, draw.part("disease"))
    whole = torch.zeros(head.tissue.shape, device=head.tissue.device)
    whole[box] = made_fine(flow[None], tissue.shape)[0] * inside
    return whole


def _flows(age_years: float, draw: Draw) -> dict[Tissue, float]:
    """Return the flow of each tissue of a patient."""
    aged = 1.0 - CBF_LOSS_PER_YEAR * (age_years - CBF_AGE_YEARS)
    whole = aged * exp(draw.normal(0.0, _FLOW_SPREAD))
    return {t: CBF[t] * whole * exp(draw.normal(0.0, _TISSUE_SPREAD)) for t in Tissue}


def _vessel_flow(vessels: Vessels, box: Box, draw: Draw) -> Tensor:
    share = coarsened(vessels.arteries[box] + _VEIN_SHARE * vessels.veins[box], _STEP)
    return share * VESSEL_CBF * exp(draw.normal(0.0, _VESSEL_SPREAD))


def _uneven(flow: Tensor, draw: Draw) -> Tensor:
    """Return the variation within tissues and between the sides, about 1."""
    texture = _TEXTURE_SHARE * draw.smooth(flow.shape, _TEXTURE_SIGMA_MM / _STEP)
    across = torch.linspace(-1.0, 1.0, flow.shape[2], device=flow.device)
    return (
        1.0 + texture.clamp(-_MAX_TEXTURE, _MAX_TEXTURE) + draw.normal(0.0, _SIDE_SPREAD) * across
    )


def _supply(head: Head, box: Box, draw: Draw) -> Tensor:
    """Return the share of normal flow that disease leaves, at `_STEP`."""
    ill = head.distractors
    supply = 1.0 - (1.0 - LEUKOARAIOSIS_CBF_SHARE) * coarsened(ill.leukoaraiosis[box], _STEP)
    supply *= 1.0 - (1.0 - _OLD_INFARCT_SHARE) * coarsened(ill.old_infarct[box], _STEP)
    supply *= 1.0 - (1.0 - _HAEMORRHAGE_SHARE) * coarsened(ill.haemorrhage[box], _STEP)
    if head.infarct is None:
        return supply
    solid = coarsened(by_tissue(head.tissue[box], _IS_SOLID), _STEP)
    penumbra = _spread(coarsened(head.infarct.penumbra[box], _STEP), solid)
    core = _spread(coarsened(head.infarct.core[box], _STEP), solid)
    uneven = 1.0 + 0.1 * draw.smooth(core.shape, _TEXTURE_SIGMA_MM / _STEP).clamp(-1.0, 1.0)
    left = 1.0 - (1.0 - draw.uniform(*PENUMBRA_CBF_SHARE)) * penumbra * uneven
    return supply * torch.lerp(left, torch.full_like(left, draw.uniform(*CORE_CBF_SHARE)), core)


def _spread(share: Tensor, solid: Tensor) -> Tensor:
    """Return a share of the tissue nearby, in sulci too: what a map shows there is the flow beside them."""
    sigma = _SPREAD_MM / _STEP
    return (blurred(share, sigma) / blurred(solid, sigma).clamp_min(_LEAST_SOLID)).clamp_max(1.0)
