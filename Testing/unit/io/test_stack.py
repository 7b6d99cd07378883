from __future__ import annotations

import numpy as np
import pytest
from dicom_phantoms import depths

from ASPECTSLib.errors import ErrorCode, GeometryRefusedError, UsageError
from ASPECTSLib.io.notes import NoteCode
from ASPECTSLib.io.stack import SliceStack, assemble, regular_spacing_mm


def stack_at(depths_mm, pixels=None, shift_per_mm=(0.0, 0.0)):
    """Return axial slices at some depths, each filled with its depth unless pixels are given."""
    depths_mm = np.asarray(depths_mm, dtype=float)
    if pixels is None:
        pixels = np.broadcast_to(depths_mm[:, None, None], (len(depths_mm), 6, 8))
    positions = np.outer(depths_mm, [*shift_per_mm, 1.0])
    return SliceStack(
        pixels=np.array(pixels, dtype=np.float32),
        positions_lps=positions,
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        pixel_spacing_mm=(2.0, 3.0),
    )


def codes(assembled):
    return [note.code for note in assembled.notes]


def test_even_slices_are_stacked_as_they_are():
    assembled = assemble(stack_at(depths((9, 5.0))))
    assert assembled.notes == ()
    np.testing.assert_allclose(assembled.volume.spacing_mm, [3.0, 2.0, 5.0])
    np.testing.assert_array_equal(assembled.volume.array[:, 0, 0], depths((9, 5.0)))


def test_slices_are_sorted_along_their_normal():
    shuffled = np.random.default_rng(1).permutation(depths((9, 5.0)))
    np.testing.assert_array_equal(
        assemble(stack_at(shuffled)).volume.array,
        assemble(stack_at(np.sort(shuffled))).volume.array,
    )


def test_positions_that_scatter_by_a_percent_are_taken_for_even():
    scattered = depths((9, 9.0)) + np.tile([0.0, 0.07], 5)
    assembled = assemble(stack_at(scattered))
    assert assembled.notes == ()
    np.testing.assert_array_equal(assembled.volume.array[:, 0, 0], scattered.astype(np.float32))


@pytest.mark.parametrize(
    "gaps",
    [
        [(8, 5.0), (4, 10.0)],  # fine base, coarse vertex
        [(4, 10.0), (8, 5.0)],
        [(13, 4.0), (1, 1.08), (13, 7.0)],  # two blocks that overlap
        [(6, 5.0), (1, 2.0), (6, 5.0)],
        [(6, 5.0), (1, 7.0), (6, 5.0)],
    ],
)
def test_uneven_slices_are_interpolated_to_the_smallest_regular_spacing(gaps):
    assembled = assemble(stack_at(depths(*gaps)))
    smallest = min(gap for count, gap in gaps if count > 1)
    assert codes(assembled) == [NoteCode.RESAMPLED_SPACING]
    np.testing.assert_allclose(assembled.volume.spacing_mm[2], smallest)
    # The phantom holds its own depth: the truth is known at every position.
    truth = assembled.volume.affine[2, 3] + smallest * np.arange(len(assembled.volume.array))
    inside = (truth >= 0.0) & (truth <= depths(*gaps)[-1])
    np.testing.assert_allclose(assembled.volume.array[inside, 2, 3], truth[inside], atol=1e-4)
    assert abs(truth[0]) <= smallest / 2
    assert abs(truth[-1] - depths(*gaps)[-1]) <= smallest / 2


def test_finely_spaced_slices_survive_interpolation_unchanged():
    gaps = depths((4, 7.0), (1, 3.0), (8, 4.0))
    pixels = np.random.default_rng(0).normal(size=(len(gaps), 6, 8))
    volume = assemble(stack_at(gaps, pixels)).volume
    np.testing.assert_allclose(volume.array[-9:], pixels[-9:], atol=1e-6)


@pytest.mark.parametrize(
    "gaps",
    [
        [(5, 5.0), (1, 10.0), (5, 5.0)],
        [(5, 5.0), (1, 15.0), (5, 5.0)],
        [(5, 5.0), (2, 10.0), (5, 5.0)],
        [(5, 5.0), (1, 10.0), (1, 5.0), (1, 10.0), (5, 5.0)],
        [(1, 10.0), (8, 5.0)],
        [(8, 5.0), (1, 10.0)],
    ],
)
def test_a_wide_gap_among_narrow_ones_is_a_missing_slice(gaps):
    with pytest.raises(GeometryRefusedError, match=r"got a gap of 1[05]\.0 mm") as caught:
        assemble(stack_at(depths(*gaps)))
    assert caught.value.code is ErrorCode.MISSING_SLICES


def test_spacing_without_any_regularity_is_its_median():
    assert regular_spacing_mm(np.array([3.0, 5.0, 4.0])) == 4.0


def test_repeated_slices_are_left_out():
    repeated = np.concatenate([depths((9, 5.0)), [10.0, 10.0]])
    assembled = assemble(stack_at(repeated))
    assert codes(assembled) == [NoteCode.DUPLICATES_REMOVED]
    assert "2 slices" in assembled.notes[0].message
    np.testing.assert_array_equal(assembled.volume.array[:, 0, 0], depths((9, 5.0)))


def test_copies_of_all_slices_are_left_out():
    assembled = assemble(stack_at(np.tile(depths((9, 5.0)), 2)))
    assert codes(assembled) == [NoteCode.DUPLICATES_REMOVED]
    assert len(assembled.volume.array) == 10


def test_different_images_at_every_position_need_a_choice():
    pixels = np.random.default_rng(0).normal(size=(30, 6, 8)).astype(np.float32)
    stack = stack_at(np.tile(depths((9, 5.0)), 3), pixels)
    with pytest.raises(GeometryRefusedError, match="got 3; frame=") as caught:
        assemble(stack)
    assert caught.value.code is ErrorCode.NOT_THREE_DIMENSIONAL
    np.testing.assert_array_equal(assemble(stack, frame=1).volume.array, pixels[10:20])
    with pytest.raises(UsageError, match="from 0 to 2"):
        assemble(stack, frame=3)


def test_a_tilted_stack_is_straightened_on_a_canvas_that_holds_it_all():
    pixels = np.ones((11, 6, 8))
    pixels[:, :, 0] = 0.0
    assembled = assemble(stack_at(depths((10, 5.0)), pixels, shift_per_mm=(0.0, 0.4)))
    assert codes(assembled) == [NoteCode.RESAMPLED_TILT]
    assert assembled.tilt_deg == pytest.approx(np.degrees(np.arctan(0.4)))
    assert assembled.volume.size == (8, 6 + 10, 11)  # 50 mm at 0.4, in rows of 2 mm
    rows = assembled.volume.array[:, :, 4]
    np.testing.assert_array_equal(np.flatnonzero(rows[0]), np.arange(6))
    np.testing.assert_array_equal(np.flatnonzero(rows[10]), np.arange(10, 16))


def test_a_stack_that_leans_too_far_is_refused():
    with pytest.raises(GeometryRefusedError, match=r"at most 45 degrees, got 50\.2"):
        assemble(stack_at(depths((10, 5.0)), shift_per_mm=(1.2, 0.0)))


def test_air_fills_what_no_slice_covers():
    pixels = np.full((11, 6, 8), -1024.0)
    pixels[:, 1:-1, 1:-1] = 40.0
    volume = assemble(stack_at(depths((10, 5.0)), pixels, shift_per_mm=(0.3, 0.0))).volume
    assert volume.array.min() == -1024.0
    assert volume.array[0, :, -1].max() == volume.array[-1, :, 0].max() == -1024.0


def test_a_single_slice_has_the_thickness_as_its_spacing():
    assert assemble(stack_at([3.0])).volume.spacing_mm[2] == 1.0
