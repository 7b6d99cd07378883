from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from ASPECTSLib.geometry import disk
from ASPECTSLib.scoring.bodies import largest_radius_mm, opened

SPACING_MM = np.array([0.5, 1.0, 5.0])


def test_a_disk_has_its_radius_along_both_axes():
    element = disk(2.0, SPACING_MM)
    assert element.shape == (1, 5, 9)
    assert element[0, 2].all()
    assert element[0, :, 4].all()
    assert not element[0, 0, 0]


def test_a_disk_smaller_than_a_voxel_is_that_voxel():
    assert disk(0.3, SPACING_MM).tolist() == [[[True]]]


def test_the_largest_disk_is_that_of_the_widest_slice():
    body = np.zeros((4, 30, 40), bool)
    body[1, 10:20, 10:20] = True  # 10 mm by 5 mm
    body[2, 5:6, :] = True
    assert largest_radius_mm(body, SPACING_MM) == pytest.approx(2.5, abs=0.5)  # to half a voxel


def test_a_body_ends_where_the_array_does():
    assert largest_radius_mm(np.ones((1, 9, 99), bool), SPACING_MM) == pytest.approx(4.5)


def test_nothing_has_no_radius():
    assert largest_radius_mm(np.zeros((2, 5, 5), bool), SPACING_MM) == 0.0


@pytest.mark.parametrize("density", [0.05, 0.7, 0.9, 1.0])
def test_bodies_are_cut_as_by_an_opening_of_the_whole(density):
    rng = np.random.default_rng(0)
    mask = rng.random((3, 40, 60)) < density
    mask[:, 5:20, 30:55] |= rng.random((3, 15, 25)) < 0.98
    expected = ndimage.binary_opening(mask, disk(1.5, SPACING_MM))
    np.testing.assert_array_equal(opened(mask, 1.5, SPACING_MM), expected)


def test_what_is_thin_is_cut_away():
    mask = np.zeros((2, 30, 40), bool)
    mask[:, 14:16, :] = True
    assert not opened(mask, 2.0, SPACING_MM).any()
