"""Where each voxel of a scan lies in the anatomy: the patient's pose in the scanner, shape, and width of ventricles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.synthesis.ageing import VENTRICLE_MM, ventricle_widening_mm
from ASPECTSLib.synthesis.anatomy import COARSE_STEP, Anatomy
from ASPECTSLib.synthesis.draw import Draw


@dataclass(frozen=True)
class ShapeRange:
    """How far patients differ in pose and shape; deviations are those of normal draws unless it says otherwise.

    Parameters
    ----------
    max_tilt_deg
        Largest rotation about any axis, drawn evenly.
    shift_mm
        Largest shift of the brain's middle from the middle of the scan, drawn evenly.
    size_deviation
        Of the head's size, and of each axis' on top of it by half as much.
    deformation_mm
        Of the smooth random displacement.
    deformation_reach_mm
        Smallest and largest distance over which the displacement stays alike.
    ventricle_mm
        Range in which the ventricles' walls move outwards, from young to old.
    """

    max_tilt_deg: float = 20.0
    shift_mm: float = 15.0
    size_deviation: float = 0.04
    deformation_mm: float = 3.0
    deformation_reach_mm: tuple[float, float] = (18.0, 50.0)
    ventricle_mm: tuple[float, float] = VENTRICLE_MM


@dataclass(frozen=True, eq=False)
class Placement:
    """Takes points of the scan to voxels of an anatomy.

    Parameters
    ----------
    head_from_scan
        4x4 matrix from scan to anatomy, RAS mm, without deformation.
    displacement_mm
        float32, shape (3, k, j, i) at every `COARSE_STEP`-th voxel of the anatomy: added to points of the anatomy, so
        that the anatomy is sampled elsewhere (fixed to moving); components x, y, z.
    affine
        The anatomy's, from (i, j, k) to mm.
    """

    head_from_scan: NDArray[np.float64]
    displacement_mm: Tensor
    affine: NDArray[np.float64]

    def voxels(self, points_mm: Tensor) -> Tensor:
        """Return where points of the scan lie in the anatomy.

        Parameters
        ----------
        points_mm
            Shape (..., 3), RAS mm of the scan.

        Returns
        -------
        Tensor
            Shape (..., 3), voxel indices (i, j, k) of the anatomy, not rounded.
        """
        matrix = np.linalg.inv(self.affine) @ self.head_from_scan
        voxels = _apply(matrix, points_mm)
        # The coarse field's voxels are those of the anatomy, one in COARSE_STEP; both grids are of 1 mm.
        shift = sample(self.displacement_mm, voxels / COARSE_STEP, border=True)
        return voxels + shift.movedim(0, -1)

    def displaced(self, along_y_mm: Tensor) -> Placement:
        """Return a placement in which the image of the anatomy is displaced along its y axis.

        Parameters
        ----------
        along_y_mm
            float32, shape (k, j, i) of the anatomy's own grid: added to the place where it is sampled.
        """
        grid = self.displacement_mm.shape[1:]
        coarse = functional.interpolate(
            along_y_mm[None, None], size=grid, mode="trilinear", align_corners=True
        )[0, 0]
        total = self.displacement_mm.clone()
        total[1] += coarse
        return replace(self, displacement_mm=total)

    def step(self, vector_mm: NDArray[np.float64]) -> Tensor:
        """Return the change of voxel indices (i, j, k) along a short vector of the scan, in mm, without deformation."""
        turned = np.linalg.inv(self.affine)[:3, :3] @ self.head_from_scan[:3, :3] @ vector_mm
        return torch.from_numpy(turned.astype(np.float32)).to(self.displacement_mm.device)


def place(anatomy: Anatomy, age_years: float, shape: ShapeRange, draw: Draw) -> Placement:
    """Draw the pose and shape of a patient.

    Parameters
    ----------
    anatomy
        The head.
    age_years
        Ventricles widen with it.
    shape
        How far patients differ.
    draw
        Source of all randomness.
    """
    return Placement(
        _pose(shape, draw.part("pose")),
        _displacement(anatomy, age_years, shape, draw.part("shape")),
        anatomy.affine,
    )


def sample(
    volumes: Tensor, voxels: Tensor, *, nearest: bool = False, border: bool = False
) -> Tensor:
    """Sample volumes at points.

    Parameters
    ----------
    volumes
        float32, shape (channels, k, j, i).
    voxels
        Shape (..., 3), indices (i, j, k).
    nearest
        Nearest neighbour instead of linear interpolation.
    border
        The nearest voxel beyond the ends instead of 0.

    Returns
    -------
    Tensor
        float32, shape (channels, ...).
    """
    size = torch.tensor(volumes.shape[:0:-1], dtype=torch.float32, device=volumes.device)
    scaled = (voxels / (size - 1)) * 2 - 1
    result = functional.grid_sample(
        volumes[None],
        scaled.reshape(1, 1, 1, -1, 3),
        mode="nearest" if nearest else "bilinear",
        padding_mode="border" if border else "zeros",
        align_corners=True,
    )
    return result.reshape(volumes.shape[0], *voxels.shape[:-1])


def _apply(matrix: NDArray[np.float64], points: Tensor) -> Tensor:
    rotation = torch.from_numpy(matrix[:3, :3].astype(np.float32)).to(points.device)
    shift = torch.from_numpy(matrix[:3, 3].astype(np.float32)).to(points.device)
    return points @ rotation.T + shift


def _pose(shape: ShapeRange, draw: Draw) -> NDArray[np.float64]:
    pitch, yaw, roll = (
        np.radians(draw.uniform(-shape.max_tilt_deg, shape.max_tilt_deg)) for _ in range(3)
    )
    cos, sin = np.cos, np.sin
    about_x = np.array([[1, 0, 0], [0, cos(pitch), -sin(pitch)], [0, sin(pitch), cos(pitch)]])
    about_y = np.array([[cos(roll), 0, sin(roll)], [0, 1, 0], [-sin(roll), 0, cos(roll)]])
    about_z = np.array([[cos(yaw), -sin(yaw), 0], [sin(yaw), cos(yaw), 0], [0, 0, 1]])
    size = draw.normal(1.0, shape.size_deviation)
    axes = [size * draw.normal(1.0, shape.size_deviation / 2) for _ in range(3)]
    matrix = np.eye(4)
    matrix[:3, :3] = np.diag(1 / np.array(axes)) @ about_x @ about_y @ about_z
    shift = np.array([draw.uniform(-shape.shift_mm, shape.shift_mm) for _ in range(3)])
    matrix[:3, 3] = matrix[:3, :3] @ shift
    return matrix


def _displacement(anatomy: Anatomy, age_years: float, shape: ShapeRange, draw: Draw) -> Tensor:
    grid = anatomy.atlas_points.shape[1:]
    total = torch.zeros((3, *grid), device=draw.device)
    # Two lengths of waves: the whole head's shape, and that of lobes.
    shortest, longest = shape.deformation_reach_mm
    for reach_mm, share in ((longest, 1.0), (shortest, 0.5)):
        amplitude = draw.uniform(0.3, 1.0) * shape.deformation_mm * share
        for component in range(3):
            total[component] += amplitude * draw.smooth(grid, reach_mm / COARSE_STEP)
    push = torch.from_numpy(anatomy.ventricle_push).to(draw.device)
    widening = ventricle_widening_mm(age_years, shape.ventricle_mm)
    widening += draw.normal(0.0, 0.8)
    uneven = 1.0 + 0.25 * draw.smooth(grid, 40.0 / COARSE_STEP)
    return total - widening * uneven * push
