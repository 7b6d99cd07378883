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
from ASPECTSLib.geometry import Volume, resample

CORE_BELOW = 0.30
"""Of the other side's flow (Cao et al. 2022; Mokin et al. 2017, doi:10.1161/STROKEAHA.116.015472).

What agrees best with DWI depends on the software that made the map: 38 % in one (Cereda et al. 2016,
doi:10.1177/0271678X15610586)."""

MIN_BODY_ML = 1.0
"""Smaller bodies are mostly noise. A round number; on twelve synthetic patients 0.2 to 1 gave the same calls."""

VOTE_MM = 1.5
"""Standard deviation of the Gaussian with which neighbours vote on whether a voxel is core, against noise: a weighted
median of the flow. It leaves straight borders where they are; an average would shrink the core, whose rim is mixed with
what lies around it. On eight synthetic infarcts of more than 8 mL 1 and 2 gave the same volumes within 8 %."""

BODY_MM = 3.0
"""The same of a second vote, in which all that is not core votes against: a body of core passes it somewhere. Rims of
sulci and ventricles that a tissue mask of 10 mm slices missed reached 0.49, a caudate nucleus of 3 mL 0.74."""

BORDER_MM = 3.0
"""The same of the levels on both sides of a border. With noise not all voxels of a core are below the threshold: at a
border with normal tissue, half the votes of a full majority are then less than half of all. A border lies where the
votes are half-way between those inside and those outside; voted by a simple majority, cores of 15 to 150 mL with a
fifth of the flow and a tenth of noise were 3 to 8 % too small, and so they are within 3 %."""

OWN_MM = 1.0
"""The same of the average that says whether there is any flow at a place at all."""

REFERENCE_MM = 5.0
"""The same of the other side: wide enough for gyri that do not lie exactly opposite each other."""

VESSEL_RATIO = 2.5
"""Flow above this multiple of the brain's median is that of a large vessel, and counts on neither side."""

LEAST_REFERENCE = 0.25
"""Share of the brain's median that the other side's flow has at least: below it there is nothing to compare with, as in
fluid, outside of the brain, or in an old infarct."""

_LEAST_TISSUE = 0.1  # of the neighbourhood on the other side has to be tissue
_LEAST_WEIGHT = 1e-3
_LEAST_NEAR = 0.02  # of a side in the neighbourhood, or there is no level of it
_DEEP = 0.8  # share of a body around its voxels from which on they are not of its border
_BORDER_ROUNDS = 2
_HALF = 0.5
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


def find_core(
    flow: Volume, tissue: NDArray[np.bool_], reflection: NDArray[np.float64], rule: CoreRule
) -> PerfusionCore:
    """Find the core of an infarct, comparing each place with its mirror image.

    The flow of a voxel is compared with that of the other side, averaged in tissue over `REFERENCE_MM`; its neighbours
    then vote. Where the other side is short of blood as well, nothing is core: an infarct of both sides is not found.

    Parameters
    ----------
    flow
        Cerebral blood flow, at least 0, in any unit, on any grid that lies about square to the head.
    tissue
        bool: brain tissue that the map covers; no ventricles and no sulci.
    reflection
        4x4 matrix from a point to that opposite to it, RAS mm, as `Midplane.reflection`.
    rule
        What counts as core.
    """

    def mirrored(array: NDArray[Any]) -> NDArray[np.float32]:
        return resample(flow.with_array(array), flow, reflection).array

    typical = typical_flow(flow.array, mirrored(flow.array), tissue)
    least = LEAST_REFERENCE * typical
    counted = tissue & (flow.array < VESSEL_RATIO * typical)
    own, _ = _averaged(flow, counted, OWN_MM)
    wide, share = _averaged(flow, counted, REFERENCE_MM)
    opposite, opposite_share, opposite_own = (mirrored(a) for a in (wide, share, own))
    # The place opposite itself has flow, too, and not its neighbourhood only: at the edge of the map it has not.
    has_opposite = np.minimum(opposite, opposite_own) > least
    comparable = counted & (opposite_share > _LEAST_TISSUE)
    compared = comparable & has_opposite
    relative = np.zeros(flow.array.shape, np.float32)
    np.divide(flow.array, opposite, out=relative, where=compared)
    core = _bodies(flow.with_array(relative < rule.below), compared, rule.least_ml)
    low_on_both = comparable & (mirrored(counted) > _HALF) & ~has_opposite & (own <= least)
    return PerfusionCore(core, relative, compared, low_on_both)


def typical_flow(
    flow: NDArray[np.floating], opposite: NDArray[np.floating], tissue: NDArray[np.bool_]
) -> float:
    """Return the median over tissue of the larger flow of each place and the one opposite; 0 where there is none.

    An infarct of half the brain would lower the median of all.
    """
    larger = np.maximum(flow, opposite)
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


def _bodies(low: Volume, compared: NDArray[np.bool_], least_ml: float) -> NDArray[np.bool_]:
    """Return what is low by the vote of its neighbours: bodies that are large enough, and no rims."""
    votes, _ = _averaged(low, compared, VOTE_MM)
    bodies = _kept(low, compared & (votes > _HALF), compared, least_ml)
    for _ in range(_BORDER_ROUNDS if bodies.any() else 0):
        voted = compared & _beyond_half_way(low, votes, compared, bodies)
        bodies = _kept(low, voted, compared, least_ml)
    return bodies


def _beyond_half_way(
    low: Volume, votes: NDArray[np.float32], compared: NDArray[np.bool_], bodies: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return where the votes are nearer to those inside of bodies than to those outside; elsewhere the bodies stay."""
    everywhere = np.ones(bodies.shape, bool)
    around, _ = _averaged(low.with_array(bodies), everywhere, VOTE_MM)
    inside, of_inside = _averaged(low, bodies & (around > _DEEP), BORDER_MM)
    outside, of_outside = _averaged(low, compared & ~bodies & (around < 1.0 - _DEEP), BORDER_MM)
    is_near = np.minimum(of_inside, of_outside) > _LEAST_NEAR
    return np.where(is_near, votes > (inside + outside) / 2, bodies)


def _kept(
    low: Volume, voted: NDArray[np.bool_], compared: NDArray[np.bool_], least_ml: float
) -> NDArray[np.bool_]:
    """Return the bodies that are large enough and no rims; holes in their slices are filled where they are small."""
    _, share = _averaged(low, voted, BODY_MM)
    least_voxels = least_ml / low.voxel_volume_ml
    labelled, sizes = _labelled(voted)
    is_kept = sizes >= least_voxels
    is_kept &= np.isin(np.arange(len(sizes)), labelled[share > _HALF])
    bodies = is_kept[labelled] & voted
    filled = np.stack([ndimage.binary_fill_holes(image) for image in bodies])
    holes, sizes = _labelled(filled & compared & ~bodies)
    is_small = sizes < least_voxels
    return bodies | (is_small[holes] & (holes > 0))


def _labelled(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return bodies by number from 1, and the voxels of each number."""
    labelled, _ = ndimage.label(mask, np.ones((3, 3, 3), bool))
    return labelled, np.bincount(labelled.ravel())
