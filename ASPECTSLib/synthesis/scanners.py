"""The scanners of each modality: from a head to images as they leave the console."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ASPECTSLib.io.modality import Modality
from ASPECTSLib.synthesis.acquisition import (
    Acquisition,
    AcquisitionRange,
    NoiseSpectrum,
    correlated_noise,
    scan_volumes,
    tied_slices,
)
from ASPECTSLib.synthesis.artefacts import ArtefactRates, with_artefacts, with_field_of_view
from ASPECTSLib.synthesis.cta import render_cta
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.dwi import epi_displacement, mono_exponential_adc, render_dwi
from ASPECTSLib.synthesis.head import Head
from ASPECTSLib.synthesis.ncct import AIR_HU, render_ncct
from ASPECTSLib.synthesis.perfusion import render_cbf
from ASPECTSLib.synthesis.placement import Placement
from ASPECTSLib.synthesis.vessels import draw_vessels

MIN_HU = -1024.0

# Real scans, measured by domain_check.py: noise of 2.3 to 3.9 HU in 5 mm slices, of a mean frequency of 0.32 to 0.38
# per mm and a correlation of 0.12 to 0.45 from slice to slice, in three; a border from brain to bone of 1.6 to 2.1 mm
# where it is steepest, in five. The ranges around them are wide.
_SLICE_MM = 5.0  # that noise is given for
_DETECTOR_BLUR_MM = (0.08, 0.2)
_STEEPNESS = (1.3, 2.1)
_RAMP = (0.4, 0.95)
_OVERLAP = (0.0, 0.7)
_CBF_CUT_PER_MM = 0.08  # maps are made of images smoothed over 5 mm

Images = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Scanner(ABC):
    """A way to acquire a modality.

    Parameters
    ----------
    scans
        How its grids differ.
    """

    scans: AcquisitionRange = field(default_factory=AcquisitionRange)

    def placed(self, _head: Head, placement: Placement, _draw: Draw) -> Placement:
        """Return where the scanner sees each voxel of the head; elsewhere than it is if the scan is distorted."""
        return placement

    @abstractmethod
    def scan(
        self, head: Head, placement: Placement, acquisition: Acquisition, draw: Draw
    ) -> Images:
        """Return images by name, shape (slices, rows, columns)."""


@dataclass(frozen=True)
class CtScanner(Scanner):
    """Computed tomography without contrast agent.

    Parameters
    ----------
    noise_hu
        Standard deviation in brain, for 5 mm slices and pixels that are finer than the kernel: it is scaled to others.
    clipped
        Share of scans whose densities below 0 HU are lost.
    artefacts
        How often.
    """

    noise_hu: tuple[float, float] = (1.8, 5.2)
    clipped: float = 0.3
    artefacts: ArtefactRates = field(default_factory=ArtefactRates)

    def scan(
        self, head: Head, placement: Placement, acquisition: Acquisition, draw: Draw
    ) -> Images:
        """Return `ncct`, int16, HU."""
        return {
            "ncct": self._scan(render_ncct(head, draw.part("ncct")), placement, acquisition, draw)
        }

    def _scan(
        self, density_hu: Tensor, placement: Placement, acquisition: Acquisition, draw: Draw
    ) -> NDArray[np.int16]:
        scan = scan_volumes((density_hu - AIR_HU)[None], placement, acquisition)[0] + AIR_HU
        scan = with_artefacts(scan, acquisition.spacing_mm, self.artefacts, draw.part("artefacts"))
        scan += self._noise(scan.shape, acquisition, draw.part("noise"))
        lowest_hu = 0.0 if draw.part("clip").chance(self.clipped) else MIN_HU
        field_of_view = draw.part("field of view")
        pixel_mm = acquisition.spacing_mm[0]
        scan = with_field_of_view(scan, pixel_mm, lowest_hu, self.artefacts, field_of_view)
        return scan.round().to(torch.int16).cpu().numpy()

    def _noise(self, shape: tuple[int, int, int], acquisition: Acquisition, draw: Draw) -> Tensor:
        pixel_mm, _, slice_mm = acquisition.spacing_mm
        blur_mm = acquisition.kernel_mm + draw.uniform(*_DETECTOR_BLUR_MM)
        spectrum = NoiseSpectrum(
            1.0 / (2.0 * math.pi * blur_mm), draw.uniform(*_STEEPNESS), draw.uniform(*_RAMP)
        )
        # Quanta per slice; what overlap adds is within the range.
        deviation = draw.uniform(*self.noise_hu) * math.sqrt(_SLICE_MM / slice_mm)
        noise = correlated_noise(shape, pixel_mm, spectrum, draw)
        return deviation * tied_slices(noise, acquisition.slice_correlation)


@dataclass(frozen=True)
class CtaScanner(CtScanner):
    """Computed tomography with contrast agent in the arteries."""

    def scan(
        self, head: Head, placement: Placement, acquisition: Acquisition, draw: Draw
    ) -> Images:
        """Return `cta`, int16, HU."""
        plain = render_ncct(head, draw.part("ncct"))
        vessels = draw_vessels(head, draw.part("vessels"))
        density = render_cta(head, plain, vessels, draw.part("cta"))
        return {"cta": self._scan(density, placement, acquisition, draw)}


@dataclass(frozen=True)
class PerfusionScanner(Scanner):
    """Maps of cerebral blood flow, as made of CT or MR perfusion.

    Parameters
    ----------
    noise
        Standard deviation, mL/100 g/min.
    """

    noise: tuple[float, float] = (1.0, 5.0)

    def scan(
        self, head: Head, placement: Placement, acquisition: Acquisition, draw: Draw
    ) -> Images:
        """Return `cbf`, int16, mL/100 g/min."""
        flow = render_cbf(head, draw.part("cbf"))
        flow, brain = scan_volumes(torch.stack((flow, head.brain.float())), placement, acquisition)
        spectrum = NoiseSpectrum(_CBF_CUT_PER_MM)
        noise = correlated_noise(
            flow.shape, acquisition.spacing_mm[0], spectrum, draw.part("noise")
        )
        flow = flow + draw.part("dose").uniform(*self.noise) * noise
        return {"cbf": _int16(flow.clamp_min(0) * (brain > 0.5))}


@dataclass(frozen=True)
class DwiScanner(Scanner):
    """Diffusion-weighted echo-planar imaging with b = 0 and about 1000 s/mm².

    Parameters
    ----------
    b_value
        Of the weighted image, s/mm².
    noise
        Standard deviation of each channel over the signal of brain in the weighted image.
    stripped
        Share of scans that come without skull, as public ones often do.
    """

    b_value: float = 1000.0
    noise: tuple[float, float] = (0.02, 0.13)
    stripped: float = 0.25

    def placed(self, head: Head, placement: Placement, draw: Draw) -> Placement:
        """Return the placement with the distortion of echo-planar imaging."""
        # From the draw of the signal: the field that moves it is the one that piles it up.
        return placement.displaced(epi_displacement(head, draw.part("dwi")))

    def scan(
        self, head: Head, placement: Placement, acquisition: Acquisition, draw: Draw
    ) -> Images:
        """Return `dwi` and `b0` in arbitrary units, int16, and `adc` in 1e-6 mm²/s, int16."""
        rendered = render_dwi(head, draw.part("dwi"))
        volumes = torch.stack((rendered.b0, rendered.b1000, head.brain.float()))
        b0, weighted, brain = scan_volumes(volumes, placement, acquisition)
        signal = float(weighted[brain > 0.5].median()) if bool((brain > 0.5).any()) else 1.0
        sigma = draw.part("snr").uniform(*self.noise) * signal
        b0 = _rician(b0, sigma, draw.part("noise b0"))
        weighted = _rician(weighted, sigma, draw.part("noise b1000"))
        adc = mono_exponential_adc(b0, weighted, self.b_value)
        if draw.part("strip").chance(self.stripped):
            b0, weighted, adc = (image * (brain > 0.5) for image in (b0, weighted, adc))
        gain = draw.part("gain").log_uniform(100.0, 1000.0) / signal
        images = {"dwi": weighted * gain, "b0": b0 * gain, "adc": adc}
        return {name: _int16(image) for name, image in images.items()}


def _rician(signal: Tensor, sigma: float, draw: Draw) -> Tensor:
    """Return the magnitude of a signal with noise on both channels (Gudbjartsson 1995, doi:10.1002/mrm.1910340618)."""
    real = signal + sigma * draw.noise(*signal.shape)
    return torch.hypot(real, sigma * draw.noise(*signal.shape))


def _int16(image: Tensor) -> NDArray[np.int16]:
    limits = np.iinfo(np.int16)
    return image.clamp(limits.min, limits.max).round().to(torch.int16).cpu().numpy()


SCANNERS: Mapping[Modality, Scanner] = MappingProxyType(
    {
        Modality.NCCT: CtScanner(AcquisitionRange(overlap=_OVERLAP)),
        Modality.CTA: CtaScanner(
            AcquisitionRange(slice_mm=(0.6, 5.0), overlap=_OVERLAP), noise_hu=(2.2, 6.0)
        ),
        Modality.CBF: PerfusionScanner(
            AcquisitionRange(in_plane_mm=(0.8, 2.0), slice_mm=(2.0, 8.0), kernel_mm=(0.8, 1.5))
        ),
        Modality.DWI: DwiScanner(
            AcquisitionRange(
                in_plane_mm=(0.9, 2.0),
                slice_mm=(2.0, 7.0),
                field_mm=(220.0, 256.0),
                kernel_mm=(0.8, 1.4),
            )
        ),
    }
)
"""How each modality is acquired unless a recipe says otherwise."""
