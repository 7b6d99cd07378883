from __future__ import annotations

import numpy as np
import pytest
from axis_orders import AXIS_ORDERS, reordered
from region_phantoms import box_regions

from ASPECTSLib.atlas.label_order import check_label_order, check_label_values
from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume


def with_labels_exchanged(labels, *cycle):
    """Give each label of a cycle the place of the next, on both sides."""
    table = np.arange(21, dtype=np.uint8)
    for offset in (0, 10):
        for one, other in zip(cycle, cycle[1:] + cycle[:1], strict=True):
            table[one + offset] = other + offset
    return labels.with_array(table[labels.array])


def refusal(labels):
    with pytest.raises(ContentRefusedError) as caught:
        check_label_order(labels)
    return caught.value


def turned(labels, degrees):
    """Turn the head about the foot-to-head axis."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.eye(4)
    turn[:2, :2] = [[cosine, -sine], [sine, cosine]]
    return Volume(labels.array, turn @ labels.affine)


def test_the_order_of_this_project_is_taken(atlas):
    check_label_order(box_regions())
    check_label_order(atlas.regions)


@pytest.mark.parametrize("degrees", [-25, 25])
def test_a_turned_head_is_taken(degrees):
    check_label_order(turned(box_regions(), degrees))


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS[::7])
def test_the_order_of_the_axes_does_not_matter(order, flips):
    check_label_order(reordered(box_regions(), order, flips))
    swapped = box_regions()
    swapped = swapped.with_array(swap_sides(swapped.array))
    assert refusal(reordered(swapped, order, flips)).code is ErrorCode.LABEL_ORDER


@pytest.mark.parametrize(
    "cycle",
    [(2, 4, 3), (2, 3), (1, 2), (3, 4), (5, 7), (5, 8), (8, 10), (5, 6), (4, 6)],
)
def test_labels_in_another_order_are_refused(cycle):
    error = refusal(with_labels_exchanged(box_regions(), *cycle))
    assert error.code is ErrorCode.LABEL_ORDER
    assert "expected labels in the order C, L, IC, I, M1" in error.message


def test_exchanged_sides_are_refused():
    labels = box_regions()
    error = refusal(labels.with_array(swap_sides(labels.array)))
    assert error.code is ErrorCode.LABEL_ORDER
    assert "left and right are exchanged" in error.message


def test_a_single_slice_is_held_to_the_regions_that_it_has():
    labels = box_regions()
    slices = np.flatnonzero((labels.array == 1).any(axis=(1, 2)))
    check_label_order(
        labels.with_array(np.where(np.arange(14)[:, None, None] == slices[0], labels.array, 0))
    )


def test_a_region_on_one_side_only_is_refused():
    labels = box_regions()
    error = refusal(labels.with_array(np.where(labels.array == 13, 0, labels.array)))
    assert error.code is ErrorCode.LABELS_INVALID
    assert "IC on one side only" in error.message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0, 21], "from 0 to 21"),
        ([-1, 3], "from -1 to 3"),
        ([0, 2.5], "got values"),
        ([0, 0], "empty"),
    ],
)
def test_values_that_are_no_labels_are_refused(values, words):
    with pytest.raises(ContentRefusedError, match=words) as caught:
        check_label_values(np.array(values))
    assert caught.value.code is ErrorCode.LABELS_INVALID
