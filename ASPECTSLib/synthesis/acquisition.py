"""The scanner: slices with partial volume, reconstruction kernel, and noise that is correlated as in CT."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.placement import Placement, sample

_SUBSLICE_MM = 2.8  # sampled once; what lies within is averaged beforehand
_MAX_SUBSLICES = 4
_SOFT_FROM = 2.0  # voxels
_FINE_PIXEL_MM = (
    0.56  # finer ones hold nothing that a head of 1 mm voxels would show: every second is sampled
)
_LEAST_BLUR_PIXELS = 0.2
_BLUR_REACH_SIGMAS = 3.0
_SPECTRUM_STEPS = 400
_SPECTRUM_REACH = 4.0  # in units of the cut-off: the noise beyond is nothing


@dataclass(frozen=True)
class AcquisitionRange:
    """How scans differ; each is drawn evenly between two values.

    Parameters
    ----------
    in_plane_mm
        Pixel spacing.
    slice_mm
        Distance of slices; drawn evenly by its logarithm.
    field_mm
        Width of the field of view.
    height_mm
        Coverage from foot to head.
    kernel_mm
        Standard deviation of the kernel's blur, in-plane.
    overlap
        How much thicker slices are than their distance, as a share of it; helical scans are often reconstructed so.
    """

    in_plane_mm: tuple[float, float] = (0.4, 0.6)
    slice_mm: tuple[float, float] = (0.6, 8.0)
    field_mm: tuple[float, float] = (205.0, 250.0)
    height_mm: tuple[float, float] = (140.0, 175.0)
    kernel_mm: tuple[float, float] = (0.25, 0.75)
    overlap: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Acquisition:
    """One scan's grid, kernel and overlap of slices."""

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    kernel_mm: float
    overlap: float = 0.0

    @property
    def grid(self) -> Volume:
        """An empty volume on the scan's grid, in the image frame."""
        shape = self.size[::-1]
        empty = np.zeros(shape, np.uint8)
        return Volume(empty, centred_affine(shape, np.array(self.spacing_mm)))

    @property
    def thickness_mm(self) -> float:
        """How thick slices are."""
        return self.spacing_mm[2] * (1.0 + self.overlap)

    @property
    def slice_correlation(self) -> float:
        """Of the noise of neighbouring slices: the share of their rays that they have in common."""
        return self.overlap / (1.0 + self.overlap)


@dataclass(frozen=True)
class NoiseSpectrum:
    """How the power of noise goes with spatial frequency: a ramp, cut off by the kernel.

    Power is `((1 - ramp) cut + ramp f) exp(-(f / cut) ** steepness)` at a frequency f: filtered back-projection
    makes the ramp (Kijewski and Judy 1987, doi:10.1088/0031-9155/32/5/003).

    Parameters
    ----------
    cut_per_mm
        Where the kernel leaves 1/e of the power.
    steepness
        2 for a Gaussian kernel, less for one that is sharper with the same cut-off.
    ramp
        0 for noise that is merely blurred, 1 for noise without slow components.
    """

    cut_per_mm: float
    steepness: float = 2.0
    ramp: float = 0.0

    def power(self, per_mm: Tensor) -> Tensor:
        """Return the power at frequencies, in arbitrary units."""
        slope = (1.0 - self.ramp) * self.cut_per_mm + self.ramp * per_mm
        return slope * torch.exp(-((per_mm / self.cut_per_mm) ** self.steepness))

    @property
    def total(self) -> float:
        """The power of all frequencies of the plane."""
        end = self.cut_per_mm * _SPECTRUM_REACH ** (2.0 / self.steepness)
        per_mm = torch.linspace(0.0, end, _SPECTRUM_STEPS, dtype=torch.float64)
        return float(torch.trapezoid(2.0 * math.pi * per_mm * self.power(per_mm), per_mm))


def draw_acquisition(scans: AcquisitionRange, draw: Draw) -> Acquisition:
    """Draw the grid and kernel of one scan."""
    in_plane = draw.uniform(*scans.in_plane_mm)
    slice_mm = draw.log_uniform(*scans.slice_mm)
    width = round(draw.uniform(*scans.field_mm) / in_plane)
    slices = max(round(draw.uniform(*scans.height_mm) / slice_mm), 2)
    return Acquisition(
        size=(width, width, slices),
        spacing_mm=(in_plane, in_plane, slice_mm),
        kernel_mm=draw.uniform(*scans.kernel_mm),
        overlap=draw.uniform(*scans.overlap),
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
    pixel_mm, thickness_mm = acquisition.spacing_mm[0], acquisition.thickness_mm
    step = 2 if pixel_mm <= _FINE_PIXEL_MM else 1
    parts = min(max(round(thickness_mm / _SUBSLICE_MM), 1), _MAX_SUBSLICES)
    across = _across(placement, grid.affine[:3, 2] * (1.0 + acquisition.overlap), parts)
    averaged = averaged_along_k(volumes, thickness_mm / parts)
    slices = [
        sample(averaged, placement.voxels(points) + across).mean(dim=1)
        for points in _slices(grid, volumes.device, step)
    ]
    scan = torch.stack(slices, dim=1)
    if step == 2:
        scan = _doubled(_doubled(scan, 2, grid.size[1]), 3, grid.size[0])
    return blur_in_plane(scan, acquisition.kernel_mm / pixel_mm)


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


def averaged_along_k(volumes: Tensor, width: float) -> Tensor:
    """Average volumes of shape (channels, k, j, i) over a width in voxels along k; beyond the ends lie 0."""
    middle, *others = slice_weights(width)
    size = volumes.shape[1]
    total = volumes * middle
    for shift, weight in enumerate(others[: size - 1], start=1):
        total[:, shift:].add_(volumes[:, : size - shift], alpha=weight)
        total[:, : size - shift].add_(volumes[:, shift:], alpha=weight)
    return total


def slice_weights(width: float) -> list[float]:
    """Return the weights of a voxel and of its neighbours, the nearest first, in an average over a width in voxels.

    From two voxels on, the ends are soft: that evens out what is sampled every so many voxels, and slices of helical
    scans have such ends too.
    """
    if width <= 1.0:
        return [1.0]
    reach = math.ceil((width - 1.0) / 2.0)
    end = (width - 1.0) / 2.0 - (reach - 1)  # part of the outermost voxels that lies in it
    box = np.array([end, *[1.0] * (2 * reach - 1), end]) / width
    if width >= _SOFT_FROM:
        box = np.convolve(box, (0.25, 0.5, 0.25))
    return box[len(box) // 2 :].tolist()


def blur_in_plane(volumes: Tensor, sigma_pixels: float) -> Tensor:
    """Blur each slice with a Gaussian; shape (channels, slices, rows, columns) stays."""
    if sigma_pixels < _LEAST_BLUR_PIXELS:
        return volumes
    reach = math.ceil(_BLUR_REACH_SIGMAS * sigma_pixels)
    weights = [math.exp(-0.5 * (tap / sigma_pixels) ** 2) for tap in range(reach + 1)]
    total = weights[0] + 2.0 * sum(weights[1:])
    for axis in (2, 3):
        size = volumes.shape[axis]
        margin = (reach, reach, 0, 0) if axis == 3 else (0, 0, reach, reach)
        padded = functional.pad(volumes, margin, mode="replicate")
        # Sums of shifted images are several times as fast on a CPU as a convolution with one channel.
        volumes = padded.narrow(axis, reach, size) * (weights[0] / total)
        for tap in range(1, reach + 1):
            for start in (reach - tap, reach + tap):
                volumes.add_(padded.narrow(axis, start, size), alpha=weights[tap] / total)
    return volumes


def correlated_noise(
    shape: tuple[int, int, int], pixel_mm: float, spectrum: NoiseSpectrum, draw: Draw
) -> Tensor:
    """Return noise that is independent from slice to slice and has a spectrum within them.

    Parameters
    ----------
    shape
        (slices, rows, columns).
    pixel_mm
        Pixel spacing.
    spectrum
        Of the noise.
    draw
        Source of all randomness.

    Returns
    -------
    Tensor
        float32; of unit variance if pixels are fine enough for the whole spectrum, else less, as if it had been
        averaged over them.
    """
    slices, rows, columns = shape
    # Transforms are fast at such sizes only; what is cut off also unties opposite edges.
    size = [next_fast_len(n, real=True) for n in (rows, columns)]
    white = torch.fft.rfft2(draw.noise(slices, *size))
    vertical = torch.fft.fftfreq(size[0], pixel_mm, device=white.device)
    horizontal = torch.fft.rfftfreq(size[1], pixel_mm, device=white.device)
    per_mm = torch.hypot(vertical[:, None], horizontal[None, :])
    gain = torch.sqrt(spectrum.power(per_mm) / (spectrum.total * pixel_mm**2))
    return torch.fft.irfft2(white * gain, s=size)[:, :rows, :columns].contiguous()


def tied_slices(noise: Tensor, correlation: float) -> Tensor:
    """Make neighbouring slices of independent noise alike, as overlapping reconstructions are; the variance stays.

    Parameters
    ----------
    noise
        Shape (slices, rows, columns).
    correlation
        Of each slice with the next, 0 to 0.5.
    """
    if correlation <= 0.0 or len(noise) < 2:
        return noise
    share = (1.0 - math.sqrt(1.0 - 4.0 * correlation**2)) / (2.0 * correlation)
    tied = noise / math.sqrt(1.0 + share**2)
    tied[:-1] += noise[1:] * (share / math.sqrt(1.0 + share**2))
    tied[-1] = noise[-1]
    return tied


def _across(placement: Placement, thickness_mm: NDArray[np.float64], parts: int) -> Tensor:
    """Return the way in voxels from a slice's middle to the middles of its parts, shape (parts, 1, 1, 3)."""
    # Over the thickness of a slice the deformation stays what it is in its middle.
    step = placement.step(thickness_mm)
    offsets = (torch.arange(parts, device=step.device) - (parts - 1) / 2) / parts
    return offsets[:, None, None, None] * step


def _doubled(scan: Tensor, axis: int, size: int) -> Tensor:
    """Interpolate along an axis what `_slices` sampled at every second voxel, to a number of voxels."""
    first = _second_start(size) / -2.0
    here, there = (
        scan.narrow(axis, 0, scan.shape[axis] - 1),
        scan.narrow(axis, 1, scan.shape[axis] - 1),
    )
    pairs = torch.stack([torch.lerp(here, there, first + half) for half in (0.0, 0.5)], axis + 1)
    return pairs.flatten(axis, axis + 1).narrow(axis, 0, size)


def _second_start(size: int) -> float:
    """Return where to start when every second of some voxels is sampled, so that both ends are alike."""
    return 0.0 if size % 2 else -0.5


def _slices(grid: Volume, device: torch.device, step: int = 1) -> Iterator[Tensor]:
    """Give the places of each slice's voxels, or of every second one to beyond the ends, RAS mm.

    Shape (rows, columns, 3).
    """
    columns, rows, slices = grid.size
    along = [
        torch.arange(n, dtype=torch.float32, device=device)
        if step == 1
        else 2.0 * torch.arange(n // 2 + 2 - (n + 1) % 2, device=device) + _second_start(n)
        for n in (rows, columns)
    ]
    j, i = torch.meshgrid(*along, indexing="ij")
    matrix = torch.from_numpy(grid.affine.astype(np.float32)).to(device)
    in_plane = torch.stack((i, j), dim=-1) @ matrix[:3, :2].T + matrix[:3, 3]
    for k in range(slices):
        yield in_plane + k * matrix[:3, 2]
