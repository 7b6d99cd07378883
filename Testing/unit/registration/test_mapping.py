from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import ellipsoid, grid_points, pose_matrix

from ASPECTSLib.geometry import Volume, apply_affine, centred_affine
from ASPECTSLib.registration.mapping import (
    Mapping,
    affine_from_sitk,
    affine_to_sitk,
    displacement_from_sitk,
    invert_mapping,
    points_in_atlas,
    warp,
    warp_labels,
)

SHAPE = (20, 24, 28)
SPACING_MM = np.array([3.0, 3.0, 4.0])
SHIFT_RAS = (9.0, -6.0, 8.0)
IDENTITY = np.eye(4)


def grid():
    return Volume(np.zeros(SHAPE, np.float32), centred_affine(SHAPE, SPACING_MM))


def general_affine():
    matrix = pose_matrix(yaw_deg=12.0, roll_deg=-7.0, shift_mm=(4.0, -9.0, 13.0), pitch_deg=20.0)
    stretch = np.diag([1.1, 0.9, 1.05, 1.0])
    stretch[0, 1] = 0.08
    return matrix @ stretch


def blob(centre_ras):
    volume = grid()
    points = grid_points(volume.affine, SHAPE)
    values = np.exp(-((points - np.array(centre_ras)) ** 2).sum(axis=-1) / 80.0)
    return volume.with_array(values.astype(np.float32))


def centre_of(volume):
    weights = volume.array[..., np.newaxis]
    points = grid_points(volume.affine, volume.array.shape)
    return (weights * points).sum(axis=(0, 1, 2)) / weights.sum()


def translation(shift_ras):
    matrix = np.eye(4)
    matrix[:3, 3] = shift_ras
    return matrix


def constant_displacement(shift_ras, matrix=IDENTITY):
    return Mapping(matrix, np.broadcast_to(np.array(shift_ras), (*SHAPE, 3)).copy(), grid())


def two_boxes():
    """Return label 3 on the right and label 14 on the left of a gap, in an atlas of 1 mm."""
    shape = (60, 60, 60)
    affine = centred_affine(shape, np.ones(3))
    x, y, z = np.moveaxis(grid_points(affine, shape), -1, 0)
    box = (np.abs(y) < 20) & (np.abs(z) < 20) & (np.abs(x) > 6) & (np.abs(x) < 26)
    return Volume(np.where(box, np.where(x > 0, 3, 14), 0).astype(np.uint8), affine)


def whole_mask():
    return grid().with_array(np.ones(SHAPE, bool))


def test_affines_go_to_simpleitk_and_back():
    assert affine_from_sitk(affine_to_sitk(general_affine())) == pytest.approx(general_affine())


def test_simpleitk_carries_lps_points_as_the_matrix_carries_ras_points():
    transform = affine_to_sitk(general_affine())
    point_ras = np.array([10.0, -20.0, 30.0])
    carried_lps = np.array(transform.TransformPoint((point_ras * (-1, -1, 1)).tolist()))
    assert carried_lps * (-1, -1, 1) == pytest.approx(apply_affine(general_affine(), point_ras))


def test_the_centre_of_a_simpleitk_transform_is_taken_into_account():
    transform = affine_to_sitk(general_affine())
    before = transform.TransformPoint((5.0, 6.0, 7.0))
    transform.SetCenter((30.0, -20.0, 10.0))
    assert transform.TransformPoint((5.0, 6.0, 7.0)) != pytest.approx(before)
    carried = apply_affine(affine_from_sitk(transform), np.array([-5.0, -6.0, 7.0]))
    assert carried * (-1, -1, 1) == pytest.approx(transform.TransformPoint((5.0, 6.0, 7.0)))


def test_displacements_come_back_from_simpleitk_in_ras():
    displacement = np.random.default_rng(0).normal(size=(4, 5, 6, 3))
    like = Volume(np.zeros((4, 5, 6)), centred_affine((4, 5, 6), SPACING_MM))
    composite = Mapping(IDENTITY, displacement, like).to_sitk()
    field = composite.GetNthTransform(1).Downcast().GetDisplacementField()
    assert displacement_from_sitk(field) == pytest.approx(displacement)


@pytest.mark.parametrize(
    "mapping",
    [Mapping(translation(SHIFT_RAS)), constant_displacement(SHIFT_RAS)],
    ids=["matrix", "displacement"],
)
def test_what_lies_at_p_plus_shift_in_the_atlas_appears_at_p_in_the_scan(mapping):
    warped = warp(blob((4.0, 3.0, -2.0)), mapping, grid())
    assert centre_of(warped) == pytest.approx(np.array([4.0, 3.0, -2.0]) - SHIFT_RAS, abs=0.1)


def test_the_displacement_comes_before_the_matrix():
    matrix = np.diag([0.5, 1.0, 1.0, 1.0])
    warped = warp(blob((5.0, 0.0, 0.0)), constant_displacement((4.0, 0.0, 0.0), matrix), grid())
    assert centre_of(warped)[0] == pytest.approx(10.0 - 4.0, abs=0.2)


def test_a_displacement_that_varies_moves_each_place_by_its_own():
    points = grid_points(grid().affine, SHAPE)
    outwards = np.where(points[..., :1] > 0, [6.0, 0.0, 0.0], [-6.0, 0.0, 0.0])
    atlas = grid().with_array(blob((24.0, 0.0, 0.0)).array + blob((-24.0, 0.0, 0.0)).array)
    warped = warp(atlas, Mapping(IDENTITY, outwards, grid()), grid())
    half = SHAPE[2] // 2
    right = Volume(np.where(points[..., 0] > 0, warped.array, 0.0), warped.affine)
    assert centre_of(right)[0] == pytest.approx(18.0, abs=0.2)
    assert warped.array[..., :half][..., ::-1] == pytest.approx(warped.array[..., half:], abs=1e-4)


def test_nothing_is_displaced_outside_the_field():
    small = Volume(np.zeros((4, 4, 4), np.float32), centred_affine((4, 4, 4), SPACING_MM))
    mapping = Mapping(IDENTITY, np.full((4, 4, 4, 3), 9.0), small)
    atlas = blob((27.0, 21.0, 20.0))
    warped = warp(atlas, mapping, grid()).array
    far = np.abs(grid_points(grid().affine, SHAPE)[..., 0]) > 12.0
    assert warped[far] == pytest.approx(atlas.array[far], abs=1e-5)


def test_warping_between_oblique_grids_agrees_with_the_known_affine():
    oblique = Volume(
        np.zeros((8, 9, 10), np.float32), pose_matrix(20.0, 10.0) @ np.diag([2, 2.5, 3, 1.0])
    )
    atlas = grid()
    slope = np.array([2.0, -3.0, 0.5])
    atlas = atlas.with_array((grid_points(atlas.affine, SHAPE) @ slope).astype(np.float32))
    matrix = translation((-12.0, -8.0, -5.0))
    expected = apply_affine(matrix, grid_points(oblique.affine, (8, 9, 10))) @ slope
    assert warp(atlas, Mapping(matrix), oblique).array == pytest.approx(expected, abs=1e-3)


def test_warp_fills_what_lies_outside_the_atlas():
    warped = warp(blob((0.0, 0.0, 0.0)), Mapping(translation((500.0, 0.0, 0.0))), grid(), fill=-7.0)
    assert (warped.array == -7.0).all()


@pytest.mark.parametrize(
    "mapping",
    [Mapping(translation(SHIFT_RAS)), constant_displacement(SHIFT_RAS)],
    ids=["matrix", "displacement"],
)
def test_labels_arrive_where_the_mapping_puts_them(mapping):
    labels = two_boxes()
    warped = warp_labels(labels, mapping, whole_mask())
    points = grid_points(warped.affine, SHAPE) + SHIFT_RAS
    x, y, z = np.moveaxis(points, -1, 0)
    # Voxels within 3 mm of a border may go either way.
    inside = (np.abs(y) < 17) & (np.abs(z) < 17) & (np.abs(x) > 9) & (np.abs(x) < 23)
    outside = (np.abs(y) > 23) | (np.abs(z) > 23) | (np.abs(x) < 3) | (np.abs(x) > 29)
    assert (warped.array[inside & (x > 0)] == 3).all()
    assert (warped.array[inside & (x < 0)] == 14).all()
    assert (warped.array[outside] == 0).all()
    assert inside.sum() > 100


def test_warped_labels_are_never_between_two_labels():
    mapping = Mapping(pose_matrix(yaw_deg=11.0, roll_deg=5.0))
    warped = warp_labels(two_boxes(), mapping, whole_mask())
    assert warped.array.dtype == np.uint8
    assert set(np.unique(warped.array)) == {0, 3, 14}


def test_labels_stay_within_the_mask():
    points = grid_points(grid().affine, SHAPE)
    mask = grid().with_array(ellipsoid(points, (18.0, 15.0, 12.0), (6.0, 0.0, 4.0)))
    warped = warp_labels(two_boxes(), Mapping(IDENTITY), mask)
    assert (warped.array[~mask.array] == 0).all()
    unmasked = warp_labels(two_boxes(), Mapping(IDENTITY), whole_mask())
    assert np.array_equal(warped.array, np.where(mask.array, unmasked.array, 0))
    assert warped.array.shape == SHAPE
    assert np.array_equal(warped.affine, mask.affine)


def test_mirrored_labels_are_warped_to_the_mirror_image():
    labels = two_boxes()
    warped = warp_labels(labels, Mapping(translation((0.0, 4.0, 3.0))), whole_mask()).array
    mirror = labels.with_array(np.ascontiguousarray(labels.array[..., ::-1]))
    mirrored = warp_labels(mirror, Mapping(translation((0.0, 4.0, 3.0))), whole_mask()).array
    assert np.array_equal(mirrored, warped[..., ::-1])


def test_the_inverse_of_an_affine_mapping_is_that_of_its_matrix():
    inverse = invert_mapping(Mapping(general_affine()), grid())
    assert inverse.displacement_mm is None
    assert inverse.matrix @ general_affine() == pytest.approx(np.eye(4))


@pytest.mark.parametrize("matrix", [np.eye(4), general_affine()], ids=["identity", "general"])
def test_an_image_that_is_warped_there_and_back_is_as_before(matrix):
    points = grid_points(grid().affine, SHAPE)
    fade = np.exp(-(points**2).sum(axis=-1, keepdims=True) / 600.0)
    mapping = Mapping(matrix, fade * np.array([3.0, -2.0, 2.5]), grid())
    atlas = Volume(np.zeros((60, 60, 60), np.float32), centred_affine((60, 60, 60), np.full(3, 2)))
    slope = np.array([2.0, -3.0, 0.5])
    scan = grid().with_array((points @ slope).astype(np.float32))
    there = warp(scan, invert_mapping(mapping, atlas), atlas)
    back = warp(there, mapping, grid()).array
    inner = (slice(6, -6),) * 3
    assert back[inner] == pytest.approx(scan.array[inner], abs=1.0)


def test_the_inverse_of_a_mirrored_mapping_is_the_mirrored_inverse():
    points = grid_points(grid().affine, SHAPE)
    fade = np.exp(-(points**2).sum(axis=-1, keepdims=True) / 600.0)
    field = fade * np.array([3.0, -2.0, 2.5])
    mirror = np.array([-1.0, 1.0, 1.0])
    found = invert_mapping(Mapping(IDENTITY, field, grid()), grid()).displacement_mm
    mirrored = invert_mapping(Mapping(IDENTITY, field[:, :, ::-1] * mirror, grid()), grid())
    assert mirrored.displacement_mm[:, :, ::-1] * mirror == pytest.approx(found, abs=1e-9)


def waves():
    """Return a mapping whose displacement differs from place to place, and ends within the grid."""
    x, y, z = np.moveaxis(grid_points(grid().affine, SHAPE), -1, 0)
    field_mm = np.stack((4 * np.sin(y / 15), 5 * np.cos(x / 12), 3 * np.sin(z / 20)), axis=-1)
    return Mapping(general_affine(), field_mm, grid())


@pytest.mark.parametrize("mapping", [Mapping(general_affine()), waves()])
def test_points_are_carried_as_simpleitk_carries_them(mapping):
    turned = pose_matrix(yaw_deg=-20.0, roll_deg=5.0, shift_mm=(3.0, 2.0, -5.0), pitch_deg=8.0)
    like = Volume(np.zeros((4, 5, 6)), turned @ np.diag([5.0, 4.0, 6.0, 1.0]))
    transform = mapping.to_sitk()
    flipped = np.array([-1.0, -1.0, 1.0])
    expected = [
        np.array(transform.TransformPoint((point * flipped).tolist())) * flipped
        for point in grid_points(like.affine, like.array.shape).reshape(-1, 3)
    ]
    found = points_in_atlas(mapping, like)
    np.testing.assert_allclose(found.reshape(-1, 3), expected, atol=1e-6)


def test_points_beyond_the_field_are_carried_by_the_matrix_alone():
    far = Volume(np.zeros((2, 2, 2)), translation((500.0, 0.0, 0.0)))
    expected = apply_affine(general_affine(), grid_points(far.affine, far.array.shape))
    np.testing.assert_allclose(points_in_atlas(waves(), far), expected)
