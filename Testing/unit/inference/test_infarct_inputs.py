from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import ellipsoid, grid_points, pose_matrix

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, centred_affine, resample
from ASPECTSLib.inference.infarct_inputs import (
    INFARCT_CHANNELS,
    INFARCT_SHAPE,
    INFARCT_SPACING_MM,
    LARGEST_SHAPE,
    Typical,
    infarct_channels,
    infarct_grid,
    infarct_grid_of,
    typical_of,
)
from ASPECTSLib.training.infarct_view import WHOLE_SHAPE

SHAPE, SPACING_MM = (34, 70, 60), np.array([3.0, 3.0, 5.0])
AXES_MM = np.array([60.0, 75.0, 55.0])
MIDDLE_MM = np.array([6.0, -5.0, 2.0])
ATLAS_MIDDLE_MM = np.array([0.0, -18.0, 3.0])
DIVISOR = (8, 16, 16)


def brain(middle_mm=MIDDLE_MM):
    affine = centred_affine(SHAPE, SPACING_MM)
    return Volume(ellipsoid(grid_points(affine, SHAPE), tuple(AXES_MM), tuple(middle_mm)), affine)


def ends_mm(grid):
    corners = np.array([[0.0, 0.0, 0.0], np.array(grid.size) - 1.0])
    return apply_affine(grid.affine, corners)


def pose(scale=0.95, yaw_deg=0.0, roll_deg=0.0, pitch_deg=0.0, middle_mm=MIDDLE_MM):
    """Return a matrix from the atlas to a scan whose brain lies around a middle."""
    matrix = np.linalg.inv(pose_matrix(yaw_deg, roll_deg, pitch_deg=pitch_deg))
    matrix[:3, :3] *= scale
    matrix[:3, 3] = middle_mm - matrix[:3, :3] @ ATLAS_MIDDLE_MM
    return matrix


@pytest.mark.parametrize("divisor", [(1, 1, 1), (4, 8, 8), DIVISOR, (5, 7, 11)])
@pytest.mark.parametrize("turned", [{}, {"yaw_deg": 20.0, "pitch_deg": -15.0, "roll_deg": 8.0}])
def test_the_grid_holds_the_brain_and_is_what_the_network_takes(divisor, turned):
    grid = infarct_grid(brain(), pose(**turned), divisor)
    np.testing.assert_allclose(grid.spacing_mm, INFARCT_SPACING_MM)
    assert not any(size % part for size, part in zip(grid.array.shape, divisor, strict=True))
    on_it = resample(brain().with_array(brain().array.astype(np.uint8)), grid, order=0)
    assert on_it.array.sum() * grid.voxel_volume_ml == pytest.approx(
        brain().array.sum() * brain().voxel_volume_ml, rel=0.01
    )


@pytest.mark.parametrize("wrong", [{"middle_mm": np.array([400.0, 0.0, 0.0])}, {"yaw_deg": 0.0}])
def test_a_pose_that_cannot_be_right_gives_a_grid_around_the_brain_of_bounded_size(wrong):
    away = pose(**wrong)
    away[2, 3] += 5000.0
    grid = infarct_grid(brain(), away, DIVISOR)
    assert all(n <= most for n, most in zip(grid.array.shape, LARGEST_SHAPE, strict=True))
    on_it = resample(brain().with_array(brain().array.astype(np.uint8)), grid, order=0)
    assert on_it.array.sum() * grid.voxel_volume_ml == pytest.approx(
        brain().array.sum() * brain().voxel_volume_ml, rel=0.01
    )


def test_the_grid_is_as_large_as_in_training():
    for scale in (0.85, 1.1):
        assert infarct_grid(brain(), pose(scale), DIVISOR).array.shape == INFARCT_SHAPE
    assert INFARCT_SHAPE == WHOLE_SHAPE


def test_a_brain_that_lies_beyond_that_grid_has_a_larger_one():
    away_mm = np.array([0.0, 0.0, 2 * 16 + 4.0])
    grid = infarct_grid(brain(), pose(middle_mm=MIDDLE_MM + away_mm), DIVISOR)
    assert grid.array.shape[0] > INFARCT_SHAPE[0]
    assert grid.array.shape[1:] == INFARCT_SHAPE[1:]
    on_it = resample(brain().with_array(brain().array.astype(np.uint8)), grid, order=0)
    assert on_it.array.sum() * grid.voxel_volume_ml == pytest.approx(
        brain().array.sum() * brain().voxel_volume_ml, rel=0.01
    )


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.2])
def test_the_grid_lies_around_the_middle_of_the_brain(scale):
    grid = infarct_grid(brain(), pose(scale, yaw_deg=12.0), DIVISOR)
    np.testing.assert_allclose(ends_mm(grid).mean(axis=0), MIDDLE_MM, atol=1e-6)


@pytest.mark.parametrize("scale", [0.8, 1.2])
def test_the_grid_is_turned_as_the_head_and_keeps_sizes(scale):
    turned = {"yaw_deg": 10.0, "roll_deg": -7.0, "pitch_deg": 14.0}
    grid = infarct_grid(brain(), pose(scale, **turned), DIVISOR)
    expected = np.linalg.inv(pose_matrix(**turned))[:3, :3] * INFARCT_SPACING_MM
    np.testing.assert_allclose(grid.affine[:3, :3], expected, atol=1e-9)


def test_a_sheared_pose_turns_the_grid_by_the_nearest_rotation():
    sheared = pose(1.0) @ np.array([[1, 0.1, 0, 0], [-0.1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    axes = infarct_grid(brain(), sheared, DIVISOR).affine[:3, :3] / INFARCT_SPACING_MM
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)
    assert np.degrees(np.arctan2(axes[0, 1], axes[0, 0])) == pytest.approx(
        np.degrees(np.arctan(0.1)), abs=1e-6
    )


def test_the_grid_of_training_lies_around_the_middle_of_the_brain():
    grid = infarct_grid_of(brain(), INFARCT_SHAPE)
    np.testing.assert_allclose(ends_mm(grid).mean(axis=0), MIDDLE_MM, atol=3.0)


def test_the_mirrored_brain_has_the_mirrored_grid_of_training():
    plain, other = (infarct_grid_of(brain(MIDDLE_MM * [s, 1, 1]), INFARCT_SHAPE) for s in (1, -1))
    np.testing.assert_allclose(ends_mm(other)[::-1, 0], -ends_mm(plain)[:, 0], atol=1e-6)


def test_the_grid_of_training_has_the_shape_that_is_asked_for():
    assert infarct_grid_of(brain(), (40, 50, 60)).array.shape == (40, 50, 60)


def test_the_typical_signal_is_the_median_of_the_brain():
    inside = brain().array
    rng = np.random.default_rng(0)
    signal = np.where(inside, rng.normal(300.0, 30.0, SHAPE), 5000.0)
    typical = typical_of(brain().with_array(signal), None, inside)
    assert typical.signal == pytest.approx(300.0, rel=0.01)
    assert typical.adc == 0.0


def test_the_typical_adc_is_the_commonest_of_the_brain():
    inside = brain().array
    adc = np.where(inside, 750.0, 3000.0)
    adc[inside] = np.where(np.arange(inside.sum()) % 3, 750.0, 2500.0)
    typical = typical_of(brain().with_array(np.ones(SHAPE)), brain().with_array(adc), inside)
    assert typical.adc == pytest.approx(750.0, rel=0.02)


@pytest.mark.parametrize("signal", [0.0, -3.0])
def test_a_brain_without_signal_is_refused(signal):
    with pytest.raises(ContentRefusedError, match="expected a brain with signal") as refused:
        typical_of(brain().with_array(np.full(SHAPE, signal)), None, brain().array)
    assert refused.value.code is ErrorCode.NO_SIGNAL


def test_no_brain_is_refused():
    with pytest.raises(ContentRefusedError, match="expected a brain with signal"):
        typical_of(brain().with_array(np.ones(SHAPE)), None, np.zeros(SHAPE, bool))


def test_signal_is_seen_in_multiples_of_the_brain_up_to_a_limit():
    dwi = np.array([-50.0, 0.0, 100.0, 200.0, 400.0, 9000.0], np.float32).reshape(1, 2, 3)
    channels = infarct_channels(dwi, None, Typical(200.0, 0.0))
    assert channels.shape == (INFARCT_CHANNELS, 1, 2, 3)
    assert channels.dtype == np.float32
    np.testing.assert_allclose(channels[0].ravel(), [0.0, 0.0, 0.25, 0.5, 1.0, 2.5])
    assert not channels[1:].any()


@pytest.mark.parametrize("scale", [1.0, 1.47])
def test_adc_is_seen_beside_that_of_healthy_brain_up_to_free_water(scale):
    dwi = np.full((1, 1, 4), 200.0, np.float32)
    adc = scale * np.array([-5.0, 0.0, 800.0, 3900.0], np.float32).reshape(1, 1, 4)
    channels = infarct_channels(dwi, adc, Typical(200.0, scale * 800.0))
    np.testing.assert_allclose(channels[1].ravel(), [0.0, 0.0, 0.8, 3.0], rtol=1e-6)
    np.testing.assert_array_equal(channels[2], 1.0)
    without = infarct_channels(dwi, None, Typical(200.0, 0.0))
    np.testing.assert_array_equal(channels[0], without[0])


def test_a_map_of_which_nothing_is_known_in_the_brain_counts_as_none():
    dwi, adc = (np.full((1, 1, 4), value, np.float32) for value in (200.0, 0.0))
    assert not infarct_channels(dwi, adc, Typical(200.0, 0.0))[1:].any()
