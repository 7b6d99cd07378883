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
MIDDLE_MM = (6.0, -5.0, 2.0)


@pytest.fixture(scope="module")
def points():
    return grid_points(centred_affine(SHAPE, SPACING_MM), SHAPE)


@pytest.fixture(scope="module")
def brain(points):
    return ellipsoid(points, (62.0, 78.0, 58.0), MIDDLE_MM)


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
