from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.scoring.low_adc import low_adc, volumes_disagree

SHAPE, SPACING_MM = (12, 40, 40), np.array([2.0, 2.0, 4.0])
CORE = (slice(4, 8), slice(10, 20), slice(10, 20))
VOXEL_ML = 0.016


@pytest.fixture
def adc():
    array = np.full(SHAPE, 800.0, np.float32)
    array[CORE] = 450.0
    return Volume(array, centred_affine(SHAPE, SPACING_MM))


EVERYWHERE = np.ones(SHAPE, bool)


def test_a_core_is_found_with_its_volume(adc):
    found = low_adc(adc, EVERYWHERE)
    assert found[CORE].mean() > 0.95
    assert found.sum() * VOXEL_ML == pytest.approx(6.4, rel=0.1)


def test_single_voxels_of_noise_do_not_count(adc):
    rng = np.random.default_rng(0)
    places = rng.random(SHAPE) < 0.02
    places[CORE] = False
    noisy = adc.with_array(np.where(places, np.float32(300.0), adc.array))
    assert low_adc(noisy, EVERYWHERE).sum() <= 1.2 * low_adc(adc, EVERYWHERE).sum()


def test_what_is_not_known_is_no_core(adc):
    unknown = adc.array.copy()
    unknown[CORE] = 0.0
    assert not low_adc(adc.with_array(unknown), EVERYWHERE).any()


def test_nothing_is_found_outside_of_the_brain(adc):
    outside = EVERYWHERE.copy()
    outside[CORE] = False
    assert not low_adc(adc, outside)[CORE].any()


def test_a_mirrored_map_gives_the_mirrored_core(adc):
    mirrored = adc.with_array(np.ascontiguousarray(adc.array[..., ::-1]))
    expected = low_adc(adc, EVERYWHERE)[..., ::-1]
    np.testing.assert_array_equal(low_adc(mirrored, EVERYWHERE), expected)


@pytest.mark.parametrize(
    ("first", "second", "disagree"),
    [
        (0.0, 5.0, False),
        (4.0, 13.0, False),
        (0.0, 12.0, True),
        (30.0, 70.0, True),
        (50.0, 70.0, False),
    ],
)
def test_volumes_disagree_when_they_differ_much_and_manyfold(first, second, disagree):
    assert volumes_disagree(first, second) is disagree
    assert volumes_disagree(second, first) is disagree
