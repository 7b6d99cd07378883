"""Vessels carried from the atlas to an individual head, into its own sulci and cisterns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

from ASPECTSLib.atlas.regions import Side
from ASPECTSLib.atlas.tissues import FLUID, Tissue
from ASPECTSLib.synthesis.anatomy import COARSE_STEP, Anatomy
from ASPECTSLib.synthesis.vessel_courses import Bed, Course

STEP_MM = 0.8
"""Distance of the points of a path."""

_Array = NDArray[np.float64]

_INVERSION_STEPS = 8
_OUTSIDE_VOXELS = 20.0  # how far off the grid a vessel may go on: into the neck
_WOBBLE_KNOT_MM = 10.0
_ROOT_MM = 8.0  # over which the wobble sets in, so that branches stay on their trunk
_SNAP_SIGMA_SAMPLES = 3.0
_MIDDLE_MNI_MM = (0.0, -20.0, 10.0)

# What a vessel pays for running in a tissue, and per mm that it is moved, in one arbitrary unit: up to 5 mm out of
# cortex into the next sulcus.
_COST: Mapping[Tissue, float] = (
    dict.fromkeys(Tissue, 12.0)
    | dict.fromkeys(FLUID, 0.0)
    | {Tissue.CORTEX: 8.0, Tissue.BONE: 6.0, Tissue.AIR: 30.0, Tissue.VENTRICLE: 3.0}
)
_COST_PER_SQUARE_MM = 0.3
_COST_OFF_SKULL = 4.0


@dataclass(frozen=True, eq=False)
class VesselPath:
    """A vessel in a head.

    Parameters
    ----------
    course
        What it is.
    side
        Of the patient; None in the midline.
    points
        Shape (points, 3), voxels (k, j, i), not rounded, every `STEP_MM`; may leave the grid.
    radii_mm
        Shape (points,).
    """

    course: Course
    side: Side | None
    points: _Array
    radii_mm: _Array


@dataclass(frozen=True)
class _Search:
    """Places to which a point may be moved: voxels off it, in (k, j, i)."""

    reach: int
    step: int

    @property
    def offsets(self) -> NDArray[np.intp]:
        """Return those within the reach, the nearest first."""
        along = np.arange(-self.reach, self.reach + 1, self.step)
        every = np.stack(np.meshgrid(along, along, along, indexing="ij"), axis=-1).reshape(-1, 3)
        squared = (every**2).sum(axis=1)
        every = every[np.argsort(squared, kind="stable")]
        return every[: int((squared <= self.reach**2).sum())]


_SEARCHES = {Bed.FLUID: _Search(5, 1), Bed.UNDER_SKULL: _Search(10, 2)}
_SKULL_BEHIND_MM = 4.0  # outwards from the middle of a dural sinus


def carry(
    courses: Sequence[Course],
    anatomy: Anatomy,
    tissue: NDArray[np.uint8],
    generator: np.random.Generator,
    wobble_mm: float,
) -> tuple[VesselPath, ...]:
    """Carry courses to a head, paired ones to both sides.

    Parameters
    ----------
    courses
        In the atlas.
    anatomy
        Gives the way from the atlas.
    tissue
        Of the head, shape (k, j, i): vessels run in its fluid.
    generator
        Source of all randomness.
    wobble_mm
        Deviation by which a path leaves its course before it is moved into fluid.
    """
    wanted = [(c, side) for c in courses for side in (tuple(Side) if c.paired else (None,))]
    controls = [_on_side(course, side) for course, side in wanted]
    voxels = voxels_at(anatomy, np.concatenate([*controls, [_MIDDLE_MNI_MM]]))
    middle = voxels[-1]
    ends = np.cumsum([len(points) for points in controls])
    parts = np.split(voxels[:-1], ends[:-1])
    lines = [_wobbled(_dense(part), generator, wobble_mm) for part in parts]
    paths = []
    for (course, side), line in zip(wanted, lines, strict=True):
        points = _snapped(line, course.bed, tissue, middle)
        paths.append(VesselPath(course, side, points, np.linspace(*course.radii_mm, len(points))))
    return tuple(paths)


def voxels_at(anatomy: Anatomy, points_mm: _Array) -> _Array:
    """Return the voxels (k, j, i), not rounded, of an anatomy that lie at points of the atlas, MNI152 RAS mm.

    The anatomy knows the way there; the way back is found by iteration from an affine fit. Points
    that lie beyond the grid stay beyond it, by `_OUTSIDE_VOXELS` at most.
    """
    field = anatomy.atlas_points.astype(np.float64)
    matrix, offset = _affine_fit(field)
    inverse = np.linalg.inv(matrix)
    voxels = (points_mm - offset) @ inverse.T
    last = np.array(anatomy.tissue.shape) - 1.0
    for _ in range(_INVERSION_STEPS):
        there = [
            ndimage.map_coordinates(axis, voxels.T / COARSE_STEP, order=1, mode="nearest")
            for axis in field
        ]
        voxels = voxels - (np.stack(there, axis=1) - points_mm) @ inverse.T
        voxels = np.clip(voxels, -_OUTSIDE_VOXELS, last + _OUTSIDE_VOXELS)
    return voxels


def _affine_fit(field: _Array) -> tuple[_Array, _Array]:
    """Return matrix and offset that take voxels (k, j, i) to points (x, y, z) as nearly as affine ones can."""
    sparse = field[:, ::2, ::2, ::2]
    grid = np.stack(np.meshgrid(*map(np.arange, sparse.shape[1:]), indexing="ij"), axis=-1)
    design = np.column_stack((grid.reshape(-1, 3) * 2 * COARSE_STEP, np.ones(grid[..., 0].size)))
    solution = np.linalg.lstsq(design, sparse.reshape(3, -1).T, rcond=None)[0]
    return solution[:3].T, solution[3]


def _on_side(course: Course, side: Side | None) -> _Array:
    sign = -1.0 if side is Side.LEFT else 1.0
    return np.array(course.points, np.float64) * (sign, 1.0, 1.0)


def _dense(controls: _Array) -> _Array:
    """Return points every `STEP_MM` along a smooth line through others."""
    lengths = np.linalg.norm(np.diff(controls, axis=0), axis=1)
    along = np.concatenate(([0.0], np.cumsum(np.maximum(lengths, 1e-3))))
    count = max(int(along[-1] / STEP_MM) + 1, 2)
    return PchipInterpolator(along, controls)(np.linspace(0.0, along[-1], count))


def _wobbled(line: _Array, generator: np.random.Generator, wobble_mm: float) -> _Array:
    along = np.arange(len(line)) * STEP_MM
    knots = np.arange(0.0, along[-1] + 2 * _WOBBLE_KNOT_MM, _WOBBLE_KNOT_MM)
    noise = generator.standard_normal((3, len(knots)))
    moved = np.stack([np.interp(along, knots, axis) for axis in noise], axis=1)
    return line + wobble_mm * moved * np.minimum(along / _ROOT_MM, 1.0)[:, None]


def _snapped(line: _Array, bed: Bed, tissue: NDArray[np.uint8], middle: _Array) -> _Array:
    """Move each point to the cheapest place near it, smoothly along the line."""
    if bed is Bed.ANY:
        return line
    offsets = _SEARCHES[bed].offsets
    places = line[:, None] + offsets
    cost = _cost_in(tissue, places) + _COST_PER_SQUARE_MM * (offsets**2).sum(axis=1)
    if bed is Bed.UNDER_SKULL:
        outward = line - middle
        outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
        behind = places + _SKULL_BEHIND_MM * outward[:, None]
        cost = cost + _COST_OFF_SKULL * (_labels_at(tissue, behind) != Tissue.BONE)
    moved = offsets[cost.argmin(axis=1)].astype(np.float64)
    return line + ndimage.gaussian_filter1d(moved, _SNAP_SIGMA_SAMPLES, axis=0, mode="nearest")


def _cost_in(tissue: NDArray[np.uint8], places: _Array) -> _Array:
    return np.array([_COST[t] for t in Tissue])[_labels_at(tissue, places)]


def _labels_at(tissue: NDArray[np.uint8], places: _Array) -> NDArray[np.uint8]:
    """Return the tissue at voxels; beyond the grid that of its nearest voxel."""
    indices = np.rint(places).astype(np.intp)
    k, j, i = (np.clip(indices[..., a], 0, n - 1) for a, n in enumerate(tissue.shape))
    return tissue[k, j, i]
