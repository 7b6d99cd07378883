"""What the slice finder sees of a patient: the slices of the head, and which of them are at the ganglionic level."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ASPECTSLib.geometry import Volume, apply_affine
from ASPECTSLib.inference.inputs import RegionPrior
from ASPECTSLib.inference.slice_finder import level_of
from ASPECTSLib.inference.slice_finder_inputs import (
    STACK_SIDE,
    STACK_SPACING_MM,
    WINDOWS_HU,
    slice_stack,
    windowed,
)
from ASPECTSLib.networks.slice_finder import NO_SLICE
from ASPECTSLib.scoring.key_slices import find_key_slices
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.training.labelled import Labelled
from ASPECTSLib.training.losses import IGNORED

STACK_SHAPE = (60, STACK_SIDE, STACK_SIDE)
"""Of a sample, along k, j, i: averaged slices are at least 3.3 mm apart, so that 60 of them hold a head."""

LEVEL_MM = 4.0
"""Slices that are no farther than this from the level are at it: the regions' share of a slice is nearly as high there,
and of slices that are 5 mm apart one or two are."""

_MISSED_SLICES = 2.0  # off, from which on a level counts as not found
_PARTS = 3  # of a slice, in which the level is looked for
_LABEL_PIXEL_MM = 4.0
# In heads that are much tilted two levels, up to 20 mm apart, can be as good: thin slices choose by chance.
_SLAB_MM = 15.0

_TURN_DEG, _TILT_DEG = 20.0, 8.0  # on top of the patient's own pose
_TILTED = 0.5
_SIZE, _SHIFT_MM = (0.88, 1.14), (10.0, 10.0, 2.5)
_CUT_BELOW, _CUT_ABOVE = 0.6, 0.3  # shares of the samples
_KEPT_MM = 30.0  # on either side of the level: the supraganglionic slice stays
_GAIN, _OFFSET_HU, _NOISE_HU = (0.96, 1.04), 5.0, 6.0
_CLIPPED = 0.15
_HOLDER, _HOLDER_HU = 0.4, (50.0, 900.0)
_HOLDER_RADII_MM, _HOLDER_WALL_MM = ((95.0, 115.0), (105.0, 125.0)), (3.0, 8.0)


def look_at_slices(
    scan: Labelled, _prior: RegionPrior, draw: Draw
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the stack of a head's slices in three windows, and which of them are at the ganglionic level.

    Returns
    -------
    tuple of numpy.ndarray
        Image, float32, shape (3, *`STACK_SHAPE`), filled up with `NO_SLICE`; labels, uint8, shape (slices, 1, 1): 1 at
        the level, 0 elsewhere, `IGNORED` where there is no slice.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN if no slice holds as much as a head.
    """
    stack = slice_stack(scan.image)
    grid = _placed(stack.grid, draw.part("place"))
    places_mm = np.arange(grid.size[2]) * grid.spacing_mm[2]
    level_mm = _level_mm(scan, grid)
    kept = _kept(places_mm, level_mm, draw.part("cut"))
    density = _varied(stack.density_hu(grid), draw.part("grey"))[kept]
    image = np.full((len(WINDOWS_HU), *STACK_SHAPE), NO_SLICE, np.float32)
    image[:, : len(density)] = windowed(density)
    labels = np.full((STACK_SHAPE[0], 1, 1), IGNORED, np.uint8)
    if level_mm is not None:
        labels[: len(density), 0, 0] = _at_level(places_mm, level_mm)[kept]
    if draw.part("side").chance(0.5):
        return image, labels
    return np.ascontiguousarray(image[..., ::-1]), labels


def nearness(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return how near the level is found: 1 in its slice, 0.5 in the next one, 0 from the second next on.

    Parameters
    ----------
    logits
        Shape (1, 2, slices, 1, 1).
    labels
        Shape (1, slices, 1, 1); slices of 255 take no part.

    Returns
    -------
    torch.Tensor
        float64, shape (2,), on the CPU, NaN for the background; NaN where no slice is at the level.
    """
    known = (labels != IGNORED).flatten()
    truth = np.flatnonzero(labels.flatten()[known].cpu().numpy() == 1)
    probability = logits.float().softmax(dim=1)[0, 1].flatten()[known].cpu().numpy()
    near = float("nan")
    if truth.size:
        near = max(0.0, 1.0 - abs(level_of(probability) - truth.mean()) / _MISSED_SLICES)
    return torch.tensor([float("nan"), near], dtype=torch.float64)


def _placed(grid: Volume, draw: Draw) -> Volume:
    """Return a grid that is turned, shifted and of another size; one in two tilted, too, and between the slices."""
    is_tilted = draw.chance(_TILTED)
    angles = [draw.uniform(-most, most) for most in (_TILT_DEG, _TILT_DEG, _TURN_DEG)]
    sizes = draw.log_uniform(*_SIZE) * np.array([draw.log_uniform(0.95, 1.05) for _ in range(3)])
    shift_mm = np.array([draw.uniform(-most, most) for most in _SHIFT_MM])
    if not is_tilted:
        angles[:2], sizes[2], shift_mm[2] = [0.0, 0.0], 1.0, 0.0
    middle_mm = apply_affine(grid.affine, (np.array(grid.size) - 1) / 2)
    around = np.eye(4)
    around[:3, :3] = _rotation(*np.radians(angles)) * sizes
    around[:3, 3] = middle_mm + shift_mm - around[:3, :3] @ middle_mm
    return Volume(grid.array, around @ grid.affine)


def _rotation(about_x: float, about_y: float, about_z: float) -> NDArray[np.float64]:
    matrix = np.eye(3)
    for axis, angle in enumerate((about_x, about_y, about_z)):
        first, second = (other for other in range(3) if other != axis)
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def _level_mm(scan: Labelled, grid: Volume) -> float | None:
    """Return the ganglionic level above a grid's first slice; None without regions.

    It is the middle of the thick slab that the program would take for the ganglionic slice.
    """
    step = np.array([_LABEL_PIXEL_MM, _LABEL_PIXEL_MM, grid.spacing_mm[2] / _PARTS])
    fine = grid.affine.copy()
    fine[:3, :3] *= step / grid.spacing_mm
    # The middle one of a slice's parts lies where the slice does.
    fine[:3, 3] -= fine[:3, 2] * (_PARTS - 1) / 2
    side = int(STACK_SIDE * grid.spacing_mm[0] / _LABEL_PIXEL_MM)
    regions = scan.regions_on(Volume(np.zeros((_PARTS * grid.size[2], side, side)), fine))
    if not regions.any():
        return None
    part = find_key_slices(
        _slabs(regions, round(_SLAB_MM / step[2] / 2)), float(step[2])
    ).ganglionic
    return float((part - (_PARTS - 1) / 2) * step[2])


def _slabs(labels: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    """Return each slice with as many neighbours on either side, laid out beside it."""
    padded = np.pad(labels, ((reach, reach), (0, 0), (0, 0)))
    slabs = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    return slabs.reshape(*labels.shape[:2], -1)


def _at_level(places_mm: NDArray[np.float64], level_mm: float) -> NDArray[np.bool_]:
    away_mm = np.abs(places_mm - level_mm)
    return away_mm <= max(LEVEL_MM, float(away_mm.min()))


def _kept(places_mm: NDArray[np.float64], level_mm: float | None, draw: Draw) -> slice:
    """Return the slices that a scan with less coverage would have."""
    is_cut = draw.chance(_CUT_BELOW), draw.chance(_CUT_ABOVE)
    shares = draw.uniform(0.0, 1.0), draw.uniform(0.0, 1.0)
    if level_mm is None:
        return slice(0, len(places_mm))
    spare = (places_mm < level_mm - _KEPT_MM).sum(), (places_mm > level_mm + _KEPT_MM).sum()
    below, above = (
        int(share * (most + 1)) if cut else 0
        for cut, share, most in zip(is_cut, shares, spare, strict=True)
    )
    return slice(below, len(places_mm) - above)


def _varied(density_hu: NDArray[np.float32], draw: Draw) -> NDArray[np.float32]:
    varied = density_hu * draw.log_uniform(*_GAIN) + draw.uniform(-_OFFSET_HU, _OFFSET_HU)
    noise = draw.generator.standard_normal(density_hu.shape, np.float32)
    varied = varied + draw.uniform(0.0, _NOISE_HU) * noise
    if draw.chance(_HOLDER):
        varied = np.where(_holder(density_hu.shape[1:], draw), draw.uniform(*_HOLDER_HU), varied)
    if draw.chance(_CLIPPED):
        varied = np.maximum(varied, 0.0)
    return varied.astype(np.float32)


def _holder(shape: tuple[int, ...], draw: Draw) -> NDArray[np.bool_]:
    """Return the wall of a head holder behind the head, the same in all slices."""
    j, i = (
        STACK_SPACING_MM[0] * (axis - (n - 1) / 2)
        for axis, n in zip(np.indices(shape), shape, strict=True)
    )
    radii_mm = [draw.uniform(*radii) for radii in _HOLDER_RADII_MM]
    distance = np.hypot(i / radii_mm[0], j / radii_mm[1])
    wall = draw.uniform(*_HOLDER_WALL_MM) / radii_mm[0]
    return (distance >= 1.0) & (distance < 1.0 + wall) & (j < draw.uniform(-60.0, 30.0))
