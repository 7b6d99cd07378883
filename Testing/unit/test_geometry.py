from __future__ import annotations

import numpy as np
import pytest
from axis_orders import AXIS_ORDERS, reordered
from head_phantoms import grid_points

from ASPECTSLib.errors import ErrorCode, GeometryRefusedError
from ASPECTSLib.geometry import (
    LPS_FROM_RAS,
    Volume,
    apply_affine,
    bounding_box,
    canonicalize,
    centred_affine,
    crop,
    expand,
    paste,
    resample,
    shrink,
    shrink_factors,
)

SHAPE_KJI = (5, 6, 7)
SPACING_MM = np.array([0.45, 0.7, 5.0])


def rotation(yaw_deg=0.0, pitch_deg=0.0):
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    about_z = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    )
    return about_z @ about_x


def oblique_affine(yaw_deg=9.0, pitch_deg=-17.0, spacing_mm=SPACING_MM):
    affine = np.eye(4)
    affine[:3, :3] = rotation(yaw_deg, pitch_deg) * spacing_mm
    affine[:3, 3] = [-91.3, 12.7, 40.1]
    return affine


def asymmetric_volume(affine=None):
    array = np.random.default_rng(3).integers(-1000, 2000, SHAPE_KJI).astype(np.int16)
    return Volume(array, oblique_affine() if affine is None else affine)


def ramp(points):
    """Return values that linear interpolation must give exactly."""
    return points @ np.array([2.0, -3.0, 0.5]) + 7.0


def ramp_volume(affine, shape=SHAPE_KJI):
    return Volume(ramp(grid_points(affine, shape)), affine)


def refusal(array, affine):
    with pytest.raises(GeometryRefusedError) as caught:
        Volume(array, affine)
    return caught.value


def test_all_48_axis_orders_give_the_same_canonical_volume_bit_for_bit():
    volume = asymmetric_volume()
    expected = canonicalize(volume).volume
    for order, flips in AXIS_ORDERS:
        canonical = canonicalize(reordered(volume, order, flips)).volume
        assert np.array_equal(canonical.array, expected.array), (order, flips)
        assert np.array_equal(canonical.affine, expected.affine), (order, flips)


def test_headers_in_single_precision_give_the_same_grid_in_every_axis_order():
    volume = asymmetric_volume()
    expected = canonicalize(volume).volume.affine
    for order, flips in AXIS_ORDERS:
        given = reordered(volume, order, flips)
        rounded = Volume(given.array, given.affine.astype(np.float32).astype(np.float64))
        assert np.array_equal(canonicalize(rounded).volume.affine, expected), (order, flips)


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS)
def test_restore_brings_back_the_grid_as_it_was_given(order, flips):
    given = reordered(asymmetric_volume(), order, flips)
    canonical = canonicalize(given)
    restored = canonical.restore(canonical.volume.array)
    assert np.array_equal(restored.array, given.array)
    assert np.array_equal(restored.affine, given.affine)
    assert restored.array.flags.c_contiguous


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS)
def test_slices_that_are_left_out_come_back_as_zeros(order, flips):
    given = reordered(asymmetric_volume(), order, flips)
    whole = canonicalize(given)
    part = whole.from_slice(1).from_slice(1)
    assert np.array_equal(part.volume.array, whole.volume.array[2:])
    assert np.array_equal(part.reorder(given.array), part.volume.array)
    restored = part.restore(part.volume.array)
    assert np.array_equal(restored.affine, given.affine)
    again = whole.reorder(restored.array)
    assert np.array_equal(again[2:], whole.volume.array[2:])
    assert not again[:2].any()
    assert np.array_equal(part.volume.spacing_mm, whole.volume.spacing_mm)
    centre_ijk = (np.array(part.volume.size) - 1) / 2
    assert np.allclose(apply_affine(part.volume.affine, centre_ijk), 0.0)
    for index in range(len(part.volume.array)):
        assert part.restore_slice(index) == whole.restore_slice(index + 2)


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS)
def test_a_canonical_slice_is_found_again_in_the_volume_as_it_was_given(order, flips):
    given = reordered(asymmetric_volume(), order, flips)
    canonical = canonicalize(given)
    array_axis = 2 - canonical.slice_axis
    for index, image in enumerate(canonical.volume.array):
        source = given.array.take(canonical.restore_slice(index), array_axis)
        assert sorted(source.ravel()) == sorted(image.ravel())


@pytest.mark.parametrize("point_ijk", [(6, 0, 0), (0, 5, 0), (0, 0, 4)])
def test_canonical_axes_run_right_anterior_and_superior(point_ijk):
    array = np.zeros(SHAPE_KJI)
    array[point_ijk[::-1]] = 1
    canonical = canonicalize(
        reordered(Volume(array, oblique_affine()), (1, 2, 0), (True, False, True))
    )
    assert tuple(np.argwhere(canonical.volume.array)[0][::-1]) == point_ijk


@pytest.mark.parametrize(("yaw_deg", "pitch_deg"), [(0, 0), (40, 0), (0, -40), (-30, 25)])
def test_oblique_headers_keep_voxels_and_lose_their_tilt(yaw_deg, pitch_deg):
    volume = asymmetric_volume(oblique_affine(yaw_deg, pitch_deg))
    canonical = canonicalize(volume)
    assert np.array_equal(canonical.volume.array, volume.array)
    assert np.array_equal(canonical.volume.affine, centred_affine(SHAPE_KJI, SPACING_MM))
    assert np.array_equal(canonical.source_affine, volume.affine)


def test_canonicalize_leaves_its_input_as_it_is():
    volume = reordered(asymmetric_volume(), (2, 0, 1), (True, True, False))
    array, affine = volume.array.copy(), volume.affine.copy()
    canonical = canonicalize(volume)
    canonical.restore(canonical.volume.array)
    assert np.array_equal(volume.array, array)
    assert np.array_equal(volume.affine, affine)


def test_centred_affine_puts_the_middle_of_the_grid_at_the_origin():
    affine = centred_affine(SHAPE_KJI, SPACING_MM)
    corners = apply_affine(affine, np.array([[0, 0, 0], [6, 5, 4]], float))
    assert corners.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-12)
    assert corners[1] - corners[0] == pytest.approx([6 * 0.45, 5 * 0.7, 4 * 5.0])


def test_lps_and_ras_differ_in_the_signs_of_the_first_two_axes():
    assert LPS_FROM_RAS @ np.array([1.0, 2.0, 3.0, 1.0]) == pytest.approx([-1.0, -2.0, 3.0, 1.0])
    assert np.array_equal(LPS_FROM_RAS @ LPS_FROM_RAS, np.eye(4))


def test_volume_knows_size_spacing_and_voxel_volume():
    volume = asymmetric_volume()
    assert volume.size == (7, 6, 5)
    assert volume.spacing_mm == pytest.approx(SPACING_MM)
    assert volume.voxel_volume_ml == pytest.approx(0.45 * 0.7 * 5.0 / 1000)


def test_mirrored_axes_have_a_positive_voxel_volume():
    flipped = reordered(asymmetric_volume(), (0, 1, 2), (False, False, True))
    assert flipped.voxel_volume_ml == pytest.approx(asymmetric_volume().voxel_volume_ml)


@pytest.mark.parametrize(
    ("affine", "words"),
    [
        (np.eye(3), "finite 4x4"),
        (np.diag([1.0, 1.0, np.nan, 1.0]), "finite 4x4"),
        (np.diag([np.inf, 1.0, 1.0, 1.0]), "finite 4x4"),
        (np.diag([1.0, 0.0, 1.0, 1.0]), "invertible"),
        (np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "invertible"),
    ],
)
def test_affines_that_place_no_voxels_are_refused(affine, words):
    error = refusal(np.zeros(SHAPE_KJI), affine)
    assert error.code is ErrorCode.GEOMETRY_INVALID
    assert words in error.message


@pytest.mark.parametrize("shape", [(5,), (5, 6), (2, 3, 4, 5)])
def test_arrays_that_are_not_three_dimensional_are_refused(shape):
    error = refusal(np.zeros(shape), np.eye(4))
    assert error.code is ErrorCode.NOT_THREE_DIMENSIONAL
    assert f"got {len(shape)}" in error.message


def test_an_array_of_another_shape_does_not_fit_on_the_grid():
    with pytest.raises(GeometryRefusedError, match=r"expected .*\(5, 6, 7\), got \(7, 6, 5\)"):
        asymmetric_volume().with_array(np.zeros((7, 6, 5)))


def test_points_are_mapped_in_any_shape():
    matrix = oblique_affine()
    points = np.random.default_rng(0).normal(size=(2, 3, 3))
    mapped = apply_affine(matrix, points)
    assert mapped.shape == points.shape
    assert mapped[1, 2] == pytest.approx((matrix @ [*points[1, 2], 1.0])[:3])


@pytest.mark.parametrize("shift_ras", [(4.0, 0.0, 0.0), (0.0, -3.0, 0.0), (0.0, 0.0, 6.0)])
def test_resample_moves_a_blob_against_the_matrix_with_ras_signs(shift_ras):
    # The matrix leads from the result to the volume: what it finds at p + shift appears at p.
    affine = centred_affine((24, 26, 28), np.array([2.0, 2.0, 2.0]))
    points = grid_points(affine, (24, 26, 28))
    volume = Volume(np.exp(-((points - [3.0, -5.0, 2.0]) ** 2).sum(axis=-1) / 40.0), affine)
    matrix = np.eye(4)
    matrix[:3, 3] = shift_ras
    weights = resample(volume, volume, matrix).array[..., np.newaxis]
    centre = (weights * points).sum(axis=(0, 1, 2)) / weights.sum()
    assert centre == pytest.approx(np.array([3.0, -5.0, 2.0]) - shift_ras, abs=0.05)


def test_resample_between_oblique_grids_agrees_with_the_known_affine():
    volume = ramp_volume(oblique_affine(spacing_mm=np.array([2.0, 3.0, 4.0])), (20, 21, 22))
    like = Volume(np.zeros((6, 5, 4)), oblique_affine(-20, 10, np.array([1.5, 2.5, 3.5])))
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(5, 8) * [1.1, 0.9, 1.05]
    middle = apply_affine(volume.affine, np.array([11.0, 10.0, 9.0]))
    matrix[:3, 3] = middle - apply_affine(
        matrix, apply_affine(like.affine, np.array([1.5, 2.0, 2.5]))
    )
    resampled = resample(volume, like, matrix)
    expected = ramp(apply_affine(matrix, grid_points(like.affine, like.array.shape)))
    assert resampled.array == pytest.approx(expected, abs=1e-3)
    assert np.array_equal(resampled.affine, like.affine)


def test_resample_on_its_own_grid_changes_nothing():
    volume = asymmetric_volume()
    assert resample(volume, volume).array == pytest.approx(volume.array, abs=0.01)


def test_resample_fills_what_lies_outside():
    volume = ramp_volume(np.eye(4))
    far = np.eye(4)
    far[0, 3] = 100.0
    assert np.unique(resample(volume, volume, far, fill=-1000.0).array) == pytest.approx([-1000.0])


def test_resampled_labels_keep_their_values_and_type():
    labels = Volume(
        np.random.default_rng(5).choice([0, 3, 20], SHAPE_KJI).astype(np.uint8), np.eye(4)
    )
    matrix = np.eye(4)
    matrix[:3, 3] = 0.3
    resampled = resample(labels, labels, matrix, order=0)
    assert resampled.array.dtype == np.uint8
    inner = slice(None, -1)
    assert np.array_equal(resampled.array[inner, inner, inner], labels.array[inner, inner, inner])


@pytest.mark.parametrize("factors", [(1, 1, 1), (2, 1, 1), (1, 3, 1), (1, 1, 2), (3, 2, 2)])
def test_shrunk_voxels_lie_at_the_centres_of_their_blocks(factors):
    shrunk = shrink(ramp_volume(oblique_affine()), factors)
    assert shrunk.size == (7 // factors[0], 6 // factors[1], 5 // factors[2])
    expected = ramp(grid_points(shrunk.affine, shrunk.array.shape))
    assert shrunk.array == pytest.approx(expected, abs=1e-4)
    assert shrunk.spacing_mm == pytest.approx(SPACING_MM * factors)


def test_shrink_averages_whole_blocks_and_leaves_out_the_rest():
    volume = Volume(np.arange(5, dtype=np.int16).reshape(1, 1, 5), np.eye(4))
    shrunk = shrink(volume, (2, 1, 1))
    assert shrunk.array.tolist() == [[[0.5, 2.5]]]
    assert shrunk.array.dtype == np.float32


def test_shrink_does_not_overflow_small_types():
    volume = Volume(np.full((2, 2, 2), 250, np.uint8), np.eye(4))
    assert shrink(volume, (2, 2, 2)).array.tolist() == [[[250.0]]]


@pytest.mark.parametrize(
    ("spacing_mm", "wanted_mm", "factors"),
    [
        ((0.75, 0.75, 5.0), (4.0, 4.0, 4.0), (5, 5, 1)),
        ((0.5, 0.5, 1.0), (1.0, 2.0, 3.0), (2, 4, 3)),
        ((3.0, 3.0, 3.0), (1.0, 1.0, 1.0), (1, 1, 1)),
        ((0.1, 1.0, 1.0), (100.0, 1.0, 1.0), (7, 1, 1)),
    ],
)
def test_shrink_factors_come_closest_to_the_wanted_spacing(spacing_mm, wanted_mm, factors):
    volume = Volume(np.zeros(SHAPE_KJI), np.diag([*spacing_mm, 1.0]))
    assert shrink_factors(volume, wanted_mm) == factors


def test_bounding_box_is_the_smallest_that_holds_the_mask():
    mask = np.zeros(SHAPE_KJI, bool)
    mask[1, 2, 3] = mask[3, 4, 3] = True
    assert bounding_box(mask) == (slice(1, 4), slice(2, 5), slice(3, 4))


def test_margin_of_a_bounding_box_ends_at_the_borders_of_the_grid():
    mask = np.zeros(SHAPE_KJI, bool)
    mask[1, 2, 3] = True
    assert bounding_box(mask, (2, 1, 9)) == (slice(0, 4), slice(1, 4), slice(0, 7))


def test_cropped_voxels_stay_where_they_are_in_the_world():
    volume = ramp_volume(oblique_affine())
    part = crop(volume, (slice(1, 4), slice(2, 6), slice(3, 5)))
    assert part.array == pytest.approx(ramp(grid_points(part.affine, (3, 4, 2))))


def test_paste_undoes_crop_inside_the_box_and_is_zero_outside():
    volume, box = asymmetric_volume(), (slice(1, 4), slice(2, 6), slice(3, 5))
    pasted = paste(crop(volume, box).array, box, volume)
    inside = np.zeros(SHAPE_KJI, bool)
    inside[box] = True
    assert np.array_equal(pasted.array, np.where(inside, volume.array, 0))
    assert pasted.array.dtype == volume.array.dtype
    assert np.array_equal(pasted.affine, volume.affine)


def test_expanding_what_was_shrunk_puts_each_block_back_in_its_place():
    volume = Volume(np.repeat(np.arange(6.0), 2).reshape(1, 1, 12), np.eye(4))
    blocks = shrink(volume, (2, 1, 1))
    assert np.array_equal(expand(blocks.array, (2, 1, 1), volume).array, volume.array)


def test_what_shrinking_left_out_is_zero_after_expanding():
    volume = Volume(np.ones((1, 1, 7)), np.eye(4))
    expanded = expand(shrink(volume, (3, 1, 1)).array, (3, 1, 1), volume)
    assert expanded.array.ravel().tolist() == [1, 1, 1, 1, 1, 1, 0]
