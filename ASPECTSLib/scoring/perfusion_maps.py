"""What maps beside the blood flow say of a core: tissue that is supplied late, and the blood volume of the core."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.geometry import Volume, resample

LATE_S = 6.0
"""Tmax above which tissue is critically short of blood (Olivot et al. 2009, doi:10.1161/STROKEAHA.108.530089; DEFUSE 3,
Albers et al. 2018, doi:10.1056/NEJMoa1713973)."""

MIN_LATE_ML = 3.0
"""Smaller bodies are mostly noise; a round number, as late tissue is large where a large artery is shut."""

_VOTE_MM = 1.5
_HALF = 0.5


def late_tissue(
    tmax: Volume, tissue: NDArray[np.bool_], core: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return where tissue is supplied late, the core included.

    Parameters
    ----------
    tmax
        Seconds; 0 where it is not known.
    tissue, core
        Masks on the same grid.
    """
    late = (tissue & (tmax.array > LATE_S)).astype(np.float32)
    sigma = _VOTE_MM / tmax.spacing_mm[::-1]
    share = ndimage.gaussian_filter(late, sigma)
    around = ndimage.gaussian_filter(tissue.astype(np.float32), sigma)
    labelled, _ = ndimage.label(tissue & (share > _HALF * around), np.ones((3, 3, 3), bool))
    is_kept = np.bincount(labelled.ravel()) * tmax.voxel_volume_ml >= MIN_LATE_ML
    is_kept[0] = False
    return is_kept[labelled] | core


def relative_volume(
    cbv: Volume,
    core: NDArray[np.bool_],
    tissue: NDArray[np.bool_],
    reflection: NDArray[np.float64],
) -> float | None:
    """Return the mean blood volume of a core as a share of that of the tissue opposite to it; None without either.

    Parameters
    ----------
    cbv
        Any unit; 0 where it is not known.
    core, tissue
        Masks on the same grid.
    reflection
        4x4 matrix from a point to that opposite to it, RAS mm.
    """
    opposite = _mirrored(core, cbv, reflection) & tissue & ~core
    here, there = cbv.array[core & (cbv.array > 0)], cbv.array[opposite & (cbv.array > 0)]
    if not here.size or not there.size:
        return None
    return float(here.mean() / there.mean())


def _mirrored(
    mask: NDArray[Any], grid: Volume, reflection: NDArray[np.float64]
) -> NDArray[np.bool_]:
    return resample(grid.with_array(mask), grid, reflection, order=0).array > 0
