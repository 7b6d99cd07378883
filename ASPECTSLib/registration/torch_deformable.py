"""Diffeomorphic registration in torch: smoothed forces, composed step by step from coarse to fine.

The scheme is that of greedy (Yushkevich 2016, doi:10.1016/j.jalz.2016.07.005) and, with both images brought halfway,
of SyN (Avants 2008, doi:10.1016/j.media.2007.06.004).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.geometry import Volume
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration import fields
from ASPECTSLib.registration.checks import check_images, check_mask
from ASPECTSLib.registration.mapping import Mapping
from ASPECTSLib.registration.pyramid import IN_PLANE, LevelImages, build_levels, working_grid
from ASPECTSLib.registration.settings import DeformableSettings
from ASPECTSLib.registration.similarity import Similarity, make_similarity


def register_deformable(
    fixed: Volume,
    moving: Volume,
    matrix: NDArray[np.float64],
    settings: DeformableSettings | None = None,
    mask: Volume | None = None,
    progress: Progress | None = None,
) -> Mapping:
    """Deform the atlas to a scan, on top of an affine registration.

    Parameters
    ----------
    fixed
        Scan, 0 outside the brain.
    moving
        Template, 0 outside the brain; in the same contrast unless the measure is mutual information.
    matrix
        4x4 affine matrix from scan points to atlas points, RAS mm.
    settings
        What it is made with; the defaults are for head CT in HU.
    mask
        bool, on the grid of `fixed`: where the images are compared; everywhere when left out. What lies outside, as
        an infarct, is deformed as its surroundings are.
    progress
        Asked for cancellation between iterations.

    Returns
    -------
    Mapping
        From scan points to atlas points.

    Raises
    ------
    ContentRefusedError
        NO_SIGNAL if an image or the mask holds nothing to register.

    Notes
    -----
    Forces are derivatives in closed form: of the measure by each warped voxel, times the warped image's slope.
    """
    check_images(fixed, moving)
    check_mask(mask, fixed)
    settings, progress = settings or DeformableSettings(), progress or Progress()
    grid = working_grid(fixed, settings.spacing_mm, len(settings.levels))
    levels = build_levels(grid, moving, matrix, mask, settings)
    to_atlas, to_scan = None, None
    for images in levels:
        to_atlas, to_scan = _refine(images, to_atlas, to_scan, settings, progress)
    field = fields.resize(_join(to_atlas, to_scan), grid.array.shape)
    return Mapping(matrix, fields.displacement_mm(field, grid), grid)


def _refine(
    images: LevelImages,
    to_atlas: Tensor | None,
    to_scan: Tensor | None,
    settings: DeformableSettings,
    progress: Progress,
) -> tuple[Tensor, Tensor | None]:
    """Improve the field from the middle to the atlas and, where both images move, the one to the scan."""
    stepper = _Stepper(images, settings)
    to_atlas = stepper.resized(to_atlas)
    if not settings.symmetric:
        measure = stepper.measure(images.fixed)
        for _ in range(images.level.steps):
            progress.check()
            atlas = stepper.warp(images.moving, to_atlas, images.to_moving)
            to_atlas = stepper.step(to_atlas, atlas, measure.derivative(atlas))
        return to_atlas, None
    to_scan = stepper.resized(to_scan)
    for _ in range(images.level.steps):
        progress.check()
        atlas = stepper.warp(images.moving, to_atlas, images.to_moving)
        scan = stepper.warp(images.fixed, to_scan, np.eye(4))
        by_scan, by_atlas = stepper.measure(scan).derivatives(atlas)
        to_atlas = stepper.step(to_atlas, atlas, by_atlas)
        to_scan = stepper.step(to_scan, scan, by_scan)
    return to_atlas, to_scan


def _join(to_atlas: Tensor, to_scan: Tensor | None) -> Tensor:
    """Return the field from the scan to the atlas, by way of the middle."""
    if to_scan is None:
        return to_atlas
    points = fields.grid_points(tuple(to_atlas.shape[2:]), to_atlas.device)
    return fields.compose(to_atlas, fields.invert(to_scan), points)


class _Stepper:
    """Takes steps on one level; what does not change between them is kept.

    Fields live on a grid half as fine in-plane as the images: they are smooth, and cost a quarter there.
    """

    def __init__(self, images: LevelImages, settings: DeformableSettings) -> None:
        device = images.fixed.device
        self._weight, self._settings = images.weight, settings
        self._shape = tuple(images.fixed.shape[2:])
        self._coarse = tuple(n // f for n, f in zip(self._shape, IN_PLANE, strict=True))
        self._points = fields.grid_points(self._shape, device)
        self._coarse_points = fields.grid_points(self._coarse, device)
        coarse_mm = images.spacing_mm * IN_PLANE[::-1]
        self._step_smoothing, self._field_smoothing = (
            fields.gaussians(self._coarse, tuple((sigma_mm / coarse_mm)[::-1]), device)
            for sigma_mm in (images.level.step_sigma_mm, images.level.field_sigma_mm)
        )
        half_size_mm = np.array(self._shape[::-1]) * images.spacing_mm / 2.0
        self._step_mm = settings.step_voxels * float(coarse_mm[0])
        self._half_size_mm = _per_axis(half_size_mm, device)
        self._spacing_mm = _per_axis(images.spacing_mm, device)

    def resized(self, field: Tensor | None) -> Tensor:
        """Return a coarser level's field on this level, or no displacement."""
        if field is None:
            return self._coarse_points.new_zeros((1, 3, *self._coarse))
        return fields.resize(field, self._coarse)

    def measure(self, fixed: Tensor) -> Similarity:
        """Return the measure of likeness to an image."""
        settings = self._settings
        radii = settings.radius_voxels[::-1]
        return make_similarity(settings.similarity, fixed, self._weight, radii, settings.noise)

    def warp(self, image: Tensor, field: Tensor, to_image: NDArray[np.float64]) -> Tensor:
        """Sample an image through a field and a matrix at once."""
        displaced = self._points + fields.resize(field, self._shape)
        return fields.sample(image, fields.carry(displaced, to_image))

    def step(self, field: Tensor, warped: Tensor, derivative: Tensor) -> Tensor:
        """Compose a field with a small, smooth displacement along the force on the warped image, and smooth it."""
        force = (derivative[0][:, None] * fields.gradient(warped)).sum(0, keepdim=True)
        force = functional.avg_pool3d(force, IN_PLANE) / self._spacing_mm
        force = fields.smooth(force, self._step_smoothing)
        longest = (force * force).sum(1).max().sqrt().clamp(min=torch.finfo(torch.float32).tiny)
        update = force * (self._step_mm / longest) / self._half_size_mm
        return fields.smooth(
            fields.compose(field, update, self._coarse_points), self._field_smoothing
        )


def _per_axis(values: NDArray[np.float64], device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device).view(1, 3, 1, 1, 1)
