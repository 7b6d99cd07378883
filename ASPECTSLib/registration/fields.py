"""Images and displacement fields as tensors: sampling, smoothing, composition and inversion, the same on CPU and GPU.

Coordinates are normalised: along x, y, z (i, j, k) a grid runs from -1 to 1 between the outer faces of its voxels, so
that a field means the same on a grid and on one of half the voxels.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.geometry import Volume

_TRUNCATE_SIGMAS = 4.0
_INVERSION_ITERATIONS = 20


def to_tensor(volume: Volume, device: torch.device | str) -> Tensor:
    """Return the voxels as float32, shape (1, 1, D, H, W)."""
    array = np.ascontiguousarray(volume.array, np.float32)
    return torch.from_numpy(array).to(device)[None, None]


def normalised_from_ras(volume: Volume) -> NDArray[np.float64]:
    """Return the 4x4 matrix from RAS mm to the normalised coordinates of a volume's grid."""
    size = np.array(volume.size, np.float64)
    from_voxels = np.diag([*(2.0 / size), 1.0])
    from_voxels[:3, 3] = 1.0 / size - 1.0
    return from_voxels @ np.linalg.inv(volume.affine)


def grid_points(shape: tuple[int, ...], device: torch.device | str) -> Tensor:
    """Return the normalised x, y, z of the voxels of a grid, shape (1, 3, D, H, W).

    Parameters
    ----------
    shape
        (D, H, W).
    device
        Where they are wanted.
    """
    axes = [(torch.arange(n, device=device) * 2 + 1) / n - 1 for n in shape]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack((x, y, z))[None]


def carry(points: Tensor, matrix: NDArray[np.float64]) -> Tensor:
    """Apply a 4x4 matrix to points, shape (1, 3, D, H, W)."""
    linear = torch.as_tensor(matrix[:3, :3], dtype=points.dtype, device=points.device)
    shift = torch.as_tensor(matrix[:3, 3], dtype=points.dtype, device=points.device)
    return (linear @ points.flatten(2) + shift[:, None]).view_as(points)


def sample(image: Tensor, points: Tensor, *, outside: str = "zeros") -> Tensor:
    """Interpolate an image linearly.

    Parameters
    ----------
    image
        Shape (1, C, D, H, W).
    points
        Normalised coordinates in its grid, shape (1, 3, d, h, w).
    outside
        `zeros`, or `border` for the nearest voxel's value.

    Returns
    -------
    torch.Tensor
        Shape (1, C, d, h, w).
    """
    return functional.grid_sample(
        image, points.permute(0, 2, 3, 4, 1), padding_mode=outside, align_corners=False
    )


def compose(outer: Tensor, inner: Tensor, points: Tensor) -> Tensor:
    """Return the field that displaces by `inner` first and by `outer` from where that leads.

    Parameters
    ----------
    outer, inner
        Normalised displacements, shape (1, 3, D, H, W).
    points
        Of the grid, as `grid_points` gives them.
    """
    return sample(outer, points + inner, outside="border") + inner


def invert(field: Tensor) -> Tensor:
    """Return the field that takes every point back, by fixed-point iteration (doi:10.1118/1.2816107).

    Parameters
    ----------
    field
        Normalised displacements without folds, shape (1, 3, D, H, W).
    """
    points = grid_points(tuple(field.shape[2:]), field.device)
    inverse = -field
    for _ in range(_INVERSION_ITERATIONS):
        inverse = -sample(field, points + inverse, outside="border")
    return inverse


def resize(field: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Interpolate a field, or an image, on a grid of another size that fills the same box."""
    if tuple(field.shape[2:]) == tuple(shape):
        return field
    return functional.interpolate(field, size=shape, mode="trilinear", align_corners=False)


def gaussians(
    shape: tuple[int, ...], sigmas_voxels: tuple[float, ...], device: torch.device | str
) -> tuple[Tensor, ...]:
    """Return a matrix for each axis (D, H, W) that smooths along it; at the ends, what is left of it is scaled up."""
    matrices = []
    for n, sigma in zip(shape, sigmas_voxels, strict=True):
        index = torch.arange(n, dtype=torch.float64)
        distance = (index[:, None] - index).abs() / max(sigma, 1e-6)
        weights = torch.exp(-0.5 * distance**2) * (distance <= _TRUNCATE_SIGMAS)
        matrices.append((weights / weights.sum(1, keepdim=True)).float().to(device))
    return tuple(matrices)


def smooth(image: Tensor, matrices: tuple[Tensor, ...]) -> Tensor:
    """Smooth along D, H and W with the matrices of `gaussians`; products are fast, and their order is fixed."""
    along_d, along_h, along_w = matrices
    planes = along_h @ (image @ along_w.T)
    return (along_d @ planes.flatten(3)).view_as(image)


def blurred(
    volume: Volume, sigmas_mm: tuple[float, float, float], device: torch.device | str
) -> Tensor:
    """Return the voxels as a tensor, smoothed by so many mm along i, j and k."""
    sigmas = tuple((np.array(sigmas_mm) / volume.spacing_mm)[::-1])
    return smooth(to_tensor(volume, device), gaussians(volume.array.shape, sigmas, device))


def gradient(image: Tensor) -> Tensor:
    """Return the central differences per voxel along x, y and z of an image (1, C, D, H, W), shape (C, 3, D, H, W)."""
    result = image.new_zeros((image.shape[1], 3, *image.shape[2:]))
    for component, axis in enumerate((4, 3, 2)):
        n = image.shape[axis]
        difference = image.narrow(axis, 2, n - 2) - image.narrow(axis, 0, n - 2)
        result[:, component].narrow(axis - 1, 1, n - 2).copy_(difference[0])
    return result.mul_(0.5)


def displacement_mm(field: Tensor, grid: Volume) -> NDArray[np.float64]:
    """Return a normalised field on a grid as RAS displacements in mm, shape (k, j, i, 3)."""
    voxels = field[0].permute(1, 2, 3, 0).cpu().numpy().astype(np.float64)
    return (voxels * (np.array(grid.size) / 2.0)) @ grid.affine[:3, :3].T
