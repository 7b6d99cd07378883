from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.atlas.regions import (
    LATERALITY,
    REGIONS,
    Level,
    RegionCode,
    Side,
    contralateral,
    region_of,
    swap_sides,
)


def test_labels_count_the_right_side_from_1_and_the_left_side_from_11():
    assert [region.label for region in REGIONS] == list(range(1, 21))
    assert [region.side for region in REGIONS] == [Side.RIGHT] * 10 + [Side.LEFT] * 10


def test_both_sides_follow_the_one_order_of_codes():
    order = ["C", "L", "IC", "I", "M1", "M2", "M3", "M4", "M5", "M6"]
    assert [region.code.value for region in REGIONS] == order * 2
    assert [code.value for code in RegionCode] == order


def test_each_pair_of_regions_has_a_colour_of_its_own():
    colours = {code: {r.colour for r in REGIONS if r.code is code} for code in RegionCode}
    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == 10
    assert all(0 <= part <= 255 for region in REGIONS for part in region.colour)


def test_contralateral_is_the_same_region_on_the_other_side():
    for region in REGIONS:
        other = contralateral(region)
        assert (other.code, other.side) == (region.code, region.side.other)
        assert abs(other.label - region.label) == 10
        assert contralateral(other) is region


def test_every_region_is_found_by_code_and_side():
    assert all(region_of(region.code, region.side) is region for region in REGIONS)


@pytest.mark.parametrize("side", list(Side))
def test_three_cortical_regions_lie_above_the_other_seven_regions(side):
    upper = {r.code.value for r in REGIONS if r.side is side and r.level is Level.SUPRAGANGLIONIC}
    cortical = {r.code.value for r in REGIONS if r.side is side and r.is_cortical}
    assert upper == {"M4", "M5", "M6"}
    assert cortical == {"M1", "M2", "M3"} | upper


def test_swapping_sides_exchanges_right_and_left_labels():
    assert swap_sides(np.array([0, 1, 10, 11, 20])).tolist() == [0, 11, 20, 1, 10]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_swapping_sides_is_its_own_inverse(dtype):
    labels = np.random.default_rng(0).integers(0, 21, (4, 5, 6)).astype(dtype)
    swapped = swap_sides(labels)
    assert swapped.dtype == dtype
    assert not np.array_equal(swapped, labels)
    assert np.array_equal(swap_sides(swapped), labels)


def test_each_region_and_side_has_a_coded_concept():
    assert set(LATERALITY) == set(Side)
    terms = [region.terminology for region in REGIONS] + list(LATERALITY.values())
    assert all(term.scheme == "SCT" and term.value.isdigit() and term.meaning for term in terms)
