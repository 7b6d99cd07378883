"""What the slice networks see: slices of the brain in its symmetric pose, each with its own mirror image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, crop, resample
from ASPECTSLib.preprocessing.midplane import Midplane

_BRAIN_MM = 200.0  # of the largest, from front to back
_SIDE_STEP = 32


@dataclass(frozen=True)
class Pixels:
    """Rows and columns of the slices of a network.

    Parameters
    ----------
    size_mm
        Of a pixel.
    side
        How many there are, along rows as along columns.
    """

    size_mm: float
    side: int

    @classmethod
    def of_size(cls, size_mm: float) -> Pixels:
        """Return as many as hold the largest brain, in a multiple that all networks of slices take."""
        return cls(size_mm, _SIDE_STEP * ceil(_BRAIN_MM / size_mm / _SIDE_STEP))


INFARCT_PIXELS = Pixels.of_size(0.9)
"""224 rows and columns, as in Deep-ASPECTS (Upadhyay 2022, doi:10.1007/978-3-031-25066-8_17)."""

ANATOMY_PIXELS = Pixels.of_size(1.6)
"""128 rows and columns: regions are 15 mm and more across, a third of the pixels shows them, and a network sees three
times the patients in the same time."""

BRAIN_WINDOW_HU = (0.0, 80.0)
STROKE_WINDOW_HU = (5.0, 55.0)
"""Level 30, width 50: in the brain window early infarct and normal brain differ by a thirtieth of the range."""

WINDOW_CHANNELS = 3
"""Brain window, stroke window, and the stroke window of the mirror image."""

INFARCT_SLICE_CHANNELS = WINDOW_CHANNELS + 2
"""The same, the smoothed density of the tissue, and by how much that differs from the mirror image's."""

ANATOMY_SLICE_CHANNELS = WINDOW_CHANNELS + 3
"""The windows, and the distance from the midsagittal plane, the place front to back, and the height."""

OUTSIDE = 0.0
"""Value of all densities outside of the brain."""

_TISSUE_HU = (12.0, 60.0)  # neither fluid nor calcification nor blood
_TISSUE_SIGMA_MM = 3.0  # noise of 4 HU a pixel falls below the 2 HU of early infarct
_LEAST_TISSUE = 0.1  # of the weight of a smoothed pixel, or there is too little to tell its density
_DIFFERENCE_HU = 10.0
_CLIP_HU = (-20.0, 120.0)  # bone at the rim and metal must not bleed in
_COORDINATE_UNIT_MM = 100.0
_ENDS_PERCENT = (
    1.0,
    99.0,
)  # of the brain, front to back: what a mask holds of an orbit does not count
_TOP_PERCENT, _BOTTOM_PERCENT = 99.5, 0.5
_THINNED_MM = (4.0, 2.0)  # across slices and rows, to measure a brain
_INSIDE = 0.499  # a little less than half, so that a tie falls alike in a mirrored scan
_ROUNDING = 0.499  # to the nearest, for the same reason
_MARGIN_MM = 4.0


@dataclass(frozen=True, eq=False)
class BrainFrame:
    """The symmetric pose of a brain, with its origin in the midsagittal plane.

    Parameters
    ----------
    from_image
        4x4 rigid matrix from the image frame, mm: x is the distance to the right of the midsagittal plane, y that to
        the front of the brain's middle, z that above the brain's top.
    lowest_mm
        z of the brain's lowest part.
    """

    from_image: NDArray[np.float64]
    lowest_mm: float


def brain_frame(brain: Volume, midplane: Midplane) -> BrainFrame:
    """Find where a brain lies in its symmetric pose.

    Parameters
    ----------
    brain
        bool mask in the image frame.
    midplane
        In the same frame.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN if the mask is empty.
    """
    if not brain.array.any():
        raise ContentRefusedError(ErrorCode.NO_BRAIN, "expected a brain mask, got an empty one")
    # Columns stay: every second one would be others in a mirrored scan.
    steps = [
        max(round(wanted / s), 1)
        for wanted, s in zip(_THINNED_MM, brain.spacing_mm[:0:-1], strict=True)
    ]
    thinned = np.argwhere(brain.array[:: steps[0], :: steps[1]]) * (*steps, 1)
    posed = apply_affine(midplane.pose @ brain.affine, thinned[:, ::-1].astype(np.float64))
    back, front = np.percentile(posed[:, 1], _ENDS_PERCENT)
    bottom, top = np.percentile(posed[:, 2], (_BOTTOM_PERCENT, _TOP_PERCENT))
    matrix = midplane.pose.copy()
    matrix[1:3, 3] -= (back + front) / 2, top
    return BrainFrame(matrix, float(bottom - top))


def slice_grid(
    frame: BrainFrame, pixels: Pixels, first_mm: float, slice_mm: float, count: int
) -> Volume:
    """Return an empty grid of slices, symmetric about the midsagittal plane.

    Parameters
    ----------
    frame
        Of the brain.
    pixels
        Of the network.
    first_mm
        z of the lowest slice.
    slice_mm, count
        Distance and number of the slices.

    Returns
    -------
    Volume
        uint8, shape (count, side, side), in the image frame.
    """
    affine = np.diag([pixels.size_mm, pixels.size_mm, slice_mm, 1.0])
    half_mm = (pixels.side - 1) / 2 * pixels.size_mm
    affine[:3, 3] = -half_mm, -half_mm, first_mm
    shape = (count, pixels.side, pixels.side)
    return Volume(np.zeros(shape, np.uint8), np.linalg.inv(frame.from_image) @ affine)


def brain_grid(
    frame: BrainFrame, pixels: Pixels, volume: Volume, depth_mm: float = np.inf
) -> Volume:
    """Return the empty grid of a brain's slices; they are those of the scan where the head is not tilted.

    Parameters
    ----------
    frame
        Of the brain.
    pixels
        Of the network.
    volume
        The scan: its slices.
    depth_mm
        How far below the brain's top they may go.
    """
    slice_mm = float(volume.spacing_mm[2])
    middle_mm = apply_affine(np.linalg.inv(frame.from_image), np.array([0, 0, frame.lowest_mm / 2]))
    place = apply_affine(np.linalg.inv(volume.affine), middle_mm)[2]
    nearest = np.floor(place + _ROUNDING)
    on_slice_mm = middle_mm + volume.affine[:3, 2] * (nearest - place)
    height_mm = float(apply_affine(frame.from_image, on_slice_mm)[2])
    below = int(np.ceil((height_mm - max(frame.lowest_mm, -depth_mm)) / slice_mm))
    above = int(np.ceil(-height_mm / slice_mm))
    return slice_grid(frame, pixels, height_mm - below * slice_mm, slice_mm, below + above + 1)


def density_on(volume: Volume, grid: Volume) -> NDArray[np.float32]:
    """Return the density on a grid of slices, in HU, shape (k, j, i).

    Finer pixels are smoothed first, as much as averaging over the grid's pixels would: by a Gaussian of the same
    variance, which is the same for a mirrored scan where blocks of pixels would fall otherwise.

    Parameters
    ----------
    volume
        CT in HU, on slices averaged to about 5 mm.
    grid
        By `slice_grid`.
    """
    part = _around(volume, grid)
    ratio = max(float(grid.spacing_mm[0] / part.spacing_mm[:2].mean()), 1.0)
    sigma = float(np.sqrt((ratio**2 - 1.0) / 12.0))
    clipped = np.clip(part.array.astype(np.float32), *_CLIP_HU)
    smoothed = ndimage.gaussian_filter(clipped, (0.0, sigma, sigma), mode="nearest")
    return resample(part.with_array(smoothed), grid).array


def mask_on(mask: Volume, grid: Volume) -> NDArray[np.bool_]:
    """Return a mask on a grid of slices, bool, shape (k, j, i)."""
    return resample(_around(mask, grid), grid).array > _INSIDE


def pixels_of(card_input: Mapping[str, Any]) -> Pixels:
    """Return the pixels of a model of slices, from the `input` of its card."""
    return Pixels(float(card_input["spacing_mm"][0]), int(card_input["shape_kji"][-1]))


def infarct_channels(
    density: NDArray[np.float32], brain: NDArray[np.bool_], pixels: Pixels
) -> NDArray[np.float32]:
    """Return the input of the infarct network, shape (5, k, j, i).

    That the other side is seen at the same place is not in the paper: early infarct is some HU darker than normal
    brain, as is one brain than another, and readers compare the sides. Nor are the last two channels: the difference
    of a pixel is below the noise, and a network has to learn to average before it can learn anything else.

    Parameters
    ----------
    density, brain
        HU and brain mask on a grid of slices, shape (k, j, i); the network's right is the patient's right.
    pixels
        Of the grid.
    """
    smoothed, is_known = _smoothed_tissue(density, brain, pixels)
    tissue = _windowed(smoothed, is_known, STROKE_WINDOW_HU)
    is_paired = is_known & is_known[..., ::-1]
    difference = np.clip((smoothed - smoothed[..., ::-1]) / _DIFFERENCE_HU, -1.0, 1.0)
    return np.stack((*_windows(density, brain), tissue, np.where(is_paired, difference, 0.0)))


def anatomy_channels(
    density: NDArray[np.float32],
    brain: NDArray[np.bool_],
    grid: Volume,
    frame: BrainFrame,
) -> NDArray[np.float32]:
    """Return the input of the anatomy network, shape (6, k, j, i).

    Where a slice lies in the brain is not told to the network in the paper. M1 to M3 and M4 to M6 are parted by height,
    though, which a slice alone does not always show. Of left and right, the network sees nothing: a mirrored head has
    the mirrored channels.

    Parameters
    ----------
    density, brain
        HU and brain mask on the grid, shape (k, j, i).
    grid, frame
        Of the slices and of the brain.
    """
    first, step = _corner_and_steps(frame, grid)
    axes = [
        start + size * np.arange(n) for start, size, n in zip(first, step, grid.size, strict=True)
    ]
    z, y, x = np.meshgrid(*axes[::-1], indexing="ij")
    places = np.stack((np.abs(x), y, z)) / _COORDINATE_UNIT_MM
    return np.concatenate((_windows(density, brain), places.astype(np.float32)))


def _windows(density: NDArray[np.float32], brain: NDArray[np.bool_]) -> NDArray[np.float32]:
    stroke = _windowed(density, brain, STROKE_WINDOW_HU)
    return np.stack((_windowed(density, brain, BRAIN_WINDOW_HU), stroke, stroke[..., ::-1]))


def _smoothed_tissue(
    density: NDArray[np.float32], brain: NDArray[np.bool_], pixels: Pixels
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the density averaged over the tissue around each pixel, and where there is enough of it."""
    low, high = _TISSUE_HU
    weight = (brain & (density > low) & (density < high)).astype(np.float32)
    sigma = (0.0, *[_TISSUE_SIGMA_MM / pixels.size_mm] * 2)
    total = ndimage.gaussian_filter(weight, sigma)
    smoothed = ndimage.gaussian_filter(density * weight, sigma) / np.maximum(total, _LEAST_TISSUE)
    return smoothed, brain & (total > _LEAST_TISSUE)


def _windowed(
    density: NDArray[np.float32], brain: NDArray[np.bool_], window_hu: tuple[float, float]
) -> NDArray[np.float32]:
    low, high = window_hu
    seen = np.clip((density - low) / (high - low), 0.0, 1.0)
    return np.where(brain, seen, OUTSIDE).astype(np.float32)


def _corner_and_steps(
    frame: BrainFrame, grid: Volume
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the place of the first voxel in the brain's frame, and the steps along its axes, mm."""
    matrix = frame.from_image @ grid.affine
    return matrix[:3, 3], np.diag(matrix)[:3]


def _around(volume: Volume, grid: Volume) -> Volume:
    """Cut a volume to what a grid can see of it."""
    ends = np.array([(0, n - 1) for n in grid.size], np.float64)
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    seen = apply_affine(np.linalg.inv(volume.affine) @ grid.affine, corners)
    margin = _MARGIN_MM / volume.spacing_mm
    low = np.clip(np.floor(seen.min(axis=0) - margin), 0, np.array(volume.size) - 1).astype(int)
    high = np.clip(np.ceil(seen.max(axis=0) + margin), 0, np.array(volume.size) - 1).astype(int)
    i, j, k = (slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
    return crop(volume, (k, j, i))
