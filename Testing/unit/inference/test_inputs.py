from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import head_hu, pose_matrix
from scipy import ndimage

from ASPECTSLib.atlas.regions import REGIONS, swap_sides
from ASPECTSLib.atlas.rules import RegionRule, grid_points, orbitomeatal_axes
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, centred_affine, crop, resample
from ASPECTSLib.inference import inputs
from ASPECTSLib.inference.inputs import (
    BRAIN_SHAPE,
    BRAIN_SPACING_MM,
    HEAD_SHAPE,
    HEAD_SPACING_MM,
    REGION_SHAPE,
    REGION_SPACING_MM,
    REST_OF_BRAIN,
    coarse_channels,
    coordinates,
    fine_channels,
    fit_affine,
    head_grid,
    intensities,
    label_centres,
    on_grid,
    region_grid,
    region_grid_affine,
    region_prior,
    with_coordinates,
)
from ASPECTSLib.io.modality import Modality

AFFINE = np.array(
    [[1.05, 0.1, 0.0, 4.0], [-0.1, 0.95, 0.2, -7.0], [0.0, -0.2, 1.1, 12.0], [0, 0, 0, 1]]
)
SPACING_MM = np.array([4.0, 4.0, 5.0])
SCAN_SHAPE = (38, 55, 45)


def line(*values):
    return Volume(np.array(values, np.float32).reshape(1, 1, -1), np.eye(4))


def head_ct(to_head=None):
    """Return a phantom head without noise and partial volume."""
    affine = centred_affine(SCAN_SHAPE, SPACING_MM)
    matrix = np.eye(4) if to_head is None else to_head
    points = apply_affine(matrix, grid_points(SCAN_SHAPE, affine))
    return Volume(head_hu(points).astype(np.float32), affine)


@pytest.fixture(scope="module")
def ct():
    return head_ct()


@pytest.fixture(scope="module")
def prior(atlas):
    return region_prior(atlas)


def middle_and_top(grid):
    """Return x and y of the middle of a grid, and z of its highest voxel."""
    corner = np.array(grid.size) - 1.0
    middle = apply_affine(grid.affine, corner / 2)
    return np.array([middle[0], middle[1], apply_affine(grid.affine, corner)[2]])


@pytest.mark.parametrize("modality", [Modality.NCCT, Modality.CTA])
def test_densities_are_seen_in_the_brain_window(modality):
    seen = intensities(line(-1000, 0, 20, 40, 80, 3000), modality).array
    assert seen.ravel().tolist() == [0.0, 0.0, 0.25, 0.5, 1.0, 1.0]
    assert seen.dtype == np.float32


@pytest.mark.parametrize("modality", [Modality.DWI, Modality.ADC, Modality.B0, Modality.CBF])
def test_signals_are_seen_as_multiples_of_their_median(modality):
    values = line(*[0] * 8, *[200] * 6, 400, 5000)
    seen = intensities(values, modality).array.ravel()
    np.testing.assert_allclose(seen, [*[0] * 8, *[0.4] * 6, 0.8, 1.0], atol=1e-6)
    scaled = intensities(values.with_array(values.array * 7.5), modality).array.ravel()
    np.testing.assert_allclose(scaled, seen, atol=1e-6)  # the unit does not matter


def test_what_is_dimmer_than_the_head_does_not_count_for_the_median():
    noise = [3] * 60
    seen = intensities(line(*noise, *[100] * 41), Modality.DWI).array.ravel()
    assert seen[-1] == pytest.approx(0.4)


@pytest.mark.parametrize("value", [0, -5])
def test_an_empty_image_is_refused(value):
    with pytest.raises(ContentRefusedError, match="found an empty scan") as refused:
        intensities(line(*[value] * 9), Modality.DWI)
    assert refused.value.code is ErrorCode.NO_SIGNAL


def test_the_scan_is_left_as_it_is():
    values = line(10, 20, 30)
    intensities(values, Modality.DWI)
    assert values.array.ravel().tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    ("spacing_mm", "shape"), [(HEAD_SPACING_MM, HEAD_SHAPE), (BRAIN_SPACING_MM, BRAIN_SHAPE)]
)
def test_the_grid_hangs_from_the_top_of_the_head(ct, spacing_mm, shape):
    grid = head_grid(ct, Modality.NCCT, spacing_mm, shape)
    assert grid.array.shape == shape
    np.testing.assert_allclose(grid.affine[:3, :3], np.diag(spacing_mm))
    x, y, top = middle_and_top(grid)
    assert abs(x) < 2.0
    assert abs(y) < 12.0  # the nose pulls it forward
    assert 88.0 <= top <= 101.0


@pytest.mark.parametrize("clipped", [False, True])
def test_neither_neck_nor_clipping_moves_the_grid(ct, clipped):
    expected = middle_and_top(head_grid(ct, Modality.NCCT))
    below = np.repeat(ct.array[:1], 24, axis=0)  # twelve more centimetres of neck
    affine = ct.affine.copy()
    affine[2, 3] -= 24 * SPACING_MM[2]
    long = Volume(np.concatenate((below, ct.array)), affine)
    short = crop(ct, (slice(12, 38), slice(0, 55), slice(0, 45)))
    for volume in (ct, long, short):
        seen = volume.with_array(np.maximum(volume.array, 0.0)) if clipped else volume
        np.testing.assert_allclose(
            middle_and_top(head_grid(seen, Modality.NCCT)), expected, atol=4.1
        )


def test_the_grid_follows_the_head():
    still, moved = head_ct(), head_ct(pose_matrix(shift_mm=(8.0, -8.0, -10.0)))
    shift = middle_and_top(head_grid(moved, Modality.NCCT)) - middle_and_top(
        head_grid(still, Modality.NCCT)
    )
    np.testing.assert_allclose(shift, [8.0, -8.0, -10.0], atol=4.1)


def test_a_thin_head_holder_moves_the_grid_little(ct):
    held = ct.array.copy()
    held[:, 0, 18:-18] = 100.0
    grids = [head_grid(v, Modality.NCCT) for v in (ct, ct.with_array(held))]
    np.testing.assert_allclose(middle_and_top(grids[0]), middle_and_top(grids[1]), atol=6.0)


def test_the_mirrored_scan_has_the_mirrored_grid(ct):
    lopsided = ct.array.copy()
    lopsided[:, :, :6] = -1000.0
    mirrored = np.ascontiguousarray(lopsided[..., ::-1])
    grids = [head_grid(ct.with_array(a), Modality.NCCT) for a in (lopsided, mirrored)]
    first, second = (middle_and_top(grid) for grid in grids)
    np.testing.assert_allclose(first * [-1, 1, 1], second, atol=1e-3)


def test_signal_without_head_is_refused(ct):
    with pytest.raises(ContentRefusedError, match="no slice of the scan holds a head") as refused:
        head_grid(ct.with_array(np.full_like(ct.array, -1000.0)), Modality.NCCT)
    assert refused.value.code is ErrorCode.NO_BRAIN


def test_the_head_is_found_in_signals_as_well(ct):
    signal = ct.with_array(np.where(ct.array > -500, 300.0, 4.0).astype(np.float32))
    np.testing.assert_allclose(
        middle_and_top(head_grid(signal, Modality.DWI)),
        middle_and_top(head_grid(ct, Modality.NCCT)),
        atol=6.0,
    )


def test_an_image_on_a_grid_is_read_where_the_grid_lies():
    points = grid_points((20, 24, 22), affine := centred_affine((20, 24, 22), np.full(3, 3.0)))
    ramp = Volume((points @ [1.0, 2.0, 3.0]).astype(np.float32), affine)
    grid_affine = np.diag([3.0, 3.0, 3.0, 1.0])
    grid_affine[:3, 3] = [-14.0, -11.0, -8.0]
    grid = Volume(np.zeros((6, 7, 8), np.uint8), grid_affine)
    expected = grid_points((6, 7, 8), grid_affine) @ [1.0, 2.0, 3.0]
    np.testing.assert_allclose(on_grid(ramp, grid), expected, atol=1e-3)


def test_fine_pixels_are_averaged_before_they_are_sampled():
    noise = np.random.default_rng(0).normal(size=(40, 40, 40)).astype(np.float32)
    fine = Volume(noise, centred_affine(noise.shape, np.ones(3)))
    grid = Volume(np.zeros((8, 8, 8)), centred_affine((8, 8, 8), np.full(3, 4.0)))
    assert on_grid(fine, grid).std() < 0.2


def test_coordinates_run_right_forward_and_up():
    x, y, z = coordinates((3, 5, 9))
    assert x.shape == (3, 5, 9)
    assert x[0, 0].tolist() == np.linspace(-1, 1, 9).tolist()
    assert y[0, :, 0].tolist() == np.linspace(-1, 1, 5).tolist()
    assert z[:, 0, 0].tolist() == [-1, 0, 1]
    channels = with_coordinates(np.full((3, 5, 9), 7.0, np.float32))
    assert channels.shape == (4, 3, 5, 9)
    assert channels.dtype == np.float32
    assert (channels[0] == 7.0).all()


def test_the_fine_grid_lies_along_the_orbitomeatal_plane_of_the_rule():
    assert RegionRule().orbitomeatal_pitch_deg == inputs._PITCH_DEG
    affine = region_grid_affine()
    axes = orbitomeatal_axes(RegionRule().orbitomeatal_pitch_deg)
    np.testing.assert_allclose(affine[:3, :3], axes * REGION_SPACING_MM)
    points = grid_points(REGION_SHAPE, affine)
    np.testing.assert_allclose(points[..., ::-1, 0], -points[..., 0], atol=1e-4)


def test_the_fine_grid_holds_all_regions_of_the_atlas(atlas):
    labels = resample(atlas.regions, grid := region_grid(np.eye(4)), order=0)
    _, expected = label_centres(atlas.regions, len(REGIONS))
    centres, found = label_centres(grid.with_array(labels.array), len(REGIONS))
    np.testing.assert_allclose(found, expected, rtol=0.05)
    ends = labels.array[[0, -1]].any(), labels.array[:, [0, -1]].any()
    assert ends == (False, False)
    assert not labels.array[..., [0, -1]].any()
    assert (centres[:10, 0] > 0).all()
    assert (centres[10:, 0] < 0).all()


def test_the_fine_grid_moves_with_the_scan():
    grid, moved = region_grid(np.eye(4)), region_grid(AFFINE)
    ijk = np.array([[0.0, 0.0, 0.0], [10.0, 20.0, 5.0]])
    in_atlas = apply_affine(grid.affine, ijk)
    np.testing.assert_allclose(apply_affine(moved.affine, ijk), apply_affine(AFFINE, in_atlas))


def test_the_prior_is_a_probability_and_leaves_nothing_out(prior):
    probability = np.exp(prior.log_probability)
    assert prior.log_probability.shape == (len(REGIONS) + 1, *REGION_SHAPE)
    assert prior.log_probability.dtype == np.float32
    np.testing.assert_allclose(probability.sum(axis=0), 1.0, atol=1e-5)
    assert probability.min() > 5e-4


def test_the_prior_is_highest_where_the_region_lies(atlas, prior):
    labels = resample(atlas.regions, region_grid(np.eye(4)), order=0).array
    likeliest = prior.log_probability.argmax(axis=0)
    assert (likeliest == labels)[labels == 0].mean() > 0.9
    assert (likeliest == labels)[(labels >= 5) & (labels <= 10)].mean() > 0.75


def test_the_prior_is_mirror_symmetric(prior):
    order = swap_sides(np.arange(len(REGIONS) + 1))
    np.testing.assert_allclose(
        prior.log_probability[order][..., ::-1], prior.log_probability, atol=0.02
    )
    np.testing.assert_allclose(prior.volumes_ml[:10], prior.volumes_ml[10:], rtol=1e-3)
    np.testing.assert_allclose(prior.centres_mm[:10] * [-1, 1, 1], prior.centres_mm[10:], atol=0.01)


def test_the_prior_is_the_atlas_blurred_by_what_people_differ(atlas, prior):
    labels = resample(atlas.regions, region_grid(np.eye(4)), order=0).array
    sigma = 4.0 / np.array(REGION_SPACING_MM[::-1])
    blurred = [ndimage.gaussian_filter((labels == n).astype(float), sigma) for n in range(21)]
    probability = np.stack(blurred) + 1e-3
    expected = probability / probability.sum(axis=0)
    np.testing.assert_allclose(np.exp(prior.log_probability), expected, atol=1e-5)


def test_the_fine_network_sees_image_coordinates_and_prior(prior):
    image = np.full(REGION_SHAPE, 0.5, np.float32)
    channels = fine_channels(image, prior.log_probability)
    assert channels.shape == (25, *REGION_SHAPE)
    assert channels.dtype == np.float32
    np.testing.assert_array_equal(channels[:4], with_coordinates(image))
    np.testing.assert_array_equal(channels[4:], prior.log_probability)


def test_the_coarse_network_sees_image_coordinates_and_prior(prior):
    image = np.full(HEAD_SHAPE, 0.5, np.float32)
    channels = coarse_channels(image, prior)
    assert channels.shape == (26, *HEAD_SHAPE)
    assert channels.dtype == np.float32
    np.testing.assert_array_equal(channels[4:], prior.head_log_probability)


def test_the_coarse_prior_knows_the_brain_beside_the_regions(prior):
    probability = np.exp(prior.head_log_probability)
    np.testing.assert_allclose(probability.sum(axis=0), 1.0, atol=1e-5)
    brain = probability[1:].sum(axis=0) > 0.5
    volume_ml = brain.sum() * np.prod(HEAD_SPACING_MM) / 1000
    assert 900 < volume_ml < 2000
    assert probability[REST_OF_BRAIN].max() > 0.5
    right = probability[1:11].sum(axis=0).sum(axis=(0, 1))
    middle = HEAD_SHAPE[2] // 2
    assert right[middle:].sum() > 3 * right[:middle].sum()


def test_a_known_affine_is_recovered():
    points = np.random.default_rng(0).normal(scale=40.0, size=(20, 3))
    moved = apply_affine(AFFINE, points)
    np.testing.assert_allclose(fit_affine(points, moved, np.ones(20)), AFFINE, atol=1e-9)


def test_points_without_weight_do_not_count():
    rng = np.random.default_rng(0)
    points = rng.normal(scale=40.0, size=(20, 3))
    moved = apply_affine(AFFINE, points)
    moved[3] += 1000.0
    weights = rng.uniform(0.5, 20.0, 20)
    weights[3] = 0.0
    np.testing.assert_allclose(fit_affine(points, moved, weights), AFFINE, atol=1e-9)


def test_heavier_points_are_met_more_closely():
    rng = np.random.default_rng(0)
    points = rng.normal(scale=40.0, size=(20, 3))
    moved = points + rng.normal(scale=3.0, size=(20, 3))
    heavy = np.where(np.arange(20) == 7, 1e6, 1.0)
    off = [
        np.linalg.norm(apply_affine(fit_affine(points, moved, w), points[7]) - moved[7])
        for w in (np.ones(20), heavy)
    ]
    assert off[1] < 1e-3 < off[0]


def test_centres_and_volumes_of_labels_are_in_the_world():
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1, 2, 3] = labels[1, 2, 5] = 1
    labels[3, 0, 0] = 3
    labels[0] = 9  # beyond the count
    affine = np.array([[-2.0, 0, 0, 10.0], [0, 0, 3.0, 20.0], [0, 4.0, 0, 30.0], [0, 0, 0, 1]])
    centres, volumes = label_centres(Volume(labels, affine), 3)
    np.testing.assert_allclose(centres[0], [10.0 - 2 * 4, 20.0 + 3 * 1, 30.0 + 4 * 2])
    np.testing.assert_allclose(centres[2], [10.0, 20.0 + 3 * 3, 30.0])
    np.testing.assert_allclose(volumes, [2 * 0.024, 0.0, 0.024])
    assert centres[1].tolist() == [0.0, 0.0, 0.0]
