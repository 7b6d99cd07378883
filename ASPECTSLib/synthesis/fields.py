"""Smooth fields on part of an anatomy's grid: boxes, coarse fields made fine, blurs and blobs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.atlas.tissues import FLUID, INTRACRANIAL, Tissue
from ASPECTSLib.geometry import Box, bounding_box
from ASPECTSLib.synthesis.anatomy import COARSE_STEP, Anatomy
from ASPECTSLib.synthesis.draw import Draw

SOLID = tuple(sorted(INTRACRANIAL - FLUID))
"""Tissue of the brain, without fluid."""

_KERNEL_REACH_SIGMAS = 2.5
_BLOB_REACH = 1.6  # times the radius: bumps end there
_BLOB_EDGE_MM = 1.5
_BUMP_STRENGTH = 0.2


@dataclass(frozen=True, eq=False)
class Patch:
    """Values on a box of a grid; 0 elsewhere.

    Parameters
    ----------
    values
        float32, of the shape of the box.
    box
        Where they lie on the grid.
    """

    values: Tensor
    box: Box

    def on(self, shape: Sequence[int]) -> Tensor:
        """Return the values on the whole grid."""
        whole = torch.zeros(tuple(shape), device=self.values.device)
        whole[self.box] = self.values
        return whole

    def add_to(self, whole: Tensor) -> None:
        """Raise a field on the whole grid to these values where it is lower."""
        whole[self.box] = torch.maximum(whole[self.box], self.values)


@dataclass(frozen=True, eq=False)
class AgedBrain:
    """An anatomy at the age of a patient.

    Parameters
    ----------
    anatomy
        The head.
    tissue
        uint8 of `Tissue`, shape (k, j, i): the anatomy's with the sulci of the age.
    age_years
        Of the patient.
    """

    anatomy: Anatomy
    tissue: Tensor
    age_years: float

    def cut(self, patch: Patch, *tissues: Tissue) -> Patch:
        """Return a patch limited to some tissues."""
        return Patch(patch.values * is_any(self.tissue[patch.box], *tissues), patch.box)


def fine_box(coarse: NDArray[np.bool_], margin: int = 0) -> Box:
    """Return the part of the fine grid from the first to the last voxel of a mask that is not empty.

    Parameters
    ----------
    coarse
        Mask on every `COARSE_STEP`-th voxel.
    margin
        Coarse voxels more on each side, as far as the grid goes.
    """
    spans = [
        slice(span.start * COARSE_STEP, (span.stop - 1) * COARSE_STEP + 1)
        for span in bounding_box(coarse, (margin,) * 3)
    ]
    return spans[0], spans[1], spans[2]


def coarse_box(box: Box) -> Box:
    """Return the same part of the coarse grid as a box that `fine_box` gave of the fine one."""
    spans = [slice(span.start // COARSE_STEP, (span.stop - 1) // COARSE_STEP + 1) for span in box]
    return spans[0], spans[1], spans[2]


def shape_of(box: Box) -> tuple[int, int, int]:
    """Return the size of a box along k, j and i."""
    return tuple(span.stop - span.start for span in box)  # type: ignore[return-value]


def every(array: NDArray[np.generic], step: int = COARSE_STEP) -> NDArray[np.generic]:
    """Return every so-manieth voxel, from the first on."""
    return array[::step, ::step, ::step]


def made_fine(coarse: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Interpolate fields between their voxels, linearly, so that the first and the last of each axis stay in place.

    Parameters
    ----------
    coarse
        float32, shape (channels, k, j, i).
    shape
        Wanted size along k, j and i.
    """
    return functional.interpolate(coarse[None], size=shape, mode="trilinear", align_corners=True)[0]


def fine_part(coarse: Tensor, box: Box) -> Tensor:
    """Interpolate coarse fields of shape (channels, k, j, i) on a box that `fine_box` gave."""
    return made_fine(coarse[(slice(None), *coarse_box(box))], shape_of(box))


def right_half(anatomy: Anatomy, box: Box, device: torch.device) -> Tensor:
    """Return where a box that `fine_box` gave lies on the patient's right of the atlas's midplane, bool."""
    return fine_part(torch.from_numpy(anatomy.atlas_points[:1]).to(device), box)[0] > 0


def is_any(tissue: Tensor, *tissues: Tissue) -> Tensor:
    """Return where a map of `Tissue` shows one of several, bool."""
    table = torch.zeros(len(Tissue), dtype=torch.bool, device=tissue.device)
    table[[int(t) for t in tissues]] = True
    return table[tissue.int()]


def blurred(field: Tensor, sigma_voxels: float) -> Tensor:
    """Blur a field of shape (k, j, i) with a Gaussian; beyond its ends lie the values at the ends."""
    reach = max(int(_KERNEL_REACH_SIGMAS * sigma_voxels + 0.5), 1)
    weights = [math.exp(-0.5 * (n / sigma_voxels) ** 2) for n in range(-reach, reach + 1)]
    for axis, size in enumerate(field.shape):
        at_ends = [reach if other == axis else -1 for other in range(3)]
        first, last = field.narrow(axis, 0, 1), field.narrow(axis, size - 1, 1)
        padded = torch.cat([first.expand(at_ends), field, last.expand(at_ends)], axis)
        # Sums of shifted fields are several times as fast on a CPU as a convolution with one channel.
        field = torch.zeros_like(field)
        for shift, weight in enumerate(weights):
            field.add_(padded.narrow(axis, shift, size), alpha=weight / sum(weights))
    return field


def blob(
    anatomy: Anatomy, centre_ijk: NDArray[np.floating], radii_mm: Sequence[float], draw: Draw
) -> Patch:
    """Draw a bumpy ellipsoid with soft edges.

    Parameters
    ----------
    anatomy
        Gives the grid.
    centre_ijk
        Its middle, in voxels, which may lie between them.
    radii_mm
        Half axes along i, j and k.
    draw
        Source of the bumps.
    """
    radii = np.asarray(radii_mm, float)[::-1]
    centre = np.asarray(centre_ijk, float)[::-1]
    spans = [
        slice(max(int(c - r * _BLOB_REACH), 0), min(int(c + r * _BLOB_REACH) + 2, n))
        for c, r, n in zip(centre, radii, anatomy.tissue.shape, strict=True)
    ]
    box = (spans[0], spans[1], spans[2])
    squared = torch.zeros(shape_of(box), device=draw.device)
    for axis, (span, c, r) in enumerate(zip(box, centre, radii, strict=True)):
        along = (torch.arange(span.start, span.stop, device=draw.device) - c) / r
        squared = squared + along.reshape([-1 if a == axis else 1 for a in range(3)]) ** 2
    bumps = 1.0 + _BUMP_STRENGTH * draw.smooth(shape_of(box), max(float(radii.mean()) / 2, 1.0))
    depth_mm = (bumps.clamp(0.3, _BLOB_REACH) - squared.sqrt()) * float(radii.min())
    return Patch((depth_mm / _BLOB_EDGE_MM + 0.5).clamp(0.0, 1.0), box)


def middle_i(anatomy: Anatomy) -> float:
    """Return the index i of the brain's middle, between right and left."""
    return float(-anatomy.affine[0, 3] / anatomy.affine[0, 0])


def kept_to_side(patch: Patch, anatomy: Anatomy, voxel_ijk: NDArray[np.floating]) -> Patch:
    """Return a patch without what lies on the other side of the brain's middle than a voxel."""
    middle, span = middle_i(anatomy), patch.box[2]
    is_right = torch.arange(span.start, span.stop, device=patch.values.device) > middle
    return Patch(patch.values * (is_right == bool(voxel_ijk[0] > middle)), patch.box)


def any_voxel(coarse: NDArray[np.bool_], draw: Draw) -> NDArray[np.float64]:
    """Draw a voxel (i, j, k) of the fine grid from a mask, not empty, on every `COARSE_STEP`-th voxel."""
    flat = draw.pick(np.flatnonzero(coarse).tolist())
    return np.array(np.unravel_index(flat, coarse.shape)[::-1], float) * COARSE_STEP


def voxel_of(anatomy: Anatomy, atlas_point_mm: Sequence[float]) -> NDArray[np.float64]:
    """Return the voxel (i, j, k), not rounded, whose place in the atlas is nearest to a point, RAS mm."""
    target = np.asarray(atlas_point_mm, float)
    difference = target[:, None, None, None] - anatomy.atlas_points
    nearest = np.unravel_index(
        int((difference**2).sum(axis=0).argmin()), anatomy.atlas_points.shape[1:]
    )
    # Between coarse voxels, both spaces are taken as alike: axes along R, A and S, 1 mm.
    return np.array(nearest[::-1], float) * COARSE_STEP + difference[(slice(None), *nearest)]
