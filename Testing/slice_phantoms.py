"""A head whose ganglionic level is known: a bright plate lies there, which a network of a few lines finds."""

from __future__ import annotations

import numpy as np
import torch
from head_phantoms import AIR_HU, ellipsoid, grid_points
from torch import nn

from ASPECTSLib.atlas.regions import REGIONS, Level, Region
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.networks.slice_finder import NO_SLICE

HEAD_MM = (75.0, 90.0, 80.0)
NECK_MM = 45.0
BRAIN_HU, PLATE_HU = 30.0, 75.0
LEVEL_MM, PLATE_MM = 8.0, (40.0, 60.0, 6.0)  # half sizes
_BRIGHT, _STEEPNESS, _LEAST = (
    0.55,
    150.0,
    4.0,
)  # of the brain window; a whole plate has a logit of 6
_REACH_MM = {Level.GANGLIONIC: 12.0, Level.SUPRAGANGLIONIC: 30.0}


def plated_head(
    slice_mm: float = 5.0,
    slices: int = 33,
    *,
    shift_mm: tuple[float, float, float] = (6.0, -4.0, 0.0),
    heavier_side: float = 1.0,
) -> Volume:
    """Return the CT of a head without skull on a neck, in the image frame, HU.

    Parameters
    ----------
    heavier_side
        1 for the right, -1 for the left: a half of the head is a little denser.
    """
    shape = (slices, 64, 58)
    affine = centred_affine(shape, np.array([4.0, 4.0, slice_mm]))
    points = grid_points(affine, shape) - shift_mm
    hu = np.full(shape, AIR_HU)
    in_neck = (points[..., 2] < 0) & (np.hypot(points[..., 0], points[..., 1]) < NECK_MM)
    hu[in_neck | ellipsoid(points, HEAD_MM)] = BRAIN_HU
    hu[(hu > 0) & (heavier_side * points[..., 0] > 0)] += 2.0
    hu[_near_plate(points)] = PLATE_HU
    return Volume(hu.astype(np.float32), affine)


def plated_regions(grid: Volume, shift_mm: tuple[float, float, float]) -> np.ndarray:
    """Return regions on a grid: the ganglionic ones widest at the plate, the others above it."""
    points = grid_points(grid.affine, grid.array.shape) - shift_mm
    labels = np.zeros(grid.array.shape, np.uint8)
    for level, reach_mm in _REACH_MM.items():
        middle_mm = LEVEL_MM + 24.0 * (level is Level.SUPRAGANGLIONIC)
        near = np.abs(points[..., 2] - middle_mm) < reach_mm
        part, found = points[near], labels[near]
        for region in REGIONS:
            if region.level is level:
                found[ellipsoid(part, (9.0, 9.0, reach_mm), _centre(region, middle_mm))] = (
                    region.label
                )
        labels[near] = found
    return labels


def _centre(region: Region, middle_mm: float) -> tuple[float, float, float]:
    column = (region.label - 1) % 10
    side = 1 if region.label <= 10 else -1
    return side * (10.0 + 5.0 * (column % 5)), -30.0 + 12.0 * (column % 7), middle_mm


def _near_plate(points: np.ndarray) -> np.ndarray:
    return (np.abs(points - (0.0, 0.0, LEVEL_MM)) < PLATE_MM).all(axis=-1)


class PlateFinder(nn.Module):
    """Take the slice for ganglionic that is brightest in the brain window; what was seen is kept."""

    divisor = (1, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.seen: list[torch.Tensor] = []

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (1, 2, N, 1, 1) of an image (1, 3, N, H, W)."""
        self.seen.append(image.clone())
        assert (image > NO_SLICE).all()
        bright = (image[:, :1] - _BRIGHT).clamp(min=0).mean(dim=(3, 4), keepdim=True)
        return torch.cat((torch.zeros_like(bright), _STEEPNESS * bright - _LEAST), dim=1)
