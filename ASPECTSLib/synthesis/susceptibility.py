"""How air in the skull base distorts echo-planar images: displacement, signal pile-up and drop-out.

The field of a head in the scanner follows from its susceptibility by one convolution, so that the sinuses and
the mastoid cells of each anatomy distort it where they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.synthesis.anatomy import COARSE_STEP
from ASPECTSLib.synthesis.contrasts import SUSCEPTIBILITY_PPM
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.head import Head
from ASPECTSLib.synthesis.tissue_maps import coarse_brain, coarse_by_tissue

MM_PER_PPM_RANGE = (1.5, 7.0)
"""Displacement per field offset: 64 to 128 Hz/ppm, read-out of 15 to 40 ms, pixels of 1 to 2 mm."""

MAX_DISPLACEMENT_MM = 8.0
"""Where signal would move further, it is spread too thin to be seen."""

_PILE_UP_RANGE = (0.35, 2.2)
_DROP_OUT_PPM_PER_MM = 0.45  # gradient that leaves 1/e of the signal: mild, as for a spin echo
_NECK_POINTS = 12  # below the grid the neck goes on
_AIR_POINTS = 10  # around the head, so that the periodic neighbours of the transform are far


@dataclass(frozen=True, eq=False)
class Distortion:
    """Distortion of an echo-planar scan on the coarse grid of an anatomy, shape (k, j, i).

    Parameters
    ----------
    displacement_mm
        The scan shows at p what lies at p + displacement along the anterior axis.
    signal
        Factor of the signal by pile-up and drop-out, about 1 far from air.
    """

    displacement_mm: Tensor
    signal: Tensor


def distortion(head: Head, draw: Draw, strength: float = 1.0) -> Distortion:
    """Return the distortion of a head with phase encoding along the anterior axis, in either direction.

    Parameters
    ----------
    head
        Gives air, bone and brain.
    draw
        Decides field strength and read-out, together mm per ppm, and the direction.
    strength
        Factor of the displacement; 0 is none.
    """
    mm_per_ppm = draw.log_uniform(*MM_PER_PPM_RANGE) * draw.pick((-1.0, 1.0)) * strength
    field = shimmed(field_ppm(head), coarse_brain(head.tissue))
    free = mm_per_ppm * field
    displacement = MAX_DISPLACEMENT_MM * torch.tanh(free / MAX_DISPLACEMENT_MM)
    gradients = torch.gradient(field, spacing=float(COARSE_STEP))
    steepness = torch.stack(gradients).square().sum(dim=0).sqrt()
    compression = 1.0 + torch.gradient(displacement, spacing=float(COARSE_STEP), dim=1)[0]
    loss = torch.exp(-strength * steepness / _DROP_OUT_PPM_PER_MM)
    return Distortion(displacement, compression.clamp(*_PILE_UP_RANGE) * loss)


def field_ppm(head: Head) -> Tensor:
    """Return the offset of the main field by air, bone and tissue, in ppm, on the coarse grid.

    Source: Marques and Bowtell, Concepts Magn Reson B 2005;25:65-78, doi:10.1002/cmr.b.20034.
    """
    inside = coarse_by_tissue(head.tissue, SUSCEPTIBILITY_PPM)
    padded = functional.pad(inside[None, None], (0, 0, 0, 0, _NECK_POINTS, 0), "replicate")
    padded = functional.pad(padded, (_AIR_POINTS,) * 4 + (0, _AIR_POINTS))[0, 0]
    size = padded.shape
    frequency = [torch.fft.fftfreq(n, device=padded.device) for n in size[:2]]
    frequency.append(torch.fft.rfftfreq(size[2], device=padded.device))
    along, *across = torch.meshgrid(*frequency, indexing="ij")
    squared = along**2 + across[0] ** 2 + across[1] ** 2
    kernel = 1.0 / 3.0 - along**2 / squared.clamp_min(1e-12)
    kernel[0, 0, 0] = 0.0
    field = torch.fft.irfftn(torch.fft.rfftn(padded) * kernel, s=size)
    return field[_NECK_POINTS:-_AIR_POINTS, _AIR_POINTS:-_AIR_POINTS, _AIR_POINTS:-_AIR_POINTS]


def shimmed(field: Tensor, brain: Tensor) -> Tensor:
    """Return a field less its best fit of second order in the brain, as scanners compensate it.

    Parameters
    ----------
    field
        Of shape (k, j, i).
    brain
        bool, same shape, somewhere True.
    """
    axes = [torch.linspace(-1.0, 1.0, n, device=field.device) for n in field.shape]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    terms = [torch.ones_like(x), x, y, z, x * y, x * z, y * z, x * x, y * y, z * z]
    basis = torch.stack(terms, dim=-1).double()
    chosen = basis[brain]
    # Normal equations: ten unknowns, and the same on every device.
    weights = torch.linalg.solve(chosen.T @ chosen, chosen.T @ field[brain].double())
    return field - (basis @ weights).float()
