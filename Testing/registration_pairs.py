"""Pairs of heads with regions of one definition, for measuring registration: one's regions are carried to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.geometry import Volume, apply_affine, canonicalize
from ASPECTSLib.io.images import read_image
from ASPECTSLib.preprocessing.handedness import mirror
from ASPECTSLib.preprocessing.intensity import registration_image
from ASPECTSLib.preprocessing.midplane import find_midplane
from ASPECTSLib.registration.mapping import Mapping, warp, warp_labels
from ASPECTSLib.scoring.overlap import region_dice
from ASPECTSLib.synthesis.cohort import BRAIN_FILE, IMAGE_FILE, REGIONS_FILE
from ASPECTSLib.training.reference_scans import reference_ct

TYPICAL_HU = 33.0  # any level will do that both heads have
THICK_MM = (4.0, 6.5)  # slices as those of the real scans
WAVES = 3
WAVE_MM = (4.0, 120.0)  # height and length of the known deformation
NOISE_HU = 3.0
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Head:
    """A head CT ready to be registered.

    Parameters
    ----------
    name
        Of the case.
    image
        HU in the brain window, 0 outside the brain, in the image frame.
    brain, regions
        On the same grid.
    pose
        4x4 matrix from the image frame to the symmetric pose.
    """

    name: str
    image: Volume
    brain: Volume
    regions: Volume
    pose: NDArray[np.float64]

    def mirrored(self) -> Head:
        """Return the mirror image of the head, with its sides renamed."""
        regions = mirror(self.regions)
        return Head(
            f"{self.name} mirrored",
            mirror(self.image),
            mirror(self.brain),
            regions.with_array(swap_sides(regions.array)),
            MIRROR @ self.pose @ MIRROR,
        )


@dataclass(frozen=True, eq=False)
class Pair:
    """Two heads, and the true mapping where it is known."""

    fixed: Head
    moving: Head
    truth: Mapping | None = None

    def dice(self, mapping: Mapping) -> NDArray[np.float64]:
        """Return the overlap of each region, carried by a mapping from fixed to moving points."""
        carried = warp_labels(self.moving.regions, mapping, self.fixed.brain)
        return region_dice(carried.array, self.fixed.regions.array)

    def error_mm(self, mapping: Mapping) -> float:
        """Return the mean distance from the true mapping inside the brain; NaN where that is not known."""
        if self.truth is None:
            return float("nan")
        voxels = np.argwhere(self.fixed.brain.array[:, ::3, ::3]) * (1, 3, 3)
        points = apply_affine(self.fixed.image.affine, voxels[:, ::-1].astype(float))
        return float(
            np.linalg.norm(carry(mapping, points) - carry(self.truth, points), axis=1).mean()
        )


def carry(mapping: Mapping, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Carry points through a mapping, displaced by the nearest voxel's displacement outside of its field."""
    if mapping.displacement_mm is None or mapping.grid is None:
        return apply_affine(mapping.matrix, points)
    voxels = apply_affine(np.linalg.inv(mapping.grid.affine), points)[:, ::-1].T
    field = mapping.displacement_mm
    moved = [
        ndimage.map_coordinates(field[..., axis], voxels, order=1, mode="nearest")
        for axis in range(3)
    ]
    return apply_affine(mapping.matrix, points + np.stack(moved, axis=-1))


def real_pairs(data: Path) -> list[Pair]:
    """Return all pairs of the two real people and their mirror images, but those that mirror another pair."""
    first, second = (
        _head(scan.name, scan.volume, scan.brain, scan.regions) for scan in reference_ct(data)
    )
    heads = first, second, first.mirrored(), second.mirrored()
    order = ((0, 1), (1, 0), (0, 3), (1, 2), (0, 2), (1, 3))
    return [Pair(heads[fixed], heads[moving]) for fixed, moving in order]


def synthetic_pairs(cohort: Path, count: int) -> list[Pair]:
    """Return pairs of neighbours among the first synthetic heads with thick slices, a cohort's order being random."""
    heads = _synthetic_heads(cohort, count + 1)
    return [Pair(*pair) for pair in pairwise(heads)]


def deformed_pairs(cohort: Path, count: int) -> list[Pair]:
    """Return synthetic heads beside themselves: moved, deformed by waves, and with noise of their own."""
    heads = _synthetic_heads(cohort, count)
    return [_deformed(head, np.random.default_rng(seed)) for seed, head in enumerate(heads)]


def _synthetic_heads(cohort: Path, count: int) -> Sequence[Head]:
    heads: list[Head] = []
    for folder in sorted(cohort.glob("*/ncct")):
        volume = _canonical(folder / IMAGE_FILE)
        if len(heads) < count and THICK_MM[0] <= volume.spacing_mm[2] <= THICK_MM[1]:
            brain, regions = (_canonical(folder / name) for name in (BRAIN_FILE, REGIONS_FILE))
            heads.append(_head(folder.parent.name, volume, brain, regions))
        if len(heads) == count:
            break
    return heads


def _canonical(path: Path) -> Volume:
    return canonicalize(read_image(path)).volume


def _head(name: str, volume: Volume, brain: Volume, regions: Volume) -> Head:
    mask = brain.with_array(brain.array > 0)
    image = registration_image(volume, mask, TYPICAL_HU)
    return Head(name, image, mask, regions, find_midplane(volume).pose)


def _deformed(head: Head, rng: np.random.Generator) -> Pair:
    """Make the fixed head from the moving one: what lies at its point p is found at truth(p) in the moving head."""
    turn = np.eye(4)
    turn[:3, :3] += rng.normal(scale=0.03, size=(3, 3))
    turn[:3, 3] = rng.uniform(-6.0, 6.0, 3)
    grid = head.image
    truth = Mapping(turn, _waves(grid, rng), grid)
    brain = warp_labels(head.brain.with_array(head.brain.array.astype(np.uint8)), truth, _all(grid))
    regions = warp_labels(head.regions, truth, _all(grid))
    image = _noisy(warp(head.image, truth, grid), brain, rng)
    inside = brain.with_array(brain.array > 0)
    fixed = Head(head.name, image, inside, regions, head.pose @ turn)
    return Pair(fixed, head, truth)


def _all(grid: Volume) -> Volume:
    return grid.with_array(np.ones(grid.array.shape, bool))


def _noisy(image: Volume, brain: Volume, rng: np.random.Generator) -> Volume:
    noise = rng.normal(scale=NOISE_HU, size=image.array.shape)
    inside = np.clip(image.array + noise, 0.0, 60.0)
    return image.with_array(np.where(brain.array > 0, inside, 0).astype(np.float32))


def _waves(grid: Volume, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a sum of smooth waves in all directions, mm, on a grid."""
    height_mm, length_mm = WAVE_MM
    indices = np.moveaxis(np.indices(grid.array.shape)[::-1], 0, -1).astype(float)
    points = apply_affine(grid.affine, indices)
    total = np.zeros(points.shape)
    for _ in range(WAVES):
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction) * length_mm / (2.0 * np.pi)
        wave = np.sin(points @ direction + rng.uniform(0.0, 2.0 * np.pi))
        total += wave[..., None] * rng.normal(scale=height_mm / np.sqrt(WAVES), size=3)
    return total
