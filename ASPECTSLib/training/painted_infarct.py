"""Infarcts painted into healthy regions of patches: those that patients rarely lose are seen ill as often as others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.regions import AFFECTED_FRACTION
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.ncct import infarct_drop_hu

HOURS = (1.0, 36.0)
"""Since onset, as in the recipes on NCCT."""

_TRACE_SHARE = (
    0.25  # of painted infarcts that leave the region unaffected: the tenth is to be learned, too
)
_TRACE = (0.0, 0.06)  # of the region
_CLEAR = (0.14, 1.0)  # shares near a tenth would be called rightly by chance only
_REACH_MM = 12.0  # over which a body fades from where it began
_BUMPS, _BUMP_SIGMA_MM = 0.6, 6.0
_EDGE_SIGMA_MM = (
    0.7,
    2.0,
)  # inner edges as sharp as those of the generator, and blurred by thick slices
_FLUID_HU, _TISSUE_HU = 12.0, 22.0  # what lies between is tissue in part


def paint_infarct(
    density: NDArray[np.float32],
    region: NDArray[np.bool_],
    spacing_mm: Sequence[float],
    draw: Draw,
) -> tuple[NDArray[np.float32], bool]:
    """Return a patch in which a healthy region is infarcted to some share, and whether that affects it.

    One body with an uneven border grows from a place in the region, beyond its borders too, until the drawn share of
    the region is infarcted. Fluid keeps its density. Densities fall as those of synthetic patients do.

    Parameters
    ----------
    density
        HU, shape (k, j, i).
    region
        Mask on the same grid, not empty.
    spacing_mm
        Along i, j, k.
    draw
        Source of all randomness.
    """
    is_trace = draw.chance(_TRACE_SHARE)
    share = draw.uniform(*(_TRACE if is_trace else _CLEAR))
    body = _body(region, share, spacing_mm, draw.part("body"))
    edge_mm = draw.uniform(*_EDGE_SIGMA_MM)
    sigma = edge_mm / np.asarray(spacing_mm[::-1])
    soft = ndimage.gaussian_filter(body.astype(np.float32), sigma)
    solid = np.clip((density - _FLUID_HU) / (_TISSUE_HU - _FLUID_HU), 0.0, 1.0)
    drop_hu = infarct_drop_hu(draw.log_uniform(*HOURS), draw.part("drop"))
    return density - np.float32(drop_hu) * soft * solid, share > AFFECTED_FRACTION


def _body(
    region: NDArray[np.bool_], share: float, spacing_mm: Sequence[float], draw: Draw
) -> NDArray[np.bool_]:
    spacing_kji = np.asarray(spacing_mm[::-1], float)
    voxels = np.argwhere(region)
    begin = voxels[int(draw.generator.integers(len(voxels)))]
    offsets_mm = (np.indices(region.shape).T - begin) * spacing_kji
    distance = np.linalg.norm(offsets_mm, axis=-1).T / _REACH_MM
    noise = draw.generator.standard_normal(region.shape, np.float32)
    bumps = ndimage.gaussian_filter(noise, _BUMP_SIGMA_MM / spacing_kji)
    rank = distance + _BUMPS * bumps / max(float(bumps.std()), 1e-6)
    wanted = round(share * len(voxels))
    if wanted == 0:
        return np.zeros(region.shape, bool)
    return rank <= np.partition(rank[region], wanted - 1)[wanted - 1]
