from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_head_phantoms import phantom_anatomy

from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.geometry import apply_affine
from ASPECTSLib.synthesis import anatomy as anatomy_module
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.placement import Placement, ShapeRange, place, sample

STILL = ShapeRange(
    max_tilt_deg=0.0,
    shift_mm=0.0,
    size_deviation=0.0,
    deformation_mm=0.0,
    ventricle_mm=(0.0, 0.0),
)
POINTS = torch.tensor([[0.0, 0.0, 0.0], [5.0, -3.0, 2.0], [-8.0, 6.0, -4.0]])


@pytest.fixture(scope="module")
def anatomy():
    return phantom_anatomy()


@pytest.fixture(scope="module")
def pushing(anatomy):
    """Return the phantom whose ventricles can widen."""
    return replace(anatomy, ventricle_push=anatomy_module._ventricle_push(anatomy.tissue))


def at_rest(anatomy, matrix=None):
    field = torch.zeros(anatomy.atlas_points.shape)
    return Placement(np.eye(4) if matrix is None else matrix, field, anatomy.affine)


def voxels_of(anatomy, points):
    return apply_affine(np.linalg.inv(anatomy.affine), points.numpy().astype(float))


def test_without_any_change_points_are_where_the_affine_says(anatomy):
    placement = place(anatomy, 60.0, STILL, Draw((1,)))
    np.testing.assert_array_equal(placement.head_from_scan, np.eye(4))
    found = placement.voxels(POINTS)
    np.testing.assert_allclose(found, voxels_of(anatomy, POINTS), atol=1e-4)


def test_a_patient_lies_as_far_off_and_turned_as_the_range_allows(anatomy):
    shape = replace(STILL, max_tilt_deg=20.0, shift_mm=15.0)
    poses = [place(anatomy, 60.0, shape, Draw((n,))).head_from_scan for n in range(60)]
    shifts = np.array([np.linalg.inv(pose)[:3, 3] for pose in poses])
    assert np.abs(shifts).max() <= 15.0
    assert np.abs(shifts).max() > 13.0
    turned = np.array([pose[:3, :3] for pose in poses])
    np.testing.assert_allclose(
        turned @ turned.transpose(0, 2, 1), np.eye(3) + 0 * turned, atol=1e-9
    )
    angles = np.degrees(np.arccos((np.trace(turned, axis1=1, axis2=2) - 1) / 2))
    assert 15.0 < angles.max() < 36.0


def test_large_heads_are_sampled_in_smaller_steps(anatomy):
    poses = [
        place(anatomy, 60.0, replace(STILL, size_deviation=0.04), Draw((n,))).head_from_scan
        for n in range(60)
    ]
    sizes = 1 / np.array([np.diag(pose)[:3] for pose in poses])
    assert sizes.mean() == pytest.approx(1.0, abs=0.02)
    assert 0.03 < np.cbrt(sizes.prod(axis=1)).std() < 0.06


def test_the_deformation_is_smooth_and_of_the_size_asked_for(anatomy):
    nothing = np.zeros((3, 44, 58, 50), np.float32)  # of a real head
    large = replace(anatomy, atlas_points=nothing, ventricle_push=nothing)
    shape = replace(STILL, deformation_mm=3.0)
    fields = [place(large, 60.0, shape, Draw((n,))).displacement_mm for n in range(6)]
    spread = float(torch.stack(fields).square().mean().sqrt())
    assert 0.8 < spread < 4.5
    steps = max(float(field.diff(dim=axis).abs().max()) for field in fields for axis in (1, 2, 3))
    assert steps < 4.0  # over 4 mm: nothing folds


def test_a_step_is_the_difference_of_voxels(anatomy):
    matrix = np.eye(4)
    matrix[:3, :3] = [[0.0, -0.9, 0.0], [1.1, 0.0, 0.0], [0.0, 0.0, 1.0]]
    placement = at_rest(anatomy, matrix)
    vector = np.array([1.0, 2.0, 3.0])
    moved = placement.voxels(POINTS + torch.tensor(vector).float()) - placement.voxels(POINTS)
    np.testing.assert_allclose(moved, placement.step(vector).expand(3, 3), atol=1e-4)


def test_distortion_moves_along_the_anterior_axis_only(anatomy):
    placement = at_rest(anatomy)
    j = torch.arange(anatomy.tissue.shape[1], dtype=torch.float32)
    along_y = (0.1 * j)[None, :, None].expand(anatomy.tissue.shape)
    distorted = placement.displaced(along_y)
    moved = (distorted.voxels(POINTS) - placement.voxels(POINTS)).numpy()
    np.testing.assert_allclose(moved[:, [0, 2]], 0.0, atol=1e-5)
    expected = 0.1 * voxels_of(anatomy, POINTS)[:, 1]
    np.testing.assert_allclose(moved[:, 1], expected, atol=1e-4)
    assert float(placement.displacement_mm.abs().max()) == 0.0  # the first one stays


def test_ventricles_widen_with_age(pushing):
    shape = replace(STILL, ventricle_mm=(-1.5, 4.0))
    ventricle = torch.from_numpy((pushing.tissue == Tissue.VENTRICLE).astype(np.float32))[None]
    grid = torch.from_numpy(np.indices(pushing.tissue.shape)[::-1].copy()).movedim(0, -1)
    points = grid.float() + torch.from_numpy(pushing.affine[:3, 3]).float()

    def volume(age_years, seed):
        placement = place(pushing, age_years, shape, Draw((seed,)))
        return float(sample(ventricle, placement.voxels(points)).sum())

    for seed in range(3):
        assert volume(25.0, seed) < volume(60.0, seed) < volume(90.0, seed)
        assert volume(90.0, seed) == volume(100.0, seed)


def test_the_same_draw_places_the_same(anatomy):
    first, second = (place(anatomy, 60.0, ShapeRange(), Draw((4,))) for _ in range(2))
    np.testing.assert_array_equal(first.head_from_scan, second.head_from_scan)
    assert torch.equal(first.displacement_mm, second.displacement_mm)


def test_the_pose_does_not_depend_on_how_the_shape_varies(anatomy):
    free = place(anatomy, 60.0, ShapeRange(), Draw((4,)))
    stiff = place(anatomy, 30.0, ShapeRange(deformation_mm=0.0), Draw((4,)))
    np.testing.assert_array_equal(free.head_from_scan, stiff.head_from_scan)


def test_samples_between_voxels_are_linear_and_nothing_lies_outside():
    k, j, i = torch.meshgrid(
        *[torch.arange(n, dtype=torch.float32) for n in (4, 5, 6)], indexing="ij"
    )
    volumes = torch.stack((i, j + 10 * k))
    at = torch.tensor([[[1.25, 2.5, 0.75], [5.0, 4.0, 3.0]], [[-1.0, 0, 0], [2.0, 1.0, 3.9]]])
    found = sample(volumes, at)
    assert found.shape == (2, 2, 2)
    np.testing.assert_allclose(found[0, 0], [1.25, 5.0], atol=1e-5)
    np.testing.assert_allclose(found[1, 0], [10.0, 34.0], atol=1e-4)
    assert float(found[0, 1, 0]) == 0.0
    border = sample(volumes, at, border=True)
    np.testing.assert_allclose(border[:, 1, 0], [0.0, 0.0])
    np.testing.assert_allclose(border[:, 1, 1], [2.0, 31.0], atol=1e-4)


def test_labels_are_sampled_without_mixing():
    labels = torch.tensor([0.0, 7.0, 20.0]).expand(1, 2, 2, 3)
    at = torch.tensor([[0.4, 0.0, 0.0], [0.6, 1.0, 0.4], [1.9, 0.0, 1.0]])
    assert sample(labels, at, nearest=True).tolist() == [[0.0, 7.0, 20.0]]
