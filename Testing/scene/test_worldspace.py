"""Volumes under transforms are brought to world space, with all of the head and nothing mixed up."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from axis_orders import AXIS_ORDERS, reordered
from scene_phantoms import noise

pytest.importorskip("slicer", reason="needs the package slicer-core")

from transform_phantoms import (
    HEAD_SHAPE,
    TILT,
    add_acquisition_transform,
    add_crumple,
    add_linear_transform,
    add_warp,
    head,
    rigid_matrix,
    smooth,
    tilted,
    tissue_centre,
    tissue_ml,
    tissue_points,
)

from ASPECTSLib.geometry import Volume, apply_affine, canonicalize, resample
from ASPECTSSlicer.grids import readVolume
from ASPECTSSlicer.worldspace import worldGrid, worldVolume


def test_linear_transform_moves_the_grid_and_no_voxel(scene, add_volume):
    node, matrix = add_volume(scene, noise()), rigid_matrix()
    add_linear_transform(scene, node, matrix)
    scan = worldVolume(node)
    assert np.shares_memory(scan.array, readVolume(node).array)
    np.testing.assert_allclose(scan.affine, matrix @ noise().affine, rtol=0, atol=1e-9)


def test_transforms_in_a_chain_are_all_applied(scene, add_volume):
    node, inner, outer = add_volume(scene, noise()), rigid_matrix(), np.diag([-1.0, 1.0, 1.0, 1.0])
    inner_node = add_linear_transform(scene, node, inner)
    add_linear_transform(scene, inner_node, outer)
    scan = worldVolume(node)
    np.testing.assert_array_equal(scan.array, noise().array)
    np.testing.assert_allclose(scan.affine, outer @ inner @ noise().affine, rtol=0, atol=1e-9)


def test_sheared_scan_is_resampled_at_right_angles(scene, add_volume):
    shear = np.eye(4)
    shear[1, 2] = 0.3
    node = add_volume(scene, head())
    add_linear_transform(scene, node, shear)
    scan = worldVolume(node)
    axes = scan.affine[:3, :3] / scan.spacing_mm
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    expected = shear @ [*tissue_centre(head()), 1]
    np.testing.assert_allclose(tissue_centre(scan), expected[:3], atol=0.1)
    assert tissue_ml(scan) == pytest.approx(tissue_ml(head()), rel=0.02)


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS[::7])
def test_tilted_gantry_is_straightened_in_any_order_of_axes(scene, add_volume, order, flips):
    """The acquisition transform of Slicer's DICOM reader: each slice moved, the grid left upright."""
    node = add_volume(scene, reordered(head(), order, flips))
    add_acquisition_transform(scene, node, slice_axis=2 - order.index(0))
    scan = worldVolume(node)
    straight = canonicalize(scan).volume
    assert straight.spacing_mm[2] == pytest.approx(5.0 * np.cos(TILT), abs=1e-5)
    assert straight.array.shape[0] == HEAD_SHAPE[0]  # no slice is lost, none is added
    np.testing.assert_allclose(tissue_centre(scan), tilted(tissue_centre(head())), atol=0.1)
    assert tissue_ml(scan) == pytest.approx(tissue_ml(head()) * np.cos(TILT), rel=0.02)


def test_straightened_slices_are_not_mixed(scene, add_volume):
    """Slices of one value each come out with that value where they show the head."""
    values = np.arange(HEAD_SHAPE[0], dtype=np.int16)[:, None, None] * 10 + 100
    volume = Volume(np.broadcast_to(values, HEAD_SHAPE).copy(), head().affine)
    node = add_volume(scene, volume)
    add_acquisition_transform(scene, node, slice_axis=2)
    scan = worldVolume(node)
    for index, image in enumerate(scan.array):
        covered = image[image > 90]  # 100 where it is not covered at all
        assert set(np.unique(covered)) <= {100, values[index, 0, 0]}


def test_resampling_agrees_with_slicers_hardening(scene, add_volume):
    node = add_volume(scene, smooth())
    add_acquisition_transform(scene, node, slice_axis=2)
    ours = worldVolume(node)
    node.HardenTransform()
    theirs = resample(readVolume(node), ours).array
    inside = np.s_[3:-3, 18:32, 3:-3]  # away from the borders, where Slicer mixes in its filling
    np.testing.assert_allclose(ours.array[inside], theirs[inside], atol=10.0)
    assert np.ptp(ours.array[inside]) > 500


def test_warped_scan_shows_everything_where_the_warp_puts_it(scene, add_volume):
    node = add_volume(scene, head())
    move = add_warp(scene, node)
    scan = worldVolume(node)
    moved = move(tissue_points(head()))
    found = tissue_points(scan)
    tolerance = (2.0, 2.0, 2.5)  # half a voxel
    assert np.all(np.abs(found.min(axis=0) - moved.min(axis=0)) < tolerance)
    assert np.all(np.abs(found.max(axis=0) - moved.max(axis=0)) < tolerance)
    np.testing.assert_allclose(found.mean(axis=0), moved.mean(axis=0), atol=0.5)


def test_what_the_scan_does_not_cover_is_air(scene, add_volume):
    node = add_volume(scene, Volume(np.full(HEAD_SHAPE, -3024, np.int16), head().affine))
    add_acquisition_transform(scene, node, slice_axis=2)
    assert worldVolume(node).array.max() == -1000


def test_what_a_volume_without_air_does_not_cover_has_its_lowest_value(scene, add_volume):
    voxels = np.full(HEAD_SHAPE, 30, np.int16)
    voxels[8, 20, 18] = 7
    node = add_volume(scene, Volume(voxels, head().affine))
    add_acquisition_transform(scene, node, slice_axis=2)
    assert worldVolume(node).array[-1, -1, 18] in {7, 30}
    assert worldVolume(node).array.min() == 7


def test_transform_that_crumples_the_scan_is_refused(scene, add_volume):
    node = add_volume(scene, head())
    add_crumple(scene, node)
    with pytest.raises(OSError, match="transform with an inverse over the volume"):
        worldVolume(node)


def test_transform_that_flattens_the_scan_is_refused(scene, add_volume):
    node = add_volume(scene, head())
    add_linear_transform(scene, node, np.diag([1.0, 1.0, 0.0, 1.0]))
    with pytest.raises(OSError, match="transform with an inverse over the volume"):
        worldVolume(node)


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS[::7])
@pytest.mark.parametrize("tilt_rad", [TILT, -TILT])
def test_grid_holds_every_voxel_and_its_axes_run_as_those_of_the_scan(
    scene, add_volume, order, flips, tilt_rad
):
    node = add_volume(scene, reordered(head(), order, flips))
    own = readVolume(node)
    add_acquisition_transform(scene, node, 2 - order.index(0), tilt_rad)
    grid = worldGrid(node)
    corners = np.array(list(itertools.product(*((0, count - 1) for count in own.size))))
    moved = [tilted(corner, tilt_rad) for corner in apply_affine(own.affine, corners)]
    voxels = apply_affine(np.linalg.inv(grid.affine), np.array(moved))
    assert np.all(voxels > -0.51)
    assert np.all(voxels < np.array(grid.size) - 0.49)
    assert np.all((grid.affine[:3, :3] * own.affine[:3, :3]).sum(axis=0) > 0)


@pytest.mark.parametrize("transform", ["none", "linear", "tilt", "warp"])
def test_grid_is_that_of_the_volume_in_world_space(scene, add_volume, transform):
    node = add_volume(scene, head())
    if transform == "linear":
        add_linear_transform(scene, node, rigid_matrix())
    if transform == "tilt":
        add_acquisition_transform(scene, node, slice_axis=2)
    if transform == "warp":
        add_warp(scene, node)
    grid, volume = worldGrid(node), worldVolume(node)
    assert tuple(grid.size) == volume.size
    np.testing.assert_array_equal(grid.affine, volume.affine)


def test_volume_without_voxels_has_no_grid(scene):
    with pytest.raises(OSError, match="volume with voxels, got none"):
        worldGrid(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))
