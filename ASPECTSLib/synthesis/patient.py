"""A synthetic patient from the atlas: a head CT with a known infarct, for the demonstration and for tests.

It is synthetic and looks it: one average anatomy, made individual by noise and a smooth
deformation, in the contrast of a non-contrast CT. It shows that the program works; it says nothing
of accuracy on patients.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import Region
from ASPECTSLib.atlas.tissues import FLUID, INTRACRANIAL, NCCT_CONTRAST_HU, Tissue
from ASPECTSLib.geometry import (
    Volume,
    apply_affine,
    centred_affine,
    resample,
    shrink,
)
from ASPECTSLib.synthesis.average_head import average_head

INFARCT_DROP_HU = 7.0
"""Density lost in the infarct: that of a few hours, 2 to 6 HU in the first and up to 10 HU later."""

_INFARCT_EDGE_MM = 1.5
_NOISE_HU = 3.5  # thick slices at 120 kV
_NOISE_SIGMA_PIXELS = 0.7  # reconstruction kernels correlate neighbours
_DEFORMATION_MM = 2.5
_DEFORMATION_SIGMA_MM = 25.0
_FIELD_STEP = 8  # the deformation is drawn coarsely: it is smooth
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
    head = average_head(atlas, rng)
    density = _density(atlas, head, affected)
    grid = _grid(acquisition)
    points = _deformed(_atlas_points(grid, acquisition), _deformation(head, rng))
    stack = points.reshape(*grid.array.shape, 3)
    across = np.gradient(stack, axis=0).reshape(-1, 3)  # from a slice to the next
    offsets = (np.arange(_SUBSLICES) - (_SUBSLICES - 1) / 2) / _SUBSLICES
    subslices = [
        _sample(density, points + offset * across, order=1, fill=_AIR_HU) for offset in offsets
    ]
    scan = np.mean(subslices, axis=0).reshape(grid.array.shape) + _noise(grid.array.shape, rng)
    regions = _sample(atlas.regions, points, order=0, fill=0).reshape(grid.array.shape)
    return SyntheticPatient(
        scan=grid.with_array(np.rint(np.maximum(scan, -1024.0)).astype(np.int16)),
        regions=grid.with_array(regions.astype(np.uint8)),
        affected=tuple(sorted(affected, key=lambda region: region.label)),
    )


def _density(atlas: Atlas, head: Volume, affected: Collection[Region]) -> Volume:
    """Return the HU of the undeformed head on its fine grid."""
    tissue = head.array
    contrast = np.array([NCCT_CONTRAST_HU[t] for t in Tissue], np.float32)
    infarct = np.isin(resample(atlas.regions, head, order=0).array, [r.label for r in affected])
    edge = ndimage.gaussian_filter(
        infarct.astype(np.float32), _INFARCT_EDGE_MM / float(head.spacing_mm[0])
    )
    depth = edge * infarct  # soft inwards only: a neighbour that is called unaffected is unaffected
    brain = np.isin(tissue, [int(t) for t in INTRACRANIAL - FLUID])
    return head.with_array(contrast[tissue] - INFARCT_DROP_HU * depth * brain)


def _deformation(fine: Volume, rng: np.random.Generator) -> list[Volume]:
    """Return a smooth random displacement in mm, a coarse volume for each of x, y and z."""
    coarse = shrink(fine, (_FIELD_STEP,) * 3)
    components = []
    for _ in range(3):
        white = rng.standard_normal(coarse.array.shape, np.float32)
        field = ndimage.gaussian_filter(white, _DEFORMATION_SIGMA_MM / coarse.spacing_mm[::-1])
        components.append(coarse.with_array(field * (_DEFORMATION_MM / np.abs(field).max())))
    return components


def _grid(acquisition: Acquisition) -> Volume:
    shape = acquisition.size[::-1]
    affine = centred_affine(shape, np.array(acquisition.spacing_mm))
    return Volume(np.zeros(shape, np.int16), affine)


def _atlas_points(grid: Volume, acquisition: Acquisition) -> NDArray[np.float64]:
    """Return where each voxel of the scan lies in the atlas, shape (voxels, 3), RAS mm."""
    k, j, i = np.indices(grid.array.shape, dtype=np.float32)
    matrix = _atlas_from_scan(acquisition) @ grid.affine
    return apply_affine(matrix, np.stack([i, j, k], axis=-1).reshape(-1, 3))


def _deformed(points: NDArray[np.float64], field_mm: list[Volume]) -> NDArray[np.float64]:
    """Displace points by a field."""
    shift = [_sample(component, points, order=1, mode="nearest") for component in field_mm]
    return points + np.stack(shift, axis=-1)


def _sample(
    moving: Volume,
    points: NDArray[np.float64],
    *,
    order: int,
    fill: float = 0.0,
    mode: str = "constant",
) -> NDArray[Any]:
    """Sample an atlas volume at points of shape (points, 3), RAS mm."""
    voxels = apply_affine(np.linalg.inv(moving.affine), points)[:, ::-1].T
    return ndimage.map_coordinates(moving.array, voxels, order=order, cval=fill, mode=mode)


def _atlas_from_scan(acquisition: Acquisition) -> NDArray[np.float64]:
    """Return the 4x4 matrix from scan points to atlas points, RAS mm."""
    pitch, yaw, roll = np.radians([_PITCH_DEG, acquisition.yaw_deg, acquisition.roll_deg])
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
    )
    about_z = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    about_y = np.array(
        [[np.cos(roll), 0, np.sin(roll)], [0, 1, 0], [-np.sin(roll), 0, np.cos(roll)]]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = acquisition.head_scale * about_x @ about_y @ about_z
    middle_of_head = np.array([0.0, -18.0, 8.0])
    matrix[:3, 3] = middle_of_head + matrix[:3, :3] @ np.array(acquisition.shift_mm)
    return matrix


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    white = rng.standard_normal(shape)
    correlated = ndimage.gaussian_filter(white, (0, _NOISE_SIGMA_PIXELS, _NOISE_SIGMA_PIXELS))
    return correlated * (_NOISE_HU / correlated.std())
