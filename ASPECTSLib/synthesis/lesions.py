"""Acute infarcts of synthetic patients: shapes of real ones carried to an anatomy, or drawn from its regions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ASPECTSLib.atlas.regions import REGIONS, Region, Side
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.geometry import Volume, apply_affine
from ASPECTSLib.synthesis.anatomy import COARSE_STEP, Anatomy
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import (
    SOLID,
    Patch,
    blurred,
    fine_box,
    fine_part,
    is_any,
    right_half,
)
from ASPECTSLib.synthesis.head import Infarct
from ASPECTSLib.synthesis.lesion_shapes import LesionShapes
from ASPECTSLib.synthesis.penumbra import draw_penumbra
from ASPECTSLib.synthesis.placement import sample
from ASPECTSLib.synthesis.regional_infarct import draw_region_shares, regional_core

SIZE_CLASSES_ML = (3.0, 16.0, 66.0)
"""Limits of the classes of volume that are met equally often; near the quarters of the 1165 masks of the Stroke Outcome
Optimization Project (Absher 2024, doi:10.1038/s41597-024-03667-5)."""

MCA_REGION_SHARE = 0.3
"""An infarct is one of the middle cerebral artery when it lies by this share inside the twenty regions, which leave out
the deep white matter; half of the same masks do."""

ONE_SIDED_SHARE = 0.95
"""Share of a mask on its larger side from which on it can be asked for by side; three quarters of the masks have it."""

MIN_CORE_ML = 0.1

_ATTEMPTS = 6

# Variation of a shape in the atlas's space: round numbers, small beside the differences between patients.
_TURN_DEG = 6.0
_STRETCH = 0.08
_SHIFT_MM = 2.0
_BEND_MM = 1.5
_BEND_SIGMA_MM = 16.0
# Edges of an infarct of 2 mL and less; of larger ones they are softer, as masks have the steps of thick slices.
_EDGE_SIGMA_MM = (0.5, 0.9)
_EDGE_REFERENCE_ML = 2.0
_MOST_EDGE_GROWTH = 1.8
_CARRY_MARGIN_MM = 7.0  # more than a coarse step, where the atlas is wider than the head

_VOXEL_ML = 0.001  # anatomies have 1 mm


@dataclass(frozen=True)
class InfarctOptions:
    """Which infarcts are drawn.

    Parameters
    ----------
    side
        Where; either, as likely as not, when left out.
    shape_share
        Share of infarcts with the shape of a real one, where there are shapes.
    mca_share
        Share of these that is drawn from the territory of the middle cerebral artery only.
    max_shape_ml
        Larger shapes are left out: a whole territory has less, and some masks are of both hemispheres.
    age_hours
        Time since onset, evenly by its logarithm.

    Raises
    ------
    UsageError
        RECIPE_INVALID if a share is not between 0 and 1, or times are not above 0 and in order.
    """

    side: Side | None = None
    shape_share: float = 0.7
    mca_share: float = 0.7
    max_shape_ml: float = 400.0
    age_hours: tuple[float, float] = (0.5, 24.0)

    def __post_init__(self) -> None:
        for share in (self.shape_share, self.mca_share):
            if not 0.0 <= share <= 1.0:
                message = f"expected shares of infarcts of 0 to 1, got {share}"
                raise UsageError(ErrorCode.RECIPE_INVALID, message)
        if not 0.0 < self.age_hours[0] <= self.age_hours[1]:
            message = f"expected times since onset above 0 h and in order, got {self.age_hours}"
            raise UsageError(ErrorCode.RECIPE_INVALID, message)


def draw_infarct(
    anatomy: Anatomy, shapes: LesionShapes | None, draw: Draw, options: InfarctOptions
) -> Infarct:
    """Draw an acute infarct, which is never empty.

    Parameters
    ----------
    anatomy
        The head.
    shapes
        Real infarcts; all are drawn from the regions when left out.
    draw
        Source of all randomness.
    options
        Which infarcts are drawn.
    """
    chosen = draw.part("kind")
    side = options.side or chosen.pick(tuple(Side))
    age_hours = chosen.log_uniform(*options.age_hours)
    core = None
    if shapes is not None and chosen.chance(options.shape_share):
        core = _shaped_core(anatomy, shapes, side, draw.part("shape"), options)
    if core is None:
        core = _regional_core(anatomy, side, draw.part("regions"))
    side = _larger_side(anatomy, core)
    penumbra = draw_penumbra(anatomy, core, side, age_hours, draw.part("penumbra"))
    return Infarct(core.on(anatomy.tissue.shape), penumbra, age_hours, side)


def within_tissue(infarct: Infarct, tissue: Tensor) -> Infarct:
    """Return an infarct without what lies in fluid or outside of the brain, for tissue that ageing changed.

    Parameters
    ----------
    infarct
        On the grid of `tissue`.
    tissue
        uint8 of `Tissue`, shape (k, j, i).
    """
    solid = is_any(tissue, *SOLID)
    return replace(infarct, core=infarct.core * solid, penumbra=infarct.penumbra * solid)


def infarct_fraction(core: Tensor, regions: Tensor) -> NDArray[np.float64]:
    """Return the share of each region that is infarcted.

    Parameters
    ----------
    core
        Share of each voxel that is infarcted, 0 to 1, shape (k, j, i).
    regions
        uint8 label map on the same grid.

    Returns
    -------
    numpy.ndarray
        Shape (20,), in the order of `REGIONS`; not a number where the region is empty.
    """
    count = len(REGIONS) + 1
    total = torch.bincount(regions.flatten(), minlength=count)[1:count]
    touched = core > 0
    infarcted = torch.bincount(
        regions[touched].int(), weights=core[touched].double(), minlength=count
    )[1:count]
    share = torch.where(total > 0, infarcted / total, torch.nan)
    return share.cpu().numpy()


def affected_regions(fractions: NDArray[np.float64], threshold: float) -> tuple[Region, ...]:
    """Return the regions of which more than a share is infarcted.

    Parameters
    ----------
    fractions
        As `infarct_fraction` returns them; empty regions are not affected.
    threshold
        0 to 1.
    """
    return tuple(r for r, share in zip(REGIONS, fractions, strict=True) if share > threshold)


def pick_shape(
    shapes: LesionShapes, side: Side | None, draw: Draw, options: InfarctOptions
) -> int | None:
    """Pick a real infarct: first a class of volume, all as likely, then one of it.

    Parameters
    ----------
    shapes
        Real infarcts.
    side
        Where one-sidedness matters: only infarcts of one hemisphere are picked, of either one.
    draw
        Source of all randomness.
    options
        Which infarcts are drawn.

    Returns
    -------
    int or None
        Index of the shape; None if no shape is as asked for.
    """
    fits = shapes.volumes_ml <= options.max_shape_ml
    if side is not None:
        fits &= np.maximum(shapes.left_shares, 1 - shapes.left_shares) >= ONE_SIDED_SHARE
    if draw.chance(options.mca_share):
        fits &= shapes.region_shares >= MCA_REGION_SHARE
    if not fits.any():
        return None
    classes = np.digitize(shapes.volumes_ml, SIZE_CLASSES_ML)
    wanted = draw.pick(np.unique(classes[fits]).tolist())
    return int(draw.pick(np.flatnonzero(fits & (classes == wanted)).tolist()))


def carry(mask: Volume, points_mm: Tensor) -> Patch | None:
    """Carry a mask from the atlas to an anatomy.

    Parameters
    ----------
    mask
        bool, in MNI152 space.
    points_mm
        Where every `COARSE_STEP`-th voxel of the anatomy lies in the atlas, float32, shape (3, k, j, i), RAS mm.

    Returns
    -------
    Patch or None
        Share of each voxel that the mask covers, 0 to 1, on the anatomy's grid; None if it lies outside.
    """
    padded = np.pad(mask.array, 1).astype(np.float32)
    to_voxels = np.linalg.inv(mask.affine)
    matrix = torch.from_numpy(to_voxels.astype(np.float32)).to(points_mm.device)
    voxels = torch.einsum("rc,ckji->rkji", matrix[:3, :3], points_mm)
    voxels = voxels + matrix[:3, 3].reshape(3, 1, 1, 1) + 1.0
    margin = torch.from_numpy((_CARRY_MARGIN_MM / mask.spacing_mm).astype(np.float32))
    margin = margin.reshape(3, 1, 1, 1).to(points_mm.device)
    size = torch.tensor(padded.shape[::-1], device=points_mm.device).reshape(3, 1, 1, 1)
    near = ((voxels > -margin) & (voxels < size + margin)).all(dim=0).cpu().numpy()
    if not near.any():
        return None
    box = fine_box(near)
    at = fine_part(voxels, box).movedim(0, -1)
    return Patch(sample(torch.from_numpy(padded)[None].to(at.device), at)[0], box)


def _shaped_core(
    anatomy: Anatomy, shapes: LesionShapes, side: Side, draw: Draw, options: InfarctOptions
) -> Patch | None:
    for attempt in range(_ATTEMPTS):
        one = draw.part(f"attempt {attempt}")
        index = pick_shape(shapes, options.side, one, options)
        if index is None:
            return None
        mask = shapes.mask(index)
        if (shapes.left_shares[index] > 0.5) != (side is Side.LEFT):
            mask = Volume(mask.array, np.diag([-1.0, 1.0, 1.0, 1.0]) @ mask.affine)
        carried = carry(mask, _varied_points(anatomy, mask, one.part("variation")))
        if carried is None:
            continue
        core = _in_tissue(anatomy, _softened(carried, shapes.volumes_ml[index], one.part("edge")))
        if _is_enough(core) and _is_on(anatomy, core, options.side):
            return core
    return None


def _regional_core(anatomy: Anatomy, side: Side, draw: Draw) -> Patch:
    for attempt in range(_ATTEMPTS):
        one = draw.part(f"attempt {attempt}")
        shares = draw_region_shares(one)
        core = _in_tissue(anatomy, regional_core(anatomy, side, shares, one))
        if _is_enough(core) and _is_on(anatomy, core, side):
            return core
    whole = np.ones_like(shares)
    return _in_tissue(anatomy, regional_core(anatomy, side, whole, draw.part("whole")))


def _varied_points(anatomy: Anatomy, mask: Volume, draw: Draw) -> Tensor:
    """Return the anatomy's places in the atlas, turned, stretched, shifted and bent a little about a mask's middle."""
    points = torch.from_numpy(anatomy.atlas_points).to(draw.device)
    middle = apply_affine(mask.affine, (np.array(mask.size) - 1) / 2)
    turn = np.radians([draw.normal(0.0, _TURN_DEG) for _ in range(3)])
    stretch = [draw.normal(1.0, _STRETCH) for _ in range(3)]
    shift = np.array([draw.normal(0.0, _SHIFT_MM) for _ in range(3)])
    # Small turns about x, y and z, to first order.
    skew = np.array([[0, -turn[2], turn[1]], [turn[2], 0, -turn[0]], [-turn[1], turn[0], 0]])
    matrix = torch.from_numpy((np.diag(stretch) + skew).astype(np.float32)).to(draw.device)
    start = torch.from_numpy(middle.astype(np.float32)).reshape(3, 1, 1, 1).to(draw.device)
    end = torch.from_numpy((middle + shift).astype(np.float32)).reshape(3, 1, 1, 1).to(draw.device)
    shape, sigma = tuple(points.shape[1:]), _BEND_SIGMA_MM / COARSE_STEP
    bend = _BEND_MM * torch.stack([draw.smooth(shape, sigma) for _ in range(3)])
    return torch.einsum("rc,ckji->rkji", matrix, points - start) + end + bend


def _softened(core: Patch, volume_ml: float, draw: Draw) -> Patch:
    growth = float(np.clip(np.cbrt(volume_ml / _EDGE_REFERENCE_ML), 1.0, _MOST_EDGE_GROWTH))
    soft = blurred(core.values, growth * draw.uniform(*_EDGE_SIGMA_MM))
    return Patch(soft.clamp(0.0, 1.0), core.box)


def _in_tissue(anatomy: Anatomy, patch: Patch) -> Patch:
    tissue = torch.from_numpy(anatomy.tissue[patch.box]).to(patch.values.device)
    return Patch(patch.values * is_any(tissue, *SOLID), patch.box)


def _is_enough(core: Patch) -> bool:
    return bool((core.values > 0.5).any()) and float(core.values.sum()) * _VOXEL_ML >= MIN_CORE_ML


def _is_on(anatomy: Anatomy, core: Patch, side: Side | None) -> bool:
    """Return whether a core, which variation may have shifted across the middle, lies on the side asked for."""
    if side is None:
        return True
    right = _right_share(anatomy, core)
    return (right if side is Side.RIGHT else 1.0 - right) >= ONE_SIDED_SHARE


def _larger_side(anatomy: Anatomy, core: Patch) -> Side:
    return Side.RIGHT if _right_share(anatomy, core) > 0.5 else Side.LEFT


def _right_share(anatomy: Anatomy, core: Patch) -> float:
    right = core.values[right_half(anatomy, core.box, core.values.device)]
    return float(right.sum()) / float(core.values.sum())
