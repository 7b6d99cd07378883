"""What the slice networks see of a patient: neighbouring slices of the brain, nearly in its symmetric pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.errors import ErrorCode, InputRefusedError, UsageError
from ASPECTSLib.evidence import average_slices
from ASPECTSLib.geometry import Volume, apply_affine
from ASPECTSLib.inference.inputs import RegionPrior
from ASPECTSLib.inference.slice_inputs import (
    ANATOMY_PIXELS,
    INFARCT_PIXELS,
    BrainFrame,
    Pixels,
    anatomy_channels,
    brain_frame,
    density_on,
    infarct_channels,
    mask_on,
    slice_grid,
)
from ASPECTSLib.inference.slices import CODES
from ASPECTSLib.preprocessing.midplane import Midplane, find_midplane
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.training.asymmetry_view import midplane_of
from ASPECTSLib.training.labelled import Labelled

SLICES = 8
"""Of a sample: slices of one head, one above the other, that the brain or a part of it is on."""

_USUAL_SLICE_MM = 5.0

_ON_INFARCT = 0.7  # share of the looks at a patient with infarct that show it for sure
_OVERVIEW_MM = 4.0

# Of the pose as it is found in real scans, degrees and mm: standard deviations of yaw and roll, and of the plane's
# place. Pitch is not found at all, but as the scan has it; some more of it costs nothing.
_TURN_DEG, _PLANE_MM = 2.0, 1.5
_PITCH_DEG = 6.0
_FRAME_MM = 4.0  # the brain's middle and top, by masks that leave out or add some
_SIZE, _SIZE_OF_AXIS = (0.92, 1.09), (0.97, 1.03)

_SHIFT_HU, _GAIN = 3.0, (0.92, 1.09)  # scanners differ so much, and ages
_GREY_HU = 33.0
_SMOOTHING_MM = (0.0, 0.8)  # sigma
_NOISE_HU, _GRAIN_MM = 3.0, (0.27, 0.9)  # deviation, and sigma
# Of the brain mask, which is blurred by so much and cut off anew.
_BORDER_MM, _BORDER_LEVEL = 2.25, (0.25, 0.75)


def look_at_infarct_slices(
    scan: Labelled, _prior: RegionPrior, draw: Draw, pixels: Pixels = INFARCT_PIXELS
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return some slices of a brain on head CT, and the acute infarct on them.

    Returns
    -------
    tuple of numpy.ndarray
        Image, float32, shape (5, `SLICES`, j, i); labels, uint8, shape (`SLICES`, j, i).

    Raises
    ------
    UsageError
        RECIPE_INVALID if nothing is known of an infarct.
    """
    if scan.infarct_on is None:
        message = "expected scans with infarct masks to learn this task"
        raise UsageError(ErrorCode.RECIPE_INVALID, message)
    frame = _frame_as_found(scan, draw.part("pose"))
    place = draw.part("place")
    shown_mm = _an_infarct_height(scan, frame, place) if place.chance(_ON_INFARCT) else None
    seen = _slices(scan, frame, pixels, shown_mm, draw)
    image = infarct_channels(seen.density, seen.brain, pixels)
    return image, seen.labelled(scan.infarct_on(seen.grid))


def look_at_region_slices(
    scan: Labelled, _prior: RegionPrior, draw: Draw, pixels: Pixels = ANATOMY_PIXELS
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return some slices of a brain on head CT, and the regions on them, either side alike.

    Returns
    -------
    tuple of numpy.ndarray
        Image, float32, shape (6, `SLICES`, j, i); labels, uint8, shape (`SLICES`, j, i): 0, and n for region n of
        `ASPECTSLib.inference.slices.CODES`.
    """
    frame = _frame_as_found(scan, draw.part("pose"))
    region = draw.part("place").pick(REGIONS)
    shown_mm = apply_affine(frame.from_image, scan.centres_mm[region.label - 1])[2]
    seen = _slices(scan, frame, pixels, float(shown_mm), draw)
    image = anatomy_channels(seen.density, seen.brain, seen.grid, frame)
    return image, seen.labelled(_EITHER_SIDE[scan.regions_on(seen.grid)])


@dataclass(frozen=True, eq=False)
class _Seen:
    """Slices of a patient, perhaps mirrored; truth on the grid is yet to be mirrored with them."""

    grid: Volume
    density: NDArray[np.float32]
    brain: NDArray[np.bool_]
    is_mirrored: bool

    def labelled(self, truth: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Return the truth as it belongs to the slices."""
        mirrored = truth[..., ::-1] if self.is_mirrored else truth
        return np.ascontiguousarray(mirrored).astype(np.uint8)


def _frame_as_found(scan: Labelled, draw: Draw) -> BrainFrame:
    """Return the pose of a brain, off by what is usual in real scans, and of another size."""
    frame = brain_frame(scan.image.with_array(scan.brain), _midplane(scan))
    yaw, roll = (draw.normal(0.0, _TURN_DEG) for _ in range(2))
    pitch = draw.uniform(-_PITCH_DEG, _PITCH_DEG)
    whole = draw.log_uniform(*_SIZE)
    sizes = [whole * draw.log_uniform(*_SIZE_OF_AXIS) for _ in range(3)]
    shift_mm = [draw.normal(0.0, s) for s in (_PLANE_MM, _FRAME_MM, _FRAME_MM)]
    # About the middle of the brain: turned about its top, its base would be beside the slices.
    middle_mm = np.array([0.0, 0.0, frame.lowest_mm / 2])
    turn = Rotation.from_euler("xyz", (pitch, roll, yaw), degrees=True)
    around = np.eye(4)
    around[:3, :3] = turn.as_matrix() * sizes
    around[:3, 3] = middle_mm - around[:3, :3] @ middle_mm + shift_mm
    return BrainFrame(around @ frame.from_image, frame.lowest_mm * whole)


def _midplane(scan: Labelled) -> Midplane:
    """Return the plane between the regions of both sides; where they are not known, as it is found in use."""
    try:
        return midplane_of(scan.centres_mm, scan.volumes_ml)
    except InputRefusedError:  # a scan of a cohort without regions
        return find_midplane(average_slices(scan.image))


def _slices(
    scan: Labelled, frame: BrainFrame, pixels: Pixels, shown_mm: float | None, draw: Draw
) -> _Seen:
    """Return some slices of a brain; with a height that they are to show, or anywhere."""
    volume = average_slices(scan.image)
    slice_mm = float(volume.spacing_mm[2])
    extent_mm, place = (SLICES - 1) * slice_mm, draw.part("slices")
    limits_mm = frame.lowest_mm, max(-extent_mm, frame.lowest_mm)
    first_mm = place.uniform(*limits_mm)
    if shown_mm is not None:
        first_mm = float(np.clip(shown_mm - place.uniform(0.0, 1.0) * extent_mm, *limits_mm))
    grid = slice_grid(frame, pixels, first_mm, slice_mm, SLICES)
    density = _varied(density_on(volume, grid), pixels, draw.part("grey"))
    mask = mask_on(scan.image.with_array(scan.brain), grid)
    brain = _rebordered(mask, pixels, draw.part("mask"))
    if draw.part("side").chance(0.5):
        return _Seen(grid, density, brain, is_mirrored=False)
    return _Seen(grid, density[..., ::-1], brain[..., ::-1], is_mirrored=True)


def _an_infarct_height(scan: Labelled, frame: BrainFrame, draw: Draw) -> float | None:
    """Return the height of a voxel of the infarct, any of them as likely; None where there is no infarct."""
    size = np.ceil(np.array(scan.image.size) * scan.image.spacing_mm / _OVERVIEW_MM).astype(int)
    affine = np.diag([_OVERVIEW_MM] * 3 + [1.0])
    affine[:3, 3] = scan.image.affine[:3, 3]
    overview = Volume(np.zeros(size[::-1], np.uint8), affine)
    voxels = np.argwhere(scan.infarct_on(overview))
    if not len(voxels):
        return None
    voxel = voxels[int(draw.generator.integers(len(voxels)))]
    return float(apply_affine(frame.from_image @ affine, voxel[::-1].astype(float))[2])


def _varied(density: NDArray[np.float32], pixels: Pixels, draw: Draw) -> NDArray[np.float32]:
    """Return the density as another scanner would show it."""
    smoothing = draw.uniform(*_SMOOTHING_MM) / pixels.size_mm
    smoothed = ndimage.gaussian_filter(density, (0.0, smoothing, smoothing))
    grain = draw.uniform(*_GRAIN_MM) / pixels.size_mm
    noise = draw.generator.standard_normal(density.shape, np.float32)
    noise = ndimage.gaussian_filter(noise, (0.0, grain, grain))
    noise *= draw.uniform(0.0, _NOISE_HU) / max(float(noise.std()), 1e-6)
    gain, shift = draw.log_uniform(*_GAIN), draw.uniform(-_SHIFT_HU, _SHIFT_HU)
    return (smoothed - _GREY_HU) * gain + _GREY_HU + shift + noise


def _rebordered(brain: NDArray[np.bool_], pixels: Pixels, draw: Draw) -> NDArray[np.bool_]:
    """Return a brain mask with another border: masks that are found are narrower or wider."""
    sigma = draw.uniform(0.0, _BORDER_MM) / pixels.size_mm
    blurred = ndimage.gaussian_filter(brain.astype(np.float32), (0.0, sigma, sigma))
    return blurred > draw.uniform(*_BORDER_LEVEL)


def usual_grid(pixels: Pixels) -> tuple[tuple[float, float, float], tuple[int, int, int]]:
    """Return spacing along i, j and k in mm, as it is most often, and shape along k, j and i of a sample."""
    spacing_mm = (pixels.size_mm, pixels.size_mm, _USUAL_SLICE_MM)
    return spacing_mm, (SLICES, pixels.side, pixels.side)


def _either_side() -> NDArray[np.uint8]:
    """Return the class of each label."""
    classes = np.zeros(len(REGIONS) + 1, np.uint8)
    for region in REGIONS:
        classes[region.label] = CODES.index(region.code) + 1
    return classes


_EITHER_SIDE = _either_side()
