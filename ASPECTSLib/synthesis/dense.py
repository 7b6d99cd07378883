"""Calcification and fresh blood."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy import ndimage

from ASPECTSLib.atlas.tissues import INTRACRANIAL, Tissue
from ASPECTSLib.geometry import bounding_box
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import (
    SOLID,
    AgedBrain,
    Patch,
    any_voxel,
    blob,
    blurred,
    every,
    fine_box,
    is_any,
    kept_to_side,
    made_fine,
    middle_i,
    shape_of,
    voxel_of,
)

PINEAL_MM = (0.0, -31.0, 0.0)
"""Pineal gland in MNI152 space, RAS; read off the template."""

TRIGONE_MM = (24.0, -42.0, 10.0)
"""Trigone of the right lateral ventricle in MNI152 space, RAS; read off the template. The glomus of the choroid plexus
lies in it."""

# Sizes: round numbers.
_PINEAL_RADIUS_MM = (1.0, 4.0)
_TRIGONE_REACH_MM = 14.0
_GLOMUS_RADIUS_MM = (1.5, 4.0)
_GLOMUS_CHANCE = 0.85  # of each side, where there is any
_FALX_Y_MM, _FALX_Z_MM = (-50.0, 45.0), (35.0, 62.0)
_FALX_RADII_MM = ((1.0, 1.8), (2.0, 10.0), (2.0, 7.0))
_FALX_PLAQUES = 3
_PALLIDUM_SHARE = (0.1, 0.7)
_PALLIDUM_SIGMA_MM = 2.0
_SYMMETRIC, _ONE_SIDED = 0.8, 0.6
_STRENGTH = (0.3, 1.0)

_SUBDURAL_CHANCE = 0.3
_BLEEDING_RADIUS_MM = (6.0, 24.0)
_CRESCENT_MM = (4.0, 14.0)
_CRESCENT_REACH_MM = (40.0, 75.0)
_LOWEST_CRESCENT_Z_MM = 0.0
_CRESCENT_EDGE_MM = 1.5
_HALF_STEP = 2
_INSIDE = tuple(sorted(INTRACRANIAL))


def draw_pineal(brain: AgedBrain, draw: Draw) -> Iterator[Patch]:
    """Draw calcium in the pineal gland."""
    radii_mm = [draw.uniform(*_PINEAL_RADIUS_MM) for _ in range(3)]
    patch = blob(brain.anatomy, voxel_of(brain.anatomy, PINEAL_MM), radii_mm, draw)
    yield _weaker(brain.cut(patch, *_INSIDE), draw)


def draw_choroid_plexus(brain: AgedBrain, draw: Draw) -> Iterator[Patch]:
    """Draw calcium in the trigones of the lateral ventricles, where these are wide enough."""
    ventricle = every(brain.anatomy.tissue) == Tissue.VENTRICLE
    for side in (1.0, -1.0):
        one = draw.part(f"side {side:.0f}")
        middle = np.array([side, 1.0, 1.0]) * TRIGONE_MM
        distance = np.linalg.norm(brain.anatomy.atlas_points - middle[:, None, None, None], axis=0)
        trigone = ventricle & (distance < _TRIGONE_REACH_MM)
        if not (trigone.any() and one.chance(_GLOMUS_CHANCE)):
            continue
        radii_mm = [one.uniform(*_GLOMUS_RADIUS_MM) for _ in range(3)]
        patch = blob(brain.anatomy, any_voxel(trigone, one), radii_mm, one)
        yield _weaker(brain.cut(patch, Tissue.VENTRICLE), one)


def draw_falx(brain: AgedBrain, draw: Draw) -> Iterator[Patch]:
    """Draw plaques of calcium between the hemispheres."""
    for index in range(1 + int(draw.generator.integers(_FALX_PLAQUES))):
        one = draw.part(f"plaque {index}")
        middle = voxel_of(brain.anatomy, (0.0, one.uniform(*_FALX_Y_MM), one.uniform(*_FALX_Z_MM)))
        radii_mm = [one.uniform(*limits) for limits in _FALX_RADII_MM]
        patch = blob(brain.anatomy, middle, radii_mm, one)
        yield _weaker(brain.cut(patch, Tissue.CSF, Tissue.CORTEX), one)


def draw_pallidum(brain: AgedBrain, draw: Draw) -> Iterator[Patch]:
    """Draw calcium in both pallida, much alike."""
    anatomy = brain.anatomy
    box = bounding_box(anatomy.tissue == Tissue.PALLIDUM, (1, 1, 1))
    columns = torch.arange(box[2].start, box[2].stop, device=draw.device) - middle_i(anatomy)
    columns = columns.abs().round().long()
    shape = shape_of(box)
    both = draw.smooth((*shape[:2], int(columns.max()) + 1), _PALLIDUM_SIGMA_MM)
    noise = _SYMMETRIC * both[..., columns] + _ONE_SIDED * draw.smooth(shape, _PALLIDUM_SIGMA_MM)
    pallidum = is_any(brain.tissue[box], Tissue.PALLIDUM)
    level = torch.quantile(noise[pallidum], 1.0 - draw.uniform(*_PALLIDUM_SHARE))
    calcified = blurred((pallidum & (noise > level)).float(), 0.6)
    yield _weaker(brain.cut(Patch(calcified, box), Tissue.PALLIDUM), draw)


def draw_haemorrhage(brain: AgedBrain, draw: Draw) -> Iterator[Patch]:
    """Draw blood in a deep nucleus, or between the skull and one hemisphere."""
    if draw.chance(_SUBDURAL_CHANCE):
        yield _crescent(brain, draw.part("crescent"))
        return
    nuclei = np.isin(every(brain.anatomy.tissue), (Tissue.PUTAMEN, Tissue.THALAMUS))
    radius_mm = draw.log_uniform(*_BLEEDING_RADIUS_MM)
    radii_mm = [radius_mm * draw.uniform(0.6, 1.2) for _ in range(3)]
    middle = any_voxel(nuclei, draw)
    patch = kept_to_side(blob(brain.anatomy, middle, radii_mm, draw), brain.anatomy, middle)
    yield brain.cut(patch, *SOLID, Tissue.VENTRICLE)


def _crescent(brain: AgedBrain, draw: Draw) -> Patch:
    """Return blood along the inside of the skull, thickest in the middle, above the skull's base."""
    anatomy = brain.anatomy
    inside = ndimage.binary_fill_holes(np.isin(every(anatomy.tissue, _HALF_STEP), _INSIDE))
    depth_mm = (ndimage.distance_transform_edt(inside) - 0.5) * _HALF_STEP
    surface = every(inside, _HALF_STEP) & (every(depth_mm, _HALF_STEP) <= 2 * _HALF_STEP)
    middle = any_voxel(surface & (anatomy.atlas_points[2] > _LOWEST_CRESCENT_Z_MM), draw)
    reach_mm = draw.uniform(*_CRESCENT_REACH_MM)
    k, j, i = np.ogrid[tuple(slice(0, size, _HALF_STEP) for size in anatomy.tissue.shape)]
    away_mm = np.sqrt((i - middle[0]) ** 2 + (j - middle[1]) ** 2 + (k - middle[2]) ** 2)
    thickness_mm = draw.uniform(*_CRESCENT_MM) * (1.0 - (away_mm / reach_mm) ** 2)
    blood = np.clip((thickness_mm - depth_mm) / _CRESCENT_EDGE_MM + 0.5, 0.0, 1.0) * inside
    box = fine_box(every(blood > 0, _HALF_STEP), 1)
    half = tuple(slice(s.start // _HALF_STEP, (s.stop - 1) // _HALF_STEP + 1) for s in box)
    coarse = torch.from_numpy(blood[half].astype(np.float32)).to(draw.device)
    patch = Patch(made_fine(coarse[None], shape_of(box))[0], box)
    return brain.cut(kept_to_side(patch, anatomy, middle), *_INSIDE)


def _weaker(patch: Patch, draw: Draw) -> Patch:
    return Patch(patch.values * draw.uniform(*_STRENGTH), patch.box)
