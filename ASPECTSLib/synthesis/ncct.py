"""Non-contrast CT of a synthetic head: densities in HU, before the scanner blurs them and adds noise."""

from __future__ import annotations

import torch
from torch import Tensor

from ASPECTSLib.atlas.tissues import FLUID, INTRACRANIAL, NCCT_CONTRAST_HU, Tissue
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.head import Head

AIR_HU = -1000.0

EARLY_INFARCT_DROP_HU = (2.0, 6.0)
"""Density lost in the first hours, as measured on real scans of acute stroke."""

LATE_INFARCT_DROP_HU = 10.0
"""Density lost by a day."""

OLD_INFARCT_HU = 12.0  # close to CSF
LEUKOARAIOSIS_DROP_HU = 7.0
CALCIFICATION_HU = 130.0
FRESH_BLOOD_HU = 65.0  # clotted, 50 to 90 HU

_PATIENT_SHIFT_HU = 1.5  # calibration of the scanner and haematocrit
_GREY_WHITE_FACTOR = (0.7, 1.35)  # of the atlas's difference of 8 HU
_TEXTURE_HU = 0.8  # of normal tissue, over centimetres
_SIDE_GRADIENT_HU = 0.7  # left against right, from beam hardening off centre
_SKULL_HU = (450.0, 1500.0)  # diploe to compact bone
_FAT_HU = -90.0
_MUSCLE_HU = 50.0
_FIRST_HOURS = 6.0
_LAST_HOURS = 24.0


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
    density = head.table(_contrast(draw.part("contrast")))
    shape = density.shape
    texture = draw.part("texture")
    density += head.brain * (
        _TEXTURE_HU * texture.smooth(shape, 10.0) + _side_gradient(shape[2], texture)
    )
    density = _with_lesions(head, density, draw.part("lesions"))
    return _with_skull_and_scalp(head, density, draw.part("skull"))


def infarct_drop_hu(age_hours: float, draw: Draw) -> float:
    """Return the density that an infarct of an age has lost, in HU."""
    low, high = EARLY_INFARCT_DROP_HU
    early = min(age_hours / _FIRST_HOURS, 1.0)
    late = min(max(age_hours - _FIRST_HOURS, 0.0) / (_LAST_HOURS - _FIRST_HOURS), 1.0)
    typical = low + (high - low) * early + (LATE_INFARCT_DROP_HU - high) * late
    return typical * draw.uniform(0.75, 1.25)


def _contrast(draw: Draw) -> dict[Tissue, float]:
    """Return the density of each tissue in this patient."""
    shift = draw.normal(0.0, _PATIENT_SHIFT_HU)
    factor = draw.uniform(*_GREY_WHITE_FACTOR)
    white = NCCT_CONTRAST_HU[Tissue.WHITE_MATTER]
    contrast = {}
    for tissue in Tissue:
        value = NCCT_CONTRAST_HU[tissue]
        if tissue in INTRACRANIAL - FLUID:
            value = white + (value - white) * factor + shift + draw.normal(0.0, 0.4)
        elif tissue in FLUID:
            value += draw.normal(0.0, 2.0)
        contrast[tissue] = value
    return contrast


def _side_gradient(width: int, draw: Draw) -> Tensor:
    slope = draw.normal(0.0, _SIDE_GRADIENT_HU)
    return slope * torch.linspace(-1.0, 1.0, width, device=draw.device)


def _with_lesions(head: Head, density: Tensor, draw: Draw) -> Tensor:
    ill = head.distractors
    density = density - LEUKOARAIOSIS_DROP_HU * ill.leukoaraiosis
    if head.infarct is not None:
        solid = head.brain & ~head.is_any(*FLUID)
        drop = infarct_drop_hu(head.infarct.age_hours, draw)
        density = density - drop * head.infarct.core * solid
    density = torch.lerp(density, torch.full_like(density, OLD_INFARCT_HU), ill.old_infarct)
    calcium = draw.uniform(0.6, 1.6) * CALCIFICATION_HU
    density = torch.lerp(density, torch.full_like(density, calcium), ill.calcification)
    return torch.lerp(density, torch.full_like(density, FRESH_BLOOD_HU), ill.haemorrhage)


def _with_skull_and_scalp(head: Head, density: Tensor, draw: Draw) -> Tensor:
    shape = density.shape
    bone, scalp = head.is_any(Tissue.BONE), head.is_any(Tissue.SOFT_TISSUE)
    low, high = _SKULL_HU
    compact = torch.sigmoid(2.0 * draw.smooth(shape, 2.0) + draw.normal(0.5, 0.5))
    density = torch.where(bone, low + (high - low) * compact, density)
    fatty = torch.sigmoid(4.0 * (draw.smooth(shape, 4.0) + draw.normal(-0.2, 0.3)))
    return torch.where(scalp, _MUSCLE_HU + (_FAT_HU - _MUSCLE_HU) * fatty, density)
