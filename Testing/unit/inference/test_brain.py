from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import ellipsoid, grid_points, mirrored
from known_networks import SoftTissue

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, centred_affine
from ASPECTSLib.inference.brain import predict_brain
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.scoring.overlap import dice

SHAPE, SPACING_MM = (34, 56, 50), np.array([4.0, 4.0, 5.0])
FINE_SHAPE, FINE_MM = (34, 100, 90), np.array([2.0, 2.0, 5.0])
MIDDLE_MM, BRAIN_AXES_MM = (6.0, -5.0, 2.0), (62.0, 78.0, 58.0)


@pytest.fixture(scope="module")
def points():
    return grid_points(centred_affine(SHAPE, SPACING_MM), SHAPE)


@pytest.fixture(scope="module")
def brain(points):
    return ellipsoid(points, BRAIN_AXES_MM, MIDDLE_MM)


@pytest.fixture(scope="module")
def finger(points):
    """Return what has the density of brain and lies beside the head."""
    return ellipsoid(points, (10.0, 10.0, 20.0), (-88.0, 60.0, 0.0))


@pytest.fixture(scope="module")
def scan(points, brain, finger):
    """Return a head of brain within a thick skull."""
    hu = np.full(SHAPE, -1000.0, np.float32)
    hu[ellipsoid(points, (74.0, 90.0, 70.0), MIDDLE_MM)] = 900.0
    hu[brain | finger] = 35.0
    return Volume(hu, centred_affine(SHAPE, SPACING_MM))


@pytest.fixture(scope="module")
def mask(scan):
    return predict_brain(SoftTissue(), scan, Modality.NCCT)


def test_the_mask_is_that_of_the_brain_on_the_scans_grid(scan, brain, mask):
    assert mask.array.dtype == bool
    np.testing.assert_array_equal(mask.affine, scan.affine)
    assert dice(mask.array, brain) > 0.95


def test_what_lies_apart_from_the_brain_is_left_out(finger, mask):
    assert finger.sum() > 50
    assert not (mask.array & finger).any()


def test_the_mirrored_scan_has_the_mirrored_mask(scan, mask):
    other = predict_brain(SoftTissue(), mirrored(scan), Modality.NCCT)
    assert dice(other.array[..., ::-1], mask.array) > 0.99
    sides = [
        np.median(apply_affine(m.affine, np.argwhere(m.array)[:, ::-1].astype(float))[:, 0])
        for m in (mask, other)
    ]
    assert sides[0] > 2.0
    assert sides[1] < -2.0


def test_a_head_in_which_no_brain_is_seen_is_refused(scan):
    blind = SoftTissue(low=2.0, high=3.0)
    with pytest.raises(ContentRefusedError, match=r"expected a brain .* found none") as refused:
        predict_brain(blind, scan, Modality.NCCT)
    assert refused.value.code is ErrorCode.NO_BRAIN


def test_on_ct_the_mask_ends_at_the_bone(scan, points, brain):
    seen_in_bone = SoftTissue(
        low=0.1, high=2.0
    )  # takes bone, which is at the top of the window, for brain
    mask = predict_brain(seen_in_bone, scan, Modality.NCCT)
    bone = ellipsoid(points, (74.0, 90.0, 70.0), MIDDLE_MM) & ~brain
    assert not (mask.array & bone).any()
    assert dice(mask.array, brain) > 0.95


def test_calcification_and_vessels_within_the_brain_belong_to_it(scan, points):
    vessel = ellipsoid(points, (8.0, 8.0, 10.0), MIDDLE_MM)
    bright = scan.with_array(np.where(vessel, 300.0, scan.array))
    mask = predict_brain(SoftTissue(low=0.1, high=2.0), bright, Modality.CTA)
    assert mask.array[vessel].all()


def test_a_sinus_that_is_seen_as_brain_is_left_out(fine_points):
    """Mucus, and the air of scans that are clipped at 0 HU, are as dense as fluid."""
    sinus = ellipsoid(fine_points, (24.0, 5.0, 16.0), (6.0, 81.0, 2.0))
    way_in = ellipsoid(fine_points, (2.5, 12.0, 4.0), (6.0, 74.0, 2.0))
    brain = ellipsoid(fine_points, BRAIN_AXES_MM, MIDDLE_MM)
    hu = np.where(ellipsoid(fine_points, (74.0, 95.0, 70.0), MIDDLE_MM), 900.0, -1000.0)
    hu[brain | way_in] = 35.0
    hu[sinus] = 10.0
    scan = Volume(hu.astype(np.float32), centred_affine(FINE_SHAPE, FINE_MM))
    mask = predict_brain(SoftTissue(low=0.05, high=2.0), scan, Modality.NCCT)
    assert not (mask.array & sinus).any()
    assert dice(mask.array, brain) > 0.95


@pytest.fixture(scope="module")
def fine_points():
    return grid_points(centred_affine(FINE_SHAPE, FINE_MM), FINE_SHAPE)


@pytest.fixture(scope="module")
def infarct(fine_points):
    """Return a bright infarct at the surface of the brain."""
    lump = ellipsoid(fine_points, (16.0, 24.0, 20.0), (-50.0, -5.0, 2.0))
    return lump & ellipsoid(fine_points, BRAIN_AXES_MM, MIDDLE_MM)


@pytest.fixture(scope="module")
def artefact(fine_points):
    """Return a bright line as is seen where air meets tissue; it touches the brain."""
    return ellipsoid(fine_points, (2.5, 18.0, 4.0), (6.0, 84.0, 2.0))


@pytest.fixture(scope="module")
def dwi(fine_points, infarct, artefact):
    signal = np.full(FINE_SHAPE, 8.0, np.float32)
    signal[ellipsoid(fine_points, BRAIN_AXES_MM, MIDDLE_MM)] = 150.0
    signal[infarct | artefact] = 500.0
    return Volume(signal, centred_affine(FINE_SHAPE, FINE_MM))


def test_an_infarct_that_the_network_does_not_see_as_brain_belongs_to_it(dwi, fine_points, infarct):
    mask = predict_brain(SoftTissue(low=0.1, high=0.6), dwi, Modality.DWI)
    assert mask.array[infarct].mean() > 0.98
    assert dice(mask.array, ellipsoid(fine_points, BRAIN_AXES_MM, MIDDLE_MM)) > 0.95


def test_a_bright_line_that_touches_the_brain_is_left_out(dwi, fine_points, artefact):
    outside = artefact & ~ellipsoid(fine_points, (66.0, 82.0, 62.0), MIDDLE_MM)
    assert outside.sum() > 20
    mask = predict_brain(SoftTissue(low=0.1, high=0.6), dwi, Modality.DWI)
    assert not (mask.array & outside).any()


def test_orbits_that_the_network_takes_for_brain_are_left_out(dwi, fine_points):
    """With diffusion weighting, fat and fluid in front of the frontal lobe are grey, and no bone is seen between."""
    orbits = np.zeros(FINE_SHAPE, bool)
    necks = np.zeros(FINE_SHAPE, bool)
    for x_mm in (-20.0, 32.0):
        orbits |= ellipsoid(fine_points, (14.0, 12.0, 10.0), (x_mm, 94.0, -4.0))
        necks |= ellipsoid(fine_points, (2.5, 20.0, 4.0), (x_mm, 75.0, -4.0))
    brain = ellipsoid(fine_points, BRAIN_AXES_MM, MIDDLE_MM)
    seen = dwi.with_array(np.where(orbits | necks | brain, 150.0, 8.0).astype(np.float32))
    mask = predict_brain(SoftTissue(low=0.1, high=1.0), seen, Modality.DWI)
    assert (mask.array & orbits).sum() < 0.05 * orbits.sum()
    assert dice(mask.array, brain) > 0.95
