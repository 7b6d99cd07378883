from __future__ import annotations

import numpy as np
import pytest
from axis_orders import AXIS_ORDERS, reordered
from head_phantoms import ellipsoid, grid_points, pose_matrix

from ASPECTSLib.geometry import Volume, apply_affine, canonicalize, centred_affine, resample
from ASPECTSLib.preprocessing.frames import (
    in_order,
    mask_on,
    sample,
    symmetric_grid,
    world_from_image,
    world_grid,
)
from ASPECTSLib.preprocessing.midplane import Midplane

SHAPE = (9, 12, 14)


@pytest.fixture
def oblique():
    """Return a volume whose axes are turned against those of the world."""
    affine = pose_matrix(12.0, -7.0, (5.0, -3.0, 8.0)) @ centred_affine(
        SHAPE, np.array([2, 3, 5.0])
    )
    values = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    return Volume(values, affine)


def ball(affine, shape, radius=20.0, centre=(0.0, 0.0, 0.0)):
    inside = ellipsoid(grid_points(affine, shape), (radius,) * 3, centre)
    return Volume(inside, affine)


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS[::7])
def test_voxels_stay_where_they_are_in_the_world_in_whatever_order(oblique, order, flips):
    given = reordered(oblique, order, flips)
    again = in_order(given)
    np.testing.assert_array_equal(again.array, in_order(oblique).array)
    np.testing.assert_allclose(again.affine, in_order(oblique).affine, atol=1e-9)
    points = apply_affine(again.affine, np.array([[0.0, 0, 0], [13, 11, 8], [3, 4, 5]]))
    for point, index in zip(points, ((0, 0, 0), (8, 11, 13), (5, 4, 3)), strict=True):
        i, j, k = np.rint(apply_affine(np.linalg.inv(given.affine), point)).astype(int)
        assert given.array[k, j, i] == again.array[index]


def test_the_image_frame_is_carried_to_the_world(oblique):
    canonical = canonicalize(reordered(oblique, (1, 2, 0), (True, False, True)))
    index = np.array([4.0, 3.0, 2.0])
    in_frame = apply_affine(canonical.volume.affine, index)
    in_world = apply_affine(world_from_image(canonical), in_frame)
    np.testing.assert_allclose(in_world, apply_affine(world_grid(canonical).affine, index))
    assert np.linalg.det(world_from_image(canonical)[:3, :3]) == pytest.approx(1.0)


def test_the_symmetric_grid_is_its_own_mirror_image_and_holds_the_brain():
    mask = ball(centred_affine((30, 40, 36), np.array([2.0, 2.0, 3.0])), (30, 40, 36), 30.0)
    normal = np.array([1.0, 0.1, -0.05])
    plane = Midplane(normal / np.linalg.norm(normal), 3.0, 1.0)
    grid, image_from_grid = symmetric_grid(mask, plane.pose, 2.0)
    columns = grid.affine[0, 3] + grid.affine[0, 0] * np.arange(grid.size[0])
    np.testing.assert_allclose(columns, -columns[::-1], atol=1e-12)
    inside = resample(mask, grid, image_from_grid).array > 0.5
    assert inside.sum() * 8.0 == pytest.approx(mask.array.sum() * 12.0, rel=0.05)
    # Opposite points of the grid are mirror images of each other in the image frame.
    point = np.array([11.0, 4.0, -6.0])
    opposite = apply_affine(image_from_grid, point * (-1.0, 1.0, 1.0))
    np.testing.assert_allclose(
        apply_affine(plane.reflection, apply_affine(image_from_grid, point)), opposite
    )


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (4.0, 4.0, 4.0)])
def test_a_mask_keeps_its_volume_and_place_on_another_grid(spacing_mm):
    mask = ball(centred_affine((50, 50, 50), np.full(3, 1.0)), (50, 50, 50), 15.0, (3.0, -4.0, 2.0))
    shape = tuple(int(60 / mm) for mm in reversed(spacing_mm))
    affine = pose_matrix(20.0, 5.0) @ centred_affine(shape, np.array(spacing_mm))
    like = Volume(np.zeros(shape, np.uint8), affine)
    found = like.with_array(mask_on(mask, like))
    assert found.array.sum() * like.voxel_volume_ml == pytest.approx(14.137, rel=0.05)
    middle = apply_affine(affine, np.argwhere(found.array)[:, ::-1].mean(axis=0))
    np.testing.assert_allclose(middle, (3.0, -4.0, 2.0), atol=0.3)


def test_a_mask_on_its_own_grid_is_left_as_it_is(oblique):
    mask = oblique.with_array(oblique.array > 0.5)
    np.testing.assert_array_equal(mask_on(mask, oblique), mask.array)


def test_a_mask_that_is_empty_or_elsewhere_marks_nothing(oblique):
    empty = oblique.with_array(np.zeros(SHAPE, bool))
    assert not mask_on(empty, oblique).any()
    far = oblique.affine.copy()
    far[:3, 3] += 500.0
    assert not mask_on(Volume(np.ones(SHAPE, bool), far), oblique).any()


def test_sampling_on_a_coarser_grid_averages_noise_and_keeps_the_mean():
    shape = (20, 80, 80)
    rng = np.random.default_rng(0)
    noisy = Volume(10.0 + rng.normal(size=shape), centred_affine(shape, np.array([0.5, 0.5, 5.0])))
    grid = Volume(np.zeros((40, 16, 16), np.uint8), centred_affine((40, 16, 16), np.full(3, 2.0)))
    sampled = sample(noisy, grid, np.eye(4))
    assert sampled.mean() == pytest.approx(10.0, abs=0.02)
    assert sampled.std() < 0.3
