from __future__ import annotations

import numpy as np
import pytest
from axis_orders import reordered
from head_phantoms import AIR_HU, SKIN_HU, grid_points, head_hu

from ASPECTSLib.geometry import Volume, apply_affine, canonicalize, centred_affine
from ASPECTSLib.preprocessing.head_part import HEAD_MM, head_of

SPACING_MM = np.array([4.0, 4.0, 5.0])
ABOVE_MM = 20.0  # of air over the vertex


def scan(below_mm):
    """Scan a head, and below its middle a neck and shoulders as far down as that."""
    shape = (round((88.0 + ABOVE_MM + below_mm) / SPACING_MM[2]), 60, 110)
    affine = centred_affine(shape, SPACING_MM)
    affine[2, 3] = -below_mm
    points = grid_points(affine, shape)
    hu = head_hu(points)
    x, y, z = np.moveaxis(points, -1, 0)
    in_neck = (z < -60.0) & ((x / 60.0) ** 2 + ((y + 25.0) / 65.0) ** 2 < 1.0)
    in_shoulders = (z < -200.0) & ((x / 200.0) ** 2 + ((y + 25.0) / 100.0) ** 2 < 1.0)
    hu[(in_neck | in_shoulders) & (hu == AIR_HU)] = SKIN_HU
    return Volume(hu.astype(np.float32), affine)


def height_mm(canonical):
    return canonical.volume.array.shape[0] * SPACING_MM[2]


def test_neck_and_shoulders_are_left_out():
    canonical = canonicalize(scan(below_mm=330.0))
    head = head_of(canonical)
    assert height_mm(head) == pytest.approx(HEAD_MM + ABOVE_MM, abs=15.0)
    assert head.left_out > 0
    assert np.array_equal(head.volume.array, canonical.volume.array[head.left_out :])


def test_a_head_is_left_as_it_is():
    canonical = canonicalize(scan(below_mm=90.0))
    assert head_of(canonical) is canonical


def test_a_scan_without_a_body_is_left_as_it_is():
    canonical = canonicalize(Volume(np.full((90, 10, 10), -1000.0), np.diag([*SPACING_MM, 1.0])))
    assert head_of(canonical) is canonical


def test_a_head_rest_above_the_vertex_is_no_head():
    volume = scan(below_mm=330.0)
    array = volume.array.copy()
    array[-2:, 20:22, 20:90] = SKIN_HU
    head = head_of(canonicalize(volume.with_array(array)))
    assert head.left_out == head_of(canonicalize(volume)).left_out


def test_the_same_slices_are_left_out_in_every_order_of_the_axes():
    volume = scan(below_mm=330.0)
    expected = head_of(canonicalize(volume))
    for order, flips in (((0, 1, 2), (True, True, False)), ((2, 0, 1), (False, True, True))):
        head = head_of(canonicalize(reordered(volume, order, flips)))
        assert np.array_equal(head.volume.array, expected.volume.array)
        assert np.array_equal(head.volume.affine, expected.volume.affine)


def test_what_is_found_in_the_head_comes_back_to_its_place_in_the_scan():
    volume = scan(below_mm=330.0)
    head = head_of(canonicalize(volume))
    found = np.argwhere(head.restore(head.volume.array * 0 + 1).array > 0)
    lowest_mm, highest_mm = (
        apply_affine(volume.affine, corner[::-1].astype(float))[2]
        for corner in (found.min(axis=0), found.max(axis=0))
    )
    assert highest_mm == pytest.approx(88.0 + ABOVE_MM, abs=10.0)
    assert lowest_mm == pytest.approx(88.0 - HEAD_MM, abs=15.0)
