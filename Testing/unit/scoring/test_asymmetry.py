from __future__ import annotations

import itertools

import numpy as np
import pytest

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, contralateral, region_of, swap_sides
from ASPECTSLib.geometry import Volume
from ASPECTSLib.scoring.asymmetry import (
    FLUID_MARGIN_MM,
    FLUID_MARGIN_THROUGH_MM,
    MIN_TISSUE_FRACTION,
    TISSUE_HU,
    RegionMeasure,
    compared_tissue,
    label_volumes_ml,
    measure_regions,
    side_difference,
)

SHAPE = (9, 24, 30)
SPACING_MM = (0.6, 0.9, 2.0)
GREY_HU, FLUID_HU = 36.0, 10.0
FLUID_AT = (4, 12, 15)
RIGHT_M2, LEFT_M2 = (region_of(RegionCode.M2, side) for side in Side)


def on_grid(array, spacing_mm=SPACING_MM):
    return Volume(array, np.diag([*spacing_mm, 1.0]))


def brain_with_a_drop_of_fluid(spacing_mm=SPACING_MM):
    hu = np.full(SHAPE, GREY_HU)
    hu[FLUID_AT] = FLUID_HU
    return on_grid(hu, spacing_mm)


def random_labels(seed=0):
    return np.random.default_rng(seed).integers(0, 21, SHAPE).astype(np.uint8)


def random_hu(seed=1):
    return np.random.default_rng(seed).normal(33.0, 6.0, SHAPE).astype(np.float32)


def measured(smoothed, labels, tissue):
    return measure_regions(smoothed, labels, tissue, label_volumes_ml(smoothed.with_array(labels)))


def measures(hu, labels, tissue):
    return {m.region: m for m in measured(on_grid(hu), labels, tissue)}


def swapped(region_measures):
    """Return what each region's measure must be in the mirror image."""
    return {
        contralateral(region): (m.volume_ml, m.tissue_fraction, m.median, m.contralateral_median)
        for region, m in region_measures.items()
    }


def numbers(measure):
    return measure.volume_ml, measure.tissue_fraction, measure.median, measure.contralateral_median


def two_regions(right_voxels, left_voxels, right_hu, left_hu):
    """Return HU and labels with M2 alone, of some voxels on each side."""
    labels, hu = np.zeros(SHAPE, np.uint8).ravel(), np.zeros(SHAPE, np.float32).ravel()
    labels[:right_voxels], hu[:right_voxels] = RIGHT_M2.label, right_hu
    rest = slice(right_voxels, right_voxels + left_voxels)
    labels[rest], hu[rest] = LEFT_M2.label, left_hu
    return hu.reshape(SHAPE), labels.reshape(SHAPE)


@pytest.mark.parametrize(
    ("median", "contralateral_median", "drop"),
    [
        (30.0, 33.0, 3.0),
        (33.0, 30.0, -3.0),
        (30.0, 30.0, 0.0),
        (None, 30.0, None),
        (30.0, None, None),
    ],
)
def test_the_drop_is_how_much_darker_a_region_is_than_its_mirror(
    median, contralateral_median, drop
):
    assert RegionMeasure(RIGHT_M2, 20.0, 0.8, median, contralateral_median).drop == drop


def test_measures_agree_with_a_loop_over_regions_and_voxels():
    hu, labels = random_hu(), random_labels()
    tissue = (hu > TISSUE_HU[0]) & (np.random.default_rng(2).random(SHAPE) < 0.7)
    found = measured(on_grid(hu), labels, tissue)
    assert [measure.region for measure in found] == list(REGIONS)
    for measure in found:
        voxels = list(zip(labels.ravel(), hu.ravel(), tissue.ravel(), strict=True))
        own = [value for label, value, used in voxels if used and label == measure.region.label]
        other_label = contralateral(measure.region).label
        other = [value for label, value, used in voxels if used and label == other_label]
        total = sum(label == measure.region.label for label, _, _ in voxels)
        assert measure.volume_ml == pytest.approx(total * 0.6 * 0.9 * 2.0 / 1000)
        assert measure.tissue_fraction == pytest.approx(len(own) / total)
        assert measure.median == pytest.approx(float(np.median(own)))
        assert measure.contralateral_median == pytest.approx(float(np.median(other)))


def test_swapped_labels_give_swapped_measures():
    hu, labels, tissue = random_hu(), random_labels(), np.ones(SHAPE, bool)
    expected = swapped(measures(hu, labels, tissue))
    found = measures(hu, swap_sides(labels), tissue)
    assert {region: numbers(measure) for region, measure in found.items()} == expected


def test_a_mirrored_image_gives_swapped_measures():
    hu, labels, tissue = random_hu(), random_labels(), random_hu(3) > 30.0
    expected = swapped(measures(hu, labels, tissue))
    found = measures(hu[..., ::-1], swap_sides(labels[..., ::-1]), tissue[..., ::-1])
    assert {region: numbers(measure) for region, measure in found.items()} == expected


def test_an_absent_region_has_no_volume_and_no_density():
    hu, labels = two_regions(100, 100, 30.0, 33.0)
    measure = measures(hu, labels, labels > 0)[region_of(RegionCode.C, Side.RIGHT)]
    assert numbers(measure) == (0.0, 0.0, None, None)


@pytest.mark.parametrize(("left_voxels", "drop"), [(100, 3.0), (30, 3.0), (29, None), (0, None)])
def test_a_region_with_too_few_voxels_is_not_compared_on_either_side(left_voxels, drop):
    hu, labels = two_regions(100, left_voxels, 30.0, 33.0)
    found = measures(hu, labels, labels > 0)
    assert found[RIGHT_M2].drop == drop
    assert found[LEFT_M2].drop == (None if drop is None else -drop)


@pytest.mark.parametrize(("share", "compared"), [(1.5, True), (0.5, False)])
def test_a_region_of_which_little_is_left_is_not_compared(share, compared):
    hu, labels = two_regions(1000, 1000, 30.0, 33.0)
    tissue = labels == LEFT_M2.label
    kept = np.flatnonzero(labels == RIGHT_M2.label)[: int(share * MIN_TISSUE_FRACTION * 1000)]
    tissue.ravel()[kept] = True
    found = measures(hu, labels, tissue)
    assert (found[RIGHT_M2].drop is not None) is compared
    assert (found[LEFT_M2].drop is not None) is compared


def test_one_bright_voxel_does_not_move_the_median():
    hu, labels = two_regions(100, 100, 30.0, 33.0)
    hu[0, 0, 0] = 500.0
    assert measures(hu, labels, labels > 0)[RIGHT_M2].drop == 3.0


def test_csf_and_its_margin_in_the_slice_take_no_part():
    tissue = compared_tissue(brain_with_a_drop_of_fluid(), np.ones(SHAPE, bool))
    k, j, i = FLUID_AT
    for row, column in itertools.product(range(SHAPE[1]), range(SHAPE[2])):
        distance_mm = np.hypot((row - j) * SPACING_MM[1], (column - i) * SPACING_MM[0])
        assert tissue[k, row, column] == (distance_mm > FLUID_MARGIN_MM), (row, column)


@pytest.mark.parametrize("slice_mm", [1.0, 2.0, 5.0])
def test_slices_next_to_csf_take_no_part_above_and_below_it(slice_mm):
    scan = brain_with_a_drop_of_fluid((*SPACING_MM[:2], slice_mm))
    tissue = compared_tissue(scan, np.ones(SHAPE, bool))
    k, j, i = FLUID_AT
    near = max(1, round(FLUID_MARGIN_THROUGH_MM / slice_mm))
    expected = [abs(index - k) > near for index in range(SHAPE[0])]
    assert tissue[:, j, i].tolist() == expected


def test_tissue_far_from_fluid_takes_part_wherever_it_lies():
    tissue = compared_tissue(on_grid(np.full(SHAPE, GREY_HU)), np.ones(SHAPE, bool))
    assert tissue.all()


@pytest.mark.parametrize(
    ("hu", "compared"), [(19.0, False), (21.0, True), (49.0, True), (51.0, False)]
)
def test_only_densities_of_brain_take_part(hu, compared):
    mask = np.ones(SHAPE, bool)
    assert (compared_tissue(on_grid(np.full(SHAPE, hu)), mask) == compared).all()


def test_nothing_outside_the_mask_takes_part_and_the_outside_is_no_fluid():
    mask = np.zeros(SHAPE, bool)
    mask[2:7, 5:20, 6:25] = True
    smoothed = on_grid(np.where(mask, GREY_HU, 0.0))
    assert np.array_equal(compared_tissue(smoothed, mask), mask)


def test_the_difference_of_sides_changes_sign_in_the_mirror():
    hu, mask = random_hu(), np.ones(SHAPE, bool)
    scan, mirror = on_grid(hu), on_grid(hu[..., ::-1])
    difference = side_difference(scan, mirror, mask).array
    assert np.abs(difference).max() > 1.0
    assert np.array_equal(side_difference(mirror, scan, mask).array, -difference)
    assert np.array_equal(difference[..., ::-1], -difference)


@pytest.mark.parametrize(
    ("own_hu", "mirror_hu", "expected"), [(30, 34, -4), (36, 33, 3), (10, 33, 0), (33, 60, 0)]
)
def test_the_difference_is_taken_where_both_sides_are_brain(own_hu, mirror_hu, expected):
    mask = np.zeros(SHAPE, bool)
    mask[3] = True
    own, mirror = (on_grid(np.full(SHAPE, float(hu))) for hu in (own_hu, mirror_hu))
    difference = side_difference(own, mirror, mask).array
    assert difference.dtype == np.float32
    assert (difference[mask] == expected).all()
    assert (difference[~mask] == 0).all()
