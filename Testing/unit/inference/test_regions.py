from __future__ import annotations

import numpy as np
import pytest
import torch
from head_phantoms import mirrored
from known_networks import KnownLabels
from scipy import ndimage

from ASPECTSLib.atlas.regions import REGIONS, swap_sides
from ASPECTSLib.atlas.rules import grid_points
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, centred_affine, resample
from ASPECTSLib.inference.inputs import (
    coordinates,
    head_grid,
    intensities,
    region_grid,
    region_prior,
    registered_prior,
)
from ASPECTSLib.inference.pose import RegisteredAtlas
from ASPECTSLib.inference.regions import (
    RegionNetworks,
    find_pose,
    labels_on_scan,
    predict_regions,
)
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.registration.mapping import Mapping, warp
from ASPECTSLib.scoring.overlap import region_dice

SCAN_SHAPE = (36, 54, 46)
SPACING_MM = np.array([4.0, 4.0, 5.0])
COUNT = len(REGIONS)
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])


def scan_from_atlas():
    """Return a pose: turned by 10 degrees, 5 % larger, and shifted."""
    turn = np.radians(10.0)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    matrix[:3, :3] *= 1.05
    matrix[:3, 3] = [6.0, 12.0, -14.0]
    return matrix


POSE = scan_from_atlas()


@pytest.fixture(scope="module")
def prior(atlas):
    return region_prior(atlas)


@pytest.fixture(scope="module")
def scan(atlas):
    """Return a head with brain at 40 HU that is denser on its right, in a known pose."""
    empty = Volume(np.zeros(SCAN_SHAPE, np.uint8), centred_affine(SCAN_SHAPE, SPACING_MM))
    brain = resample(atlas.brain_probability(), empty, np.linalg.inv(POSE)).array > 0.5
    x_mm = grid_points(SCAN_SHAPE, empty.affine)[..., 0]
    return empty.with_array(np.where(brain, 40.0 + 0.2 * x_mm, -1000.0).astype(np.float32))


@pytest.fixture(scope="module")
def mask(scan):
    return scan.with_array(scan.array > -500)


@pytest.fixture(scope="module")
def truth_on(atlas):
    def make(grid, pose=POSE):
        return resample(atlas.regions, grid, np.linalg.inv(pose), order=0).array

    return make


@pytest.fixture(scope="module")
def cascade(scan, prior, truth_on):
    return known_cascade(scan, prior, truth_on)


def known_cascade(scan, prior, truth_on, pose=POSE):
    """Return networks that know the regions in a pose, whatever grid they are asked on."""
    coarse = KnownLabels(truth_on(head_grid(scan, Modality.NCCT), pose), COUNT + 2)
    image = intensities(scan, Modality.NCCT)
    found = find_pose(coarse, image, scan, Modality.NCCT, prior)
    return RegionNetworks(KnownLabels(truth_on(region_grid(found), pose), COUNT + 1), coarse)


@pytest.fixture(scope="module")
def registered(atlas):
    """Return the atlas in the pose that it has in the scan."""
    return RegisteredAtlas.in_pose(atlas.regions, POSE)


@pytest.fixture(scope="module")
def predicted(cascade, scan, prior, mask, registered):
    return predict_regions(cascade, scan, Modality.NCCT, prior, mask, registered)


def with_fine_labels(cascade, change):
    labels = cascade.fine.labels.numpy().astype(np.uint8)
    return RegionNetworks(KnownLabels(change(labels), COUNT + 1), cascade.coarse)


def test_the_pose_is_recovered(predicted, prior):
    found = apply_affine(predicted.scan_from_atlas, prior.centres_mm)
    expected = apply_affine(POSE, prior.centres_mm)
    assert np.linalg.norm(found - expected, axis=1).max() < 1.5


def test_regions_are_where_the_networks_see_them(predicted, truth_on, scan, mask):
    truth = np.where(mask.array, truth_on(scan), 0)
    assert predicted.labels.array.dtype == np.uint8
    np.testing.assert_array_equal(predicted.labels.affine, scan.affine)
    scores = region_dice(predicted.labels.array, truth)
    assert scores.min() > 0.7
    assert scores.mean() > 0.85
    assert 0.8 < predicted.certainty <= 1.0


def test_regions_end_at_the_mask(cascade, scan, prior, mask, registered):
    half = mask.array.copy()
    half[:, :, : SCAN_SHAPE[2] // 2] = False
    part = predict_regions(cascade, scan, Modality.NCCT, prior, mask.with_array(half), registered)
    assert not part.labels.array[~half].any()
    assert part.labels.array[half].any()


def test_the_mirrored_scan_has_the_mirrored_regions(
    predicted, scan, prior, mask, truth_on, registered
):
    def mirrored_truth(grid, _pose):
        other_side = Volume(grid.array, MIRROR @ grid.affine)
        return swap_sides(truth_on(other_side))

    other = mirrored(scan)
    cascade = known_cascade(other, prior, mirrored_truth)
    found = predict_regions(cascade, other, Modality.NCCT, prior, mirrored(mask), registered)
    expected = swap_sides(predicted.labels.array[..., ::-1])
    assert region_dice(found.labels.array, expected).min() > 0.97
    np.testing.assert_allclose(
        found.scan_from_atlas, MIRROR @ predicted.scan_from_atlas @ MIRROR, atol=0.02
    )
    right = predicted.labels.array[..., SCAN_SHAPE[2] // 2 + 6 :]
    assert np.isin(right[right > 0], range(1, 11)).all()


def test_the_networks_see_the_scan_where_they_look(
    cascade, scan, prior, mask, predicted, registered
):
    predict_regions(cascade, scan, Modality.NCCT, prior, mask, registered)
    coarse = cascade.coarse.seen[-1][0].numpy()
    first, aided, fine = (seen[0].numpy() for seen in cascade.fine.seen[-4:-1])
    assert (coarse.shape[0], fine.shape[0]) == (26, 25)
    np.testing.assert_array_equal(fine[1:4], coordinates(fine.shape[1:]))
    np.testing.assert_array_equal(first[4:], prior.log_probability)
    np.testing.assert_array_equal(aided[:4], first[:4])
    posed = region_grid(predicted.scan_from_atlas)
    known = registered_prior(registered.shares_on(posed), prior)
    np.testing.assert_array_equal(fine[4:], known)
    np.testing.assert_array_equal(coarse[4:], prior.head_log_probability)
    x_mm = grid_points(posed.array.shape, posed.affine)[..., 0]
    deep = np.isin(cascade.fine.labels.numpy(), (2, 3, 12, 13))  # away from the border of the brain
    np.testing.assert_allclose(fine[0][deep], (40.0 + 0.2 * x_mm[deep]) / 80.0, atol=0.01)


def test_what_lies_apart_from_a_region_is_not_of_it(
    cascade, scan, prior, mask, predicted, registered
):
    def litter(labels):
        littered = labels.copy()
        middle = littered[:, :, littered.shape[2] // 2 - 2 : littered.shape[2] // 2 + 2]
        middle[10:13, 40:46] = 5  # M1, far from where it is
        return littered

    found = predict_regions(
        with_fine_labels(cascade, litter), scan, Modality.NCCT, prior, mask, registered
    )
    assert region_dice(found.labels.array, predicted.labels.array).min() > 0.97


def test_the_likeliest_label_between_voxels_is_that_of_the_interpolated_probabilities():
    rng = np.random.default_rng(7)
    blobs = ndimage.gaussian_filter(rng.normal(size=(4, 9, 10, 11)), (0, 1.5, 1.5, 1.5))
    probabilities = np.exp(25 * blobs).astype(np.float32)
    probabilities /= probabilities.sum(axis=0)
    grid = Volume(np.zeros((9, 10, 11), np.uint8), np.diag([2.0, 2.0, 2.0, 1.0]))
    fine = Volume(np.ones((24, 26, 29), bool), np.diag([0.7, 0.7, 0.7, 1.0]))
    interpolated = [resample(grid.with_array(p), fine).array for p in probabilities]
    inside = resample(grid.with_array(np.ones((9, 10, 11), np.float32)), fine).array > 0.99
    expected = np.argmax(interpolated, axis=0)

    labels, certainty = labels_on_scan(probabilities, grid, fine)

    np.testing.assert_array_equal(labels.array[inside], expected[inside])
    assert set(np.unique(labels.array)) == {0, 1, 2, 3}
    best = np.max(interpolated, axis=0)[inside & (expected > 0)]
    assert certainty == pytest.approx(best.mean(), abs=0.02)


def test_a_fine_network_that_sees_no_region_is_refused(cascade, scan, prior, mask, registered):
    blind = with_fine_labels(cascade, np.zeros_like)
    with pytest.raises(ContentRefusedError, match="found 0 of them"):
        predict_regions(blind, scan, Modality.NCCT, prior, mask, registered)


def test_without_a_coarse_network_the_pose_is_the_registered_one(
    cascade, scan, prior, mask, predicted, registered
):
    known = RegisteredAtlas.in_pose(registered.regions, predicted.scan_from_atlas)
    posed = predict_regions(RegionNetworks(cascade.fine), scan, Modality.NCCT, prior, mask, known)
    assert region_dice(posed.labels.array, predicted.labels.array).min() > 0.9


class Blind(torch.nn.Module):
    """A network that sees nothing in an image: every label is as likely."""

    divisor = (1, 1, 1)

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, image):
        return self.weight * image[:, 4:]


def test_a_network_that_sees_nothing_leaves_the_regions_of_the_deformed_atlas(
    scan, prior, mask, registered, truth_on
):
    bent = Mapping(registered.mapping.matrix, *bulge(scan))
    deformed = RegisteredAtlas(registered.regions, bent)
    found = predict_regions(RegionNetworks(Blind()), scan, Modality.NCCT, prior, mask, deformed)
    expected = np.where(mask.array, warp(registered.regions, bent, scan, labels=True).array, 0)
    plain = np.where(mask.array, truth_on(scan), 0)
    assert region_dice(found.labels.array, expected).mean() > 0.8
    assert region_dice(found.labels.array, plain).mean() < 0.7
    grid = region_grid(POSE)
    assert region_dice(found.unaided, truth_on(grid)).mean() > 0.8
    bent_regions = warp(registered.regions, bent, grid, labels=True).array
    assert region_dice(found.deformed, bent_regions).mean() > 0.9


def test_a_network_that_is_sure_is_not_overruled_by_the_deformed_atlas(
    cascade, scan, prior, mask, registered, predicted
):
    bent = RegisteredAtlas(registered.regions, Mapping(registered.mapping.matrix, *bulge(scan)))
    found = predict_regions(cascade, scan, Modality.NCCT, prior, mask, bent)
    assert region_dice(found.labels.array, predicted.labels.array).min() > 0.9


def test_the_image_and_its_mirror_image_are_seen(cascade, scan, prior, mask, registered):
    predict_regions(cascade, scan, Modality.NCCT, prior, mask, registered)
    direct, mirror = (seen[0].numpy() for seen in cascade.fine.seen[-2:])
    np.testing.assert_array_equal(mirror[0], direct[0][..., ::-1])
    np.testing.assert_array_equal(mirror[1:4], direct[1:4])
    other_side = swap_sides(np.arange(COUNT + 1, dtype=np.uint8))
    np.testing.assert_array_equal(mirror[4:], direct[4:][other_side][..., ::-1])


def bulge(scan):
    """Return a displacement of the scan's points by 10 mm to the front, and its grid."""
    shift_mm = np.zeros((*scan.array.shape, 3))
    shift_mm[..., 1] = 10.0
    return shift_mm, scan


def test_brain_outside_of_the_regions_does_not_count_for_the_pose(scan, prior, cascade):
    labels = cascade.coarse.labels.numpy().astype(np.uint8)
    with_rest = KnownLabels(np.where(labels == 0, COUNT + 1, labels), COUNT + 2)
    image = intensities(scan, Modality.NCCT)
    found = find_pose(with_rest, image, scan, Modality.NCCT, prior)
    expected = find_pose(cascade.coarse, image, scan, Modality.NCCT, prior)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("seen", [range(0), range(1, 11)])
def test_too_few_regions_are_refused(scan, prior, mask, cascade, seen, registered):
    labels = cascade.coarse.labels.numpy().astype(np.uint8)
    some = KnownLabels(np.where(np.isin(labels, seen), labels, 0).astype(np.uint8), COUNT + 2)
    with pytest.raises(ContentRefusedError, match=f"found {len(seen)} of them") as refused:
        predict_regions(
            RegionNetworks(cascade.fine, some), scan, Modality.NCCT, prior, mask, registered
        )
    assert refused.value.code is ErrorCode.NO_BRAIN


def test_an_empty_mask_is_refused(cascade, scan, prior, mask, registered):
    nothing = mask.with_array(np.zeros_like(mask.array))
    with pytest.raises(ContentRefusedError, match="got an empty one"):
        predict_regions(cascade, scan, Modality.NCCT, prior, nothing, registered)
