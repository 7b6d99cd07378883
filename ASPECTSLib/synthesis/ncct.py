"""Non-contrast CT of a synthetic head: densities in HU, before the scanner blurs them and adds noise."""

from __future__ import annotations

import torch
from torch import Tensor

from ASPECTSLib.atlas.tissues import FLUID, INTRACRANIAL, NCCT_CONTRAST_HU, Tissue
from ASPECTSLib.geometry import Box
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import blurred, fine_part
from ASPECTSLib.synthesis.head import Head
from ASPECTSLib.synthesis.membranes import DURA_HU, add_membranes
from ASPECTSLib.synthesis.repair import repaired
from ASPECTSLib.synthesis.skull_and_scalp import add_skull_and_scalp
from ASPECTSLib.synthesis.tissue_maps import brain_box, by_tissue, coarse_by_tissue

AIR_HU = -1000.0

EARLY_INFARCT_DROP_HU = (2.0, 6.0)
"""Density lost in the first hours, as measured on real scans of acute stroke."""

LATE_INFARCT_DROP_HU = 10.0
"""Density lost by a day."""

OLD_INFARCT_HU = 12.0  # close to CSF
LEUKOARAIOSIS_DROP_HU = 7.0
CALCIFICATION_HU = 130.0
FRESH_BLOOD_HU = 65.0  # clotted, 50 to 90 HU

# Scanners, voltages and blood differ: medians of five real brains were 26.5 to 35.9 HU, their ventricles 19 to 25 HU
# below, lentiform nuclei 4 to 5 HU above internal capsules, and brain under the skull 1 to 12 HU above deep brain, all
# measured by domain_check.py. So few scans do not bound the ranges.
_SHIFT_HU = (-4.0, 8.0)
_FLUID_SHIFT_SHARE = 0.7  # of the brain's shift
_FLUID_SPREAD_HU = 2.0
_SULCI_EXCESS_HU = (
    1.0,
    9.0,
)  # over ventricles: vessels, membranes and cortex lie within their voxels
_GREY_WHITE_FACTOR = (0.45, 1.15)  # of the atlas's difference of 8 HU
_TEXTURE_HU = 0.8  # of normal tissue, over centimetres
_TEXTURE_SIGMA_MM = 10.0
_SIDE_GRADIENT_HU = 0.7  # left against right, from beam hardening off centre
_RIM_HU = (-15.0, 80.0)  # what bone all around would add to brain
_RIM_SIGMA_POINTS = 2.0  # of the coarse grid: 8 mm
_FIRST_HOURS = 6.0
_LAST_HOURS = 24.0
_IS_BONE = {t: float(t is Tissue.BONE) for t in Tissue}
_IS_BRAIN = {t: float(t in INTRACRANIAL) for t in Tissue}


def render_ncct(head: Head, draw: Draw) -> Tensor:
    """Return the density of each voxel of a head.

    Parameters
    ----------
    head
        The patient.
    draw
        Source of all randomness.

    Returns
    -------
    Tensor
        float32, HU, shape (k, j, i).
    """
    box = brain_box(head.tissue)
    whole = repaired(head, box)
    head = whole.head
    density = by_tissue(head.tissue, _contrast(draw.part("contrast")))
    part = density[box]
    part.masked_fill_(whole.dural, draw.part("dura").uniform(*DURA_HU))
    part += _unevenness(head, box, draw)
    _add_lesions(part, head, box, draw.part("lesions"))
    add_membranes(density, head, draw.part("membranes"))
    add_skull_and_scalp(density, head, draw.part("skull"))
    return density


def infarct_drop_hu(age_hours: float, draw: Draw) -> float:
    """Return the density that an infarct of an age has lost, in HU."""
    low, high = EARLY_INFARCT_DROP_HU
    early = min(age_hours / _FIRST_HOURS, 1.0)
    late = min(max(age_hours - _FIRST_HOURS, 0.0) / (_LAST_HOURS - _FIRST_HOURS), 1.0)
    typical = low + (high - low) * early + (LATE_INFARCT_DROP_HU - high) * late
    return typical * draw.uniform(0.75, 1.25)


def _contrast(draw: Draw) -> dict[Tissue, float]:
    """Return the density of each tissue in this patient."""
    shift = draw.uniform(*_SHIFT_HU)
    factor = draw.uniform(*_GREY_WHITE_FACTOR)
    white = NCCT_CONTRAST_HU[Tissue.WHITE_MATTER]
    contrast = dict(NCCT_CONTRAST_HU)
    for tissue in sorted(INTRACRANIAL - FLUID):
        value = NCCT_CONTRAST_HU[tissue]
        contrast[tissue] = white + (value - white) * factor + shift + draw.normal(0.0, 0.4)
    fluid = _FLUID_SHIFT_SHARE * shift + draw.normal(0.0, _FLUID_SPREAD_HU)
    contrast[Tissue.VENTRICLE] += fluid
    contrast[Tissue.CSF] += fluid + draw.uniform(*_SULCI_EXCESS_HU)
    return contrast


def _unevenness(head: Head, box: Box, draw: Draw) -> Tensor:
    """Return what is added to brain from place to place, in the box: texture, a slope, and brightness near bone."""
    texture, tissue = draw.part("texture"), head.tissue[box]
    total = texture.smooth(tissue.shape, _TEXTURE_SIGMA_MM).mul_(_TEXTURE_HU)
    slope = texture.normal(0.0, _SIDE_GRADIENT_HU)
    total += slope * torch.linspace(-1.0, 1.0, tissue.shape[2], device=draw.device)
    bone = blurred(coarse_by_tissue(head.tissue, _IS_BONE), _RIM_SIGMA_POINTS)
    total.add_(fine_part(bone[None], box)[0], alpha=draw.part("rim").uniform(*_RIM_HU))
    return total.mul_(by_tissue(tissue, _IS_BRAIN))


def _add_lesions(part: Tensor, head: Head, box: Box, draw: Draw) -> None:
    """Change the density of the brain's box by what is ill in it, in place."""
    ill = head.distractors
    part.add_(ill.leukoaraiosis[box], alpha=-LEUKOARAIOSIS_DROP_HU)
    drop, calcium = draw.part("infarct"), draw.uniform(0.6, 1.6) * CALCIFICATION_HU
    if head.infarct is not None:
        solid = {t: float(t in INTRACRANIAL - FLUID) for t in Tissue}
        core = head.infarct.core[box] * by_tissue(head.tissue[box], solid)
        part.add_(core, alpha=-infarct_drop_hu(head.infarct.age_hours, drop))
    for share, hu in (
        (ill.old_infarct, OLD_INFARCT_HU),
        (ill.calcification, calcium),
        (ill.haemorrhage, FRESH_BLOOD_HU),
    ):
        part.lerp_(torch.full((), hu, device=part.device).expand_as(part), share[box])
