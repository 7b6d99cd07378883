"""Diffusion-weighted MRI of a synthetic patient, before it is scanned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp

import torch
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.atlas.tissues import FLUID, Tissue
from ASPECTSLib.geometry import Box
from ASPECTSLib.synthesis.contrasts import (
    ADC,
    B0_SIGNAL,
    B_VALUE_S_PER_MM2,
    CALCIFICATION_B0_RATIO,
    HAEMORRHAGE_B0_RATIO,
    HAEMORRHAGE_RIM_T2_RATIO,
    INFARCT_ADC_RATIO,
    INFARCT_T2_RATIO,
    LEUKOARAIOSIS_ADC_RATIO,
    LEUKOARAIOSIS_T2_RATIO,
    value_at,
)
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import made_fine
from ASPECTSLib.synthesis.head import Head
from ASPECTSLib.synthesis.susceptibility import Distortion, distortion
from ASPECTSLib.synthesis.tissue_maps import box_of, brain_box, by_tissue

MAX_ADC = 4000.0
"""Of an estimate, 1e-6 mm2/s: nothing in the head diffuses faster than free water at 37 degrees, 3000."""

_ADC_UNIT = 1e-6  # mm2/s
_LEAST_SIGNAL = 1e-6
_TEXTURE_SIGMA_MM = 4.0
_LESION_SIGMA_MM = 6.0
_BIAS_SIGMA_POINTS = 15.0  # of the coarse grid: 60 mm
_SHIM = (
    0.7,
    2.0,
)  # how much of the field of air and bone is left: shimming, echo spacing, parallel imaging
_LEAST_ADC_RATIO = 0.4  # of an infarct: lower values are noise
_SOLID = {tissue: float(tissue not in FLUID) for tissue in Tissue}
_RIM_MM = 7  # odd: width over which the rim of a haemorrhage is averaged


@dataclass(frozen=True)
class DwiVariation:
    """How far patients and scanners differ; 0 everywhere renders all by the constants alone.

    Parameters
    ----------
    signal
        Deviation of the logarithm of each tissue's signal at b = 0.
    adc
        Deviation of the logarithm of each tissue's ADC.
    texture
        Deviation of both within a tissue, from place to place, as a share.
    infarct
        Deviation of the factor on an infarct's change of ADC; its change of T2 varies twice as far.
    bias
        Deviation of the logarithm of the coil's sensitivity.
    susceptibility
        Factor of the distortion near air.
    """

    signal: float = 0.06
    adc: float = 0.03
    texture: float = 0.03
    infarct: float = 0.35
    bias: float = 0.12
    susceptibility: float = 1.0

    @classmethod
    def none(cls) -> DwiVariation:
        """Return what renders every head by the constants alone."""
        return cls(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class DwiImages:
    """Noise-free signal on the grid of an anatomy, float32, shape (k, j, i); white matter is about 1 at b = 0.

    Parameters
    ----------
    b0
        Without diffusion weighting.
    b1000
        At b = 1000 s/mm2.
    """

    b0: Tensor
    b1000: Tensor


@dataclass(frozen=True, eq=False)
class _Signal:
    """Signal at b = 0 and ADC of the box of the brain, while it is made."""

    b0: Tensor
    adc: Tensor


def render_dwi(head: Head, draw: Draw, variation: DwiVariation | None = None) -> DwiImages:
    """Render a head as diffusion-weighted MRI, where it lies: not yet displaced, blurred or noisy.

    Pile-up and drop-out near air are in the signal already; `epi_displacement` with the same draw
    moves it.

    Parameters
    ----------
    head
        Anatomy, infarct and distractors.
    draw
        Decides contrast, coil and distortion.
    variation
        How far those differ; as in practice when left out.
    """
    variation = variation or DwiVariation()
    contrast = draw.part("contrast")
    signal = _varied(B0_SIGNAL, variation.signal, contrast)
    adc = _varied(ADC, variation.adc, contrast)
    weighted = {t: signal[t] * _decay(adc[t]) for t in Tissue}
    b0, b1000 = by_tissue(head.tissue, signal), by_tissue(head.tissue, weighted)
    box = brain_box(head.tissue)
    brain = _Signal(b0[box], by_tissue(head.tissue[box], adc))
    texture = draw.part("texture")
    for values in (brain.b0, brain.adc):
        values.mul_(1.0 + variation.texture * texture.smooth(values.shape, _TEXTURE_SIGMA_MM))
    _add_disease(brain, head, box, draw.part("disease"), variation.infarct)
    b1000[box] = brain.b0 * torch.exp(brain.adc * (-B_VALUE_S_PER_MM2 * _ADC_UNIT))
    gain = made_fine(_sensitivity(head, draw, variation)[None], head.tissue.shape)[0]
    return DwiImages(b0 * gain, b1000 * gain)


def epi_displacement(head: Head, draw: Draw, variation: DwiVariation | None = None) -> Tensor:
    """Return how far the scan is displaced along the anterior axis, in mm, float32, shape (k, j, i).

    The scan shows at p what lies at p + displacement: a few mm near sinuses and skull base, little elsewhere.
    Source: Jezzard and Balaban, Magn Reson Med 1995;34:65-73, doi:10.1002/mrm.1910340111.

    Parameters
    ----------
    head
        Gives air, bone and brain.
    draw, variation
        Those of `render_dwi`.
    """
    variation = variation or DwiVariation()
    displacement_mm = _distortion(head, draw, variation).displacement_mm
    return made_fine(displacement_mm[None], head.tissue.shape)[0]


def mono_exponential_adc(b0: Tensor, b1000: Tensor, b_value: float = B_VALUE_S_PER_MM2) -> Tensor:
    """Return the apparent diffusion coefficient, 1e-6 mm2/s, 0 to `MAX_ADC`; 0 where there is no signal.

    Parameters
    ----------
    b0, b1000
        Signal without and with diffusion weighting, as scanned, any shape.
    b_value
        Of the second, s/mm2.
    """
    ratio = b0.clamp_min(_LEAST_SIGNAL) / b1000.clamp_min(_LEAST_SIGNAL)
    adc = (torch.log(ratio) / (b_value * _ADC_UNIT)).clamp(0.0, MAX_ADC)
    return torch.where(b0 > _LEAST_SIGNAL, adc, torch.zeros_like(adc))


def _varied(values: Mapping[Tissue, float], deviation: float, draw: Draw) -> dict[Tissue, float]:
    return {t: values[t] * exp(draw.normal(0.0, deviation)) for t in Tissue}


def _decay(adc: float) -> float:
    return exp(-B_VALUE_S_PER_MM2 * _ADC_UNIT * adc)


def _add_disease(brain: _Signal, head: Head, box: Box, draw: Draw, spread: float) -> None:
    """Change the signal of the brain, in its box, in place."""
    ill = head.distractors
    solid = by_tissue(head.tissue[box], _SOLID)
    _scale(brain, solid * ill.leukoaraiosis[box], LEUKOARAIOSIS_T2_RATIO, LEUKOARAIOSIS_ADC_RATIO)
    if head.infarct is not None:
        _add_infarct(brain, solid * head.infarct.core[box], head.infarct.age_hours, draw, spread)
    _turn_to_fluid(brain, ill.old_infarct[box])
    _scale(brain, ill.calcification[box], CALCIFICATION_B0_RATIO, 1.0)
    _add_haemorrhage(brain, ill.haemorrhage[box])


def _add_infarct(brain: _Signal, core: Tensor, age_hours: float, draw: Draw, spread: float) -> None:
    """Let diffusion fall and T2 rise in an infarct as far as its age says, unevenly."""
    adc_change = (value_at(INFARCT_ADC_RATIO, age_hours) - 1.0) * draw.normal(1.0, spread)
    t2_factor = max(draw.normal(1.0, 2.0 * spread), 0.0)  # an infarct is never darker than tissue
    t2_change = (value_at(INFARCT_T2_RATIO, age_hours) - 1.0) * t2_factor
    box = box_of(core)
    if box is None:
        return
    share = core[box]
    share = share * (1.0 + spread * draw.smooth(share.shape, _LESION_SIGMA_MM))
    brain.b0[box] *= 1.0 + t2_change * share
    brain.adc[box] *= (1.0 + adc_change * share).clamp_min(_LEAST_ADC_RATIO)


def _turn_to_fluid(brain: _Signal, share: Tensor) -> None:
    box = box_of(share)
    if box is None:
        return
    for values, fluid in ((brain.b0, B0_SIGNAL), (brain.adc, ADC)):
        values[box] += (fluid[Tissue.VENTRICLE] - values[box]) * share[box]


def _add_haemorrhage(brain: _Signal, blood: Tensor) -> None:
    """Darken the blood and brighten the rim around it."""
    box = box_of(blood, _RIM_MM // 2)
    if box is None:
        return
    share = blood[box]
    nearby = functional.avg_pool3d(share[None, None], _RIM_MM, 1, _RIM_MM // 2)[0, 0]
    rim = (2.0 * nearby).clamp_max(1.0) * (1.0 - share)
    brain.b0[box] *= 1.0 + (HAEMORRHAGE_RIM_T2_RATIO - 1.0) * rim
    brain.b0[box] *= 1.0 + (HAEMORRHAGE_B0_RATIO - 1.0) * share


def _scale(brain: _Signal, share: Tensor, b0_ratio: float, adc_ratio: float) -> None:
    box = box_of(share)
    if box is None:
        return
    brain.b0[box] *= 1.0 + (b0_ratio - 1.0) * share[box]
    brain.adc[box] *= 1.0 + (adc_ratio - 1.0) * share[box]


def _sensitivity(head: Head, draw: Draw, variation: DwiVariation) -> Tensor:
    """Return the factor of the signal by coil and distortion, on the coarse grid."""
    signal = _distortion(head, draw, variation).signal
    coil = draw.part("coil")
    axes = [torch.linspace(-1.0, 1.0, n, device=draw.device) for n in signal.shape]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    # Arrays of coils lie around the head: they hear its surface better than its middle.
    surface = coil.uniform(-0.3, 1.5) * (x**2 + y**2 + z**2 - 0.5)
    uneven = coil.smooth(signal.shape, _BIAS_SIGMA_POINTS)
    return signal * torch.exp(variation.bias * (surface + uneven))


def _distortion(head: Head, draw: Draw, variation: DwiVariation) -> Distortion:
    part = draw.part("distortion")
    factor = variation.susceptibility * part.log_uniform(*_SHIM)
    return distortion(head, part, factor)
