"""CT angiography of a synthetic patient: contrast agent added to the rendering of non-contrast CT."""

from __future__ import annotations

import torch
from torch import Tensor

from ASPECTSLib.atlas.tissues import FLUID, INTRACRANIAL, Tissue
from ASPECTSLib.geometry import Box
from ASPECTSLib.synthesis.contrasts import (
    ARTERY_HU,
    CORE_ENHANCEMENT_SHARE,
    GREY_ENHANCEMENT_HU,
    PARENCHYMA_PHASE,
    PENUMBRA_ENHANCEMENT_SHARE,
    SOFT_TISSUE_ENHANCEMENT_HU,
    VEIN_HU,
    WHITE_ENHANCEMENT_HU,
    value_at,
)
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.head import Head
from ASPECTSLib.synthesis.tissue_maps import brain_box, by_tissue
from ASPECTSLib.synthesis.vessels import Vessels

ARTERIAL_PHASES = (0.1, 0.8)
"""Phases that stroke protocols meet, from early arterial to the beginning of the venous one."""

_WHITE = (Tissue.WHITE_MATTER, Tissue.CEREBELLAR_WHITE_MATTER, Tissue.BRAINSTEM)
_BOLUS_SPREAD = 0.15  # dose, heart and body weight
_TEXTURE_SHARE = 0.12
_TEXTURE_SIGMA_MM = 12.0


def render_cta(
    head: Head, base_hu: Tensor, vessels: Vessels, draw: Draw, phase: float | None = None
) -> Tensor:
    """Add contrast agent to a head.

    Parameters
    ----------
    head
        Its infarct takes up less.
    base_hu
        The head without contrast agent, float32, HU, shape (k, j, i).
    vessels
        Of the head.
    draw
        Decides phase and dose.
    phase
        0 early arterial to 1 venous; drawn from `ARTERIAL_PHASES` when left out.

    Returns
    -------
    Tensor
        float32, HU, shape (k, j, i).
    """
    drawn, dose = draw_timing(draw)
    phase = drawn if phase is None else phase
    density = base_hu.clone()
    density += by_tissue(head.tissue, _SOFT_TISSUE) * dose
    box = brain_box(head.tissue)
    density[box] += dose * _enhancement(head, box, phase, draw.part("tissue"))
    for share, curve in ((vessels.veins, VEIN_HU), (vessels.arteries, ARTERY_HU)):
        blood = value_at(curve, phase) * dose
        density += (blood - density) * share
    return density


def draw_timing(draw: Draw) -> tuple[float, float]:
    """Draw phase and dose of a scan, as `render_cta` does with the same draw."""
    timing = draw.part("phase")
    return timing.uniform(*ARTERIAL_PHASES), timing.normal(1.0, _BOLUS_SPREAD)


def _enhancement(head: Head, box: Box, phase: float, draw: Draw) -> Tensor:
    """Return what brain tissue gains in density, in HU."""
    arrived = value_at(PARENCHYMA_PHASE, phase)
    grey = arrived * draw.uniform(*GREY_ENHANCEMENT_HU)
    white = arrived * draw.uniform(*WHITE_ENHANCEMENT_HU)
    solid = INTRACRANIAL - FLUID
    gains = {t: 0.0 if t not in solid else white if t in _WHITE else grey for t in Tissue}
    ill = head.distractors
    supplied = 1.0 - torch.maximum(ill.old_infarct[box], ill.haemorrhage[box])
    if head.infarct is not None:
        late = value_at(PENUMBRA_ENHANCEMENT_SHARE, phase)
        reached = 1.0 - (1.0 - late) * head.infarct.penumbra[box]
        supplied = supplied * torch.lerp(
            reached, torch.full_like(reached, CORE_ENHANCEMENT_SHARE), head.infarct.core[box]
        )
    texture = draw.smooth(supplied.shape, _TEXTURE_SIGMA_MM).mul_(_TEXTURE_SHARE).add_(1.0)
    return by_tissue(head.tissue[box], gains) * supplied * texture


_SOFT_TISSUE = {t: SOFT_TISSUE_ENHANCEMENT_HU if t is Tissue.SOFT_TISSUE else 0.0 for t in Tissue}
