"""Heads in contrasts that no scanner has: for networks that must find their way in any modality, and fast to make."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ASPECTSLib.atlas.tissues import FLUID, INTRACRANIAL, NCCT_CONTRAST_HU, Tissue
from ASPECTSLib.synthesis.acquisition import Acquisition, scan_volumes
from ASPECTSLib.synthesis.contrasts import ADC, B0_SIGNAL
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.head import Head
from ASPECTSLib.synthesis.placement import Placement
from ASPECTSLib.synthesis.scanners import Images, Scanner

BRIGHTEST = 80.0
"""Values run from 0 to this, as if they were HU in the brain window."""

_BONE_ON_CT = 400.0  # above the window whatever its partial volume
_CT_SPREAD_HU = 2.0
_BRAIN_LEVEL = (20.0, 45.0)  # of diffusion-weighted images, after scaling
_B_VALUE = 1e-3  # per 1e-6 mm²/s
_TISSUE_SPREAD = 0.12
_BIAS = 0.2
_BIAS_MM = 60.0
_NOISE = (0.5, 5.0)


@dataclass(frozen=True)
class AnyContrastScanner(Scanner):
    """Draws the brightness of each tissue: as on CT, as on diffusion-weighted images, or at random.

    The idea is that of SynthSeg (Billot 2023, doi:10.1016/j.media.2023.102789).

    Parameters
    ----------
    ct, dwi
        Shares of scans with that kind of contrast; the others are random.
    stripped
        Share of scans without skull and scalp, of those that are not like CT.
    """

    ct: float = 0.45
    dwi: float = 0.25
    stripped: float = 0.4

    def scan(
        self, head: Head, placement: Placement, acquisition: Acquisition, draw: Draw
    ) -> Images:
        """Return `ncct`, int16, from 0 to `BRIGHTEST` and above for bone."""
        kind = draw.part("kind").uniform(0.0, 1.0)
        contrast = draw.part("contrast")
        if kind < self.ct:
            values = _like_ct(contrast)
        else:
            values = _like_dwi(contrast) if kind < self.ct + self.dwi else _at_random(contrast)
            if draw.part("strip").chance(self.stripped):
                values |= dict.fromkeys((Tissue.BONE, Tissue.SOFT_TISSUE), 0.0)
        scan = scan_volumes(head.table(values)[None], placement, acquisition)[0]
        if kind >= self.ct:
            scan = scan * (1.0 + _BIAS * _bias(scan, acquisition, draw.part("bias")))
        noise = draw.part("noise")
        scan = scan + noise.uniform(*_NOISE) * noise.noise(*scan.shape) * (scan > 0)
        return {"ncct": scan.clamp(0, 1000).round().to(torch.int16).cpu().numpy()}


def _like_ct(draw: Draw) -> dict[Tissue, float]:
    shift = draw.normal(0.0, _CT_SPREAD_HU)
    enhanced = draw.uniform(0.0, 12.0) * draw.chance(0.3)  # contrast agent
    values = {t: hu + shift + draw.normal(0.0, 1.0) for t, hu in NCCT_CONTRAST_HU.items()}
    for tissue in INTRACRANIAL - FLUID:
        values[tissue] += enhanced * draw.uniform(0.4, 1.0)
    values[Tissue.AIR] = 0.0
    values[Tissue.BONE] = _BONE_ON_CT
    values[Tissue.SOFT_TISSUE] = draw.uniform(0.0, 50.0)
    return {tissue: max(value, 0.0) for tissue, value in values.items()}


def _like_dwi(draw: Draw) -> dict[Tissue, float]:
    level = draw.uniform(*_BRAIN_LEVEL)
    b_value = _B_VALUE * draw.pick((0.0, 1.0, 1.0, 1.2))
    values = {}
    for tissue in Tissue:
        decay = float(torch.exp(torch.tensor(-b_value * ADC[tissue])))
        values[tissue] = B0_SIGNAL[tissue] * decay * max(draw.normal(1.0, _TISSUE_SPREAD), 0.0)
    white = max(values[Tissue.WHITE_MATTER], 1e-3)
    return {tissue: min(value / white * level, BRIGHTEST) for tissue, value in values.items()}


def _at_random(draw: Draw) -> dict[Tissue, float]:
    values = {tissue: draw.uniform(5.0, BRIGHTEST) for tissue in Tissue}
    # Kinds of the same stuff look alike: without this, nothing would be like a brain.
    for like, others in (
        (
            Tissue.CORTEX,
            (Tissue.CAUDATE, Tissue.PUTAMEN, Tissue.THALAMUS, Tissue.CEREBELLAR_CORTEX),
        ),
        (Tissue.WHITE_MATTER, (Tissue.CEREBELLAR_WHITE_MATTER, Tissue.BRAINSTEM, Tissue.PALLIDUM)),
        (Tissue.CSF, (Tissue.VENTRICLE,)),
    ):
        for other in others:
            values[other] = min(max(values[like] + draw.normal(0.0, 5.0), 0.0), BRIGHTEST)
    values[Tissue.AIR] = 0.0
    return values


def _bias(scan: Tensor, acquisition: Acquisition, draw: Draw) -> Tensor:
    """Return a smooth field of about unit variance; slices are taken as far apart as pixels are wide."""
    return draw.smooth(tuple(scan.shape), _BIAS_MM / max(acquisition.spacing_mm))
