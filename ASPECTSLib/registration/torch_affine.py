"""Affine registration of a head scan to the atlas in torch, by Gauss-Newton steps on squared differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ASPECTSLib.geometry import Volume, shrink, shrink_factors
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration import fields
from ASPECTSLib.registration.affine import starting_matrices
from ASPECTSLib.registration.checks import check_images

_SEARCH_SPACING_MM = 8.0
_SPACING_MM = 4.0
_SIGMAS_MM = (6.0, 2.0)  # of both images, first for a wide basin, then for a sharp one
_MAX_STEPS = 20  # half of it is seldom needed
_LEAST_STEP_MM = 0.02  # at the rim of a brain
_RADIUS_MM = 60.0  # of a brain: brings turns and stretches to the size of shifts
_DAMPING, _DAMPING_LIMIT, _MORE, _LESS = 1e-3, 10.0, 8.0, 1.0 / 3.0


def register_affine(
    fixed: Volume,
    moving: Volume,
    pose: NDArray[np.float64],
    progress: Progress | None = None,
    device: str = "cpu",
) -> NDArray[np.float64]:
    """Register a scan to a template by mean squares at 4 mm, from the symmetric pose.

    Parameters
    ----------
    fixed
        Scan, 0 outside the brain, in the image frame.
    moving
        Template in the same contrast, 0 outside the brain, in atlas space.
    pose
        4x4 matrix from the image frame to the symmetric pose, whose midsagittal plane is x = 0.
    progress
        Asked for cancellation between steps.
    device
        Of torch. CPU is the reference; a GPU agrees within 0.01 mm.

    Returns
    -------
    numpy.ndarray
        4x4 matrix from scan points to atlas points, RAS mm.

    Raises
    ------
    ContentRefusedError
        NO_SIGNAL if an image is constant.

    Notes
    -----
    Levenberg and Marquardt's steps, with the mean of both images' gradients (efficient second-order minimisation,
    doi:10.1109/IROS.2004.1389474): five to ten of them reach what gradient descent takes a hundred for.
    """
    check_images(fixed, moving)
    progress = progress or Progress()
    coarse = [shrink(image, shrink_factors(image, (_SPACING_MM,) * 3)) for image in (fixed, moving)]
    matrix = _best_start(*coarse, pose, device)
    for sigma_mm in _SIGMAS_MM:
        matrix = _descend(_prepare(*coarse, sigma_mm, device), matrix, progress)
    return matrix


@dataclass(frozen=True, eq=False)
class _Images:
    """Both images, and the points of the fixed one in mm about its middle."""

    fixed: Tensor
    moving: Tensor
    points: Tensor
    to_ras: NDArray[np.float64]  # from normalised coordinates of fixed
    from_ras: NDArray[np.float64]  # to normalised coordinates of moving
    to_slopes: Tensor  # from differences per voxel to slopes per mm along R, A, S
    middle_ras: NDArray[np.float64]
    monomials: Tensor  # x, y, z over the radius, and 1: shape (4, voxels)


def _best_start(
    fixed: Volume, moving: Volume, pose: NDArray[np.float64], device: str
) -> NDArray[np.float64]:
    """Return the start of least squared difference, all of them sampled at once on a coarse grid."""
    images = [shrink(v, shrink_factors(v, (_SEARCH_SPACING_MM,) * 3)) for v in (fixed, moving)]
    candidates = starting_matrices(*images, pose)
    fixed_image, moving_image = (fields.to_tensor(image, device) for image in images)
    points = fields.grid_points(tuple(fixed_image.shape[2:]), device)
    to_ras = np.linalg.inv(fields.normalised_from_ras(images[0]))
    from_ras = fields.normalised_from_ras(images[1])
    there = torch.cat([fields.carry(points, from_ras @ matrix @ to_ras) for matrix in candidates])
    warped = fields.sample(moving_image.expand(len(candidates), -1, -1, -1, -1), there)
    return candidates[int(((warped - fixed_image) ** 2).flatten(1).mean(1).argmin())]


def _prepare(fixed: Volume, moving: Volume, sigma_mm: float, device: str) -> _Images:
    to_ras = np.linalg.inv(fields.normalised_from_ras(fixed))
    points = fields.grid_points(fixed.array.shape, device)
    ras = fields.carry(points, to_ras)[0].flatten(1)
    middle = ras.mean(1, keepdim=True)
    monomials = torch.cat(((ras - middle) / _RADIUS_MM, torch.ones_like(ras[:1])))
    slopes = torch.as_tensor(np.linalg.inv(fixed.affine[:3, :3]).T, dtype=torch.float32)
    return _Images(
        fields.blurred(fixed, (sigma_mm,) * 3, device),
        fields.blurred(moving, (sigma_mm,) * 3, device),
        points,
        to_ras,
        fields.normalised_from_ras(moving),
        slopes.to(device),
        middle[:, 0].cpu().double().numpy(),
        monomials,
    )


def _descend(
    images: _Images, matrix: NDArray[np.float64], progress: Progress
) -> NDArray[np.float64]:
    damping, least, step_mm = _DAMPING, np.inf, np.inf
    candidate, best = matrix, matrix
    slopes_of_fixed = fields.gradient(images.fixed)[0]
    normal, right = np.eye(12), np.zeros(12)
    for _ in range(_MAX_STEPS):
        progress.check()
        warped = _warp(images, candidate)
        residual = images.fixed - warped
        cost = float((residual * residual).mean())
        if cost < least:
            damping, least, best = damping * _LESS, cost, candidate
            slopes = 0.5 * (slopes_of_fixed + fields.gradient(warped)[0])
            normal, right = _normal_equations(images, slopes, residual)
        else:
            damping *= _MORE
        if step_mm < _LEAST_STEP_MM or damping > _DAMPING_LIMIT:
            break
        change = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), right).reshape(3, 4)
        step_mm = float(np.abs(change).sum(axis=1).max())
        candidate = best @ _as_matrix(change, images.middle_ras)
    return best


def _warp(images: _Images, matrix: NDArray[np.float64]) -> Tensor:
    to_moving = images.from_ras @ matrix @ images.to_ras
    return fields.sample(images.moving, fields.carry(images.points, to_moving))


def _normal_equations(
    images: _Images, slopes: Tensor, residual: Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the 12x12 matrix and the right side for a change that comes before the matrix."""
    per_mm = images.to_slopes @ slopes.flatten(1)
    columns = (per_mm[:, None] * images.monomials).flatten(0, 1)
    normal = (columns @ columns.T).cpu().double().numpy()
    right = (columns @ residual.flatten()).cpu().double().numpy()
    # A direction in which nothing changes, as across a single slice, stays as it is.
    return normal + np.eye(12) * np.finfo(np.float32).eps * np.trace(normal), right


def _as_matrix(change: NDArray[np.float64], middle_ras: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3] += change[:, :3] / _RADIUS_MM
    matrix[:3, 3] = change[:, 3] - change[:, :3] @ middle_ras / _RADIUS_MM
    return matrix
