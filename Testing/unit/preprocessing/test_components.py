from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.preprocessing.components import (
    bodies_inside,
    cut_bridges,
    largest_component,
    remove_small,
)

SHAPE = (6, 10, 12)


def boxes(*parts):
    mask = np.zeros(SHAPE, bool)
    for part in parts:
        mask[part] = True
    return mask


LARGE = np.s_[0:3, 0:3, 0:3]  # 27 voxels
MIDDLE = np.s_[0:2, 6:8, 0:2]  # 8
SINGLE = np.s_[5:6, 9:10, 11:12]


@pytest.fixture
def mask():
    return boxes(LARGE, MIDDLE, SINGLE)


def test_the_largest_part_is_kept_alone(mask):
    np.testing.assert_array_equal(largest_component(mask), boxes(LARGE))


def test_parts_that_touch_at_a_corner_are_two_for_the_largest():
    mask = boxes(np.s_[0:2, 0:2, 0:2], np.s_[2:4, 2:4, 2:5])
    assert largest_component(mask).sum() == 12


@pytest.mark.parametrize(
    ("least", "kept"),
    [
        (0.0, (LARGE, MIDDLE, SINGLE)),
        (1.0, (LARGE, MIDDLE, SINGLE)),
        (1.5, (LARGE, MIDDLE)),
        (8.0, (LARGE, MIDDLE)),
        (8.1, (LARGE,)),
        (28.0, ()),
    ],
)
def test_parts_of_fewer_voxels_are_removed(mask, least, kept):
    np.testing.assert_array_equal(remove_small(mask, least), boxes(*kept))


def test_voxels_that_touch_at_a_corner_are_one_body():
    chain = np.zeros(SHAPE, bool)
    chain[range(5), range(5), range(5)] = True
    assert remove_small(chain, 5).sum() == 5
    assert bodies_inside(chain, boxes(np.s_[0:3]), 0.5).sum() == 5


@pytest.mark.parametrize(("rows", "kept"), [(0, ()), (1, ()), (2, (LARGE,)), (3, (LARGE,))])
def test_bodies_stay_whole_where_enough_of_them_lies_in_the_area(rows, kept):
    """A third, two thirds and all of a body; half is asked for."""
    inside = bodies_inside(boxes(LARGE, SINGLE), boxes(np.s_[:, :rows, :]), 0.5)
    np.testing.assert_array_equal(inside, boxes(*kept))


def test_each_body_is_judged_by_itself(mask):
    area = boxes(np.s_[:, 5:, :])
    np.testing.assert_array_equal(bodies_inside(mask, area, 1.0), boxes(MIDDLE, SINGLE))
    np.testing.assert_array_equal(bodies_inside(mask, ~area, 1.0), boxes(LARGE))


@pytest.mark.parametrize(
    "function",
    [
        largest_component,
        lambda mask: remove_small(mask, 0.0),
        lambda mask: bodies_inside(mask, np.ones(SHAPE, bool), 0.0),
    ],
)
def test_an_empty_mask_stays_empty(function):
    empty = np.zeros(SHAPE, bool)
    assert not function(empty).any()
    assert not empty.any()


def test_masks_are_left_as_they_are(mask):
    before = mask.copy()
    for function in (largest_component, lambda m: remove_small(m, 5)):
        function(mask)
    bodies_inside(mask, mask, 0.5)
    np.testing.assert_array_equal(mask, before)


def test_bodies_that_a_narrow_bridge_connects_are_parted():
    large, small = np.s_[:, 4:24, 4:24], np.s_[:, 8:20, 30:42]
    mask = np.zeros((6, 30, 46), bool)
    mask[large], mask[small] = True, True
    mask[:, 12:16, 24:30] = True
    spacing_mm = np.array([5.0, 1.0, 1.0])
    parted = cut_bridges(mask, spacing_mm, half_width_mm=3.0)
    assert not parted[small].any()
    assert parted[large].mean() > 0.95  # corners are rounded
    assert cut_bridges(mask, spacing_mm, half_width_mm=1.0)[small].all()


def test_what_is_narrow_throughout_is_kept():
    line = boxes(np.s_[2:3, 5:6, 1:9])
    np.testing.assert_array_equal(cut_bridges(line, np.ones(3), half_width_mm=3.0), line)
