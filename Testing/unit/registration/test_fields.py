from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import grid_points, pose_matrix

torch = pytest.importorskip("torch")

from ASPECTSLib.geometry import Volume, apply_affine, centred_affine, resample  # noqa: E402
from ASPECTSLib.registration import fields  # noqa: E402

SHAPE = (10, 16, 12)
CPU = "cpu"


def volume(affine=None):
    affine = centred_affine(SHAPE, np.array([2.0, 2.5, 4.0])) if affine is None else affine
    slope = np.array([1.0, -2.0, 0.5])
    return Volume((grid_points(affine, SHAPE) @ slope).astype(np.float32), affine)


def smooth_field(amplitude=0.06):
    points = fields.grid_points(SHAPE, CPU)
    x, y, z = points[0]
    fade = (1 - x**2) * (1 - y**2) * (1 - z**2)
    waves = torch.stack((torch.sin(3 * y), torch.cos(2 * z), torch.sin(2 * x)))
    return (amplitude * fade * waves)[None]


def test_sampling_at_the_grid_points_gives_the_image_back():
    image = fields.to_tensor(volume(), CPU)
    assert torch.allclose(fields.sample(image, fields.grid_points(SHAPE, CPU)), image, atol=1e-4)


def test_sampling_through_a_matrix_agrees_with_the_projects_resampling():
    moving, fixed = volume(), volume(pose_matrix(10.0, 5.0, (3.0, 0.0, 2.0)) @ volume().affine)
    matrix = pose_matrix(-6.0, 4.0, (1.0, 2.0, -3.0))
    to_moving = fields.normalised_from_ras(moving) @ matrix
    to_moving = to_moving @ np.linalg.inv(fields.normalised_from_ras(fixed))
    points = fields.carry(fields.grid_points(SHAPE, CPU), to_moving)
    found = fields.sample(fields.to_tensor(moving, CPU), points)[0, 0].numpy()
    assert found == pytest.approx(resample(moving, fixed, matrix).array, abs=1e-2)


def test_normalised_coordinates_run_between_the_outer_faces():
    grid = volume()
    corners = apply_affine(grid.affine, np.array([[-0.5, -0.5, -0.5], [11.5, 15.5, 9.5]]))
    carried = apply_affine(fields.normalised_from_ras(grid), corners)
    assert carried == pytest.approx(np.array([[-1.0] * 3, [1.0] * 3]))


def test_a_field_and_its_inverse_cancel():
    field = smooth_field()
    points = fields.grid_points(SHAPE, CPU)
    inverse = fields.invert(field)
    for both in (fields.compose(field, inverse, points), fields.compose(inverse, field, points)):
        assert float(both[..., 1:-1, 1:-1, 1:-1].abs().max()) < 0.1 * float(field.abs().max())
        assert float(both.abs().mean()) < 0.01 * float(field.abs().max())


def test_two_shifts_are_composed_to_their_sum():
    first = torch.full((1, 3, *SHAPE), 0.1)
    both = fields.compose(first, 2 * first, fields.grid_points(SHAPE, CPU))
    assert torch.allclose(both, 3 * first)


def test_smoothing_keeps_a_constant_and_narrows_noise():
    matrices = fields.gaussians(SHAPE, (1.0, 2.0, 2.0), CPU)
    constant = torch.full((1, 1, *SHAPE), 5.0)
    assert torch.allclose(fields.smooth(constant, matrices), constant)
    noise = torch.randn((1, 3, *SHAPE), generator=torch.Generator().manual_seed(0))
    assert float(fields.smooth(noise, matrices).std()) < 0.3


def test_no_smoothing_leaves_an_image_as_it_is():
    image = fields.to_tensor(volume(), CPU)
    assert torch.equal(fields.smooth(image, fields.gaussians(SHAPE, (0.0, 0.0, 0.0), CPU)), image)


def test_gradients_are_the_slopes_along_x_y_z():
    k, j, i = np.indices(SHAPE, np.float32)
    image = torch.from_numpy(1.0 * i + 2.0 * j + 3.0 * k)[None, None]
    slopes = fields.gradient(image)[0, :, 1:-1, 1:-1, 1:-1].flatten(1)
    assert torch.allclose(slopes, torch.tensor([[1.0], [2.0], [3.0]]))


def test_displacements_are_turned_to_the_grids_directions():
    grid = volume(pose_matrix(90.0) @ volume().affine)
    field = torch.zeros((1, 3, *SHAPE))
    field[:, 0] = 2.0 / SHAPE[2]  # one voxel of 2 mm along i
    found = fields.displacement_mm(field, grid)[0, 0, 0]
    assert found == pytest.approx(grid.affine[:3, 0], abs=1e-6)
