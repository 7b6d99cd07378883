"""The regions of a slice atlas, mapped to the two key slices of a head CT.

The way of Sun et al. 2024 (doi:10.1038/s41597-024-03973-y), with a registration of this project's own: key slices,
brain, the atlas of the age group, registration in the plane, regions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.age_groups import AgeGroup, age_group
from ASPECTSLib.atlas.regions import Level, swap_sides
from ASPECTSLib.atlas.slice_atlas import AtlasSlice, SliceAtlas
from ASPECTSLib.atlases.level_planes import SLAB_MM, LevelledHead, level_head
from ASPECTSLib.atlases.slice_registration import register_slices, to_plane
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine
from ASPECTSLib.preprocessing.handedness import is_heavier_on_the_left, mirror
from ASPECTSLib.preprocessing.intensity import registration_image
from ASPECTSLib.progress import Progress

RegisterSlices = Callable[[Volume, Volume, NDArray[np.float64], Progress], sitk.Transform]
"""Takes scan slice, atlas slice, the start between them and progress, as `register_slices` does."""

MIN_SLICE_BRAIN_DICE = 0.90
"""Overlap of the mapped slice's brain with the scan's below which its regions are not to be trusted."""

_EXTENT_PERCENTILES = (1.0, 99.0)


@dataclass(frozen=True, eq=False)
class RoughHead:
    """A head whose regions are known well enough to find its key slices.

    Parameters
    ----------
    ct
        HU, in the image frame.
    brain
        bool mask on the same grid.
    labels
        uint8 labels 0 to 20 on the same grid.
    """

    ct: Volume
    brain: Volume
    labels: Volume

    def mirrored(self) -> RoughHead:
        """Return the mirror image."""
        labels = mirror(self.labels)
        return RoughHead(
            mirror(self.ct), mirror(self.brain), labels.with_array(swap_sides(labels.array))
        )


@dataclass(frozen=True)
class SliceFit:
    """How well an atlas slice fits.

    Parameters
    ----------
    brain_dice
        Overlap of the mapped slice's brain with that of the scan.
    correlation
        Of the mapped slice with the scan, inside both brains.
    """

    brain_dice: float
    correlation: float


@dataclass(frozen=True, eq=False)
class MappedSlices:
    """The regions of a slice atlas on a scan.

    Parameters
    ----------
    labels
        uint8, 0 to 20, on the scan's grid; 0 but for two slabs as thick as a slice, 5 mm at least, along the head's
        own axes.
    group
        The age group whose slices were mapped.
    fits
        Of the two levels.
    """

    labels: Volume
    group: AgeGroup
    fits: Mapping[Level, SliceFit]

    @property
    def failures(self) -> tuple[str, ...]:
        """What is wrong, in words; empty if the regions can be used."""
        return tuple(
            f"{level.value} brain overlap {fit.brain_dice:.2f} below {MIN_SLICE_BRAIN_DICE}"
            for level, fit in self.fits.items()
            if fit.brain_dice < MIN_SLICE_BRAIN_DICE
        )


@dataclass(frozen=True, eq=False)
class _FittedSlice:
    """Labels on the plane of a level, and how well they fit."""

    labels: Volume
    fit: SliceFit


def map_slices(
    head: RoughHead,
    atlas_regions: Volume,
    atlas: SliceAtlas,
    age_years: float | None,
    progress: Progress,
    register: RegisterSlices = register_slices,
) -> MappedSlices:
    """Map the regions of a slice atlas to the key slices of a head CT.

    Parameters
    ----------
    head
        With regions in any definition, which tell where the key slices lie.
    atlas_regions
        The region map of the atlas that ships, MNI152 RAS mm.
    atlas
        Which slices to map.
    age_years
        Picks the age group; without it, that which fits the ganglionic slice best is taken.
    progress
        Asked for cancellation.
    register
        The registration in the plane.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN if there is none on a key slice; METHOD_UNAVAILABLE if the atlas has not the age group;
        LABELS_INVALID if the head has too few regions.
    """
    if is_heavier_on_the_left(head.ct):
        mapped = _map(head.mirrored(), atlas_regions, atlas, age_years, register, progress)
        labels = mirror(mapped.labels)
        return MappedSlices(labels.with_array(swap_sides(labels.array)), mapped.group, mapped.fits)
    return _map(head, atlas_regions, atlas, age_years, register, progress)


def _map(
    head: RoughHead,
    atlas_regions: Volume,
    atlas: SliceAtlas,
    age_years: float | None,
    register: RegisterSlices,
    progress: Progress,
) -> MappedSlices:
    levelled = level_head(head.labels, atlas_regions)
    cuts = {level: _cut(head, levelled, level) for level in Level}

    def fit(group: AgeGroup, level: Level) -> _FittedSlice:
        progress.check()
        return _fit(*cuts[level], atlas.slices[group][level], register, progress)

    tried = {group: fit(group, Level.GANGLIONIC) for group in _groups(atlas, age_years)}
    best = max(tried, key=lambda group: tried[group].fit.correlation)
    found = {
        Level.GANGLIONIC: tried[best],
        Level.SUPRAGANGLIONIC: fit(best, Level.SUPRAGANGLIONIC),
    }
    labels = _on_scan(head.brain, levelled, {level: one.labels for level, one in found.items()})
    return MappedSlices(labels, best, {level: one.fit for level, one in found.items()})


def _groups(atlas: SliceAtlas, age_years: float | None) -> tuple[AgeGroup, ...]:
    if age_years is None:
        return atlas.groups
    group = age_group(age_years)
    if group not in atlas.slices:
        there = ", ".join(one.value for one in atlas.groups)
        message = f"expected an atlas of the age group {group.value}, got one of {there}"
        raise ContentRefusedError(ErrorCode.METHOD_UNAVAILABLE, message)
    return (group,)


def _cut(head: RoughHead, levelled: LevelledHead, level: Level) -> tuple[Volume, Volume]:
    """Return CT and brain mask of a level."""
    ct = levelled.cut(head.ct, level)
    share = levelled.cut(head.brain.with_array(head.brain.array.astype(np.float32)), level)
    mask = share.with_array(share.array > 0.5)
    if not mask.array.any():
        message = "expected brain on the key slices, got none"
        raise ContentRefusedError(ErrorCode.NO_BRAIN, message)
    return ct, mask


def _fit(
    ct: Volume, mask: Volume, part: AtlasSlice, register: RegisterSlices, progress: Progress
) -> _FittedSlice:
    brain = ndimage.binary_fill_holes(part.image.array[0] > 0)
    typical_hu = float(np.median(part.image.array[part.image.array > 0]))
    fixed = registration_image(ct, mask, typical_hu)
    transform = register(fixed, part.image, _start(mask, brain, part.image), progress)
    like = to_plane(fixed)

    def warped(volume: Volume, interpolator: int) -> NDArray[np.float32]:
        image = sitk.Resample(to_plane(volume), like, transform, interpolator, 0.0)
        return sitk.GetArrayFromImage(image)

    inside = mask.array[0]
    labels = np.where(inside, warped(part.labels, sitk.sitkLabelLinear), 0).astype(np.uint8)
    image = warped(part.image, sitk.sitkLinear)
    expected = warped(part.image.with_array(brain[None]), sitk.sitkLinear) > 0.5
    return _FittedSlice(
        fixed.with_array(labels[None]), _measure(fixed.array[0], image, inside, expected)
    )


def _measure(
    fixed: NDArray[np.float32],
    image: NDArray[np.float32],
    inside: NDArray[np.bool_],
    expected: NDArray[np.bool_],
) -> SliceFit:
    both = inside & expected
    overlap = 2.0 * both.sum() / max(int(inside.sum() + expected.sum()), 1)
    varies = both.any() and fixed[both].std() > 0 and image[both].std() > 0
    correlation = np.corrcoef(fixed[both], image[both])[0, 1] if varies else 0.0
    return SliceFit(float(overlap), float(correlation))


def _start(mask: Volume, brain: NDArray[np.bool_], image: Volume) -> NDArray[np.float64]:
    """Stretch the scan's slice to the atlas's width and length, and lay their middles on each other."""
    scan, atlas = _points(mask.array[0], mask), _points(brain, image)
    ends = [np.percentile(points, _EXTENT_PERCENTILES, axis=0) for points in (scan, atlas)]
    scale = (ends[1][1] - ends[1][0]) / np.maximum(ends[0][1] - ends[0][0], 1.0)
    matrix = np.diag([*scale, 1.0])
    matrix[:2, 2] = ends[1].mean(axis=0) - scale * ends[0].mean(axis=0)
    return matrix


def _points(mask: NDArray[np.bool_], grid: Volume) -> NDArray[np.float64]:
    """Return the places of a slice's marked pixels, mm to the right and to the front, shape (pixels, 2)."""
    indices = np.argwhere(mask)[:, ::-1].astype(np.float64)
    return indices * grid.spacing_mm[:2] + grid.affine[:2, 3]


def _on_scan(brain: Volume, levelled: LevelledHead, planes: Mapping[Level, Volume]) -> Volume:
    """Carry labels from the planes of the levels to the voxels of a scan that lie in their slabs."""
    indices = np.argwhere(brain.array)
    points = apply_affine(levelled.matrix @ brain.affine, indices[:, ::-1].astype(np.float64))
    half_mm = max(SLAB_MM, float(brain.spacing_mm[2])) / 2
    labels = np.zeros(brain.array.shape, np.uint8)
    for plane in planes.values():
        offset = points - plane.affine[:3, 3]
        near = (offset[:, 2] > -half_mm) & (offset[:, 2] <= half_mm)
        pixels = np.rint(offset[near, :2] / plane.spacing_mm[:2]).astype(np.intp)
        width, length = plane.size[:2]
        inside = ((pixels >= 0) & (pixels < (width, length))).all(axis=1)
        values = np.zeros(len(pixels), np.uint8)
        values[inside] = plane.array[0][pixels[inside, 1], pixels[inside, 0]]
        labels[tuple(indices[near].T)] = values
    return brain.with_array(labels)
