"""A tiny head for tests of synthetic patients: mirror-symmetric, with every tissue and all regions.

It has the grid of a real anatomy at a sixth or a third of its size, so that one is rendered in milliseconds.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.atlas.tissues import FLUID, INTRACRANIAL, Tissue
from ASPECTSLib.geometry import centred_affine
from ASPECTSLib.synthesis.anatomy import COARSE_STEP, Anatomy
from ASPECTSLib.synthesis.head import Distractors, Head, Infarct

SHAPE = (33, 41, 33)
LARGE_SHAPE = (65, 81, 65)  # where vessels or smoothing of some mm need room
INFARCTED = (RegionCode.I, RegionCode.M1, RegionCode.M2, RegionCode.M4, RegionCode.M5)

_MNI_MIDDLE_MM = (0.0, -18.0, 10.0)
_MNI_HALF_MM = (97.0, 124.0, 104.0)  # from the middle of the grid to its ends

Array = NDArray[np.float64]


def phantom_anatomy(shape: tuple[int, int, int] = SHAPE) -> Anatomy:
    """Return the tiny anatomy: each size a multiple of 4 plus 1."""
    x, y, z = _axes(shape)
    tissue = _tissue(x, y, z)
    fluid = np.isin(tissue, [int(t) for t in FLUID])
    depth = ndimage.distance_transform_edt(~fluid)
    step = slice(None, None, COARSE_STEP)
    points = [
        m + h * axis for m, h, axis in zip(_MNI_MIDDLE_MM, _MNI_HALF_MM, (x, y, z), strict=True)
    ]
    coarse = np.stack(points)[:, step, step, step].astype(np.float32)
    return Anatomy(
        name="phantom",
        tissue=tissue,
        regions=_regions(tissue, x, y, z),
        affine=centred_affine(shape, np.ones(3)),
        atlas_points=np.ascontiguousarray(coarse),
        cortex_depth_mm=np.where(tissue == Tissue.CORTEX, depth, 0).astype(np.float32),
        ventricle_push=np.zeros_like(coarse),
    )


def phantom_head(
    anatomy: Anatomy | None = None,
    *,
    infarct: Infarct | None = None,
    distractors: Distractors | None = None,
    age_years: float = 65.0,
) -> Head:
    """Return the tiny head: healthy, unless something else is given."""
    anatomy = anatomy or phantom_anatomy()
    return Head(
        anatomy=anatomy,
        tissue=torch.from_numpy(anatomy.tissue),
        regions=torch.from_numpy(anatomy.regions),
        age_years=age_years,
        infarct=infarct,
        distractors=distractors or no_distractors(anatomy.tissue.shape),
    )


def phantom_infarct(
    anatomy: Anatomy | None = None,
    side: Side = Side.LEFT,
    core: Collection[RegionCode] = INFARCTED,
    age_hours: float = 12.0,
) -> Infarct:
    """Return an infarct of whole regions, with all of that side's M1 to M6 as penumbra."""
    anatomy = anatomy or phantom_anatomy()
    brain = np.isin(anatomy.tissue, [int(t) for t in INTRACRANIAL - FLUID])
    cortical = [code for code in RegionCode if region_of(code, side).is_cortical]

    def share(codes: Collection[RegionCode]) -> torch.Tensor:
        labels = [region_of(code, side).label for code in codes]
        return torch.from_numpy((np.isin(anatomy.regions, labels) & brain).astype(np.float32))

    return Infarct(share(core), share({*core, *cortical}), age_hours, side)


def no_distractors(shape: tuple[int, ...] = SHAPE, **given: torch.Tensor) -> Distractors:
    """Return distractors that are all zero, but for those given by name."""
    names = ("old_infarct", "leukoaraiosis", "calcification", "haemorrhage")
    return Distractors(**{name: given.get(name, torch.zeros(shape)) for name in names})


def ball(
    shape: tuple[int, ...], centre_kji: tuple[float, float, float], radius: float
) -> torch.Tensor:
    """Return 1 within some voxels of a point and 0 elsewhere, float32."""
    offsets = np.indices(shape) - np.reshape(centre_kji, (3, 1, 1, 1))
    return torch.from_numpy(((offsets**2).sum(axis=0) <= radius**2).astype(np.float32))


def _axes(shape: tuple[int, int, int]) -> tuple[Array, Array, Array]:
    """Return x, y and z of each voxel, -1 to 1 from one end of the grid to the other."""
    z, y, x = np.meshgrid(*[np.linspace(-1.0, 1.0, n) for n in shape], indexing="ij")
    return x, y, z


def _tissue(x: Array, y: Array, z: Array) -> NDArray[np.uint8]:
    radius = np.sqrt(x**2 + y**2 + z**2) / 0.95
    tissue = np.full(x.shape, int(Tissue.AIR), np.uint8)
    shells = (
        (1.0, Tissue.SOFT_TISSUE),
        (0.9, Tissue.BONE),
        (0.82, Tissue.CSF),
        (0.75, Tissue.CORTEX),
        (0.6, Tissue.WHITE_MATTER),
    )
    for outer, kind in shells:
        tissue[radius <= outer] = kind
    side = np.abs(x)
    hindbrain = (z < -0.4) & (y < -0.05) & (radius <= 0.75)
    tissue[hindbrain] = Tissue.CEREBELLAR_CORTEX
    tissue[hindbrain & (radius <= 0.6)] = Tissue.CEREBELLAR_WHITE_MATTER
    tissue[(z < -0.2) & (np.hypot(x, y) < 0.14) & (radius <= 0.82)] = Tissue.BRAINSTEM
    deep = (
        ((0.1, 0.0, 0.12), (0.08, 0.35, 0.16), Tissue.VENTRICLE),
        ((0.2, 0.2, 0.1), (0.08, 0.16, 0.16), Tissue.CAUDATE),
        ((0.17, -0.15, 0.0), (0.13, 0.16, 0.14), Tissue.THALAMUS),
        ((0.42, 0.05, 0.0), (0.09, 0.22, 0.16), Tissue.PUTAMEN),
        ((0.32, 0.0, 0.0), (0.06, 0.14, 0.12), Tissue.PALLIDUM),
        ((0.58, 0.05, 0.0), (0.05, 0.22, 0.16), Tissue.CORTEX),
    )
    for middle, half, kind in deep:
        offsets = [(a - m) / h for a, m, h in zip((side, y, z), middle, half, strict=True)]
        tissue[sum(offset**2 for offset in offsets) <= 1.0] = kind
    tissue[(side < 0.01) & (tissue == Tissue.CORTEX)] = Tissue.CSF
    tissue[np.sqrt(x**2 + (y - 0.8) ** 2 + (z + 0.45) ** 2) < 0.12] = Tissue.AIR  # a sinus
    return tissue


def _regions(tissue: NDArray[np.uint8], x: Array, y: Array, z: Array) -> NDArray[np.uint8]:
    regions = np.zeros(tissue.shape, np.uint8)
    lobe = np.isin(tissue, (Tissue.CORTEX, Tissue.WHITE_MATTER)) & (np.abs(x) > 0.3) & (z > -0.3)
    thirds = (y >= 0.25, np.abs(y) < 0.25, y <= -0.25)
    for side, on_side in ((Side.RIGHT, x > 0.01), (Side.LEFT, x < -0.01)):
        masks = {
            RegionCode[f"M{level * 3 + number + 1}"]: lobe
            & third
            & (z > 0.25 if level else z <= 0.25)
            for level in (0, 1)
            for number, third in enumerate(thirds)
        }
        insula = (np.abs(np.abs(x) - 0.58) < 0.06) & (tissue == Tissue.CORTEX) & (np.abs(z) < 0.2)
        masks[RegionCode.I] = insula & (np.abs(y - 0.05) < 0.25)
        capsule = (np.abs(x) < 0.4) & (np.abs(z) < 0.2) & (np.abs(y) < 0.3) & (np.abs(x) > 0.1)
        masks[RegionCode.IC] = capsule & (tissue == Tissue.WHITE_MATTER)
        masks[RegionCode.L] = np.isin(tissue, (Tissue.PUTAMEN, Tissue.PALLIDUM))
        masks[RegionCode.C] = tissue == Tissue.CAUDATE
        for code, mask in masks.items():
            regions[mask & on_side] = region_of(code, side).label
    return regions
