"""Maps of blood flow and infarct masks of the coarse synthetic patient, made in code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.geometry import Volume, resample, shrink
from ASPECTSLib.preprocessing.brain import brain_mask
from ASPECTSLib.synthesis.patient import SyntheticPatient

FLOW, FLUID_FLOW, CORE_FLOW = 40.0, 4.0, 5.0
"""mL/100 g/min in tissue, in fluid, and in the core."""

CORE = ("I", "L", "M2")
"""Regions of the left that are core as a whole: those that the synthetic patient's scan shows as infarcted."""

SPACING_MM = (3.0, 3.0, 4.0)
_FLUID_HU = 20.0
_NOISE = 1.0


def core_mask(
    patient: SyntheticPatient, codes: Sequence[str] = CORE, side: Side = Side.LEFT
) -> Volume:
    """Return whole regions as a uint8 mask on the grid of the patient's own fine scan."""
    labels = [region_of(RegionCode(code), side).label for code in codes]
    return patient.regions.with_array(np.isin(patient.regions.array, labels).astype(np.uint8))


def flow_map(
    patient: SyntheticPatient, codes: Sequence[str] = CORE, *, side: Side = Side.LEFT
) -> Volume:
    """Return a map of blood flow on a grid of its own, float32, 0 outside the brain."""
    coarse = shrink(patient.scan, (2, 2, 1))
    brain = ndimage.binary_erosion(brain_mask(coarse).array, np.ones((1, 3, 3), bool))
    core = resample(core_mask(patient, codes, side), coarse, order=0).array > 0
    flow = np.where(ndimage.uniform_filter(coarse.array, (1, 3, 3)) < _FLUID_HU, FLUID_FLOW, FLOW)
    flow = np.where(core, CORE_FLOW, flow) * brain
    noise = np.random.default_rng(0).normal(0.0, _NOISE, flow.shape) * brain
    fine = coarse.with_array(np.maximum(flow + noise, 0.0).astype(np.float32))
    return resample(fine, own_grid(patient.scan))


def own_grid(like: Volume) -> Volume:
    """Return an empty grid over another that shares none of its voxels, and lies oblique to it."""
    turn = np.radians(3.0)
    axes = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    extent_mm = like.spacing_mm * np.array(like.size) + 10.0
    size = np.ceil(extent_mm / SPACING_MM).astype(int)
    middle = like.affine[:3, :3] @ ((np.array(like.size) - 1.0) / 2.0) + like.affine[:3, 3]
    affine = np.eye(4)
    affine[:3, :3] = axes * SPACING_MM
    off_mm = np.array([0.7, -0.4, 0.9])
    affine[:3, 3] = middle + off_mm - affine[:3, :3] @ ((size - 1.0) / 2.0)
    return Volume(np.zeros(size[::-1], np.uint8), affine)


def mirrored_about(volume: Volume, scan: Volume) -> Volume:
    """Return the mirror image of a volume about the middle of the grid of a scan, right to left.

    The scan's axes run along those of the world.
    """
    middle_mm = scan.affine[0, 3] + scan.affine[0, 0] * (scan.size[0] - 1) / 2.0
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirror[0, 3] = 2.0 * middle_mm
    affine = mirror @ volume.affine
    return _right_handed(volume.array, affine)


def _right_handed(array: NDArray[np.generic], affine: NDArray[np.float64]) -> Volume:
    """Reverse the first axis, so that the order of the axes is as in files."""
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = array.shape[2] - 1.0
    return Volume(np.ascontiguousarray(array[..., ::-1]), affine @ flip)
