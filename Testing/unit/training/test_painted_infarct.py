"""Painted infarcts: of the share that is said, as dark as those of synthetic patients, and nowhere in fluid."""

from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.atlas.regions import AFFECTED_FRACTION
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.training.painted_infarct import paint_infarct

SPACING_MM = (1.5, 1.5, 4.0)
TISSUE_HU, FLUID_HU = 32.0, 6.0
SEEDS = range(40)


@pytest.fixture(scope="module")
def patch():
    """Return even tissue with a slab of fluid, and a region beside it."""
    density = np.full((12, 40, 40), TISSUE_HU, np.float32)
    density[:, :, 30:] = FLUID_HU
    region = np.zeros(density.shape, bool)
    region[4:8, 10:30, 10:29] = True
    return density, region


def painted(patch, seed):
    density, region = patch
    return paint_infarct(density, region, SPACING_MM, Draw((seed,)))


def test_a_region_is_affected_when_more_than_a_tenth_of_it_is_dark(patch):
    before, region = patch
    seen = set()
    for seed in SEEDS:
        density, is_affected = painted(patch, seed)
        drop = before - density
        share = (drop[region] > drop.max() / 2).mean() if drop.max() > 0.1 else 0.0
        assert share > 0.6 * AFFECTED_FRACTION if is_affected else share < 1.4 * AFFECTED_FRACTION
        seen.add(is_affected)
    assert seen == {True, False}


def test_tissue_loses_what_infarcts_of_the_first_day_lose_and_nothing_gets_brighter(patch):
    drops = [float((patch[0] - painted(patch, seed)[0]).max()) for seed in SEEDS]
    assert min(drops) >= 0.0
    assert 1.5 < np.median(drops) < 10.0
    assert max(drops) < 16.0


def test_fluid_stays_as_it_is(patch):
    for seed in range(10):
        density, _ = painted(patch, seed)
        np.testing.assert_array_equal(density[:, :, 30:], patch[0][:, :, 30:])


def test_infarcts_reach_beyond_the_region(patch):
    outside = ~patch[1] & (patch[0] == TISSUE_HU)
    reached = [(painted(patch, seed)[0][outside] < TISSUE_HU - 1.0).any() for seed in SEEDS]
    assert np.mean(reached) > 0.5


def test_the_same_draw_paints_the_same_and_leaves_the_patch_as_it_is(patch):
    before = patch[0].copy()
    first, again = painted(patch, 3), painted(patch, 3)
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]
    np.testing.assert_array_equal(patch[0], before)
