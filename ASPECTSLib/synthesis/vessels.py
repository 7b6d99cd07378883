"""Arteries and veins of a synthetic patient, with the occlusion that belongs to the infarct."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.geometry import Box
from ASPECTSLib.synthesis.anatomy import COARSE_STEP
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import fine_part
from ASPECTSLib.synthesis.head import Head, Infarct
from ASPECTSLib.synthesis.tissue_maps import brain_box, coarse_by_tissue, coarsened
from ASPECTSLib.synthesis.vessel_courses import (
    BASILAR,
    CAROTID,
    MCA_BRANCHES,
    MCA_TRUNK,
    OTHER_ARTERIES,
    VEINS,
)
from ASPECTSLib.synthesis.vessel_paths import STEP_MM, VesselPath, carry

RECANALISED = 0.15
"""Share of infarcts whose artery is open again when it is imaged; round number."""

TRUNK_SHARE = 0.55
"""Of the branches in the penumbra, above which the trunk is taken to be occluded and not they."""

_ARTERIES = (CAROTID, MCA_TRUNK, *MCA_BRANCHES, *OTHER_ARTERIES, BASILAR)
_WOBBLE_MM = 1.2
_CALIBRE_SPREAD = 0.12
_PENUMBRA_ALONG = 0.18  # of a branch's distal half, from which on it counts as affected
_CLOT_MM = (5.0, 15.0)
_COLLATERAL_FILL = (0.0, 0.6)  # of the vessels beyond the clot, from none to good collaterals

_SMALL_SIGMA_MM = 4.5  # the smaller, the denser the net of small vessels
_SMALL_WIDTH = 0.05  # in units of the noise, squared: radius of about 0.8 mm
_SMALL_FILL = 0.75
_NEAR_CORTEX = 0.12  # share of cortex within 2 mm
_SMALL_LOSS = 0.7  # of the small vessels in the penumbra
_IS_CORTEX = {t: float(t is Tissue.CORTEX) for t in Tissue}

_Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Vessels:
    """Share of each voxel that is flowing blood, float32, 0 to 1, shape (k, j, i) on the grid of an anatomy.

    Parameters
    ----------
    arteries, veins
        Up to the skull base's larger vessels and down to those of the sulci.
    """

    arteries: Tensor
    veins: Tensor


def draw_vessels(head: Head, draw: Draw, recanalised: float = RECANALISED) -> Vessels:
    """Draw the vessels of a head, from the carotids to those in the sulci.

    Parameters
    ----------
    head
        Its fluid holds the vessels; its penumbra decides what is occluded.
    draw
        Source of all randomness.
    recanalised
        Probability that nothing is occluded although there is an infarct.
    """
    large = draw_large_vessels(head, draw, recanalised)
    box = brain_box(head.tissue)
    for whole, small in zip(
        (large.arteries, large.veins), _small(head, box, draw.part("small")), strict=True
    ):
        whole[box] = torch.maximum(whole[box], small)
    return large


def draw_large_vessels(head: Head, draw: Draw, recanalised: float = RECANALISED) -> Vessels:
    """Draw the vessels that have names, as `draw_vessels` does with the same draw."""
    courses = draw.part("courses").generator
    tissue = head.tissue.cpu().numpy()
    paths = carry((*_ARTERIES, *VEINS), head.anatomy, tissue, courses, _WOBBLE_MM)
    fills = _fills(paths, head.infarct, draw.part("occlusion"), recanalised)
    calibre = draw.part("calibre")
    everyone = calibre.normal(1.0, _CALIBRE_SPREAD / 2)
    radii = [everyone * calibre.normal(1.0, _CALIBRE_SPREAD) * path.radii_mm for path in paths]
    shape, device = head.tissue.shape, head.tissue.device
    kinds = []
    for is_vein in (False, True):
        chosen = [n for n, path in enumerate(paths) if (path.course in VEINS) == is_vein]
        points, widths, shares = (
            np.concatenate([values[n] for n in chosen])
            for values in ([path.points for path in paths], radii, fills)
        )
        kinds.append(tubes(points, widths * (0.5 + 0.5 * shares), shares, shape, device))
    return Vessels(*kinds)


def tubes(
    points: _Array, radii: _Array, fill: _Array, shape: Sequence[int], device: torch.device
) -> Tensor:
    """Return the share of each voxel that lies in balls along lines, which make tubes, float32.

    Parameters
    ----------
    points
        Shape (points, 3), voxels (k, j, i), closer together than their radii; may leave the grid.
    radii
        Shape (points,), voxels.
    fill
        Shape (points,), 0 to 1: factor of the share.
    shape, device
        Of the result.
    """
    whole = torch.zeros(int(np.prod(shape)), device=device)
    reaches = np.ceil(radii + 0.5).astype(int)
    for reach in np.unique(reaches[fill > 0]):
        chosen = (reaches == reach) & (fill > 0)
        where, share = _balls(points[chosen], radii[chosen], int(reach), shape)
        share *= fill[chosen][:, None]
        kept = (share > 0) & (where >= 0)
        index = torch.from_numpy(where[kept]).to(device)
        values = torch.from_numpy(share[kept].astype(np.float32)).to(device)
        whole.scatter_reduce_(0, index, values, "amax")
    return whole.view(tuple(shape))


def _balls(
    points: _Array, radii: _Array, reach: int, shape: Sequence[int]
) -> tuple[NDArray[np.int64], _Array]:
    """Return the flat index, or -1 off the grid, and the share of each voxel near each point."""
    along = np.arange(-reach, reach + 1)
    offsets = np.stack(np.meshgrid(along, along, along, indexing="ij"), axis=-1).reshape(-1, 3)
    voxels = np.rint(points).astype(np.int64)[:, None] + offsets
    distance = np.sqrt(((voxels - points[:, None]) ** 2).sum(axis=-1))
    thin = np.minimum(2.0 * radii, 1.0)  # less than a voxel wide: does not fill one
    share = np.clip(radii[:, None] - distance + 0.5, 0.0, 1.0) * thin[:, None]
    inside = ((voxels >= 0) & (voxels < np.array(shape))).all(axis=-1)
    flat = (voxels[..., 0] * shape[1] + voxels[..., 1]) * shape[2] + voxels[..., 2]
    return np.where(inside, flat, -1), share


def _fills(
    paths: Sequence[VesselPath], infarct: Infarct | None, draw: Draw, recanalised: float
) -> list[_Array]:
    """Return how far each point of each path is filled with blood."""
    fills = [np.ones(len(path.points)) for path in paths]
    if infarct is None or draw.chance(recanalised):
        return fills
    penumbra = coarsened(infarct.penumbra).cpu().numpy()
    on_side = [n for n, path in enumerate(paths) if path.side is infarct.side]
    branches = [n for n in on_side if paths[n].course in MCA_BRANCHES]
    affected = [n for n in branches if _along(penumbra, paths[n]) > _PENUMBRA_ALONG]
    beyond = draw.uniform(*_COLLATERAL_FILL)
    if len(affected) > TRUNK_SHARE * len(branches):
        trunk = next(n for n in on_side if paths[n].course is MCA_TRUNK)
        fills[trunk] = _cut(len(fills[trunk]), draw.uniform(0.0, 0.9), draw, beyond)
        for n in branches:
            fills[n][:] = beyond
    else:
        for n in affected:
            fills[n] = _cut(len(fills[n]), draw.uniform(0.05, 0.4), draw, beyond)
    return fills


def _along(coarse: NDArray[np.float32], path: VesselPath) -> float:
    """Return the mean of a coarse field over the distal half of a path."""
    distal = path.points[len(path.points) // 2 :] / COARSE_STEP
    indices = np.rint(distal).astype(int)
    k, j, i = (np.clip(indices[:, a], 0, n - 1) for a, n in enumerate(coarse.shape))
    return float(coarse[k, j, i].mean())


def _cut(count: int, share: float, draw: Draw, beyond: float) -> _Array:
    """Return the filling of a vessel with a clot after a share of its length."""
    start = int(share * count)
    stop = start + int(draw.uniform(*_CLOT_MM) / STEP_MM)
    fill = np.ones(count)
    fill[start:stop] = 0.0
    fill[stop:] = beyond
    return fill


def _small(head: Head, box: Box, draw: Draw) -> tuple[Tensor, Tensor]:
    """Return small arteries and veins of the sulci in the box of the brain.

    Two smooth noises are both 0 along curves that wind through space: tubes around those.
    """
    near = fine_part(coarse_by_tissue(head.tissue, _IS_CORTEX)[None], box)[0] > _NEAR_CORTEX
    room = (near & (head.tissue[box] == int(Tissue.CSF))).float() * _SMALL_FILL
    shape = room.shape
    noises = [draw.smooth(shape, _SMALL_SIGMA_MM).square_() for _ in range(3)]
    width = torch.full((1, 1, 1), _SMALL_WIDTH, device=head.tissue.device)
    if head.infarct is not None:
        penumbra = fine_part(coarsened(head.infarct.penumbra)[None], box)[0]
        width = width * (1.0 - _SMALL_LOSS * penumbra)
    arteries = (1.0 - (noises[0] + noises[1]) / width).clamp_min_(0.0) * room
    veins = (1.0 - (noises[1] + noises[2]) / _SMALL_WIDTH).clamp_min_(0.0) * room
    return arteries, veins
