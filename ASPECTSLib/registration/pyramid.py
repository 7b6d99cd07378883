"""The images of a registration in torch from coarse to fine, with the weight of each place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.geometry import Volume, bounding_box, crop, resample, shrink, shrink_factors
from ASPECTSLib.registration import fields
from ASPECTSLib.registration.settings import DeformableSettings, Level

IN_PLANE = (1, 2, 2)
"""What a level is coarser than the next, along D, H and W: slices are thick already."""

_MARGIN_MM = 10.0  # around the brain; nothing is compared farther out
_MOVING_SPACING_MM = (2.0, 2.0, 2.0)  # a template of 1 mm has nothing that shows at 2 mm
_MOVING_MARGIN = (2, 2, 2)  # voxels
_FWHM_PER_SIGMA = 2.355


@dataclass(frozen=True, eq=False)
class LevelImages:
    """Both images on one level.

    Parameters
    ----------
    fixed, moving
        Shape (1, 1, D, H, W), each on its own grid.
    weight
        Of each place in the fixed image, 0 to 1, same shape as `fixed`.
    to_moving
        4x4 matrix from normalised coordinates of `fixed` to those of `moving`.
    spacing_mm
        Of `fixed`, along x, y and z.
    level
        How it is gone through.
    """

    fixed: Tensor
    moving: Tensor
    weight: Tensor
    to_moving: NDArray[np.float64]
    spacing_mm: NDArray[np.float64]
    level: Level


def working_grid(fixed: Volume, spacing_mm: tuple[float, float, float], levels: int) -> Volume:
    """Cut out the brain with a margin, about so fine, with planes that can be halved once a level.

    Parameters
    ----------
    fixed
        Scan, 0 outside the brain.
    spacing_mm
        Wanted along x, y and z; coarser voxels stay as they are.
    levels
        How often the planes are halved.
    """
    margin = tuple(int(np.ceil(_MARGIN_MM / s)) for s in fixed.spacing_mm[::-1])
    part = crop(fixed, bounding_box(fixed.array != 0, margin))
    fine = shrink(part, shrink_factors(part, spacing_mm))
    missing = [(0, 0)] + [(0, -n % 2**levels) for n in fine.array.shape[1:]]
    return Volume(np.pad(fine.array, missing), fine.affine)


def build_levels(
    grid: Volume,
    moving: Volume,
    matrix: NDArray[np.float64],
    mask: Volume | None,
    settings: DeformableSettings,
) -> list[LevelImages]:
    """Return the levels, coarse to fine.

    Parameters
    ----------
    grid
        The scan as `working_grid` gives it.
    moving, matrix, mask, settings
        As in `torch_deformable.register_deformable`.
    """
    near = crop(moving, bounding_box(moving.array != 0, _MOVING_MARGIN))
    near = shrink(near, shrink_factors(near, _MOVING_SPACING_MM))
    to_moving = (
        fields.normalised_from_ras(near) @ matrix @ np.linalg.inv(fields.normalised_from_ras(grid))
    )
    device = settings.device
    sigma_mm, spacing_mm = settings.image_sigma_mm, grid.spacing_mm
    profile_mm = _profile_sigma_mm(grid, near)
    fixed = fields.blurred(grid, (sigma_mm, sigma_mm, 0.0), device)
    weight = fields.to_tensor(_weights(grid, mask), device)
    levels: list[LevelImages] = []
    for level in reversed(settings.levels):
        blurred = fields.blurred(near, (sigma_mm, sigma_mm, profile_mm), device)
        levels.insert(0, LevelImages(fixed, blurred, weight, to_moving, spacing_mm, level))
        fixed, weight = (functional.avg_pool3d(image, IN_PLANE) for image in (fixed, weight))
        spacing_mm = spacing_mm * IN_PLANE[::-1]
        sigma_mm = float(np.hypot(settings.image_sigma_mm, spacing_mm[0] / 2.0))
    return levels


def _profile_sigma_mm(fixed: Volume, moving: Volume) -> float:
    """Blur that gives the template the partial volume of the scan's slices (full width at half maximum)."""
    thickness_mm = fixed.spacing_mm[2] ** 2 - moving.spacing_mm[2] ** 2
    return float(np.sqrt(max(thickness_mm, 0.0))) / _FWHM_PER_SIGMA


def _weights(grid: Volume, mask: Volume | None) -> Volume:
    if mask is None:
        return grid.with_array(np.ones(grid.array.shape, np.float32))
    return resample(mask.with_array(mask.array.astype(np.float32)), grid)
