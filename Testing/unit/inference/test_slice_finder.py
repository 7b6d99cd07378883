"""The key slices of a head whose ganglionic level is marked, by a network that sees the mark."""

from __future__ import annotations

import numpy as np
import pytest
from axis_orders import AXIS_ORDERS, reordered
from slice_phantoms import LEVEL_MM, PlateFinder, plated_head

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import canonicalize, crop
from ASPECTSLib.inference.slice_finder import (
    FoundSlices,
    compare_key_slices,
    find_ganglionic,
    level_of,
)
from ASPECTSLib.preprocessing.handedness import mirror
from ASPECTSLib.scoring.key_slices import KeySlices


def level_slice(scan):
    return (LEVEL_MM - scan.affine[2, 3]) / scan.spacing_mm[2]


@pytest.mark.parametrize("slice_mm", [0.625, 1.25, 2.0, 3.0, 5.0, 8.0])
def test_the_level_is_found_in_the_slices_of_the_scan(slice_mm):
    scan = plated_head(slice_mm, round(165 / slice_mm))
    found = find_ganglionic(PlateFinder(), scan)
    assert abs(found.ganglionic - level_slice(scan)) <= max(0.7, 2.5 / slice_mm)


@pytest.mark.parametrize("slice_mm", [1.0, 3.0, 5.0])
def test_the_supraganglionic_slice_lies_2_cm_above(slice_mm):
    scan = plated_head(slice_mm, round(165 / slice_mm))
    found = find_ganglionic(PlateFinder(), scan)
    assert found.supraganglionic - found.ganglionic == round(20.0 / slice_mm)


def test_where_the_scan_ends_before_it_is_the_last_slice():
    whole = plated_head()
    columns, rows, _ = whole.size
    end = round(level_slice(whole)) + 3
    found = find_ganglionic(
        PlateFinder(), crop(whole, (slice(0, end), slice(0, rows), slice(0, columns)))
    )
    assert found.ganglionic + 4 > end - 1
    assert found.supraganglionic == end - 1


def test_each_slice_of_the_scan_has_a_probability():
    scan = plated_head(2.0, 130)
    found = find_ganglionic(PlateFinder(), scan)
    assert (found.probability.shape, found.probability.dtype) == ((130,), np.float32)
    probable = np.flatnonzero(found.probability > 0.9)
    assert probable.mean() == pytest.approx(level_slice(scan), abs=2)
    assert not found.probability[:10].any()  # neck, which is not looked at


@pytest.mark.parametrize("heavier_side", [1.0, -1.0])
def test_a_mirrored_head_gives_the_same_slices_digit_for_digit(heavier_side):
    network = PlateFinder()
    scan = plated_head(heavier_side=heavier_side)
    plain, other = (find_ganglionic(network, one) for one in (scan, mirror(scan)))
    assert (plain.ganglionic, plain.supraganglionic) == (other.ganglionic, other.supraganglionic)
    np.testing.assert_array_equal(plain.probability, other.probability)
    np.testing.assert_array_equal(network.seen[0], network.seen[1])


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS[::7])
def test_the_order_of_the_axes_in_the_file_does_not_matter(order, flips):
    scan = plated_head(slices=31)
    expected = find_ganglionic(PlateFinder(), canonicalize(scan).volume)
    given = canonicalize(reordered(scan, order, flips))
    found = find_ganglionic(PlateFinder(), given.volume)
    assert found.ganglionic == expected.ganglionic
    np.testing.assert_array_equal(found.probability, expected.probability)


def test_the_network_sees_three_windows_of_the_head():
    network = PlateFinder()
    find_ganglionic(network, plated_head())
    (image,) = network.seen
    assert image.shape[:2] == (1, 3)
    assert not any(size % part for size, part in zip(image.shape[2:], network.divisor, strict=True))


def test_a_scan_without_a_head_is_refused():
    scan = plated_head()
    with pytest.raises(ContentRefusedError) as refused:
        find_ganglionic(PlateFinder(), scan.with_array(np.full_like(scan.array, -1000.0)))
    assert refused.value.code is ErrorCode.NO_BRAIN


@pytest.mark.parametrize(
    ("probability", "level"),
    [
        ([0, 0, 1, 0, 0, 0], 2.0),
        ([0, 0, 1, 1, 0, 0], 2.5),
        ([0, 0, 1, 1, 1, 0, 0], 3.0),
        ([1.0], 0.0),
        ([0, 0, 0, 0.9], 3.0),
        ([0.0, 0.0, 0.0], 0.0),
        ([0, 0, 0.5, 0, 0, 0, 0, 0.4, 0.4, 0, 0, 0], 7.5),
        ([1, 1, 0, 0, 0, 0], 0.5),
    ],
)
def test_the_level_lies_in_the_middle_of_what_is_probable(probability, level):
    assert level_of(np.array(probability)) == pytest.approx(level, abs=0.35)


@pytest.mark.parametrize(
    ("network", "regions", "spacing_mm", "expected_mm"),
    [(12, 12, 5.0, 0.0), (12, 15, 5.0, 15.0), (15, 12, 1.25, 3.75)],
)
def test_the_difference_is_told_in_mm(network, regions, spacing_mm, expected_mm):
    found = FoundSlices(network, network + 4, np.zeros(40, np.float32))
    assert compare_key_slices(found, KeySlices(regions, 0), spacing_mm) == expected_mm
