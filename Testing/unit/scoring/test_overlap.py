"""Infarcted shares of regions, and the severity group."""

from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.atlas.regions import REGIONS, swap_sides
from ASPECTSLib.scoring.overlap import dice, infarct_fractions, region_dice
from ASPECTSLib.scoring.severity import Severity, severity_of

SHAPE = (6, 10, 12)


def random_case(seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 20, SHAPE).astype(np.uint8)  # label 20 is nowhere
    return labels, rng.random(SHAPE) < 0.3


def test_shares_are_those_counted_voxel_by_voxel():
    labels, infarct = random_case()
    found = infarct_fractions(labels, infarct)
    for region in REGIONS[:-1]:
        inside = labels == region.label
        assert found[region] == pytest.approx(infarct[inside].mean())


def test_a_region_that_is_not_there_has_no_share():
    assert infarct_fractions(*random_case())[REGIONS[-1]] is None


def test_the_mirror_image_gives_the_shares_of_the_other_side():
    labels, infarct = random_case()
    mirrored = infarct_fractions(swap_sides(labels)[:, :, ::-1], infarct[:, :, ::-1])
    found = infarct_fractions(labels, infarct)
    for right, left in zip(REGIONS[:10], REGIONS[10:], strict=True):
        assert mirrored[left] == found[right]
        assert mirrored[right] == found[left]


@pytest.mark.parametrize(
    ("core_ml", "severity"),
    [(0.0, Severity.MILD), (27.85, Severity.MILD), (27.86, Severity.MODERATE_SEVERE)],
)
def test_strokes_are_moderate_to_severe_from_the_published_volume(core_ml, severity):
    assert severity_of(core_ml) is severity


def mask_of(*voxels):
    mask = np.zeros(8, bool)
    mask[list(voxels)] = True
    return mask.reshape(2, 2, 2)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (mask_of(0, 1, 2), mask_of(0, 1, 2), 1.0),
        (mask_of(0, 1, 2), mask_of(2, 3, 4), 1 / 3),
        (mask_of(0, 1, 2, 3), mask_of(0), 0.4),
        (mask_of(0), mask_of(1), 0.0),
        (mask_of(0), mask_of(), 0.0),
        (mask_of(), mask_of(), 1.0),
    ],
)
def test_dice_is_twice_what_is_shared_over_what_there_is(first, second, expected):
    assert dice(first, second) == pytest.approx(expected)
    assert dice(second, first) == pytest.approx(expected)


def test_dice_of_regions_is_that_of_their_masks():
    first, _ = random_case(0)
    second, _ = random_case(1)
    second[first == 3] = 0  # region 3 overlaps nowhere
    found = region_dice(first, second)
    assert found.shape == (len(REGIONS),)
    for region, score in zip(REGIONS, found, strict=True):
        label = region.label
        assert score == pytest.approx(dice(first == label, second == label))
    assert found[2] == 0.0
    assert found[-1] == 1.0  # both lack it


def test_dice_of_mirrored_regions_is_that_of_the_other_side():
    first, _ = random_case(0)
    second, _ = random_case(1)
    mirrored = region_dice(swap_sides(first)[..., ::-1], swap_sides(second)[..., ::-1])
    np.testing.assert_allclose(mirrored, np.roll(region_dice(first, second), 10))
