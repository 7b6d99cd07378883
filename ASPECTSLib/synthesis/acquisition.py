"""The scanner: slices with partial volume, reconstruction kernel, and noise that is correlated as in CT."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.placement import Placement, sample

_SUBSLICE_MM = 1.5  # finest structure that partial volume is averaged over
_MAX_SUBSLICES = 6


@dataclass(frozen=True)
class AcquisitionRange:
    """How scans differ; each is drawn evenly between two values.

    Parameters
    ----------
    in_plane_mm
        Pixel spacing.
    slice_mm
        Distance of slices, which is their thickness too; drawn evenly by its logarithm.
    field_mm
        Width of the field of view.
    height_mm
        Coverage from foot to head.
    kernel_mm
        Standard deviation of the kernel's blur, in-plane.
    """

    in_plane_mm: tuple[float, float] = (0.4, 0.6)
    slice_mm: tuple[float, float] = (0.6, 8.0)
    field_mm: tuple[float, float] = (205.0, 250.0)
    height_mm: tuple[float, float] = (140.0, 175.0)
    kernel_mm: tuple[float, float] = (0.3, 0.8)


@dataclass(frozen=True)
class Acquisition:
    """One scan's grid and kernel."""

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    kernel_mm: float

    @property
    def grid(self) -> Volume:
        """An empty volume on the scan's grid, in the image frame."""
        shape = self.size[::-1]
        empty = np.zeros(shape, np.uint8)
        return Volume(empty, centred_affine(shape, np.array(self.spacing_mm)))


def draw_acquisition(scans: AcquisitionRange, draw: Draw) -> Acquisition:
    """Draw the grid and kernel of one scan."""
    in_plane = draw.uniform(*scans.in_plane_mm)
    slice_mm = draw.log_uniform(*scans.slice_mm)
    width = round(draw.uniform(*scans.field_mm) / in_plane)
    slices = max(round(draw.uniform(*scans.height_mm) / slice_mm), 2)
    return Acquisition(
        (width, width, slices), (in_plane, in_plane, slice_mm), draw.uniform(*scans.kernel_mm)
    )


def scan_volumes(volumes: Tensor, placement: Placement, acquisition: Acquisition) -> Tensor:
    """Sample volumes of an anatomy along a scan's slices, averaged over their thickness and blurred by the kernel.

    Parameters
    ----------
    volumes
        float32, shape (channels, k, j, i), on the anatomy's grid; 0 outside of it.
    placement
        Where the patient lies.
    acquisition
        Grid and kernel.

    Returns
    -------
    Tensor
        float32, shape (channels, slices, rows, columns).
    """
    grid = acquisition.grid
    thickness = acquisition.spacing_mm[2]
    parts = min(max(math.ceil(thickness / _SUBSLICE_MM), 1), _MAX_SUBSLICES)
    offsets = (torch.arange(parts, device=volumes.device) - (parts - 1) / 2) / parts
    # Over the thickness of a slice the deformation stays what it is in its middle.
    across = offsets[:, None, None, None] * placement.step(grid.affine[:3, 2])
    slices = [
        sample(volumes, placement.voxels(points) + across).mean(dim=1)
        for points in _slices(grid, volumes.device)
    ]
    return blur_in_plane(
        torch.stack(slices, dim=1), acquisition.kernel_mm / acquisition.spacing_mm[0]
    )


def scan_labels(labels: Tensor, placement: Placement, grid: Volume) -> NDArray[np.uint8]:
    """Sample label maps of an anatomy at the voxels' centres of a grid.

    Parameters
    ----------
    labels
        uint8, shape (channels, k, j, i), on the anatomy's grid.
    placement
        Where the patient lies.
    grid
        Any grid in the scan's frame.

    Returns
    -------
    numpy.ndarray
        uint8, shape (channels, slices, rows, columns).
    """
    values = labels.float()
    slices = [
        sample(values, placement.voxels(points), nearest=True)
        for points in _slices(grid, labels.device)
    ]
    return torch.stack(slices, dim=1).round().to(torch.uint8).cpu().numpy()


def blur_in_plane(volumes: Tensor, sigma_pixels: float) -> Tensor:
    """Blur each slice with a Gaussian; shape (channels, slices, rows, columns) stays."""
    if sigma_pixels < 0.2:
        return volumes
    radius = math.ceil(3 * sigma_pixels)
    taps = torch.arange(-radius, radius + 1, dtype=torch.float32, device=volumes.device)
    kernel = torch.exp(-0.5 * (taps / sigma_pixels) ** 2)
    kernel = kernel / kernel.sum()
    channels, slices, rows, columns = volumes.shape
    flat = volumes.reshape(channels * slices, 1, rows, columns)
    flat = functional.pad(flat, (radius,) * 4, mode="replicate")
    flat = functional.conv2d(
        functional.conv2d(flat, kernel[None, None, None]), kernel[None, None, :, None]
    )
    return flat.reshape(volumes.shape)


def correlated_noise(
    shape: tuple[int, int, int], sigma_pixels: float, band: float, draw: Draw
) -> Tensor:
    """Return noise with the spectrum of filtered back-projection: a ramp cut off by the kernel; unit variance.

    Parameters
    ----------
    shape
        (slices, rows, columns).
    sigma_pixels
        Standard deviation of the kernel's blur.
    band
        0 for noise that is merely blurred, 1 for a full ramp, which has no slow components (Kijewski and Judy 1987,
        doi:10.1088/0031-9155/32/5/003).
    draw
        Source of all randomness.
    """
    white = draw.noise(1, *shape)
    smooth = blur_in_plane(white, max(sigma_pixels, 0.3))
    slow = blur_in_plane(white, max(sigma_pixels, 0.3) * 2.5)
    noise = smooth - band * slow
    return (noise / noise.std())[0]


def _slices(grid: Volume, device: torch.device) -> Iterator[Tensor]:
    """Give the places of each slice's voxels, shape (rows, columns, 3), RAS mm."""
    columns, rows, slices = grid.size
    j, i = torch.meshgrid(
        torch.arange(rows, dtype=torch.float32, device=device),
        torch.arange(columns, dtype=torch.float32, device=device),
        indexing="ij",
    )
    matrix = torch.from_numpy(grid.affine.astype(np.float32)).to(device)
    in_plane = torch.stack((i, j), dim=-1) @ matrix[:3, :2].T + matrix[:3, 3]
    for k in range(slices):
        yield in_plane + k * matrix[:3, 2]
