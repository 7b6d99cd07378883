"""What the infarct network sees of a patient: a part of the head on its grid, with ADC and without."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.geometry import Volume, apply_affine
from ASPECTSLib.inference.infarct_inputs import INFARCT_SPACING_MM, infarct_channels
from ASPECTSLib.inference.inputs import RegionPrior, head_grid, on_grid
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.training.labelled import Labelled

PART_SHAPE = (48, 96, 96)
"""Part of the grid that a sample shows, along k, j, i."""

_HEAD_SHAPE = (80, 112, 96)  # the upper 160 mm of the head, which hold the brain
_ON_INFARCT = 0.65  # share of parts around a voxel of the infarct
_WITHOUT_ADC = 0.3
_GAIN, _GAMMA = (0.85, 1.18), (0.75, 1.6)
# Scanners state b-values that are not quite theirs, and scale b = 0 otherwise: in two public cases the commonest ADC of
# healthy brain was 750 and 1150.
_ADC_GAIN = (0.85, 1.5)
_NOISE = 0.03  # of the brain's signal
_ADC_NOISE = 40.0
_COIL, _COIL_POINTS = 0.4, (3, 4, 4)
_PILE_UP, _MOST_SPOTS = 0.7, 8
_SPOT_VOXELS, _SPOT_GAIN = (1.0, 5.0), (0.3, 2.5)
_TISSUE, _REACH = 0.3, 5


def look_at_infarct(
    scan: Labelled, _prior: RegionPrior, draw: Draw
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return a part of the head at 2 mm, and the infarct."""
    grid = _part(_head(scan), scan.infarct_points_mm, draw.part("part"))
    grey = draw.part("grey")
    infarct = scan.infarct_on(grid)
    dwi = _varied_signal(on_grid(scan.image, grid), scan.typical_signal, grey)
    dwi = _with_pile_up(dwi * _coil(dwi.shape, draw.part("coil")), infarct, draw.part("pile-up"))
    adc = None
    if scan.adc is not None and not grey.chance(_WITHOUT_ADC):
        adc = _varied_adc(on_grid(scan.adc, grid), grey)
    image = infarct_channels(dwi, adc, scan.typical_signal)
    labels = infarct.astype(np.uint8)
    if draw.part("side").chance(0.5):
        return image, labels
    return np.ascontiguousarray(image[..., ::-1]), np.ascontiguousarray(labels[..., ::-1])


def _head(scan: Labelled) -> Volume:
    return head_grid(scan.image, scan.modality, INFARCT_SPACING_MM, _HEAD_SHAPE)


def _part(grid: Volume, points: NDArray[np.float64], draw: Draw) -> Volume:
    """Return a part of a grid, mostly one that shows infarct, of which points are given in RAS mm."""
    spare = np.array(_HEAD_SHAPE[::-1]) - PART_SHAPE[::-1]
    if len(points) and draw.chance(_ON_INFARCT):
        point = points[int(draw.generator.integers(len(points)))]
        seen = apply_affine(np.linalg.inv(grid.affine), point)
        corner = seen - draw.generator.uniform(0.15, 0.85, 3) * PART_SHAPE[::-1]
    else:
        corner = draw.generator.uniform(-0.1, 1.1, 3) * spare
    affine = grid.affine.copy()
    # Between voxels, too: the grid's place is chance in use.
    affine[:3, 3] = apply_affine(grid.affine, np.clip(corner, -4.0, spare + 4.0))
    return Volume(np.zeros(PART_SHAPE, np.uint8), affine)


def _varied_signal(dwi: NDArray[np.float32], typical: float, draw: Draw) -> NDArray[np.float32]:
    gain, gamma = draw.log_uniform(*_GAIN), draw.log_uniform(*_GAMMA)
    noise = draw.uniform(0.0, _NOISE) * draw.generator.standard_normal(dwi.shape, np.float32)
    relative = np.power(np.maximum(dwi, 0.0) / typical, gamma) * gain
    return np.where(dwi > 0, relative + noise, 0.0).astype(np.float32) * typical


def _coil(shape: tuple[int, ...], draw: Draw) -> NDArray[np.float32]:
    """Return a smooth factor: near the coil, as in the cerebellum, healthy brain is up to twice as bright."""
    points = draw.generator.standard_normal(_COIL_POINTS, np.float32) * draw.uniform(0.0, _COIL)
    return np.exp(_stretched(points, shape))


def _with_pile_up(
    dwi: NDArray[np.float32], infarct: NDArray[np.bool_], draw: Draw
) -> NDArray[np.float32]:
    """Brighten some spots at the surface of the head, as signal piles up beside air; never in the infarct."""
    surface = _surface(dwi)
    if not len(surface) or not draw.chance(_PILE_UP):
        return dwi
    axes = np.ogrid[tuple(slice(n) for n in dwi.shape)]
    factor = np.ones_like(dwi)
    for _ in range(1 + int(draw.generator.integers(_MOST_SPOTS))):
        spot = surface[int(draw.generator.integers(len(surface)))]
        radii = draw.generator.uniform(*_SPOT_VOXELS, 3)
        distance = sum(((a - c) / r) ** 2 for a, c, r in zip(axes, spot, radii, strict=True))
        factor += draw.uniform(*_SPOT_GAIN) * np.exp(-0.5 * distance).astype(np.float32)
    return np.where(infarct, dwi, dwi * factor)


def _surface(dwi: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return voxels of tissue with air not far in front or behind, shape (points, 3), k, j, i."""
    tissue = dwi > _TISSUE * np.percentile(dwi, 95)
    inner = np.roll(tissue, _REACH, axis=2) & np.roll(tissue, -_REACH, axis=2)
    inner &= np.roll(tissue, _REACH, axis=1) & np.roll(tissue, -_REACH, axis=1)
    return np.argwhere(tissue & ~inner)


def _stretched(points: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    zoom = [n / m for n, m in zip(shape, points.shape, strict=True)]
    return ndimage.zoom(points, zoom, order=1, mode="nearest", grid_mode=True)


def _varied_adc(adc: NDArray[np.float32], draw: Draw) -> NDArray[np.float32]:
    gain = draw.log_uniform(*_ADC_GAIN)
    noise = draw.uniform(0.0, _ADC_NOISE) * draw.generator.standard_normal(adc.shape, np.float32)
    return np.where(adc > 0, adc * gain + noise, 0.0).astype(np.float32)
