"""The infarct core on a map of cerebral blood flow: where it is below a share of the other side's.

After Cao et al. 2022, doi:10.1002/hbm.25845, section 3.1: core is where the flow is below 30 % of that of the opposite
side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.geometry import Volume

CORE_BELOW = 0.30
"""Of the other side's flow (Cao et al. 2022; Mokin et al. 2017, doi:10.1161/STROKEAHA.116.015472).

What agrees best with DWI depends on the software that made the map: 38 % in one (Cereda et al. 2016,
doi:10.1177/0271678X15610586)."""

MIN_BODY_ML = 1.0
"""Smaller bodies are mostly noise. A round number; on twelve synthetic patients 0.2 to 1 gave the same calls."""

OWN_MM = 1.0
"""Standard deviation of the Gaussian that a voxel's own flow is averaged with, against noise. More shrinks the core, as
its rim is averaged with what lies around it; on twelve synthetic patients 0.5 to 1.5 gave the same calls."""

REFERENCE_MM = 5.0
"""The same of the other side: wide enough for gyri that do not lie exactly opposite each other."""

VESSEL_RATIO = 2.5
"""Flow above this multiple of the brain's median is that of a large vessel, and counts on neither side."""

LEAST_REFERENCE = 0.25
"""Share of the brain's median that the other side's flow has at least: below it there is nothing to compare with, as in
fluid, outside of the brain, or in an old infarct."""

_LEAST_TISSUE = 0.1  # of the neighbourhood on the other side has to be tissue
_LEAST_WEIGHT = 1e-3
_TRUNCATE = 3.0


@dataclass(frozen=True)
class CoreRule:
    """What counts as core.

    Parameters
    ----------
    below
        Share of the other side's flow, between 0 and 1.
    least_ml
        Volume of the smallest body that is kept, mL.

    Raises
    ------
    UsageError
        USAGE if these cannot be.
    """

    below: float = CORE_BELOW
    least_ml: float = MIN_BODY_ML

    def __post_init__(self) -> None:
        if not 0.0 < self.below < 1.0:
            message = (
                f"expected a share of the other side's flow between 0 and 1, got {self.below:g}"
            )
            raise UsageError(ErrorCode.USAGE, message)
        if not (np.isfinite(self.least_ml) and self.least_ml >= 0.0):
            message = f"expected a volume of at least 0 mL for the smallest body of core, got {self.least_ml:g}"
            raise UsageError(ErrorCode.USAGE, message)


@dataclass(frozen=True, eq=False)
class PerfusionCore:
    """The core, on the grid of the map.

    Parameters
    ----------
    core
        bool.
    relative
        float32: flow as a share of the other side's; 0 where that is none to compare with.
    compared
        bool: tissue whose other side has enough flow.
    low_on_both
        bool: tissue that is short of blood as the other side is, and so was not compared.
    """

    core: NDArray[np.bool_]
    relative: NDArray[np.float32]
    compared: NDArray[np.bool_]
    low_on_both: NDArray[np.bool_]


def find_core(flow: Volume, tissue: NDArray[np.bool_], rule: CoreRule) -> PerfusionCore:
    """Find the core of an infarct, comparing each place with its mirror image.

    Flow is averaged in tissue only, over `OWN_MM` on the voxel's own side and over `REFERENCE_MM` on the other. Where
    the other side is short of blood as well, nothing is core: an infarct of both sides is not found.

    Parameters
    ----------
    flow
        Cerebral blood flow, at least 0, in any unit, on a grid that is its own mirror image: the voxel opposite to
        column i is column n - 1 - i. Isotropic voxels.
    tissue
        bool: brain tissue that the map covers; no ventricles and no sulci.
    rule
        What counts as core.
    """
    typical = typical_flow(flow.array, tissue)
    least = LEAST_REFERENCE * typical
    counted = tissue & (flow.array < VESSEL_RATIO * typical)
    own, _ = _averaged(flow, counted, OWN_MM)
    wide, share = _averaged(flow, counted, REFERENCE_MM)
    opposite, opposite_share, opposite_own = (_mirrored(a) for a in (wide, share, own))
    # The place opposite itself has flow, too, and not its neighbourhood only: at the edge of the map it has not.
    has_opposite = np.minimum(opposite, opposite_own) > least
    comparable = counted & (opposite_share > _LEAST_TISSUE)
    compared = comparable & has_opposite
    relative = np.divide(own, opposite, out=np.zeros_like(own), where=compared)
    core = _without_small(compared & (relative < rule.below), rule.least_ml / flow.voxel_volume_ml)
    low_on_both = comparable & _mirrored(counted) & ~has_opposite & (own <= least)
    return PerfusionCore(core, relative, compared, low_on_both)


def typical_flow(flow: NDArray[np.floating], tissue: NDArray[np.bool_]) -> float:
    """Return the median over tissue of the larger flow of each place and the one opposite; 0 where there is none.

    An infarct of half the brain would lower the median of all.
    """
    larger = np.maximum(flow, flow[..., ::-1])
    flowing = larger[tissue & (larger > 0)]
    return float(np.median(flowing)) if flowing.size else 0.0


def _averaged(
    flow: Volume, counted: NDArray[np.bool_], sigma_mm: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean of what counts around each voxel, and which share of the surroundings counts."""
    sigma = sigma_mm / flow.spacing_mm[::-1]
    share = ndimage.gaussian_filter(counted.astype(np.float32), sigma, truncate=_TRUNCATE)
    values = np.where(counted, flow.array, 0).astype(np.float32)
    total = ndimage.gaussian_filter(values, sigma, truncate=_TRUNCATE)
    mean = np.divide(total, share, out=np.zeros_like(total), where=share > _LEAST_WEIGHT)
    return mean, share


def _mirrored(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array[..., ::-1])


def _without_small(mask: NDArray[np.bool_], least_voxels: float) -> NDArray[np.bool_]:
    labelled, _ = ndimage.label(mask, np.ones((3, 3, 3), bool))
    is_kept = np.bincount(labelled.ravel()) >= least_voxels
    is_kept[0] = False
    return is_kept[labelled]
