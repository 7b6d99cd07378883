"""Diffeomorphic registration in torch: smoothed forces, composed step by step from coarse to fine.

The scheme is that of greedy (Yushkevich 2016, doi:10.1016/j.jalz.2016.07.005) and, with both images brought halfway,
of SyN (Avants 2008, doi:10.1016/j.media.2007.06.004).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
from ASPECTSLib.registration.pyramid import IN_PLANE, Level, Smoothness, build_levels, working_grid
from ASPECTSLib.registration.similarity import Similarity, SimilarityName, make_similarity

Measure = Callable[[Tensor, Tensor], Similarity]
"""Makes the measure for a fixed image and the weights of its voxels."""


@dataclass(frozen=True)
class DeformableSettings:
    """What a registration is made with.

    The defaults were tuned on pairs of synthetic head CT, one's regions carried to the other.

    Parameters
    ----------
    similarity
        What is made larger.
    radius_voxels
        Of the windows of local correlation along x, y and z; its slices are thick.
    noise
        Of local correlation, in the images' unit (HU): structure below it is not listened to.
    spacing_mm
        Of the finest grid along x, y and z; thicker slices stay as they are.
    levels
        Smoothness and iterations, coarse to fine; each level is twice as fine in-plane as the one before.
    step_voxels
        Longest displacement of a step, in voxels of the field, which is half as fine in-plane as the images.
    image_sigma_mm
        In-plane smoothing of both images on the finest level.
    weight_depth_mm
        The weight of a place rises from 0 at the surface of the brain to 1 at this depth: the sulci of two people do
        not correspond, and pull the borders of cortical regions astray. 0 gives all places the same weight.
    symmetric
        Whether both images are brought halfway, which treats them alike and takes three times as long.
    """

    similarity: SimilarityName = SimilarityName.LOCAL_CORRELATION
    radius_voxels: tuple[int, int, int] = (3, 3, 1)
    noise: float = 0.5
    spacing_mm: tuple[float, float, float] = (2.0, 2.0, 2.5)
    levels: tuple[Smoothness, ...] = (Smoothness(30, 8.0, 6.0), Smoothness(20, 8.0, 4.0))
    step_voxels: float = 0.25
    image_sigma_mm: float = 1.0
    weight_depth_mm: float = 20.0
    symmetric: bool = False


def register_deformable(
    fixed: Volume,
    moving: Volume,
    matrix: NDArray[np.float64],
    settings: DeformableSettings | None = None,
    mask: Volume | None = None,
    progress: Progress | None = None,
    device: str = "cpu",
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
    device
        Of torch. CPU is the reference; a GPU agrees within 0.1 mm, as sums have another order there.

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
    levels = build_levels(grid, moving, matrix, mask, settings, device)
    to_atlas, to_scan = None, None
    for level in levels:
        to_atlas, to_scan = _refine(level, to_atlas, to_scan, settings, progress)
    field = fields.resize(_join(to_atlas, to_scan), grid.array.shape)
    return Mapping(matrix, fields.displacement_mm(field, grid), grid)


def _refine(
    level: Level,
    to_atlas: Tensor | None,
    to_scan: Tensor | None,
    settings: DeformableSettings,
    progress: Progress,
) -> tuple[Tensor, Tensor | None]:
    """Improve the field from the middle to the atlas and, where both images move, the one to the scan."""
    stepper = _Stepper(level, settings)
    to_atlas = stepper.resized(to_atlas)
    if not settings.symmetric:
        measure = stepper.measure(level.fixed)
        for _ in range(level.smoothness.iterations):
            progress.check()
            warped = stepper.warp(level.moving, to_atlas, level.to_moving)
            to_atlas = stepper.step(to_atlas, warped, measure)
        return to_atlas, None
    to_scan = stepper.resized(to_scan)
    for _ in range(level.smoothness.iterations):
        progress.check()
        atlas = stepper.warp(level.moving, to_atlas, level.to_moving)
        scan = stepper.warp(level.fixed, to_scan, np.eye(4))
        to_atlas = stepper.step(to_atlas, atlas, stepper.measure(scan))
        to_scan = stepper.step(to_scan, scan, stepper.measure(atlas))
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

    def __init__(self, level: Level, settings: DeformableSettings) -> None:
        device = level.fixed.device
        self._level, self._settings = level, settings
        self._shape = tuple(level.fixed.shape[2:])
        self._coarse = tuple(n // f for n, f in zip(self._shape, IN_PLANE, strict=True))
        self._points = fields.grid_points(self._shape, device)
        self._coarse_points = fields.grid_points(self._coarse, device)
        coarse_mm = level.spacing_mm * IN_PLANE[::-1]
        smoothness = level.smoothness
        self._update_smoothing, self._field_smoothing = (
            fields.gaussians(self._coarse, tuple((sigma_mm / coarse_mm)[::-1]), device)
            for sigma_mm in (smoothness.update_sigma_mm, smoothness.field_sigma_mm)
        )
        half_size_mm = np.array(self._shape[::-1]) * level.spacing_mm / 2.0
        self._step_mm = settings.step_voxels * float(coarse_mm[0])
        self._half_size_mm = _per_axis(half_size_mm, device)
        self._spacing_mm = _per_axis(level.spacing_mm, device)

    def resized(self, field: Tensor | None) -> Tensor:
        """Return a coarser level's field on this level, or no displacement."""
        if field is None:
            return self._coarse_points.new_zeros((1, 3, *self._coarse))
        return fields.resize(field, self._coarse)

    def measure(self, fixed: Tensor) -> Similarity:
        """Return the measure of likeness to an image."""
        settings = self._settings
        radii = settings.radius_voxels[::-1]
        return make_similarity(
            settings.similarity, fixed, self._level.weight, radii, settings.noise
        )

    def warp(self, image: Tensor, field: Tensor, to_image: NDArray[np.float64]) -> Tensor:
        """Sample an image through a field and a matrix at once."""
        displaced = self._points + fields.resize(field, self._shape)
        return fields.sample(image, fields.carry(displaced, to_image))

    def step(self, field: Tensor, warped: Tensor, measure: Similarity) -> Tensor:
        """Compose a field with a small, smooth displacement along the force on the warped image, and smooth it."""
        force = (measure.derivative(warped)[0][:, None] * fields.gradient(warped)).sum(0, keepdim=True)
        force = functional.avg_pool3d(force, IN_PLANE) / self._spacing_mm
        force = fields.smooth(force, self._update_smoothing)
        longest = (force * force).sum(1).max().sqrt().clamp(min=torch.finfo(torch.float32).tiny)
        update = force * (self._step_mm / longest) / self._half_size_mm
        return fields.smooth(
            fields.compose(field, update, self._coarse_points), self._field_smoothing
        )


def _per_axis(values: NDArray[np.float64], device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device).view(1, 3, 1, 1, 1)
