"""Labelled diffusion-weighted scans in folders: a head with scalp and noise, whose infarct and ADC are known."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path

import numpy as np
from axis_orders import reordered
from diffusion_phantoms import BRAIN_AXES_MM, DiffusionHead

from ASPECTSLib.atlas.rules import grid_points
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.io.images import write_image

ALL_FILES = ("image", "adc", "infarct", "brain")
SPACING_MM = (4.0, 4.0, 6.0)

_SHAPE = (30, 54, 46)
_SCALP_MM = (8.0, 16.0)  # from the brain to the scalp, and to the air
_SCALP_SIGNAL, _NOISE_SIGNAL = 120.0, 20.0  # beside 450 in the brain


@cache
def labelled_diffusion() -> dict[str, Volume]:
    """Return image, ADC in 1e-6 mm2/s, infarct and brain of a head, by name."""
    affine = centred_affine(_SHAPE, np.array(SPACING_MM))
    head = DiffusionHead(_SHAPE, SPACING_MM, affine)
    outer = [_ellipsoid(affine, margin_mm) for margin_mm in _SCALP_MM]
    around = np.where(outer[1] & ~outer[0], _SCALP_SIGNAL, 0.0)
    noise = np.abs(np.random.default_rng(1).normal(0.0, _NOISE_SIGNAL, _SHAPE))
    image = np.where(head.brain, head.weighted().array, around) + noise
    return {
        "image": head.volume(image.astype(np.float32)),
        "adc": head.volume(head.adc.array.astype(np.float32)),
        "infarct": head.volume(head.infarct.astype(np.uint8)),
        "brain": head.volume(head.brain.astype(np.uint8)),
    }


def write_diffusion_scan(
    cohort: Path,
    case: str = "one",
    names: Collection[str] = ALL_FILES,
    *,
    healthy: bool = False,
    order: tuple[tuple[int, ...], tuple[bool, ...]] | None = None,
) -> Path:
    """Write such a scan of a case; return its folder.

    Parameters
    ----------
    cohort, case
        Where to.
    names
        Of the files, out of `ALL_FILES`.
    healthy
        Whether the infarct mask is empty.
    order
        Of the axes, one of `axis_orders.AXIS_ORDERS`; right, forward and up when left out.
    """
    folder = cohort / case / "dwi"
    folder.mkdir(parents=True)
    for name in names:
        volume = labelled_diffusion()[name]
        if healthy and name == "infarct":
            volume = volume.with_array(np.zeros_like(volume.array))
        write_image(reordered(volume, *order) if order else volume, folder / f"{name}.nii.gz")
    return folder


def _ellipsoid(affine: np.ndarray, margin_mm: float) -> np.ndarray:
    axes_mm = np.array(BRAIN_AXES_MM) + margin_mm
    return ((grid_points(_SHAPE, affine) / axes_mm) ** 2).sum(axis=-1) <= 1.0
