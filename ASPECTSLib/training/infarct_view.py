"""What the infarct network sees of a patient: the brain on its grid, with ADC and without."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference.infarct_inputs import (
    INFARCT_SPACING_MM,
    infarct_channels,
    infarct_grid_of,
)
from ASPECTSLib.inference.inputs import RegionPrior, head_grid, on_grid
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.training.labelled import Labelled

WHOLE_SHAPE = (80, 112, 96)
"""Grid of a sample, along k, j, i: it holds the brain, as in use. Parts of it have other means, and a network that
normalises over what it sees would learn those."""

_SHIFT_MM = (8.0, 8.0, 8.0)  # of the grid, which lies around a brain mask that is not quite right
_WITHOUT_ADC = 0.3
_GAIN, _GAMMA = (0.85, 1.18), (0.75, 1.6)
_ADC_GAIN = (0.93, 1.08)  # the commonest ADC of a brain is found to some per cent
_NOISE = 0.03  # of the brain's signal
_ADC_NOISE = 40.0
_COIL, _COIL_POINTS = 0.4, (3, 4, 4)
# Healthy tissue varies by 0.05 of its signal in each octave of size in two real scans, and by half of that in synthetic
# ones; its ADC varies nearly alike in both.
_TEXTURE_VOXELS, _TEXTURE = (0.7, 1.5, 3.0, 6.0), 0.06
_CORTEX, _CORTEX_POINTS, _CORTEX_ADC = 0.35, (6, 8, 8), (1.15, 0.25)
_PILE_UP, _MOST_SPOTS = 0.7, 8
_SPOT_VOXELS, _SPOT_GAIN = (1.0, 5.0), (0.3, 2.5)
_TISSUE, _REACH = 0.3, 5
# Iron and short T2 lower the ADC of healthy deep grey matter without brightening it: by 30 % in one public case.
_DIPS, _MOST_DIPS = 0.8, 6
_DIP_VOXELS, _DIP_DEPTH = (2.0, 10.0), (0.1, 0.45)


def look_at_infarct(
    scan: Labelled, _prior: RegionPrior, draw: Draw
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the brain at 2 mm, and the infarct.

    Raises
    ------
    UsageError
        RECIPE_INVALID if nothing is known of an infarct.
    """
    if scan.infarct_on is None:
        message = "expected scans with infarct masks to learn this task"
        raise UsageError(ErrorCode.RECIPE_INVALID, message)
    grid = _around_brain(scan, draw.part("place"))
    grey = draw.part("grey")
    infarct = scan.infarct_on(grid)
    dwi = _varied_signal(on_grid(scan.image, grid), scan.typical.signal, grey)
    dwi *= _coil(dwi.shape, draw.part("coil")) * _texture(dwi.shape, draw.part("texture"))
    dwi = _with_pile_up(dwi, infarct, draw.part("pile-up"))
    known = None if scan.adc is None else on_grid(scan.adc, grid)
    if known is not None:
        relative = known / max(scan.typical.adc, 1.0)
        dwi = np.where(infarct, dwi, dwi * _bright_cortex(relative, draw.part("cortex")))
    adc = None
    if known is not None and not grey.chance(_WITHOUT_ADC):
        adc = _with_dips(_varied_adc(known, grey), infarct, draw.part("dips"))
    image = infarct_channels(dwi, adc, scan.typical)
    labels = infarct.astype(np.uint8)
    if draw.part("side").chance(0.5):
        return image, labels
    return np.ascontiguousarray(image[..., ::-1]), np.ascontiguousarray(labels[..., ::-1])


def _around_brain(scan: Labelled, draw: Draw) -> Volume:
    head = head_grid(scan.image, scan.modality, INFARCT_SPACING_MM, WHOLE_SHAPE)
    affine = infarct_grid_of(head.with_array(scan.brain_on(head)), WHOLE_SHAPE).affine.copy()
    # Between voxels, too: the grid's place is chance in use.
    affine[:3, 3] += [draw.uniform(-most, most) for most in _SHIFT_MM]
    return Volume(head.array, affine)


def _varied_signal(dwi: NDArray[np.float32], typical: float, draw: Draw) -> NDArray[np.float32]:
    gain, gamma = draw.log_uniform(*_GAIN), draw.log_uniform(*_GAMMA)
    noise = draw.uniform(0.0, _NOISE) * draw.generator.standard_normal(dwi.shape, np.float32)
    relative = np.power(np.maximum(dwi, 0.0) / typical, gamma) * gain
    return np.where(dwi > 0, relative + noise, 0.0).astype(np.float32) * typical


def _coil(shape: tuple[int, ...], draw: Draw) -> NDArray[np.float32]:
    """Return a smooth factor: near the coil, as in the cerebellum, healthy brain is up to twice as bright."""
    points = draw.generator.standard_normal(_COIL_POINTS, np.float32) * draw.uniform(0.0, _COIL)
    return np.exp(_stretched(points, shape))


def _texture(shape: tuple[int, ...], draw: Draw) -> NDArray[np.float32]:
    """Return a factor that varies from place to place, at all scales: T2 does, where diffusion hardly does."""
    field = np.zeros(shape, np.float32)
    for sigma in _TEXTURE_VOXELS:
        step = max(round(sigma / 2), 1)
        coarse = draw.generator.standard_normal([-(-n // step) for n in shape], np.float32)
        smooth = ndimage.gaussian_filter(coarse, sigma / step)
        part = smooth if step == 1 else _stretched(smooth, shape)
        field += draw.uniform(0.0, _TEXTURE) / max(float(part.std()), 1e-6) * part
    return np.exp(field)


def _bright_cortex(relative_adc: NDArray[np.float32], draw: Draw) -> NDArray[np.float32]:
    """Return a factor that brightens healthy cortex in some places, as insula and cingulate gyrus are brighter.

    Cortex is told by its ADC, which the fluid beside it raises.
    """
    points = draw.generator.standard_normal(_CORTEX_POINTS, np.float32)
    places = np.clip(_stretched(points, relative_adc.shape), 0.0, None) * draw.uniform(0.0, _CORTEX)
    middle, width = _CORTEX_ADC
    return 1.0 + places * np.exp(-(((relative_adc - middle) / width) ** 2))


def _with_pile_up(
    dwi: NDArray[np.float32], infarct: NDArray[np.bool_], draw: Draw
) -> NDArray[np.float32]:
    """Brighten some spots at the surface of the head, as signal piles up beside air; never in the infarct."""
    surface = _surface(dwi)
    if not len(surface) or not draw.chance(_PILE_UP):
        return dwi
    factor = np.ones_like(dwi)
    for _ in range(1 + int(draw.generator.integers(_MOST_SPOTS))):
        spot = surface[int(draw.generator.integers(len(surface)))]
        factor += draw.uniform(*_SPOT_GAIN) * _blob(dwi.shape, spot, _SPOT_VOXELS, draw)
    return np.where(infarct, dwi, dwi * factor)


def _with_dips(
    adc: NDArray[np.float32], infarct: NDArray[np.bool_], draw: Draw
) -> NDArray[np.float32]:
    """Lower the ADC in some places, never in the infarct: only with a bright signal is a low one an infarct."""
    if not draw.chance(_DIPS):
        return adc
    factor = np.ones_like(adc)
    for _ in range(1 + int(draw.generator.integers(_MOST_DIPS))):
        place = draw.generator.uniform(0.2, 0.8, 3) * adc.shape
        factor *= 1 - draw.uniform(*_DIP_DEPTH) * _blob(adc.shape, place, _DIP_VOXELS, draw)
    return np.where(infarct, adc, adc * factor)


def _blob(
    shape: tuple[int, ...],
    centre: NDArray[np.number],
    radii_voxels: tuple[float, float],
    draw: Draw,
) -> NDArray[np.float32]:
    """Return a Gaussian of height 1 with radii drawn between two limits."""
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    radii = draw.generator.uniform(*radii_voxels, 3)
    distance = sum(((a - c) / r) ** 2 for a, c, r in zip(axes, centre, radii, strict=True))
    return np.exp(-0.5 * distance).astype(np.float32)


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
