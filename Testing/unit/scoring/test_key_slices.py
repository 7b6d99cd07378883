from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.atlas.regions import REGIONS, Level, RegionCode, Side, region_of, swap_sides
from ASPECTSLib.scoring.key_slices import KeySlices, find_key_slices

SLICES = 16
GANGLIONIC = [r for r in REGIONS if r.level is Level.GANGLIONIC]
SUPRAGANGLIONIC = [r for r in REGIONS if r.level is Level.SUPRAGANGLIONIC]


def label_map(ganglionic_middle=4, upper=range(7, 12)):
    """Return regions in rows of their own, the ganglionic ones widest in one slice."""
    labels = np.zeros((SLICES, len(REGIONS) + 1, 12), np.uint8)
    for region in GANGLIONIC:
        for k in range(max(ganglionic_middle - 3, 0), ganglionic_middle + 4):
            labels[k, region.label, : 10 - 2 * abs(k - ganglionic_middle)] = region.label
    for region in SUPRAGANGLIONIC:
        for k in upper:
            labels[k, region.label, :9] = region.label
    return labels


@pytest.mark.parametrize("middle", [3, 4, 6])
def test_the_ganglionic_slice_is_where_its_regions_are_widest(middle):
    assert find_key_slices(label_map(middle), 5.0).ganglionic == middle


@pytest.mark.parametrize(
    ("slice_spacing_mm", "supraganglionic"),
    [(5.0, 8), (4.0, 9), (20.0 / 6.0, 10), (20.0 / 7.0, 11)],
)
def test_the_supraganglionic_slice_lies_2_cm_above(slice_spacing_mm, supraganglionic):
    found = find_key_slices(label_map(), slice_spacing_mm)
    assert found == KeySlices(ganglionic=4, supraganglionic=supraganglionic)


@pytest.mark.parametrize(
    ("upper", "supraganglionic"), [(range(10, 14), 10), (range(5, 8), 7), (range(8, 9), 8)]
)
def test_the_supraganglionic_slice_is_the_nearest_that_shows_m4_to_m6(upper, supraganglionic):
    assert find_key_slices(label_map(upper=upper), 5.0).supraganglionic == supraganglionic


def test_slices_with_little_of_m4_to_m6_are_passed_over():
    labels = label_map(upper=range(10, 14))
    labels[8][labels[10] > 0] = labels[10][labels[10] > 0]
    labels[8, :, 4:] = 0
    assert find_key_slices(labels, 5.0).supraganglionic == 10


@pytest.mark.parametrize(("slice_spacing_mm", "supraganglionic"), [(5.0, 8), (1.0, SLICES - 1)])
def test_without_m4_to_m6_the_slice_is_taken_by_its_height(slice_spacing_mm, supraganglionic):
    labels = label_map(upper=())
    assert find_key_slices(labels, slice_spacing_mm).supraganglionic == supraganglionic


def test_small_regions_count_as_much_as_large_ones():
    # M2 is far larger and widest two slices higher than the nine other regions.
    labels = label_map()
    large = region_of(RegionCode.M2, Side.RIGHT)
    labels[:, large.label] = 0
    labels[6] = np.where(labels[6] == 0, large.label, labels[6])
    assert find_key_slices(labels, 5.0).ganglionic == 4


def test_one_side_alone_is_enough():
    labels = label_map()
    labels[labels > 10] = 0
    assert find_key_slices(labels, 5.0) == find_key_slices(label_map(), 5.0)


def test_swapped_sides_have_the_same_key_slices():
    labels = label_map()
    labels[2:4, 1:5] = 0
    assert find_key_slices(swap_sides(labels), 5.0) == find_key_slices(labels, 5.0)


def test_the_shipped_atlas_has_its_key_slices_2_cm_apart(atlas):
    found = find_key_slices(atlas.regions.array, float(atlas.regions.spacing_mm[2]))
    assert found.supraganglionic - found.ganglionic == pytest.approx(20.0, abs=1.0)
    middle = (atlas.regions.array[found.ganglionic] > 0, atlas.regions.array[found.supraganglionic])
    assert middle[0].any()
    assert {8, 9, 10, 18, 19, 20} <= set(np.unique(middle[1]))
