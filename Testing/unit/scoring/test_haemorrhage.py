from __future__ import annotations

import numpy as np
import pytest
from mirrored_phantoms import (
    RADIUS_MM,
    SHAPE,
    VOXEL_ML,
    axes_mm,
    ball,
    brain_mask,
    density,
    mirrored_brain,
)

from ASPECTSLib.scoring.haemorrhage import Finding, Haemorrhage, find_haemorrhage

BLOOD_HU = 65.0
RIGHT, LEFT, MIDDLE = (35.0, 10.0, 5.0), (-35.0, 10.0, 5.0), (0.0, -40.0, 5.0)
NOTHING = Haemorrhage(Finding.NONE)


def with_body(*bodies, hu=BLOOD_HU):
    image = density()
    for body in bodies:
        image[body & brain_mask()] = hu
    return mirrored_brain(image)


def crescent(width_mm, height_mm=20.0):
    """Return a rim of the right side, in the upper part of the brain."""
    x, y, z = axes_mm()
    return (np.hypot(x, y) > RADIUS_MM - width_mm) & (x > 20) & (abs(z - 25) <= height_mm / 2)


def test_a_brain_without_blood_has_none():
    assert find_haemorrhage(mirrored_brain()) == NOTHING


@pytest.mark.parametrize("place", [RIGHT, LEFT])
def test_a_deep_haematoma_of_one_side_is_certain(place):
    body = ball(place, 14.0)
    found = find_haemorrhage(with_body(body))
    assert found.finding is Finding.CERTAIN
    assert found.largest_ml == pytest.approx(body.sum() * VOXEL_ML, rel=0.1)
    assert found.total_ml == found.largest_ml


def test_two_haematomas_are_added():
    large, small = ball(RIGHT, 14.0), ball((-40.0, -30.0, 20.0), 10.0)
    found = find_haemorrhage(with_body(large, small))
    assert found.total_ml == pytest.approx((large | small).sum() * VOXEL_ML, rel=0.1)
    assert found.largest_ml == pytest.approx(large.sum() * VOXEL_ML, rel=0.1)


@pytest.mark.parametrize(
    ("radius_mm", "finding"),
    [(4.0, Finding.NONE), (7.0, Finding.SUSPECTED), (9.0, Finding.CERTAIN)],
)
def test_a_small_haematoma_is_only_suspected_and_a_tiny_one_is_not(radius_mm, finding):
    assert find_haemorrhage(with_body(ball(RIGHT, radius_mm))).finding is finding


def test_bodies_alike_on_both_sides_are_calcification():
    assert find_haemorrhage(with_body(ball(RIGHT, 8.0), ball(LEFT, 8.0))) == NOTHING


def test_a_large_body_on_the_midplane_is_suspected_and_a_small_one_is_not():
    assert find_haemorrhage(with_body(ball(MIDDLE, 7.0))) == NOTHING
    assert find_haemorrhage(with_body(ball(MIDDLE, 12.0))).finding is Finding.SUSPECTED


def test_what_is_denser_than_blood_is_calcium():
    assert find_haemorrhage(with_body(ball(RIGHT, 14.0), hu=130.0)) == NOTHING


def test_a_dense_artery_is_too_thin_to_be_a_haematoma():
    x, y, z = axes_mm()
    artery = (np.abs(y - 10) < 3) & (np.abs(z - 5) < 3) & (x > 10) & (x < 60)
    assert find_haemorrhage(with_body(artery)) == NOTHING


def test_a_dense_rim_along_the_skull_is_bone():
    x, y, _ = axes_mm()
    assert find_haemorrhage(with_body(np.hypot(x, y) > RADIUS_MM - 5)) == NOTHING


@pytest.mark.parametrize(
    ("width_mm", "height_mm", "finding"),
    [
        (3.0, 20.0, Finding.NONE),
        (5.0, 20.0, Finding.SUSPECTED),
        (8.0, 40.0, Finding.CERTAIN),
    ],
)
def test_a_crescent_of_one_side_is_blood_when_it_is_wide(width_mm, height_mm, finding):
    assert find_haemorrhage(with_body(crescent(width_mm, height_mm))).finding is finding


def test_blood_below_the_regions_is_only_suspected():
    posterior = ball((15.0, -30.0, -45.0), 12.0)
    assert find_haemorrhage(with_body(posterior)).finding is Finding.SUSPECTED


def test_muscles_of_the_neck_are_not_blood():
    x, y, z = axes_mm()
    neck = (z < -35) & (np.hypot(x, y) > RADIUS_MM - 10) & (x > 0)
    assert find_haemorrhage(with_body(neck)) == NOTHING


def test_a_brain_that_is_bright_all_over_holds_no_blood():
    image = density()
    image[image > 20] += 12.0
    image[ball(RIGHT, 14.0)] = 56.0
    assert find_haemorrhage(mirrored_brain(image)) == NOTHING


@pytest.mark.parametrize("radius_mm", [7.0, 9.0, 14.0])
def test_a_mirrored_brain_has_the_same_finding(radius_mm):
    image = density()
    image[ball(RIGHT, radius_mm)] = BLOOD_HU
    image[crescent(5.0) & brain_mask()] = BLOOD_HU
    plain = find_haemorrhage(mirrored_brain(image))
    turned = find_haemorrhage(mirrored_brain(np.ascontiguousarray(image[..., ::-1])))
    assert turned == plain
    assert plain.finding is not Finding.NONE


def test_without_regions_every_slice_counts_as_brain():
    image = density()
    image[ball((15.0, -30.0, -45.0), 12.0)] = BLOOD_HU
    found = find_haemorrhage(mirrored_brain(image, regions=np.zeros(SHAPE, np.uint8)))
    assert found.finding is Finding.CERTAIN


def test_a_scan_without_brain_holds_no_blood():
    assert find_haemorrhage(mirrored_brain(mask=np.zeros(SHAPE, bool))) == NOTHING
