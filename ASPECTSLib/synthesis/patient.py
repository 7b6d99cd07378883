"""A synthetic patient from the atlas: a head CT with a known infarct, for the demonstration and for tests.

It is synthetic and looks it: one average anatomy, made individual by noise and a smooth deformation, in the contrast
of a non-contrast CT. It shows that the program works; it says nothing of accuracy on patients.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import Region
from ASPECTSLib.atlas.tissues import FLUID, INTRACRANIAL, NCCT_CONTRAST_HU, Tissue
from ASPECTSLib.geometry import (
    Volume,
    apply_affine,
    bounding_box,
    centred_affine,
    crop,
    resample,
)

INFARCT_DROP_HU = 7.0
"""Density lost in the infarct: that of a few hours, 2 to 6 HU in the first and up to 10 HU later."""

_FINE_SPACING_MM = 1.0
_FOLDING_SIGMA_MM = 2.0  # size of the gyri that noise carves out of the average cortex
_FOLDING_STRENGTH = 0.6
_SKULL_MM = 6.0
_INFARCT_EDGE_MM = 1.5
_NOISE_HU = 3.5  # thick slices at 120 kV
_NOISE_SIGMA_PIXELS = 0.7  # reconstruction kernels correlate neighbours
_DEFORMATION_MM = 2.5
_DEFORMATION_SIGMA_MM = 25.0
_PITCH_DEG = 11.0  # slices along the orbitomeatal line
_SUBSLICES = 5  # averaged into a slice: partial volume
_AIR_HU = -1000.0


@dataclass(frozen=True)
class Acquisition:
    """Grid and pose of the synthetic scan; the head is off the grid's axes as patients are."""

    size: tuple[int, int, int] = (256, 256, 32)
    spacing_mm: tuple[float, float, float] = (0.9, 0.9, 5.0)
    yaw_deg: float = 4.0
    roll_deg: float = -3.0
    shift_mm: tuple[float, float, float] = (4.0, -3.0, 0.0)
    head_scale: float = 0.95


@dataclass(frozen=True, eq=False)
class SyntheticPatient:
    """A scan with its truth, on one grid.

    Parameters
    ----------
    scan
        int16, HU.
    regions
        uint8 label map of the true regions.
    affected
        Regions with infarct.
    """

    scan: Volume
    regions: Volume
    affected: tuple[Region, ...]


def make_patient(
    atlas: Atlas,
    affected: Collection[Region],
    rng: np.random.Generator,
    acquisition: Acquisition | None = None,
) -> SyntheticPatient:
    """Make a synthetic non-contrast head CT.

    Parameters
    ----------
    atlas
        Gives tissues and regions.
    affected
        Regions that are infarcted as a whole.
    rng
        Source of all randomness: same seed, same patient.
    acquisition
        Grid and pose; an ordinary thick-slice scan when left out.
    """
    acquisition = acquisition or Acquisition()
    density = _density(atlas, affected, rng)
    field_mm = _deformation(density.array.shape, rng)
    grid = _grid(acquisition)
    shift_mm = _sample_field(field_mm, atlas.regions, grid, acquisition)
    subslices = [
        _sample(density, shift_mm, _shifted(grid, offset), acquisition, order=1, fill=_AIR_HU)
        for offset in (np.arange(_SUBSLICES) - (_SUBSLICES - 1) / 2) / _SUBSLICES
    ]
    scan = np.mean(subslices, axis=0) + _noise(grid.array.shape, rng)
    regions = _sample(atlas.regions, shift_mm, grid, acquisition, order=0, fill=0)
    return SyntheticPatient(
        scan=grid.with_array(np.rint(np.maximum(scan, -1024.0)).astype(np.int16)),
        regions=grid.with_array(regions.astype(np.uint8)),
        affected=tuple(sorted(affected, key=lambda region: region.label)),
    )


def _density(atlas: Atlas, affected: Collection[Region], rng: np.random.Generator) -> Volume:
    """Return the HU of the undeformed head on the fine grid of the region map."""
    tissue = _individual_tissue(atlas, rng)
    contrast = np.array([NCCT_CONTRAST_HU[t] for t in Tissue], np.float32)
    infarct = np.isin(atlas.regions.array, [region.label for region in affected])
    depth = ndimage.gaussian_filter(infarct.astype(np.float32), _INFARCT_EDGE_MM / _FINE_SPACING_MM)
    brain = np.isin(tissue, [int(t) for t in INTRACRANIAL - FLUID])
    return atlas.regions.with_array(contrast[tissue] - INFARCT_DROP_HU * depth * brain)


def _individual_tissue(atlas: Atlas, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw one tissue per voxel of the fine grid.

    Inside the skull it is the likeliest after smooth noise was added, so that gyri and sulci appear where tissues
    compete; deep structures stay as they are. Outside lie a closed skull and the scalp.
    """
    fine = atlas.regions
    inside = resample(atlas.brain_probability(), fine).array > 0.5  # noqa: PLR2004 (more likely than not)
    scalp = resample(atlas.probability(Tissue.SOFT_TISSUE, Tissue.BONE), fine).array
    tissue = np.where(scalp > 0.5, int(Tissue.SOFT_TISSUE), int(Tissue.AIR))  # noqa: PLR2004
    skull = ndimage.distance_transform_edt(~inside) <= _SKULL_MM / _FINE_SPACING_MM
    tissue[skull] = Tissue.BONE
    box = bounding_box(inside)
    part = crop(fine, box)
    best = np.full(part.array.shape, -np.inf, np.float32)
    drawn = np.zeros(part.array.shape, np.intp)
    for index in sorted(INTRACRANIAL):
        score = resample(_competing(atlas.probability(index), rng), part).array
        better = score > best
        best[better], drawn[better] = score[better], index
    tissue[box] = np.where(inside[box], drawn, tissue[box])
    return tissue


def _competing(probability: Volume, rng: np.random.Generator) -> Volume:
    """Add smooth noise to a probability where it is neither 0 nor 1."""
    noise = rng.standard_normal(probability.array.shape, np.float32)
    noise = ndimage.gaussian_filter(noise, _FOLDING_SIGMA_MM / probability.spacing_mm[::-1])
    spread = np.sqrt(np.clip(probability.array * (1 - probability.array), 0, None))
    return probability.with_array(probability.array + _FOLDING_STRENGTH * spread * noise / noise.std())


def _deformation(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a smooth random displacement in mm, shape (3, k, j, i), components along i, j, k."""
    sigma = _DEFORMATION_SIGMA_MM / _FINE_SPACING_MM
    step = 4  # drawn coarsely: it is smooth
    small = tuple(-(-n // step) for n in shape)
    components = []
    for _ in range(3):
        field = ndimage.gaussian_filter(rng.standard_normal(small), sigma / step)
        field *= _DEFORMATION_MM / np.abs(field).max()
        components.append(ndimage.zoom(field, [n / m for n, m in zip(shape, small, strict=True)], order=1))
    return np.stack(components).astype(np.float32)


def _grid(acquisition: Acquisition) -> Volume:
    shape = acquisition.size[::-1]
    affine = centred_affine(shape, np.array(acquisition.spacing_mm))
    return Volume(np.zeros(shape, np.int16), affine)


def _shifted(grid: Volume, slices: float) -> Volume:
    affine = grid.affine.copy()
    affine[:3, 3] += slices * grid.affine[:3, 2]
    return Volume(grid.array, affine)


def _sample_field(
    field_mm: NDArray[np.float32], fine: Volume, grid: Volume, acquisition: Acquisition
) -> NDArray[np.float32]:
    """Return the displacement at each voxel of the scan, shape (3, voxels), along (k, j, i) of the atlas."""
    voxels = _voxels(fine, grid, acquisition)
    shift = [ndimage.map_coordinates(c, voxels, order=1, mode="nearest") for c in field_mm[::-1]]
    return np.stack(shift)


def _sample(
    moving: Volume,
    shift_mm: NDArray[np.float32],
    grid: Volume,
    acquisition: Acquisition,
    *,
    order: int,
    fill: float,
) -> NDArray[np.float32]:
    """Sample an atlas volume, deformed, on the scan's grid."""
    voxels = _voxels(moving, grid, acquisition) + shift_mm / _FINE_SPACING_MM
    values = ndimage.map_coordinates(moving.array, voxels, order=order, cval=fill)
    return values.reshape(grid.array.shape)


def _voxels(moving: Volume, grid: Volume, acquisition: Acquisition) -> NDArray[np.float64]:
    """Return where each voxel of the scan lies in an atlas volume, shape (3, voxels), along (k, j, i)."""
    to_voxels = np.linalg.inv(moving.affine) @ _atlas_from_scan(acquisition) @ grid.affine
    k, j, i = np.indices(grid.array.shape, dtype=np.float32)
    return apply_affine(to_voxels, np.stack([i, j, k], axis=-1).reshape(-1, 3))[:, ::-1].T


def _atlas_from_scan(acquisition: Acquisition) -> NDArray[np.float64]:
    """Return the 4x4 matrix from scan points to atlas points, RAS mm."""
    pitch, yaw, roll = np.radians([_PITCH_DEG, acquisition.yaw_deg, acquisition.roll_deg])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(roll), 0, np.sin(roll)], [0, 1, 0], [-np.sin(roll), 0, np.cos(roll)]])
    matrix = np.eye(4)
    matrix[:3, :3] = acquisition.head_scale * about_x @ about_y @ about_z
    middle_of_head = np.array([0.0, -18.0, 8.0])
    matrix[:3, 3] = middle_of_head + matrix[:3, :3] @ np.array(acquisition.shift_mm)
    return matrix


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    white = rng.standard_normal(shape)
    correlated = ndimage.gaussian_filter(white, (0, _NOISE_SIGMA_PIXELS, _NOISE_SIGMA_PIXELS))
    return correlated * (_NOISE_HU / correlated.std())
