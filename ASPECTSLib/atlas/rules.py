"""The written rule that draws the twenty ASPECTS regions from tissue probabilities in MNI152 space.

The rule works in coordinates that readers use: slices parallel to the orbitomeatal plane. In the
atlas's MNI152 space these slices are pitched; `u` runs forward along them and `v` upward across
them, both in mm from the anterior commissure. Regions:

- C: caudate head and body at the ganglionic level, tail left out. L: putamen and pallidum with
  their rim.
- IC: the white matter between L and the caudate or thalamus (genu and posterior limb).
- I: the cortex lateral of L, between the limits of the sylvian fissure's floor.
- M1, M2, M3 (ganglionic level) and M4, M5, M6 (supraganglionic): the lateral strip of the
  hemisphere, cortex with
  its white matter and sulci, split by two coronal planes at the ends of the insula. The strip's
  inner border is the insula at M2 and a line through the white matter elsewhere; towards the poles
  it runs outwards to the border zones with the anterior and the posterior cerebral artery.

The map is drawn on a grid that lies along u and v, so that the borders of the levels are flat: on
any other grid they are staircases, which show as stripes in a slice that runs almost along them.

What a reader would get wrong: M1 to M6 are volumes, not the two slices of the classic reading; the
classic slices are cuts through them.

Sources: Barber et al. 2000, doi:10.1016/S0140-6736(00)02237-6 (levels, regions); Sun et al. 2024,
doi:10.1038/s41597-024-03973-y (supraganglionic slice 2 cm above the ganglionic one). Levels, planes
and the depth of the strip are round numbers, set by looking at the region maps of two acute NCCT in
the same space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.regions import REGIONS_PER_SIDE, RegionCode
from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.geometry import Volume, apply_affine

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class RegionRule:
    """Free parameters of the rule, in mm unless they say otherwise; `u`, `v` as in the module's text.

    `inner_border_*` are points (u, distance from the midplane) of the lateral strip's inner border.
    """

    orbitomeatal_pitch_deg: float = 11.0
    ganglionic_v: tuple[float, float] = (-11.0, 14.5)
    supraganglionic_top_v: float = 46.0
    caudate_v: tuple[float, float] = (-6.0, 20.0)
    caudate_back_u: float = 2.0
    lentiform_rim: float = 1.2
    capsule_width: float = 10.5
    capsule_u: tuple[float, float] = (-20.0, 8.0)
    capsule_v: tuple[float, float] = (-6.0, 16.0)
    insula_reach: float = 10.0
    insula_x: tuple[float, float] = (29.0, 41.5)
    insula_u: tuple[float, float] = (-23.0, 22.0)
    insula_v: tuple[float, float] = (-11.0, 15.5)
    insula_min_cortex: float = 0.25
    ganglionic_planes_u: tuple[float, float] = (14.5, -25.0)
    supraganglionic_planes_u: tuple[float, float] = (8.5, -29.0)
    ganglionic_ends_u: tuple[float, float] = (50.0, -70.0)
    supraganglionic_ends_u: tuple[float, float] = (47.0, -74.0)
    inner_border_ganglionic: tuple[tuple[float, float], ...] = (
        (-72.0, 50.0),
        (-54.0, 36.0),
        (-25.0, 36.0),
        (-24.9, 38.0),
        (14.9, 38.0),
        (15.0, 33.0),
        (32.0, 27.0),
        (52.0, 42.0),
    )
    inner_border_supraganglionic: tuple[tuple[float, float], ...] = (
        (-76.0, 45.0),
        (-52.0, 28.0),
        (-24.0, 31.5),
        (-10.0, 30.5),
        (27.0, 24.0),
        (48.0, 39.0),
    )
    hull_closing: int = 8


@dataclass(frozen=True, eq=False)
class _Space:
    """Coordinates of every voxel: distance from the midplane, u and v, all in mm."""

    x: NDArray[np.float32]
    u: NDArray[np.float32]
    v: NDArray[np.float32]


def draw_regions(
    probabilities: NDArray[np.floating], affine: NDArray[np.float64], rule: RegionRule | None = None
) -> NDArray[np.uint8]:
    """Draw the region label map of the atlas from its tissue probabilities.

    Parameters
    ----------
    probabilities
        Shape (tissues, k, j, i), 0 to 1, in the order of `Tissue`, on an isotropic 1 mm grid.
    affine
        4x4 matrix from (i, j, k) to MNI152 RAS mm.
    rule
        Free parameters; the project's own when left out.

    Returns
    -------
    numpy.ndarray
        Label map (k, j, i): 0 outside, 1 to 10 right, 11 to 20 left.
    """
    return draw_regions_at(probabilities, grid_points(probabilities.shape[1:], affine), rule)


def draw_regions_at(
    probabilities: NDArray[np.floating],
    atlas_points: NDArray[np.floating],
    rule: RegionRule | None = None,
) -> NDArray[np.uint8]:
    """Draw the region label map of a head whose voxels have known places in the atlas.

    Parameters
    ----------
    probabilities
        Shape (tissues, k, j, i), 0 to 1, in the order of `Tissue`, on an isotropic 1 mm grid.
    atlas_points
        Where each voxel lies in the atlas, shape (k, j, i, 3), MNI152 RAS mm.
    rule
        Free parameters; the project's own when left out.

    Returns
    -------
    numpy.ndarray
        Label map (k, j, i): 0 outside, 1 to 10 right, 11 to 20 left.
    """
    rule = rule or RegionRule()
    space = _space(atlas_points, rule.orbitomeatal_pitch_deg)
    tissue = probabilities.argmax(axis=0)
    masks = _cortical_masks(probabilities, space, rule) | _deep_masks(
        probabilities, tissue, space, rule
    )
    right = space.x > 0
    labels = np.zeros(tissue.shape, np.uint8)
    for order, code in enumerate(RegionCode):
        if code in _DEEP_ORDER:
            continue
        labels[masks[code]] = order + 1
    for code in _DEEP_ORDER:
        labels[masks[code]] = list(RegionCode).index(code) + 1
    return np.where(right | (labels == 0), labels, labels + np.uint8(REGIONS_PER_SIDE)).astype(
        np.uint8
    )


_GRID_LIMITS_MM = ((-85, 85), (-90, 65), (-20, 55))
"""First and last voxel centre along x, u and v."""

_DEEP_ORDER = (RegionCode.C, RegionCode.IC, RegionCode.L, RegionCode.I)
"""Deep regions in the order of drawing: a later one covers an earlier one."""


def orbitomeatal_axes(pitch_deg: float) -> NDArray[np.float64]:
    """Return the unit vectors of x, u and v as columns, in MNI152 RAS."""
    cosine, sine = np.cos(np.radians(pitch_deg)), np.sin(np.radians(pitch_deg))
    return np.array([[1.0, 0.0, 0.0], [0.0, cosine, sine], [0.0, -sine, cosine]])


def region_grid(rule: RegionRule | None = None) -> Volume:
    """Return the empty grid to draw regions on: 1 mm, along x, u and v, mirror-symmetric, wide enough for all."""
    rule = rule or RegionRule()
    affine = np.eye(4)
    affine[:3, :3] = orbitomeatal_axes(rule.orbitomeatal_pitch_deg)
    affine[:3, 3] = affine[:3, :3] @ [limits[0] for limits in _GRID_LIMITS_MM]
    size = [limits[1] - limits[0] + 1 for limits in _GRID_LIMITS_MM]
    return Volume(np.zeros(size[::-1], np.uint8), affine)


def grid_points(shape: tuple[int, ...], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the place of each voxel of a grid, shape (k, j, i, 3), in mm."""
    k, j, i = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij")
    return apply_affine(affine, np.stack([i, j, k], axis=-1))


def _space(atlas_points: NDArray[np.floating], pitch_deg: float) -> _Space:
    points = atlas_points @ orbitomeatal_axes(pitch_deg)
    return _Space(*(np.ascontiguousarray(points[..., axis], np.float32) for axis in range(3)))


def _between(values: NDArray[np.float32], limits: tuple[float, float]) -> Mask:
    return (values >= min(limits)) & (values < max(limits))


def _deep_masks(
    probabilities: NDArray[np.floating], tissue: NDArray[np.intp], space: _Space, rule: RegionRule
) -> dict[RegionCode, Mask]:
    distance_x = np.abs(space.x)
    nuclei = np.isin(tissue, (Tissue.PUTAMEN, Tissue.PALLIDUM))
    medial_nuclei = np.isin(tissue, (Tissue.CAUDATE, Tissue.THALAMUS))
    to_lentiform = ndimage.distance_transform_edt(~nuclei)
    to_medial = ndimage.distance_transform_edt(~medial_nuclei)
    lentiform = (to_lentiform <= rule.lentiform_rim) & _between(space.v, rule.ganglionic_v)
    caudate = (
        (tissue == Tissue.CAUDATE)
        & (space.u >= rule.caudate_back_u)
        & _between(space.v, rule.caudate_v)
    )
    capsule = (
        (tissue == Tissue.WHITE_MATTER)
        & (to_lentiform + to_medial <= rule.capsule_width)
        & _between(space.u, rule.capsule_u)
        & _between(space.v, rule.capsule_v)
    )
    insula = (
        (probabilities[Tissue.CORTEX] > rule.insula_min_cortex)
        & (to_lentiform <= rule.insula_reach)
        & _between(distance_x, rule.insula_x)
        & _between(space.u, rule.insula_u)
        & _between(space.v, rule.insula_v)
        & ~lentiform
    )
    return {
        RegionCode.C: caudate,
        RegionCode.IC: capsule,
        RegionCode.L: lentiform,
        RegionCode.I: ndimage.binary_closing(insula),
    }


def _cortical_masks(
    probabilities: NDArray[np.floating], space: _Space, rule: RegionRule
) -> dict[RegionCode, Mask]:
    hull = _cerebral_hull(probabilities, rule.hull_closing)
    ganglionic = hull & _between(space.v, rule.ganglionic_v)
    above = (rule.ganglionic_v[1], rule.supraganglionic_top_v)
    supraganglionic = hull & _between(space.v, above)
    ganglionic &= _outside(rule.inner_border_ganglionic, space) & _between(
        space.u, rule.ganglionic_ends_u
    )
    supraganglionic &= _outside(rule.inner_border_supraganglionic, space)
    supraganglionic &= _between(space.u, rule.supraganglionic_ends_u)
    codes = list(RegionCode)
    masks = _split(ganglionic, space.u, rule.ganglionic_planes_u, codes[4:7])
    return masks | _split(supraganglionic, space.u, rule.supraganglionic_planes_u, codes[7:10])


def _cerebral_hull(probabilities: NDArray[np.floating], closing: int) -> Mask:
    """Cerebral tissue with the sulci between its gyri, without the CSF outside."""
    cerebral = (
        Tissue.CORTEX,
        Tissue.WHITE_MATTER,
        Tissue.CAUDATE,
        Tissue.PUTAMEN,
        Tissue.PALLIDUM,
        Tissue.THALAMUS,
    )
    tissue = probabilities[list(cerebral)].sum(axis=0) > 0.5
    padded = np.pad(tissue, closing + 1)
    closed = ndimage.binary_closing(
        padded, ndimage.generate_binary_structure(3, 1), iterations=closing
    )
    inner = slice(closing + 1, -closing - 1)
    return closed[inner, inner, inner]


def _outside(border: tuple[tuple[float, float], ...], space: _Space) -> Mask:
    positions, distances = zip(*border, strict=True)
    return np.abs(space.x) >= np.interp(space.u, positions, distances)


def _split(
    strip: Mask, u: NDArray[np.float32], planes: tuple[float, float], codes: list[RegionCode]
) -> dict[RegionCode, Mask]:
    front, back = planes
    anterior, lateral, posterior = codes
    return {
        anterior: strip & (u >= front),
        lateral: strip & (u < front) & (u >= back),
        posterior: strip & (u < back),
    }
