"""What slice networks see: a head of known pose, on slices that are symmetric about its midsagittal plane."""

from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import BRAIN_AXES_MM, grid_points, head_scan, mirrored, pose_matrix

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, centred_affine
from ASPECTSLib.inference.slice_inputs import (
    ANATOMY_PIXELS,
    ANATOMY_SLICE_CHANNELS,
    INFARCT_PIXELS,
    INFARCT_SLICE_CHANNELS,
    WINDOW_CHANNELS,
    anatomy_channels,
    brain_frame,
    brain_grid,
    density_on,
    infarct_channels,
    mask_on,
    slice_grid,
)
from ASPECTSLib.preprocessing.midplane import Midplane

SPACING_MM = (3.0, 3.0, 8.0)
STRAIGHT = Midplane(np.array([1.0, 0.0, 0.0]), 0.0, 1.0)


class Posed:
    """A phantom head that was turned and moved, with the midsagittal plane that it then has."""

    def __init__(self, yaw_deg=0.0, roll_deg=0.0, shift_mm=(0.0, 0.0, 0.0), spacing_mm=SPACING_MM):
        scan = head_scan(pose_matrix(yaw_deg, roll_deg, shift_mm), spacing_mm=spacing_mm)
        self.volume, self.brain, self.to_head = scan.ct, scan.brain, scan.to_head
        normal = scan.to_head[0, :3]
        self.midplane = Midplane(normal, -float(scan.to_head[0, 3]), 1.0)
        self.frame = brain_frame(self.brain, self.midplane)
        self.grid = brain_grid(self.frame, INFARCT_PIXELS, self.volume)

    def mirror(self):
        other = object.__new__(Posed)
        other.volume, other.brain = mirrored(self.volume), mirrored(self.brain)
        other.midplane = self.midplane.mirrored()
        other.frame = brain_frame(other.brain, other.midplane)
        other.grid = brain_grid(other.frame, INFARCT_PIXELS, other.volume)
        return other

    def channels(self):
        density, brain = density_on(self.volume, self.grid), mask_on(self.brain, self.grid)
        return anatomy_channels(density, brain, self.grid, self.frame)


@pytest.fixture(scope="module")
def straight():
    return Posed()


@pytest.fixture(scope="module")
def turned():
    return Posed(11.0, -7.0, (6.0, -4.0, 9.0))


def test_slices_have_the_papers_size_and_the_distance_of_the_scans_slices(turned):
    assert turned.grid.array.shape[1:] == (INFARCT_PIXELS.side, INFARCT_PIXELS.side) == (224, 224)
    pixel_mm = INFARCT_PIXELS.size_mm
    np.testing.assert_allclose(turned.grid.spacing_mm, (pixel_mm, pixel_mm, SPACING_MM[2]))


def test_slices_of_both_networks_show_the_same_part_of_the_head():
    fine, coarse = (p.size_mm * p.side for p in (INFARCT_PIXELS, ANATOMY_PIXELS))
    assert coarse == pytest.approx(fine, rel=0.02)


def test_rows_of_a_slice_run_through_their_mirror_images(turned):
    points = grid_points(turned.grid.affine, turned.grid.array.shape)[::3, ::20]
    reflected = apply_affine(turned.midplane.reflection, points)
    np.testing.assert_allclose(points[..., ::-1, :], reflected, atol=1e-9)


def test_i_runs_to_the_right_j_to_the_front_and_k_upwards(turned):
    axes = turned.grid.affine[:3, :3]
    assert (np.diag(axes) > 0.9 * turned.grid.spacing_mm).all()


def test_slices_of_a_head_that_is_not_tilted_are_those_of_the_scan(straight):
    voxels = np.linalg.inv(straight.volume.affine) @ straight.grid.affine
    assert voxels[2, 3] == pytest.approx(round(voxels[2, 3]), abs=1e-9)
    np.testing.assert_allclose(voxels[2, :3], (0, 0, 1), atol=1e-12)


def test_slices_hold_the_whole_brain_and_little_else(turned):
    seen = mask_on(turned.brain, turned.grid)
    volume_ml = seen.sum() * turned.grid.voxel_volume_ml
    assert volume_ml == pytest.approx(
        turned.brain.array.sum() * turned.brain.voxel_volume_ml, rel=0.02
    )
    assert turned.grid.array.shape[0] <= 2 * BRAIN_AXES_MM[2] / SPACING_MM[2] + 3


def test_the_frame_begins_in_the_plane_in_the_middle_and_at_the_top(turned):
    origin = apply_affine(np.linalg.inv(turned.frame.from_image), np.zeros(3))
    in_head = apply_affine(turned.to_head, origin)
    assert in_head[0] == pytest.approx(0.0, abs=1e-9)
    assert in_head[1] == pytest.approx(0.0, abs=8.0)  # as the height is measured askew
    assert in_head[2] == pytest.approx(BRAIN_AXES_MM[2], abs=8.0)
    assert -2 * BRAIN_AXES_MM[2] < turned.frame.lowest_mm < -1.7 * BRAIN_AXES_MM[2]


def test_windows_are_scaled_and_what_is_outside_is_the_same_everywhere():
    density = np.array([[[-50.0, 5.0, 30.0, 55.0], [80.0, 0.0, 30.0, 30.0]]], np.float32)
    brain = np.array([[[True, True, True, True], [True, True, True, False]]])
    wide, stroke, other, _, _ = infarct_channels(density, brain, INFARCT_PIXELS)
    np.testing.assert_allclose(wide[0], [[0, 0.0625, 0.375, 0.6875], [1, 0, 0.375, 0]], atol=1e-6)
    np.testing.assert_allclose(stroke[0], [[0, 0, 0.5, 1], [1, 0, 0.5, 0]], atol=1e-6)
    np.testing.assert_array_equal(other, stroke[..., ::-1])


def test_the_other_side_is_seen_at_the_same_place(turned):
    image = turned.channels()
    inside = mask_on(turned.brain, turned.grid)
    inside &= inside[..., ::-1]
    difference = np.abs(image[1] - image[2])[inside]
    assert np.median(difference) < 0.12  # noise of 3 HU on either side
    assert image.shape[0] == ANATOMY_SLICE_CHANNELS == WINDOW_CHANNELS + 3


def test_a_side_that_is_three_hounsfield_units_darker_stands_out_of_the_noise():
    density, brain = noisy_slice()
    density[0, 30:50, 10:30] -= 3.0
    difference = infarct_channels(density, brain, INFARCT_PIXELS)[4, 0]
    assert difference[35:45, 15:25].mean() == pytest.approx(-0.3, abs=0.05)
    assert difference[35:45, 15:25].max() < 0.0
    assert np.abs(difference[10:20]).mean() < 0.1


def test_fluid_and_calcification_are_no_part_of_the_tissues_density():
    density, brain = noisy_slice()
    untouched = infarct_channels(density, brain, INFARCT_PIXELS)[3, 0, 20, 20]
    density[0, 18:20, 18:22], density[0, 21:23, 18:22] = 5.0, 300.0
    assert infarct_channels(density, brain, INFARCT_PIXELS)[3, 0, 20, 20] == pytest.approx(
        untouched, abs=0.03
    )


def test_where_there_is_no_tissue_on_one_side_nothing_is_compared():
    density, brain = noisy_slice()
    brain[0, :, :20] = False
    difference = infarct_channels(density, brain, INFARCT_PIXELS)[4, 0]
    assert not difference[:, :20].any()
    assert not difference[:, -20:].any()
    assert difference[:, 30:50].any()


def test_a_mirrored_slice_has_the_mirrored_channels():
    density, brain = noisy_slice()
    brain[0, :, :20] = False
    seen, mirrored = (
        infarct_channels(density, brain, INFARCT_PIXELS),
        infarct_channels(density[..., ::-1], brain[..., ::-1], INFARCT_PIXELS),
    )
    np.testing.assert_allclose(mirrored[..., ::-1], seen, atol=1e-5)
    assert len(seen) == INFARCT_SLICE_CHANNELS


def noisy_slice():
    noise = np.random.default_rng(5).normal(0.0, 4.0, (1, 60, 80))
    return (30.0 + noise).astype(np.float32), np.ones((1, 60, 80), bool)


def test_places_are_told_in_the_brains_own_frame(turned):
    image = turned.channels()
    voxel = (3, 100, 180)
    point = apply_affine(turned.grid.affine, np.array(voxel[::-1], np.float64))
    x, y, z = apply_affine(turned.frame.from_image, point)
    np.testing.assert_allclose(
        image[3:, *voxel], np.abs([x, 0, 0]) / 100 + [0, y / 100, z / 100], atol=1e-5
    )


def test_a_mirrored_head_has_the_mirrored_channels(turned):
    image, other = turned.channels(), turned.mirror().channels()
    np.testing.assert_allclose(other[[0, 1, 3, 4, 5]][..., ::-1], image[[0, 1, 3, 4, 5]], atol=1e-4)


def test_a_mirrored_scan_of_fine_pixels_has_the_mirrored_density():
    """Blocks of pixels would fall otherwise in the mirror image."""
    shape, spacing_mm = (4, 151, 149), np.array([0.4, 0.4, 6.0])
    noise = np.random.default_rng(0).normal(30.0, 10.0, shape).astype(np.float32)
    volume = Volume(noise, centred_affine(shape, spacing_mm))
    frame = brain_frame(volume.with_array(np.ones(shape, bool)), STRAIGHT)
    grid = brain_grid(frame, INFARCT_PIXELS, volume)
    density, other = (density_on(v, grid) for v in (volume, mirrored(volume)))
    np.testing.assert_allclose(other[..., ::-1], density, atol=1e-3)
    seen = density[1, 90:130, 90:130]
    assert 1.5 < seen.std() < 5.0  # of 10: noise of finer pixels is averaged, not picked


def test_masks_on_finer_slices_give_the_same_frame(turned):
    fine = np.repeat(np.repeat(turned.brain.array, 2, axis=1), 2, axis=2)
    affine = turned.brain.affine @ np.diag([0.5, 0.5, 1.0, 1.0])
    affine[:3, 3] = apply_affine(turned.brain.affine, np.array([-0.25, -0.25, 0.0]))
    frame = brain_frame(Volume(fine, affine), turned.midplane)
    np.testing.assert_allclose(frame.from_image, turned.frame.from_image, atol=1.0)


def test_slices_can_be_laid_anywhere(turned):
    grid = slice_grid(turned.frame, INFARCT_PIXELS, -40.0, 5.0, 3)
    middle = apply_affine(grid.affine, np.array([111.5, 111.5, 1.0]))
    np.testing.assert_allclose(
        apply_affine(turned.frame.from_image, middle), (0.0, 0.0, -35.0), atol=1e-9
    )


def test_without_a_brain_it_is_refused(straight):
    empty = straight.brain.with_array(np.zeros_like(straight.brain.array))
    with pytest.raises(ContentRefusedError, match="brain mask, got an empty one") as refused:
        brain_frame(empty, STRAIGHT)
    assert refused.value.code is ErrorCode.NO_BRAIN
