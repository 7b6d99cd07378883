"""Variants of an atlas for age groups, made from its anatomies with the effects of age that synthetic patients have.

They are synthetic in age: the anatomies' own ages are not known, and what changes is what the rules of
`ASPECTSLib.synthesis` change, the width of ventricles and sulci.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.atlas.tissues import INTRACRANIAL, Tissue
from ASPECTSLib.geometry import Volume, apply_affine
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.mapping import Mapping as SpatialMapping
from ASPECTSLib.registration.mapping import warp
from ASPECTSLib.synthesis.ageing import SULCAL_VARIATION, sulcal_widening_mm, ventricle_widening_mm
from ASPECTSLib.synthesis.anatomy import COARSE_STEP, Anatomy

GROUP_AGE_YEARS: Mapping[AgeGroup, float] = MappingProxyType(
    {
        AgeGroup.FROM_10: 19.9,
        AgeGroup.FROM_30: 40.0,
        AgeGroup.FROM_50: 58.2,
        AgeGroup.FROM_70: 76.9,
    }
)
"""Mean ages of the groups of the ASPECTS-281 atlas (Sun et al. 2024, doi:10.1038/s41597-024-03973-y)."""

_SPREAD_MM = 0.8  # of a voxel's tissue, as in the atlas itself
_SHIFT_SIGMA_MM = 2.0  # the mean shift of the ventricles' surroundings is smooth
_MIN_SAMPLES = 0.05  # of the anatomies' voxels that fall into one of the atlas; fewer tell nothing


@dataclass(frozen=True, eq=False)
class _Sums:
    """What has been added up over anatomies, on the grid of the atlas's tissue maps.

    Parameters
    ----------
    tissues
        float64, shape (tissues, k, j, i): voxels of each class.
    shifts_mm
        float64, shape (3, k, j, i): shift of all intracranial voxels by ventricles that widen, atlas mm.
    """

    tissues: NDArray[np.float64]
    shifts_mm: NDArray[np.float64]


def age_variant(
    atlas: Atlas, anatomies: Iterable[Anatomy], group: AgeGroup, progress: Progress | None = None
) -> Atlas:
    """Make the variant of an atlas for an age group.

    Each anatomy gets the ventricles and sulci of the group's mean age, is laid on the atlas by the map that it was
    prepared with, and all are averaged; so are their mirror images. What lies outside of the skull's inside stays as it
    is. Regions are moved by the mean shift of the tissue.

    Parameters
    ----------
    atlas
        The atlas that the anatomies were prepared with.
    anatomies
        On grids of 1 mm.
    group
        Decides the age.
    progress
        Asked for cancellation before each anatomy.
    """
    progress = progress or Progress()
    shape = atlas.tissues.shape
    sums = _Sums(np.zeros(shape), np.zeros((3, *shape[1:])))
    for anatomy in anatomies:
        progress.check()
        _add(sums, anatomy, atlas, GROUP_AGE_YEARS[group])
    tissues = _composition(atlas, sums)
    regions = _moved(atlas.regions, _mean_shift_mm(sums, atlas), atlas)
    name = f"{atlas.name}-{group.value}"
    return Atlas(tissues, atlas.affine, regions, name, atlas.version, {})


def _add(sums: _Sums, anatomy: Anatomy, atlas: Atlas, age_years: float) -> None:
    """Add one anatomy: each of its intracranial voxels goes to the voxel of the atlas in which it comes to lie."""
    inside = np.argwhere(np.isin(anatomy.tissue, [int(t) for t in INTRACRANIAL]))
    tissue = anatomy.tissue[tuple(inside.T)]
    lost = _lost_share(anatomy, age_years)[tuple(inside.T)]
    push = _at(anatomy.ventricle_push, inside)
    # Fields point along x, y and z, indices run along k, j and i, and voxels are cubes of 1 mm.
    widened = inside + ventricle_widening_mm(age_years) * push[::-1].T
    before, after = (_at(anatomy.atlas_points, points) for points in (inside, widened))
    place = np.rint(apply_affine(np.linalg.inv(atlas.affine), after.T)).astype(np.intp)[:, ::-1]
    shape = atlas.tissues.shape[1:]
    there = ((place >= 0) & (place < shape)).all(axis=1)
    flat = np.ravel_multi_index(tuple(place[there].T), shape)
    cells = int(np.prod(shape))
    kept = {t: (tissue == t) * (1.0 - lost) for t in INTRACRANIAL}
    kept[Tissue.CSF] += lost
    for t, weights in kept.items():
        sums.tissues[t] += np.bincount(flat, weights[there], cells).reshape(shape)
    for component in range(3):
        shift = (after - before)[component, there]
        sums.shifts_mm[component] += np.bincount(flat, shift, cells).reshape(shape)


def _lost_share(anatomy: Anatomy, age_years: float) -> NDArray[np.float64]:
    """Return the probability of each voxel to be cortex that has turned to fluid at an age."""
    widening = sulcal_widening_mm(age_years)
    cortex = anatomy.tissue == Tissue.CORTEX
    lost = np.zeros(cortex.shape)
    if widening > 0:
        excess = anatomy.cortex_depth_mm[cortex] / widening - 1.0
        lost[cortex] = stats.norm.sf(excess / SULCAL_VARIATION)
    return lost


def _at(coarse: NDArray[np.float32], indices: NDArray[np.number]) -> NDArray[np.float64]:
    """Return a coarse field, shape (3, k, j, i), at voxels of the fine grid, shape (3, voxels)."""
    places = np.asarray(indices, np.float64).T / COARSE_STEP
    return np.stack([ndimage.map_coordinates(c, places, order=1, mode="nearest") for c in coarse])


def _composition(atlas: Atlas, sums: _Sums) -> NDArray[np.uint8]:
    """Return probabilities of tissue: the intracranial space of the atlas, made up as the aged anatomies are."""
    sigma = (0.0, *[_SPREAD_MM / s for s in np.linalg.norm(atlas.affine[:3, :3], axis=0)[::-1]])
    spread = ndimage.gaussian_filter(sums.tissues, sigma)
    spread += spread[..., ::-1].copy()
    total = spread.sum(axis=0)
    own = atlas.tissues.astype(np.float64)
    inside = own[sorted(INTRACRANIAL)].sum(axis=0)
    known = total > _MIN_SAMPLES
    result = own.copy()
    for t in INTRACRANIAL:
        share = np.divide(spread[t], total, out=np.zeros_like(total), where=known)
        result[t] = np.where(known, share * inside, own[t])
    return np.rint(result).astype(np.uint8)


def _mean_shift_mm(sums: _Sums, atlas: Atlas) -> NDArray[np.float64]:
    """Return the mean shift at each voxel of the atlas's tissue maps, RAS mm, shape (k, j, i, 3)."""
    sigma = [_SHIFT_SIGMA_MM / s for s in np.linalg.norm(atlas.affine[:3, :3], axis=0)[::-1]]
    count = ndimage.gaussian_filter(sums.tissues.sum(axis=0), sigma)
    known = count > _MIN_SAMPLES
    means = [
        np.divide(ndimage.gaussian_filter(s, sigma), count, out=np.zeros_like(s), where=known)
        for s in sums.shifts_mm
    ]
    mean = np.stack(means, axis=-1)
    return (mean + mean[..., ::-1, :] * (-1.0, 1.0, 1.0)) / 2


def _moved(regions: Volume, shift_mm: NDArray[np.float64], atlas: Atlas) -> Volume:
    """Move the regions by a shift; the left ones are the mirror image of the right ones, to the last voxel."""
    grid = Volume(atlas.tissues[0], atlas.affine)
    moved = warp(regions, SpatialMapping(np.eye(4), -shift_mm, grid), regions, labels=True)
    labels = moved.array.astype(np.uint8)
    x = regions.affine[0, 3] + regions.affine[0, 0] * np.arange(regions.size[0])
    mirrored = swap_sides(labels[..., ::-1])
    return regions.with_array(np.where(x < 0, mirrored, labels))
