from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.geometry import Volume
from ASPECTSLib.preprocessing.intensity import (
    REGISTRATION_WINDOW_HU,
    registration_image,
    smooth_in_plane,
)

SHAPE = (4, 24, 20)


@pytest.fixture
def mask():
    j, i = np.indices(SHAPE[1:])
    disk = (j - 12) ** 2 + (i - 9) ** 2 < 64
    return on_grid(np.stack([disk, disk, np.zeros_like(disk), disk]))


def on_grid(array):
    return Volume(array, np.diag([0.5, 1.0, 5.0, 1.0]))


def noise(scale=5.0, seed=0):
    return np.random.default_rng(seed).normal(loc=33.0, scale=scale, size=SHAPE).astype(np.float32)


def test_a_constant_stays_constant_up_to_the_rim_of_the_mask(mask):
    smoothed = smooth_in_plane(on_grid(np.full(SHAPE, 33.0)), mask, 2.0).array
    assert smoothed[mask.array] == pytest.approx(33.0, abs=1e-4)
    assert (smoothed[~mask.array] == 0.0).all()
    assert smoothed.dtype == np.float32


@pytest.mark.parametrize("outside_hu", [-1000.0, 0.0, 900.0])
def test_nothing_leaks_in_from_outside_the_mask(mask, outside_hu):
    hu = noise()
    other = np.where(mask.array, hu, outside_hu).astype(np.float32)
    first, second = (smooth_in_plane(on_grid(array), mask, 2.0).array for array in (hu, other))
    assert np.array_equal(first, second)


def test_slices_do_not_mix(mask):
    hu = noise()
    other = hu.copy()
    other[3] += 100.0
    first, second = (smooth_in_plane(on_grid(array), mask, 2.0).array for array in (hu, other))
    assert np.array_equal(first[:3], second[:3])
    assert not np.array_equal(first[3], second[3])


def test_smoothing_is_as_wide_in_mm_along_both_axes():
    impulse = np.zeros((1, 41, 81))
    impulse[0, 20, 40] = 1.0
    everywhere = on_grid(np.ones(impulse.shape, bool))
    smoothed = smooth_in_plane(on_grid(impulse), everywhere, 2.0).array[0]
    j, i = np.indices(smoothed.shape)
    for offsets_mm in ((i - 40) * 0.5, (j - 20) * 1.0):
        assert np.sqrt((smoothed * offsets_mm**2).sum() / smoothed.sum()) == pytest.approx(
            2.0, rel=0.03
        )


def test_smoothing_lowers_the_noise_and_keeps_the_mean(mask):
    hu = noise()
    smoothed = smooth_in_plane(on_grid(hu), mask, 2.0).array[mask.array]
    assert smoothed.std() < 0.5 * hu[mask.array].std()
    assert smoothed.mean() == pytest.approx(hu[mask.array].mean(), abs=0.5)


def test_registration_image_has_the_typical_median_and_is_zero_outside(mask):
    image = registration_image(on_grid(noise()), mask, 30.0).array
    assert np.median(image[mask.array]) == pytest.approx(30.0, abs=0.01)
    assert (image[~mask.array] == 0.0).all()
    assert image.dtype == np.float32


def test_registration_image_does_not_depend_on_an_offset_of_the_scanner(mask):
    first, second = (
        registration_image(on_grid(noise() + offset_hu), mask, 30.0).array
        for offset_hu in (0.0, 7.0)
    )
    assert first == pytest.approx(second, abs=1e-4)


def test_registration_image_clips_what_is_less_dense_than_fluid(mask):
    hu = noise()
    hu[0, 12, 9], hu[0, 12, 10] = 72.0, -500.0
    image = registration_image(on_grid(hu), mask, 33.0).array
    assert (image[0, 12, 9], image[0, 12, 10]) == REGISTRATION_WINDOW_HU[::-1]


def test_vessels_with_contrast_become_as_dense_as_the_brain(mask):
    hu = noise()
    plain = registration_image(on_grid(hu), mask, 33.0).array
    hu[0, 8:16, 9] = 300.0  # rows of 1 mm
    assert (registration_image(on_grid(hu), mask, 33.0).array[0, 8:16, 9] == 60.0).all()
    image = registration_image(on_grid(hu), mask, 33.0, fills_vessels=True).array
    assert image[0, 8:16, 7:12] == pytest.approx(33.0, abs=1.0)  # columns of 0.5 mm
    assert image[0, [7, 16], 9] == pytest.approx(33.0, abs=1.0)
    np.testing.assert_allclose(image[1:], plain[1:], atol=0.5)
    np.testing.assert_allclose(image[0][:, 12:], plain[0][:, 12:], atol=0.5)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_registration_image_takes_any_type_and_leaves_it_as_it_is(mask, dtype):
    volume = on_grid(noise().astype(dtype))
    before = volume.array.copy()
    image = registration_image(volume, mask, 30.0).array
    assert np.array_equal(volume.array, before)
    assert np.median(image[mask.array]) == pytest.approx(30.0, abs=0.5)
