from __future__ import annotations

import numpy as np
import pytest
import torch

from ASPECTSLib.synthesis.acquisition import (
    Acquisition,
    AcquisitionRange,
    NoiseSpectrum,
    averaged_along_k,
    blur_in_plane,
    correlated_noise,
    draw_acquisition,
    scan_labels,
    scan_volumes,
    slice_weights,
    tied_slices,
)
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.placement import Placement

SIZE = 41
GAUSSIAN = NoiseSpectrum(cut_per_mm=0.3, ramp=0.8)
BLURRED = NoiseSpectrum(cut_per_mm=0.1)


def placement(turn: np.ndarray | None = None) -> Placement:
    """Return a placement without deformation of a cube of 41 voxels around the origin."""
    affine = np.eye(4)
    affine[:3, 3] = -(SIZE - 1) / 2
    coarse = (SIZE - 1) // 4 + 1
    return Placement(
        np.eye(4) if turn is None else turn, torch.zeros(3, coarse, coarse, coarse), affine
    )


def acquisition(pixel_mm=1.0, slice_mm=1.0, kernel_mm=0.0, slices=21, width=None):
    width = width or round(31 / pixel_mm)
    return Acquisition((width, width, slices), (pixel_mm, pixel_mm, slice_mm), kernel_mm)


def cube():
    return torch.from_numpy(np.random.default_rng(1).random((1, SIZE, SIZE, SIZE), np.float32))


def test_same_seed_draws_the_same_grid():
    first, again = (draw_acquisition(AcquisitionRange(), Draw((3,))) for _ in range(2))
    assert first == again


def test_drawn_grids_lie_in_their_ranges():
    scans = AcquisitionRange()
    for seed in range(20):
        drawn = draw_acquisition(scans, Draw((seed,)))
        pixel_mm, _, slice_mm = drawn.spacing_mm
        assert scans.in_plane_mm[0] <= pixel_mm <= scans.in_plane_mm[1]
        assert scans.slice_mm[0] <= slice_mm <= scans.slice_mm[1]
        assert scans.field_mm[0] - 1 <= drawn.size[0] * pixel_mm <= scans.field_mm[1] + 1


def test_scan_of_the_same_grid_is_the_volume_itself():
    volume = cube()
    scan = scan_volumes(volume, placement(), acquisition(slices=SIZE, width=SIZE))
    assert torch.allclose(scan, volume, atol=1e-5)


@pytest.mark.parametrize("slice_mm", [3.0, 5.0, 8.0])
def test_thin_plate_in_a_thick_slice_is_its_share_of_the_thickness(slice_mm):
    volume = torch.zeros(1, SIZE, SIZE, SIZE)
    volume[:, SIZE // 2] = 100.0  # 1 mm thick, in the middle of the middle slice
    scan = scan_volumes(volume, placement(), acquisition(slice_mm=slice_mm, slices=3))
    assert scan[0, 1, 15, 15] == pytest.approx(100.0 / slice_mm, rel=0.07)


@pytest.mark.parametrize("offset", [-2, -1, 1, 2])
def test_slices_together_hold_the_whole_plate_wherever_it_lies(offset):
    volume = torch.zeros(1, SIZE, SIZE, SIZE)
    volume[:, SIZE // 2 + offset] = 100.0
    scan = scan_volumes(volume, placement(), acquisition(slice_mm=5.0, slices=5))
    assert scan[0, :, 15, 15].sum() * 5.0 == pytest.approx(100.0, rel=0.05)


@pytest.mark.parametrize("width", [0.5, 1.0, 1.4, 2.0, 2.5, 3.0, 4.2])
def test_average_over_a_width_keeps_the_sum(width):
    volume = torch.zeros(1, 21, 2, 2)
    volume[:, 10] = 1.0
    averaged = averaged_along_k(volume, width)[0, :, 0, 0]
    assert averaged.sum() == pytest.approx(1.0, abs=1e-5)
    assert torch.allclose(averaged, averaged.flip(0))


def test_weights_are_the_parts_of_voxels_in_the_slice():
    assert slice_weights(1.0) == [1.0]
    assert slice_weights(1.5) == pytest.approx([1 / 1.5, 0.25 / 1.5])
    assert slice_weights(3.0) == pytest.approx([1 / 3, 1 / 4, 1 / 12])


def test_average_leaves_its_argument_as_it_was():
    volume = cube()
    before = volume.clone()
    averaged_along_k(volume, 2.5)
    assert torch.equal(volume, before)


def test_fine_pixels_show_what_coarse_ones_do():
    volume = cube()
    volume = blur_in_plane(volume, 2.0)
    fine = scan_volumes(volume, placement(), acquisition(pixel_mm=0.5, width=61))
    coarse = scan_volumes(volume, placement(), acquisition(pixel_mm=1.0, width=31))
    assert torch.allclose(fine[..., ::2, ::2], coarse, atol=1e-4)
    between = (coarse[..., :-1] + coarse[..., 1:]) / 2
    assert torch.allclose(fine[..., ::2, 1::2], between, atol=1e-4)


@pytest.mark.parametrize("width", [60, 61])
def test_fine_scans_have_the_wanted_size(width):
    scan = scan_volumes(cube(), placement(), acquisition(pixel_mm=0.5, width=width))
    assert scan.shape == (1, 21, width, width)


@pytest.mark.parametrize("width", [50, 51])
def test_mirrored_placement_gives_a_mirrored_scan(width):
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]
    turn[:3, 3] = (3.0, 1.0, -2.0)
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    volume = cube()
    grid = acquisition(pixel_mm=0.5, slice_mm=4.0, kernel_mm=0.6, slices=5, width=width)
    plain = scan_volumes(volume, placement(turn), grid)
    swapped = scan_volumes(volume.flip(3), placement(mirror @ turn @ mirror), grid)
    assert torch.allclose(swapped, plain.flip(3), atol=1e-4)


def test_outside_of_the_anatomy_is_0():
    scan = scan_volumes(cube() + 1.0, placement(), acquisition(width=61))
    assert scan[0, :, 0].abs().max() == 0.0


def test_labels_keep_their_values():
    labels = (cube() * 20).round().to(torch.uint8)
    grid = acquisition(slices=SIZE, width=SIZE).grid
    assert np.array_equal(scan_labels(labels, placement(), grid), labels.numpy())


def test_blur_has_the_asked_width_and_keeps_the_mean():
    picture = torch.zeros(1, 1, 41, 41)
    picture[..., 20, 20] = 1.0
    blurred = blur_in_plane(picture, 2.0)[0, 0]
    offsets = torch.arange(41.0) - 20
    assert blurred.sum() == pytest.approx(1.0, abs=1e-5)
    assert (blurred.sum(dim=0) * offsets**2).sum().sqrt() == pytest.approx(2.0, rel=0.02)
    assert torch.allclose(blurred, blurred.T, atol=1e-6)


def test_blur_of_a_constant_is_that_constant():
    flat = torch.full((1, 2, 9, 12), 7.0)
    assert torch.allclose(blur_in_plane(flat, 1.3), flat, atol=1e-5)


def test_tiny_blur_changes_nothing():
    picture = torch.rand((1, 1, 5, 5), generator=torch.Generator().manual_seed(1))
    assert torch.equal(blur_in_plane(picture, 0.1), picture)


@pytest.mark.parametrize("pixel_mm", [0.4, 0.5, 0.6])
def test_noise_of_fine_pixels_has_unit_variance(pixel_mm):
    noise = correlated_noise((8, 151, 160), pixel_mm, GAUSSIAN, Draw((1,)))
    assert noise.shape == (8, 151, 160)
    assert float(noise.std()) == pytest.approx(1.0, rel=0.05)
    assert abs(float(noise.mean())) < 0.05


def test_large_pixels_average_noise():
    fine, large = (
        correlated_noise((8, 128, 128), pixel_mm, GAUSSIAN, Draw((1,))) for pixel_mm in (0.5, 2.0)
    )
    assert float(large.std()) < 0.8 * float(fine.std())


def test_same_seed_gives_the_same_noise():
    first, again = (correlated_noise((2, 20, 20), 0.5, GAUSSIAN, Draw((5,))) for _ in range(2))
    assert torch.equal(first, again)


def test_ramp_takes_slow_noise_away():
    flat, ramp = (
        correlated_noise((8, 128, 128), 0.5, NoiseSpectrum(0.3, ramp=share), Draw((2,)))
        for share in (0.0, 1.0)
    )
    slow = [float(blur_in_plane(noise[None], 8.0).std()) for noise in (flat, ramp)]
    assert slow[1] < 0.5 * slow[0]


def test_lower_cut_gives_smoother_noise():
    rough, smooth = (
        correlated_noise((4, 96, 96), 0.5, spectrum, Draw((2,))) for spectrum in (GAUSSIAN, BLURRED)
    )
    steps = [float((noise[:, 1:] - noise[:, :-1]).std()) for noise in (rough, smooth)]
    assert steps[1] < 0.6 * steps[0]


@pytest.mark.parametrize("correlation", [0.0, 0.2, 0.45])
def test_tied_slices_have_the_asked_correlation_and_their_variance(correlation):
    noise = torch.from_numpy(np.random.default_rng(1).standard_normal((30, 60, 60), np.float32))
    tied = tied_slices(noise, correlation)
    measured = float((tied[:-2] * tied[1:-1]).mean() / tied[:-1].var())
    assert measured == pytest.approx(correlation, abs=0.03)
    assert float(tied.std()) == pytest.approx(1.0, rel=0.02)
