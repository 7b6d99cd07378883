"""The planes of the two key levels in a head, read from where its regions lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.regions import REGIONS, Level
from ASPECTSLib.atlas.rules import RegionRule, orbitomeatal_axes
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, resample
from ASPECTSLib.scoring.key_slices import find_key_slices

SLAB_MM = 5.0
"""Thickness of the slices that the ASPECTS-281 atlas was made of (doi:10.1038/s41597-024-03973-y)."""

_MIN_REGIONS = 4  # centres that fix a pose in space, if they lie in no plane
_PLANE_LIMITS_MM = ((-90.0, 90.0), (-120.0, 120.0))  # to the right and to the front: holds any head
_PIXEL_MM = 1.0
_SUBSLICE_MM = 1.0
_MARGIN_MM = (
    30.0  # of a slice of an atlas around its regions: the occipital lobes reach beyond these
)


@dataclass(frozen=True, eq=False)
class LevelledHead:
    """Where a head's own axes and key planes lie.

    Parameters
    ----------
    matrix
        4x4 rigid matrix from the scan's mm to mm along the head's axes: right, front along the orbitomeatal line, up;
        x = 0 is the midline.
    heights_mm
        Of the plane of each level along the third of these axes.
    """

    matrix: NDArray[np.float64]
    heights_mm: dict[Level, float]

    def cut(self, volume: Volume, level: Level) -> Volume:
        """Cut the slice of a level, `SLAB_MM` thick, out of a volume.

        Parameters
        ----------
        volume
            Any scalar volume in the scan's mm.

        Returns
        -------
        Volume
            float32, one slice of 1 mm pixels, its axes along those of the head.
        """
        height_mm = self.heights_mm[level]
        offsets = np.arange(-SLAB_MM / 2 + _SUBSLICE_MM / 2, SLAB_MM / 2, _SUBSLICE_MM)
        to_scan = np.linalg.inv(self.matrix)
        parts = [resample(volume, _plane(height_mm + o), to_scan).array for o in offsets]
        return _plane(height_mm).with_array(np.mean(parts, axis=0, dtype=np.float32))


def level_head(labels: Volume, atlas_regions: Volume) -> LevelledHead:
    """Find the axes and the key planes of a head by laying the centres of the atlas's regions on those of its own.

    Parameters
    ----------
    labels
        uint8 labels 0 to 20 of the head.
    atlas_regions
        The same of the atlas, MNI152 RAS mm; its grid runs along the orbitomeatal line.

    Raises
    ------
    ContentRefusedError
        LABELS_INVALID if the head has too few regions.

    Notes
    -----
    The rotation is the least-squares one (Kabsch 1976, doi:10.1107/S0567739476001873), with one scale for all axes.
    """
    axes = np.eye(4)
    axes[:3, :3] = orbitomeatal_axes(RegionRule().orbitomeatal_pitch_deg).T
    own, there = _centres(labels)
    atlas, in_atlas = _centres(atlas_regions)
    both = there & in_atlas
    if np.count_nonzero(both) < _MIN_REGIONS:
        message = f"expected at least {_MIN_REGIONS} regions, got {np.count_nonzero(both)}"
        raise ContentRefusedError(ErrorCode.LABELS_INVALID, message)
    levelled = apply_affine(axes, atlas[both])
    matrix, scale = _similarity(own[both], levelled)
    slices = find_key_slices(atlas_regions.array, float(atlas_regions.spacing_mm[2]))
    heights = {Level.GANGLIONIC: slices.ganglionic, Level.SUPRAGANGLIONIC: slices.supraganglionic}
    to_levelled = axes @ atlas_regions.affine
    return LevelledHead(
        matrix,
        {
            level: float(apply_affine(to_levelled, np.array([0.0, 0.0, k]))[2]) / scale
            for level, k in heights.items()
        },
    )


def level_slice(
    volume: Volume, atlas_regions: Volume, level: Level, *, order: int = 1
) -> NDArray[np.generic]:
    """Return the slice of a level of an atlas, shape (j, i), along the grid of its regions and wide enough for a head.

    Parameters
    ----------
    volume
        In the space of the atlas.
    atlas_regions
        Its label map, whose grid runs along the orbitomeatal line.
    level
        Which slice.
    order
        1 interpolates, 0 takes the nearest voxel, for labels.
    """
    found = find_key_slices(atlas_regions.array, float(atlas_regions.spacing_mm[2]))
    index = found.ganglionic if level is Level.GANGLIONIC else found.supraganglionic
    margins = [int(np.ceil(_MARGIN_MM / s)) for s in atlas_regions.spacing_mm[:2]]
    width, length = (n + 2 * m for n, m in zip(atlas_regions.size[:2], margins, strict=True))
    affine = atlas_regions.affine.copy()
    affine[:3, 3] = apply_affine(affine, np.array([-margins[0], -margins[1], index], np.float64))
    grid = Volume(np.zeros((1, length, width), np.uint8), affine)
    return resample(volume, grid, order=order).array[0]


def _centres(labels: Volume) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the centre of each region in mm, shape (20, 3), and which regions are there."""
    there = np.bincount(labels.array.ravel(), minlength=len(REGIONS) + 1)[1:] > 0
    centres = np.zeros((len(REGIONS), 3))
    wanted = [region.label for region in REGIONS if there[region.label - 1]]
    if wanted:
        found = ndimage.center_of_mass(labels.array > 0, labels.array, wanted)
        centres[there] = apply_affine(labels.affine, np.array(found)[:, ::-1])
    return centres, there


def _similarity(
    points: NDArray[np.float64], targets: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return the rigid matrix and the scale of the best similarity, scale times matrix, from points to targets."""
    means = points.mean(axis=0), targets.mean(axis=0)
    centred, wanted = points - means[0], targets - means[1]
    u, values, vt = np.linalg.svd(wanted.T @ centred)
    handed = np.diag([1.0, 1.0, float(np.sign(np.linalg.det(u @ vt)))])
    rotation = u @ handed @ vt
    scale = float((values * np.diag(handed)).sum() / (centred**2).sum())
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = means[1] / scale - rotation @ means[0]
    return matrix, scale


def _plane(height_mm: float) -> Volume:
    """Return an empty slice of 1 mm pixels at a height, wide enough for any head, symmetric about x = 0."""
    size = [round((high - low) / _PIXEL_MM) + 1 for low, high in _PLANE_LIMITS_MM]
    affine = np.diag([_PIXEL_MM, _PIXEL_MM, SLAB_MM, 1.0])
    affine[:3, 3] = (*(low for low, _ in _PLANE_LIMITS_MM), height_mm)
    return Volume(np.zeros((1, size[1], size[0]), np.float32), affine)
