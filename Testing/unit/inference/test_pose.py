from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import mirrored, pose_matrix

from ASPECTSLib.atlas.regions import REGIONS, swap_sides
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.inference.inputs import label_centres, region_grid
from ASPECTSLib.inference.pose import RegisteredAtlas
from ASPECTSLib.registration.mapping import Mapping, warp

POSE = pose_matrix(yaw_deg=9.0, roll_deg=-6.0, shift_mm=(5.0, 8.0, -7.0), pitch_deg=4.0)
COUNT = len(REGIONS)


@pytest.fixture(scope="module")
def registered(atlas):
    return RegisteredAtlas.in_pose(atlas.regions, POSE)


@pytest.fixture(scope="module")
def grid():
    return region_grid(POSE)


@pytest.fixture(scope="module")
def shares(registered, grid):
    return registered.shares_on(grid)


def test_shares_add_up_to_one(shares, grid):
    assert (shares.shape, shares.dtype) == ((COUNT + 1, *grid.array.shape), np.float32)
    np.testing.assert_allclose(shares.sum(axis=0), 1.0)


def test_a_region_keeps_its_volume_and_its_centre(shares, grid, atlas):
    centres_mm, volumes_ml = label_centres(atlas.regions, COUNT)
    expected_mm = centres_mm @ POSE[:3, :3].T + POSE[:3, 3]
    found_ml = shares[1:].sum(axis=(1, 2, 3)) * grid.voxel_volume_ml
    np.testing.assert_allclose(found_ml, volumes_ml, rtol=0.03)
    k, j, i = np.indices(grid.array.shape)
    for label, region_mm in enumerate(expected_mm, start=1):
        share = shares[label]
        middle = [float((share * axis).sum() / share.sum()) for axis in (i, j, k)]
        found_mm = grid.affine[:3, :3] @ middle + grid.affine[:3, 3]
        np.testing.assert_allclose(found_mm, region_mm, atol=0.3)


def test_shares_are_of_the_labels_around_each_voxel(shares, registered, grid):
    labels = warp(registered.regions, registered.mapping, grid, labels=True).array
    sure = shares.max(axis=0) == 1.0
    assert sure.mean() > 0.8
    assert (shares.argmax(axis=0)[sure] == labels[sure]).mean() > 0.999


def test_a_deformed_atlas_has_deformed_shares(registered, grid, shares):
    shift_mm = (0.0, 6.0, 0.0)
    wide = Volume(np.zeros((60, 60, 60), np.uint8), centred_affine((60, 60, 60), np.full(3, 5.0)))
    field_mm = np.broadcast_to(np.array(shift_mm), (60, 60, 60, 3))
    bent = RegisteredAtlas(registered.regions, Mapping(registered.mapping.matrix, field_mm, wide))
    behind = Volume(grid.array, pose_matrix(shift_mm=shift_mm) @ grid.affine)
    np.testing.assert_allclose(bent.shares_on(behind), shares, atol=0.13)


def test_beyond_the_atlas_there_is_background(registered):
    far = Volume(np.zeros((2, 3, 4), np.uint8), pose_matrix(shift_mm=(900.0, 0.0, 0.0)))
    shares = registered.shares_on(far)
    np.testing.assert_array_equal(shares[0], 1.0)


def test_the_mirrored_atlas_has_mirrored_shares(atlas, grid, shares):
    other = mirrored(atlas.regions)
    other = other.with_array(swap_sides(other.array))
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    there = RegisteredAtlas.in_pose(other, flip @ POSE @ flip)
    on_mirrored = Volume(grid.array, flip @ grid.affine)
    expected = shares[swap_sides(np.arange(COUNT + 1, dtype=np.uint8))]
    difference = np.abs(there.shares_on(on_mirrored) - expected)
    assert difference.mean() < 1e-3
