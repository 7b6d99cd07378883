"""Old infarcts, lacunes and white-matter disease."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.geometry import Box
from ASPECTSLib.synthesis.anatomy import VENTRICLE_REACH_MM, Anatomy
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import (
    AgedBrain,
    Patch,
    any_voxel,
    blob,
    blurred,
    coarse_box,
    every,
    fine_box,
    is_any,
    kept_to_side,
    made_fine,
    middle_i,
    shape_of,
)

MAX_OLD_INFARCTS = 2
OLD_INFARCT_RADIUS_MM = (6.0, 24.0)
"""Round numbers: from a branch's end to a branch."""

MAX_LACUNES = 4
LACUNE_DIAMETER_MM = (3.0, 15.0)
"""Wardlaw 2013, doi:10.1016/S1474-4422(13)70124-8 (STRIVE)."""

LACUNE_REACH_MM = 15.0
"""How far from the ventricles lacunes of the white matter lie; a round number."""

GRADES = (0.3, 3.0)
"""Range of the grade of white-matter disease, after Fazekas 1987, doi:10.2214/ajr.149.2.351, but continuous."""

# White-matter disease by grade: round numbers, set by looking at the results.
_GRADE_AT_40, _GRADE_AT_90, _GRADE_DEVIATION = 0.3, 1.7, 0.5
_RIM_MM, _RIM_MM_PER_GRADE = 0.2, 2.3
_RIM_NOISE, _RIM_SIGMA_MM, _RIM_EDGE_MM = 0.35, 8.0, 2.5
_FRONTAL_CAP_Y_MM, _OCCIPITAL_CAP_Y_MM, _CAP_RAMP_MM, _CAP_GAIN = 12.0, -45.0, 15.0, 0.8
_LOWEST_Z_MM, _CALLOSAL_X_MM, _SPARED_RAMP_MM = -2.0, 4.0, 6.0
_PATCH_SIGMA_MM, _PATCH_EDGE = 3.5, 0.5
_PATCH_LEVEL, _PATCH_LEVEL_PER_GRADE = 2.2, 0.6
_DEEP_SIGMA_MM, _DEEP_SHARE = (
    6.0,
    0.8,
)  # cortex is farther than 5 mm: the fibres below it are spared
_STRENGTH, _STRENGTH_PER_GRADE = 0.25, 0.3
_SYMMETRIC, _ONE_SIDED = 0.8, 0.6
_MARGIN = 6  # coarse voxels around the ventricles
_HALF_STEP = 2

_DEEP_GREY = (Tissue.CAUDATE, Tissue.PUTAMEN, Tissue.PALLIDUM, Tissue.THALAMUS)
_CEREBRAL = (Tissue.CORTEX, Tissue.WHITE_MATTER, *_DEEP_GREY)


def draw_old_infarcts(brain: AgedBrain, draw: Draw) -> Iterator[Patch]:
    """Draw one or two infarcts of cortex and the white matter below it, which turned to fluid."""
    cortex = every(brain.anatomy.tissue) == Tissue.CORTEX
    for index in range(1 + int(draw.generator.integers(MAX_OLD_INFARCTS))):
        one = draw.part(f"infarct {index}")
        radius_mm = one.log_uniform(*OLD_INFARCT_RADIUS_MM)
        radii_mm = [radius_mm * one.uniform(0.7, 1.3) for _ in range(3)]
        middle = any_voxel(cortex, one)
        patch = blob(brain.anatomy, middle, radii_mm, one)
        yield brain.cut(kept_to_side(patch, brain.anatomy, middle), *_CEREBRAL)


def draw_lacunes(brain: AgedBrain, draw: Draw) -> Iterator[Patch]:
    """Draw small old infarcts of deep nuclei and of the white matter near the ventricles."""
    tissue = every(brain.anatomy.tissue)
    near = np.linalg.norm(brain.anatomy.ventricle_push, axis=0) > np.exp(
        -LACUNE_REACH_MM / VENTRICLE_REACH_MM
    )
    deep = np.isin(tissue, _DEEP_GREY) | ((tissue == Tissue.WHITE_MATTER) & near)
    for index in range(1 + int(draw.generator.integers(MAX_LACUNES))):
        one = draw.part(f"lacune {index}")
        diameter_mm = one.log_uniform(*LACUNE_DIAMETER_MM)
        radii_mm = [
            max(diameter_mm * one.uniform(0.6, 1.0), LACUNE_DIAMETER_MM[0]) / 2 for _ in range(3)
        ]
        patch = blob(brain.anatomy, any_voxel(deep, one), radii_mm, one)
        yield brain.cut(patch, Tissue.WHITE_MATTER, *_DEEP_GREY)


def draw_leukoaraiosis(brain: AgedBrain, draw: Draw) -> Iterator[Patch]:
    """Draw caps and rims of the lateral ventricles and patches of the deep white matter, much alike on both sides."""
    mean = np.interp(brain.age_years, (40.0, 90.0), (_GRADE_AT_40, _GRADE_AT_90))
    grade = float(np.clip(draw.normal(float(mean), _GRADE_DEVIATION), *GRADES))
    box = _leukoaraiosis_box(brain.anatomy)
    half = _HalfGrid(brain.anatomy, box, draw)
    strength = min(_STRENGTH + _STRENGTH_PER_GRADE * grade, 1.0)
    coarse = strength * torch.maximum(_rim(half, grade), _patches(half, grade))
    yield brain.cut(Patch(made_fine(coarse[None], shape_of(box))[0], box), Tissue.WHITE_MATTER)


class _HalfGrid:
    """The surroundings of the ventricles at every second voxel."""

    def __init__(self, anatomy: Anatomy, box: Box, draw: Draw) -> None:
        tissue = torch.from_numpy(anatomy.tissue[box]).to(draw.device)
        self.ventricle = self._peak(tissue == Tissue.VENTRICLE)
        self.is_inner = is_any(tissue[::2, ::2, ::2], Tissue.WHITE_MATTER, Tissue.VENTRICLE)
        self.shape = tuple(self.ventricle.shape)
        points = torch.from_numpy(anatomy.atlas_points[(slice(None), *coarse_box(box))])
        self.atlas_mm = made_fine(points.to(draw.device), self.shape)
        columns = torch.arange(box[2].start, box[2].stop, _HALF_STEP, device=draw.device)
        self._columns = ((columns - middle_i(anatomy)).abs() / _HALF_STEP).round().long()
        self._draw = draw

    def noise(self, name: str, sigma_mm: float) -> Tensor:
        """Return smooth noise of about unit variance that is much the same on both sides."""
        draw, sigma = self._draw.part(name), sigma_mm / _HALF_STEP
        both = draw.smooth((*self.shape[:2], int(self._columns.max()) + 1), sigma)
        return _SYMMETRIC * both[..., self._columns] + _ONE_SIDED * draw.smooth(self.shape, sigma)

    @staticmethod
    def _peak(mask: Tensor) -> Tensor:
        return functional.max_pool3d(mask.float()[None], 3, stride=_HALF_STEP, padding=1)[0] > 0


def _leukoaraiosis_box(anatomy: Anatomy) -> Box:
    ventricle = every(anatomy.tissue) == Tissue.VENTRICLE
    above = anatomy.atlas_points[2] > _LOWEST_Z_MM
    return fine_box(ventricle & above, _MARGIN)


def _rim(half: _HalfGrid, grade: float) -> Tensor:
    """Return the white matter along the lateral ventricles, thicker at their horns."""
    outside = ndimage.distance_transform_edt((~half.ventricle).cpu().numpy()) * _HALF_STEP
    distance_mm = torch.from_numpy(outside.astype(np.float32)).to(half.ventricle.device) - 1.0
    x_mm, y_mm, z_mm = half.atlas_mm
    at_horns = _ramp(y_mm - _FRONTAL_CAP_Y_MM, _CAP_RAMP_MM) + _ramp(
        _OCCIPITAL_CAP_Y_MM - y_mm, _CAP_RAMP_MM
    )
    thickness_mm = (_RIM_MM + _RIM_MM_PER_GRADE * grade) * (
        1.0 + _CAP_GAIN * at_horns + _RIM_NOISE * half.noise("rim", _RIM_SIGMA_MM)
    )
    # The corpus callosum and the surroundings of the third ventricle are spared.
    open_to_it = _ramp(x_mm.abs() - _CALLOSAL_X_MM, _SPARED_RAMP_MM) * _ramp(
        z_mm - _LOWEST_Z_MM, _SPARED_RAMP_MM
    )
    return ((thickness_mm - distance_mm) / _RIM_EDGE_MM + 0.5).clamp(0.0, 1.0) * open_to_it


def _patches(half: _HalfGrid, grade: float) -> Tensor:
    depth = blurred(half.is_inner.float(), _DEEP_SIGMA_MM / _HALF_STEP)
    level = _PATCH_LEVEL - _PATCH_LEVEL_PER_GRADE * grade
    patches = (half.noise("patches", _PATCH_SIGMA_MM) - level) / _PATCH_EDGE
    x_mm, _, z_mm = half.atlas_mm
    above = _ramp(z_mm - _LOWEST_Z_MM, _SPARED_RAMP_MM) * _ramp(
        x_mm.abs() - _CALLOSAL_X_MM, _SPARED_RAMP_MM
    )
    return patches.clamp(0.0, 1.0) * (depth > _DEEP_SHARE) * above


def _ramp(value_mm: Tensor, length_mm: float) -> Tensor:
    """Return 0 below 0, 1 above a length, and evenly between in between."""
    return (value_mm / length_mm).clamp(0.0, 1.0)
