"""The contrast phase, on a head of an ellipsoid with two arteries, a vein and a skull."""

from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import ellipsoid, grid_points

from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.scoring.contrast_phase import Contrast, Phase, measure_contrast

TISSUE_HU, BONE_HU = 35.0, 1200.0
LENTIFORM = {2: 25.0, 12: -25.0}  # x in mm by label
GRIDS = {(0.8, 0.8, 4.0): (36, 230, 190), (1.0, 1.0, 1.0): (140, 184, 152)}


def head(artery_hu, vein_hu, spacing_mm=(0.8, 0.8, 4.0), tilt_deg=0.0):
    """Return scan, brain, region map and pose of a head."""
    shape = GRIDS[spacing_mm]
    affine = centred_affine(shape, np.array(spacing_mm))
    pose = np.eye(4)
    angle = np.deg2rad(tilt_deg)
    pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    points = grid_points(affine, shape) @ pose[:3, :3].T
    x, y, z = np.moveaxis(points, -1, 0)
    skull = ellipsoid(points, (72.0, 88.0, 66.0))
    brain = ellipsoid(points, (65.0, 81.0, 60.0))
    array = np.where(brain, TISSUE_HU, np.where(skull, BONE_HU, -1000.0))
    arteries = np.hypot(np.abs(x) - 12.0, y) < 2.5
    array[brain & arteries & (z < -10.0)] = artery_hu
    array[brain & (np.hypot(x, y + 50.0) < 3.0) & (z > -20.0) & (z < 20.0)] = vein_hu
    labels = np.zeros(shape, np.uint8)
    for label, place in LENTIFORM.items():
        labels[((x - place) ** 2 + y**2 + z**2) < 64.0] = label
    noise = np.random.default_rng(0).normal(0.0, 4.0, shape)
    return Volume((array + noise).astype(np.float32), affine), brain, labels, pose


@pytest.mark.parametrize("spacing_mm", GRIDS)
@pytest.mark.parametrize("tilt_deg", [0.0, 12.0])
@pytest.mark.parametrize(
    ("artery_hu", "vein_hu", "phase"),
    [
        (320.0, 90.0, Phase.ARTERIAL),
        (300.0, 270.0, Phase.ARTERIOVENOUS),
        (190.0, 300.0, Phase.VENOUS),
    ],
)
def test_arteries_and_veins_tell_the_phase(artery_hu, vein_hu, phase, spacing_mm, tilt_deg):
    found = measure_contrast(*head(artery_hu, vein_hu, spacing_mm, tilt_deg))
    assert found.artery_hu == pytest.approx(artery_hu, rel=0.12)
    assert found.vein_hu == pytest.approx(vein_hu, rel=0.12)
    assert found.phase is phase


def test_a_mirrored_head_gives_the_same():
    scan, brain, labels, pose = head(320.0, 90.0)
    left = scan.with_array(
        np.where(
            grid_points(scan.affine, scan.array.shape)[..., 0] > 0,
            scan.array,
            np.minimum(scan.array, 60.0),
        )
    )
    first = measure_contrast(left, brain, labels, pose)
    mirrored = left.with_array(np.ascontiguousarray(left.array[..., ::-1]))
    again = measure_contrast(mirrored, brain[..., ::-1], labels[..., ::-1], pose)
    assert again.artery_hu == pytest.approx(first.artery_hu, rel=1e-5)
    assert again.vein_hu == pytest.approx(first.vein_hu, rel=1e-5)


def test_bone_beside_the_vessels_does_not_count():
    scan, brain, labels, pose = head(320.0, 90.0)
    x, y, z = np.moveaxis(grid_points(scan.affine, scan.array.shape), -1, 0)
    clivus = (np.abs(x) < 30.0) & (y > 20.0) & (y < 40.0) & (z < -20.0)
    array = np.where(clivus & brain, BONE_HU, scan.array)
    found = measure_contrast(scan.with_array(array), brain & ~clivus, labels, pose)
    assert found.artery_hu == pytest.approx(320.0, rel=0.12)


def test_without_contrast_agent_there_is_no_phase():
    found = measure_contrast(*head(TISSUE_HU, TISSUE_HU))
    assert found.phase is None
    assert found.share is None


def test_without_the_lentiform_nuclei_nothing_is_measured():
    scan, brain, labels, pose = head(320.0, 90.0)
    one_sided = np.where(labels == 12, 0, labels)
    assert measure_contrast(scan, brain, one_sided, pose) == Contrast(None, None)


def test_a_scan_that_ends_above_the_base_has_no_arteries():
    scan, brain, labels, pose = head(320.0, 90.0)
    low = np.flatnonzero(grid_points(scan.affine, scan.array.shape)[:, 0, 0, 2] > -1.0)[0]
    affine = scan.affine.copy()
    affine[:3, 3] += affine[:3, 2] * low
    cut = Volume(scan.array[low:], affine)
    found = measure_contrast(cut, brain[low:], labels[low:], pose)
    assert found.artery_hu is None or found.artery_hu < 150.0
    assert found.phase is None


@pytest.mark.parametrize(
    ("vein_hu", "phase"),
    [
        (100.0, Phase.ARTERIAL),
        (200.0, None),
        (290.0, Phase.ARTERIOVENOUS),
        (410.0, None),
        (500.0, Phase.VENOUS),
    ],
)
def test_between_the_phases_nothing_is_said(vein_hu, phase):
    assert Contrast(300.0, vein_hu).phase is phase
