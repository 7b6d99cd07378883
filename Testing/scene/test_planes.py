"""The plane of a slice view runs through the voxels of one slice, right on the left, front on top."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs the package slicer-core")

from axis_orders import AXIS_ORDERS
from view_fixtures import (
    GANGLIONIC,
    SIZE_IJK,
    SPACING_MM,
    add_transform,
    add_volume,
    phantom,
    reordered_phantom,
    scene_with_layout,
    tilted,
)

from ASPECTSLib.geometry import apply_affine
from ASPECTSSlicer.planes import SliceGrid, boundsOf, sliceGridOf


def grid_of(volume, axis):
    return SliceGrid(volume.affine, volume.size, axis)


def centres_of_slice(grid, index):
    spans = [np.arange(n) for n in grid.size]
    spans[grid.axis] = [index]
    voxels = np.stack(np.meshgrid(*spans, indexing="ij"), axis=-1).reshape(-1, 3)
    return apply_affine(grid.affine, voxels)


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS)
def test_every_axis_order_is_seen_alike(order, flips):
    volume, key_slices = reordered_phantom(order, flips)
    plane = grid_of(volume, key_slices.axis).plane(key_slices.ganglionic)
    expected = grid_of(phantom(), 2).plane(GANGLIONIC)
    np.testing.assert_allclose(plane, expected, atol=1e-9)


def test_right_is_on_the_left_and_front_on_top():
    plane = grid_of(phantom(), 2).plane(GANGLIONIC)
    np.testing.assert_allclose(plane[:3, :3], np.diag([-1.0, 1.0, 1.0]))


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS)
def test_plane_of_a_tilted_scan_runs_through_the_voxels_of_one_slice(order, flips):
    volume, key_slices = reordered_phantom(order, flips)
    grid = grid_of(tilted(volume), key_slices.axis)
    plane = grid.plane(key_slices.ganglionic)
    heights = apply_affine(np.linalg.inv(plane), centres_of_slice(grid, key_slices.ganglionic))[
        :, 2
    ]
    np.testing.assert_allclose(heights, 0.0, atol=1e-9)
    assert plane[0, 0] < 0 < plane[1, 1]


@pytest.mark.parametrize("column", [0, 2])
def test_plane_of_a_sheared_grid_has_perpendicular_axes_and_runs_through_its_voxels(column):
    volume = phantom()
    volume.affine[1, column] = 2.0  # rows that lean; slices that do, as by a tilted gantry
    grid = grid_of(volume, 2)
    axes = grid.plane(3)[:3, :3]
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    heights = apply_affine(np.linalg.inv(grid.plane(3)), centres_of_slice(grid, 3))[:, 2]
    np.testing.assert_allclose(heights, 0.0, atol=1e-9)
    assert grid.spacingMm == pytest.approx(SPACING_MM[2])


def test_point_is_in_the_slice_that_it_is_nearest_to():
    grid = grid_of(tilted(phantom()), 2)
    for index in (-2, 0, 5, SIZE_IJK[2] + 1):
        plane = grid.plane(index)
        assert grid.sliceAt(plane[:3, 3] + 0.4 * SPACING_MM[2] * plane[:3, 2]) == index
        assert grid.sliceAt(plane[:3, 3] + 0.6 * SPACING_MM[2] * plane[:3, 2]) == index + 1


@pytest.mark.parametrize(("flip", "step"), [(False, 1), (True, -1)])
def test_index_grows_to_the_head_or_to_the_feet(flip, step):
    volume, key_slices = reordered_phantom((0, 1, 2), (flip, False, False))
    assert grid_of(volume, key_slices.axis).indexStepToHead == step


def test_view_from_aside_is_not_parallel():
    grid = grid_of(phantom(), 2)
    turned = grid.plane(0)[:, [0, 2, 1, 3]]
    assert grid.isParallelTo(grid.plane(7))
    assert not grid.isParallelTo(turned)


def test_grid_of_a_volume_heeds_its_transform():
    scene, _ = scene_with_layout()
    node = add_volume(scene, phantom())
    matrix = add_transform(scene, node)
    np.testing.assert_allclose(sliceGridOf(node).affine, matrix @ phantom().affine, atol=1e-9)


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS[::7])
def test_slices_are_counted_along_the_axis_to_the_head(order, flips):
    scene, _ = scene_with_layout()
    volume, key_slices = reordered_phantom(order, flips)
    assert sliceGridOf(add_volume(scene, tilted(volume))).axis == key_slices.axis


def test_bounds_reach_from_edge_to_edge_of_the_voxels_of_a_mask():
    volume = phantom()
    mask = np.zeros(volume.array.shape, np.uint8)
    mask[3, 10:12, 20] = 7
    low = apply_affine(volume.affine, np.array([19.5, 9.5, 2.5]))
    high = apply_affine(volume.affine, np.array([20.5, 11.5, 3.5]))
    expected = np.stack([low, high], axis=1).ravel()
    np.testing.assert_allclose(boundsOf(mask, grid_of(volume, 2)), expected)


def test_bounds_of_nothing_are_the_wrong_way_round():
    volume = phantom()
    bounds = boundsOf(np.zeros(volume.array.shape, np.uint8), grid_of(volume, 2))
    assert all(low > high for low, high in zip(bounds[::2], bounds[1::2], strict=True))
