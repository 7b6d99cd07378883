"""Falx, tentorium, dural sinuses and large arteries on CT: thin, and denser than brain."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.geometry import Box
from ASPECTSLib.synthesis.anatomy import COARSE_STEP, Anatomy
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import coarse_box, fine_part
from ASPECTSLib.synthesis.head import Head, Infarct
from ASPECTSLib.synthesis.repair import grown
from ASPECTSLib.synthesis.tissue_maps import brain_box
from ASPECTSLib.synthesis.vessel_courses import BASILAR, MCA_TRUNK, VEINS
from ASPECTSLib.synthesis.vessel_paths import VesselPath, carry
from ASPECTSLib.synthesis.vessels import tubes

DURA_HU = (46.0, 66.0)
"""Density of membranes; thin ones show less of it."""

# Blood of normal haematocrit measures 40 to 55 HU, dura mater 50 to 70 HU: round numbers, from textbooks. An artery is
# called dense from 43 HU and 1.2 times the other side on (Koo et al., Cerebrovasc Dis 2000;10:419-23,
# doi:10.1159/000016101).
_BLOOD_HU = (38.0, 56.0)
_CLOT_OVER_BLOOD = (1.2, 1.7)

_FALX_MM = (0.2, 0.8)
_TENTORIUM_SHARE = (0.35, 0.9)  # of the gap between cerebrum and cerebellum

_FALX_REACH = 5  # voxels that the falx lies off the atlas's midplane at most
_FALX_EDGE_MNI_MM = (
    (66.0, 0.0),
    (45.0, 6.0),
    (20.0, 34.0),
    (-10.0, 42.0),
    (-40.0, 32.0),
    (-60.0, 8.0),
)
"""Height z of the falx's lower edge by y: over the corpus callosum, down to crista galli and tentorium."""
_FREE_SQUARED = 12.0  # squared distance from the midplane that costs what brain does
_MARGIN_POINTS = 2  # of the coarse grid, around the midplane
_FALX_SIGMA = 3.0
_GAP = 2  # voxels from cerebrum or cerebellum within which the tentorium lies
_DENSE_PENUMBRA_ML = 90.0  # of an infarct whose trunk can hold the clot
_DENSE_TRUNK = 0.35  # share of those: in 30 to 50 % the sign is seen, from reviews
_WOBBLE_MM = 0.8
_SINUSES = tuple(v for v in VEINS if "sinus" in v.name)


def add_membranes(density: Tensor, head: Head, draw: Draw) -> None:
    """Add falx and tentorium, sinuses and the large arteries at the base of the brain, in place.

    Parameters
    ----------
    density
        HU, shape (k, j, i), on the grid of the head.
    head
        Its infarct may have a dense artery.
    draw
        Source of all randomness.
    """
    box = brain_box(head.tissue)
    dura_hu = draw.uniform(*DURA_HU)
    _add_falx(density, head, box, dura_hu, draw.part("falx"))
    part = density[box]
    part += (dura_hu - part) * _tentorium(head, box, draw.part("tentorium"))
    for path_share, hu in _vessels(head, draw.part("vessels")):
        density += (hu - density).mul_(path_share)


def midline_box(anatomy: Anatomy, box: Box) -> Box:
    """Return the part of a box, from coarse voxel to coarse voxel, in which the atlas's midplane runs."""
    spans = coarse_box(box)
    nearest = np.abs(anatomy.atlas_points[0][spans]).argmin(axis=2) + spans[2].start
    first = max(int(nearest.min()) - _MARGIN_POINTS, spans[2].start)
    last = min(int(nearest.max()) + _MARGIN_POINTS, spans[2].stop - 1)
    return box[0], box[1], slice(first * COARSE_STEP, last * COARSE_STEP + 1)


def falx_columns(head: Head, box: Box) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Find the falx near the atlas's midplane, in the fluid between the hemispheres.

    Parameters
    ----------
    head
        Gives tissue and atlas.
    box
        That of `midline_box`.

    Returns
    -------
    tuple of numpy.ndarray
        Its column i in the box, not rounded, and whether there is a falx; both of the box's shape (k, j).
    """
    points = fine_part(torch.from_numpy(head.anatomy.atlas_points), box).numpy()
    middle = np.abs(points[0]).argmin(axis=2)[..., None]
    offsets = np.arange(-_FALX_REACH, _FALX_REACH + 1)
    columns = np.clip(middle + offsets, 0, points.shape[3] - 1)
    around = np.take_along_axis(head.tissue[box].cpu().numpy(), columns, axis=2)
    cost = offsets**2 / _FREE_SQUARED + (around != Tissue.CSF)
    moved = ndimage.gaussian_filter(offsets[cost.argmin(axis=2)].astype(np.float32), _FALX_SIGMA)
    y, z = (np.take_along_axis(points[axis], middle, axis=2)[..., 0] for axis in (1, 2))
    edge = np.interp(y, *zip(*sorted(_FALX_EDGE_MNI_MM), strict=True))
    return middle[..., 0] + moved, z > edge


def _add_falx(density: Tensor, head: Head, box: Box, hu: float, draw: Draw) -> None:
    box = midline_box(head.anatomy, box)
    columns, present = falx_columns(head, box)
    tissue = head.tissue[box]
    along = torch.arange(tissue.shape[2], dtype=torch.float32, device=tissue.device)
    middle, here = (
        torch.from_numpy(a.astype(np.float32)).to(tissue.device) for a in (columns, present)
    )
    thickness = draw.uniform(*_FALX_MM)
    away = (along - middle[..., None]).abs_()
    share = ((thickness + 1.0) / 2.0 - away).clamp_(0.0, min(thickness, 1.0)) * here[..., None]
    share *= (tissue == int(Tissue.CSF)) | (tissue == int(Tissue.CORTEX))
    part = density[box]
    part += (hu - part) * share


def _tentorium(head: Head, box: Box, draw: Draw) -> Tensor:
    """Return the share of each voxel of the box that is tentorium: fluid with brain above and cerebellum below."""
    tissue = head.tissue[box]
    cerebellum = grown(tissue == int(Tissue.CEREBELLAR_CORTEX), _GAP)
    cerebrum = grown(tissue == int(Tissue.CORTEX), _GAP)
    gap = cerebellum & cerebrum & (tissue == int(Tissue.CSF))
    return gap.float() * draw.uniform(*_TENTORIUM_SHARE)


def _vessels(head: Head, draw: Draw) -> list[tuple[Tensor, float]]:
    """Return the share of each voxel that is blood, and its density; clot after blood."""
    courses = (*_SINUSES, MCA_TRUNK, BASILAR)
    tissue = head.tissue.cpu().numpy()
    paths = carry(courses, head.anatomy, tissue, draw.generator, _WOBBLE_MM)
    blood_hu = draw.uniform(*_BLOOD_HU)
    clot_hu = blood_hu * draw.uniform(*_CLOT_OVER_BLOOD)
    is_dense = draw.chance(_DENSE_TRUNK) and _may_hold_clot(head.infarct)
    clotted = [is_dense and _is_trunk_of(path, head.infarct) for path in paths]
    kinds = []
    for wanted, hu in ((False, blood_hu), (True, clot_hu)):
        chosen = [path for path, clot in zip(paths, clotted, strict=True) if clot == wanted]
        if chosen:
            points = np.concatenate([path.points for path in chosen])
            radii = np.concatenate([path.radii_mm for path in chosen])
            shape, device = head.tissue.shape, head.tissue.device
            kinds.append((tubes(points, radii, np.ones(len(points)), shape, device), hu))
    return kinds


def _may_hold_clot(infarct: Infarct | None) -> bool:
    return infarct is not None and float(infarct.penumbra.sum()) > 1000.0 * _DENSE_PENUMBRA_ML


def _is_trunk_of(path: VesselPath, infarct: Infarct | None) -> bool:
    return infarct is not None and path.course is MCA_TRUNK and path.side is infarct.side
