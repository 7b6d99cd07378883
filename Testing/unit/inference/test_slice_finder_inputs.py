from __future__ import annotations

import numpy as np
import pytest
from slice_phantoms import HEAD_MM, plated_head

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import apply_affine
from ASPECTSLib.inference.slice_finder_inputs import (
    HEAD_HEIGHT_MM,
    STACK_SIDE,
    STACK_SPACING_MM,
    WINDOWS_HU,
    slice_stack,
    windowed,
)
from ASPECTSLib.preprocessing.handedness import mirror


def test_windows_go_from_black_to_white_at_their_ends():
    ends = [(level - width / 2, level, level + width / 2) for level, width in WINDOWS_HU]
    for channel, densities in enumerate(ends):
        np.testing.assert_allclose(windowed(np.array(densities))[channel], [0.0, 0.5, 1.0])


def test_windows_are_brain_subdural_and_bone():
    densities = np.array([-3000.0, 0.0, 40.0, 80.0, 182.5, 2000.0, 9000.0]).reshape(1, 1, 7)
    seen = windowed(densities)
    assert (seen.shape, seen.dtype) == ((3, 1, 1, 7), np.float32)
    np.testing.assert_allclose(seen[0].ravel(), [0, 0, 0.5, 1, 1, 1, 1])
    np.testing.assert_allclose(seen[1].ravel()[[0, 4, 6]], [0, 1, 1])
    np.testing.assert_allclose(seen[2].ravel()[[0, 1, 5, 6]], [0, 800 / 2800, 1, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("slice_mm", "averaged"),
    [(0.625, 8), (1.0, 5), (2.0, 2), (2.5, 2), (3.0, 2), (4.0, 1), (5.0, 1), (9.0, 1)],
)
def test_thin_slices_are_averaged_and_thick_ones_kept(slice_mm, averaged):
    scan = plated_head(slice_mm, round(165 / slice_mm))
    stack = slice_stack(scan)
    assert stack.averaged == averaged
    np.testing.assert_allclose(stack.grid.spacing_mm[:2], STACK_SPACING_MM[:2])
    assert stack.grid.spacing_mm[2] == pytest.approx(averaged * slice_mm)
    assert stack.density_hu().shape == (stack.grid.size[2], STACK_SIDE, STACK_SIDE)


@pytest.mark.parametrize("slice_mm", [0.625, 2.0, 5.0, 9.0])
def test_places_in_the_stack_are_told_in_slices_of_the_scan(slice_mm):
    scan = plated_head(slice_mm, round(165 / slice_mm))
    stack = slice_stack(scan)
    for place in (0.0, 2.5, stack.grid.size[2] - 1.0):
        in_stack = apply_affine(stack.grid.affine, np.array([0.0, 0.0, place]))[2]
        in_scan = apply_affine(scan.affine, np.array([0.0, 0.0, stack.own_slice(place)]))[2]
        assert in_stack == pytest.approx(in_scan)


def test_the_neck_is_left_off():
    stack = slice_stack(plated_head(5.0, 70))
    low_mm, high_mm = apply_affine(
        stack.grid.affine, np.array([[0, 0, 0], [0, 0, stack.grid.size[2] - 1]])
    )[:, 2]
    assert HEAD_MM[2] - 5.0 < high_mm < HEAD_MM[2] + 15.0
    assert high_mm - low_mm == pytest.approx(HEAD_HEIGHT_MM, abs=7.0)


def test_the_head_lies_in_the_middle_wherever_it_was():
    stacks = [
        slice_stack(plated_head(shift_mm=(shift, -shift, 0.0))).density_hu()
        for shift in (-12.0, 0.0, 12.0)
    ]
    for density in stacks:
        rows, columns = (np.argwhere(density[20] > 0)[:, axis] for axis in (0, 1))
        middle = (STACK_SIDE - 1) / 2
        assert (rows.min() + rows.max()) / 2 == pytest.approx(middle, abs=1.5)
        assert (columns.min() + columns.max()) / 2 == pytest.approx(middle, abs=1.5)


def test_the_mirrored_head_has_the_mirrored_stack():
    head = plated_head()
    plain, other = (slice_stack(scan).density_hu() for scan in (head, mirror(head)))
    np.testing.assert_allclose(other[..., ::-1], plain, atol=0.05)


def test_beyond_the_ends_of_a_scan_lies_air():
    density = slice_stack(plated_head()).density_hu()
    assert density[:, 0].max() < -900.0


def test_a_scan_without_a_head_is_refused():
    scan = plated_head()
    with pytest.raises(ContentRefusedError, match="holds a head") as refused:
        slice_stack(scan.with_array(np.full_like(scan.array, -1000.0)))
    assert refused.value.code is ErrorCode.NO_BRAIN
