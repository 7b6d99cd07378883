from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from synthetic_head_phantoms import phantom_anatomy

from ASPECTSLib.atlas.alignment import (
    REGISTRATION_INTENSITY,
    align,
    registration_intensities,
)
from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.geometry import LPS_FROM_RAS, Volume, apply_affine, resample
from ASPECTSLib.io.images import to_sitk

FIXED_TO_MOVING = np.array(
    [[1.06, 0.05, 0.0, 2.0], [-0.05, 0.97, 0.03, -1.5], [0.0, -0.03, 1.04, 1.0], [0, 0, 0, 1]]
)


@pytest.fixture(scope="module")
def head():
    """Return the phantom in registration intensities, with air around it."""
    anatomy = phantom_anatomy()
    values = np.pad(registration_intensities()[anatomy.tissue], 6)
    affine = anatomy.affine.copy()
    affine[:3, 3] -= 6.0
    return Volume(values, affine)


@pytest.fixture(scope="module")
def warped(head):
    return resample(head, head, FIXED_TO_MOVING)


@pytest.fixture(scope="module")
def transform(head, warped):
    return align(to_sitk(warped), to_sitk(head))


def inner_points_ras():
    grid = np.stack(np.meshgrid(*[np.linspace(-9.0, 9.0, 5)] * 3), axis=-1).reshape(-1, 3)
    return grid[np.linalg.norm(grid, axis=1) < 12.0]


def moved(transform, points_ras):
    to_lps = np.diag(LPS_FROM_RAS)[:3]
    return np.array([transform.TransformPoint((p * to_lps).tolist()) for p in points_ras]) * to_lps


def test_a_known_affine_is_recovered(transform):
    points = inner_points_ras()
    errors_mm = moved(transform, points) - apply_affine(FIXED_TO_MOVING, points)
    assert np.linalg.norm(errors_mm, axis=1).mean() < 0.5
    start_mm = points - apply_affine(FIXED_TO_MOVING, points)
    assert np.linalg.norm(start_mm, axis=1).mean() > 2.0


def test_the_same_heads_are_aligned_the_same_again(head, warped, transform):
    again = align(to_sitk(warped), to_sitk(head))
    points = inner_points_ras()
    np.testing.assert_array_equal(moved(again, points), moved(transform, points))


def test_alignment_leaves_the_images_as_they_are(head, warped, transform):
    assert isinstance(transform, sitk.Transform)
    np.testing.assert_array_equal(resample(head, head, FIXED_TO_MOVING).array, warped.array)


def test_intensities_are_in_the_order_of_tissues():
    values = registration_intensities()
    assert values.dtype == np.float32
    assert [float(values[t]) for t in Tissue] == [REGISTRATION_INTENSITY[t] for t in Tissue]
