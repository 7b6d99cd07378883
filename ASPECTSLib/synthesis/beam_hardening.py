"""The error that a polychromatic beam makes behind bone, by projection and back-projection of a coarse picture."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_SIZE = 64  # pixels a side: bands are broad
_ANGLES = 32
_BONE_HU = (250.0, 2500.0)


def beam_hardening_error(scan: Tensor, pixel_mm: float) -> Tensor:
    """Return where bone makes densities wrong, in arbitrary units: negative in dark bands.

    Rays that cross much bone arrive harder than the calibration for water expects, by about the square of their way
    through it; that deficit is reconstructed as the scan was (Joseph and Spital, J Comput Assist Tomogr 1978;2:100-8,
    doi:10.1097/00004728-197801000-00017).

    Parameters
    ----------
    scan
        HU, shape (slices, rows, columns).
    pixel_mm
        Pixel spacing.

    Returns
    -------
    Tensor
        float32, of the scan's shape.
    """
    low, high = _BONE_HU
    bone = (scan.clamp(low, high) - low) / 1000.0
    coarse = functional.adaptive_avg_pool2d(bone[None], _SIZE)
    turns = _rotations(scan.device)
    size = (_ANGLES, len(scan), _SIZE, _SIZE)
    grid = functional.affine_grid(turns, [_ANGLES, 1, _SIZE, _SIZE], align_corners=False)
    turned = functional.grid_sample(coarse.expand(size), grid, align_corners=False)
    step_cm = scan.shape[2] * pixel_mm / _SIZE / 10.0
    way_cm = turned.sum(dim=2) * step_cm
    filtered = _ramp_filtered(way_cm**2)
    back = functional.affine_grid(
        turns.transpose(1, 2)[:, :2, :2] @ torch.eye(2, 3, device=scan.device),
        [_ANGLES, 1, _SIZE, _SIZE],
        align_corners=False,
    )
    smeared = functional.grid_sample(
        filtered[:, :, None, :].expand(size), back, align_corners=False
    )
    error = smeared.mean(dim=0)
    return -functional.interpolate(
        error[None], size=scan.shape[1:], mode="bilinear", align_corners=False
    )[0]


def _rotations(device: torch.device) -> Tensor:
    """Return matrices (angles, 2, 3) that turn the picture over half a circle."""
    angles = [math.pi * n / _ANGLES for n in range(_ANGLES)]
    rows = [[[math.cos(a), -math.sin(a), 0.0], [math.sin(a), math.cos(a), 0.0]] for a in angles]
    return torch.tensor(rows, device=device)


def _ramp_filtered(projections: Tensor) -> Tensor:
    """Filter projections along their last axis as back-projection needs it."""
    size = projections.shape[-1]
    frequency = torch.fft.rfftfreq(2 * size, device=projections.device)
    spectrum = torch.fft.rfft(projections, n=2 * size) * frequency
    return torch.fft.irfft(spectrum, n=2 * size)[..., :size]
