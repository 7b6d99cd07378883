"""What DA-Net is trained on: the right region on the right side, found about as well as in real scans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from asymmetry_phantoms import BRAIN_HU, labelled_head
from scipy import ndimage

from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.inference.asymmetry_inputs import OUTSIDE, PAIRS, SIDES, PatchSpec
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.training.asymmetry_loss import AFFECTED_FLAGS, REGION_FLAGS
from ASPECTSLib.training.asymmetry_view import look_at_pair, midplane_of
from ASPECTSLib.training.views import VIEWS

SPEC = PatchSpec((10, 32, 24), (2.0, 2.0, 4.0))
CODES = PAIRS["asymmetry-subcortical"]
LEFT_L = region_of(RegionCode.L, Side.LEFT)
SEEDS = range(30)


@pytest.fixture(scope="module")
def scan():
    """Return a head whose left lentiform nucleus is dark and infarcted."""
    return labelled_head([LEFT_L], noise_hu=1.0)


@pytest.fixture(scope="module")
def looks(scan):
    return [look(scan, seed) for seed in SEEDS]


def look(scan, seed, **options):
    return look_at_pair(scan, None, Draw((seed,)), **{"codes": CODES, "spec": SPEC, **options})


def affected(labels):
    """Tell which sides are said to be affected."""
    told = [labels & flag for flag in AFFECTED_FLAGS]
    assert all(flag.min() == flag.max() for flag in told)
    return tuple(side for side, flag in zip(SIDES, told, strict=True) if flag.any())


def test_samples_are_what_network_and_loss_take(looks):
    for image, labels in looks:
        assert image.shape == (SPEC.channels, *SPEC.shape_kji)
        assert labels.shape == SPEC.shape_kji
        assert (image.dtype, labels.dtype) == (np.float32, np.uint8)
        assert np.abs(image).max() <= 1.0
        for channel, flag in zip((1, 3), REGION_FLAGS, strict=True):
            np.testing.assert_array_equal(image[channel] > 0, (labels & flag) > 0)


def test_the_dark_side_is_the_side_that_is_said_to_be_affected(looks):
    darker = []
    for image, labels in looks:
        if affected(labels):
            assert affected(labels) == (Side.LEFT,)
            left, right = (
                np.median(image[channel][labels & flag > 0])
                for channel, flag in zip((0, 2), REGION_FLAGS, strict=True)
            )
            darker.append(right - left)
    # 8 HU of a window of 50 HU, which is seen as 2; healthy sides differ by some HU, too.
    assert np.mean(darker) == pytest.approx(0.32, abs=0.08)
    assert min(darker) > 0.1


def test_affected_regions_are_shown_more_often_than_by_chance(looks):
    share = np.mean([bool(affected(labels)) for _, labels in looks])
    assert 0.4 < share < 0.95


def test_a_region_is_affected_when_more_than_a_tenth_is_infarcted(scan):
    fractions = np.zeros(20)
    for share, is_affected in ((0.09, False), (0.11, True)):
        fractions[LEFT_L.label - 1] = share
        told = replace(scan)
        told.__dict__["infarct_fractions"] = fractions
        _, labels = look(told, 0, codes=[RegionCode.L])
        assert bool(affected(labels)) == is_affected


def test_regions_are_found_with_the_errors_of_real_label_maps(scan):
    middles, sizes, overlaps = [], [], []
    for seed in SEEDS:
        _, labels = look(scan, seed, codes=[RegionCode.I])
        left, right = ((labels & flag) > 0 for flag in REGION_FLAGS)
        middles.append(np.argwhere(left).mean(axis=0) * (4, 2, 2))
        sizes.append(left.sum())
        overlaps.append(2 * (left & right).sum() / (left.sum() + right.sum()))
    assert (np.std(middles, axis=0) < 3.0).all()
    assert (np.std(middles, axis=0) > 0.4).all()
    assert 0.05 < np.std(sizes) / np.mean(sizes) < 0.4
    assert 0.45 < np.mean(overlaps) < 0.9
    middle = (np.array(SPEC.shape_kji) - 1) / 2 * (4, 2, 2)
    assert np.mean(middles, axis=0) == pytest.approx(middle, abs=1.5)


def test_densities_vary_about_what_they_are(looks):
    level, width = SPEC.window_hu
    medians = [np.median(image[0][image[0] > OUTSIDE]) * width / 2 + level for image, _ in looks]
    assert np.mean(medians) == pytest.approx(BRAIN_HU, abs=2.0)
    assert np.std(medians) > 0.5


def test_what_is_not_brain_is_fluid(scan):
    image, _ = look(scan, 2, codes=[RegionCode.M2], spec=PatchSpec((10, 48, 48), (2.0, 2.0, 4.0)))
    assert 0.05 < (image[0] == OUTSIDE).mean() < 0.7


def test_skull_at_the_rim_is_left_out_as_the_mask_of_a_scan_leaves_it_out(scan):
    wide = replace(scan, brain_on=lambda grid: np.ones(grid.array.shape, bool))
    patches = PatchSpec((10, 48, 48), (2.0, 2.0, 4.0))
    rim = replace(scan, brain_on=lambda g: ndimage.binary_dilation(scan.brain_on(g), iterations=1))
    shares = [
        (look(head, 2, codes=[RegionCode.M2], spec=patches)[0][0] == 1.0).mean()
        for head in (wide, rim)
    ]
    assert shares[1] < 0.2 * shares[0]


def test_the_same_draw_gives_the_same_sample_and_leaves_the_scan_as_it_is(scan, looks):
    before = scan.image.array.copy()
    again, labels = look(scan, 0)
    np.testing.assert_array_equal(again, looks[0][0])
    np.testing.assert_array_equal(labels, looks[0][1])
    np.testing.assert_array_equal(scan.image.array, before)


def test_a_healthy_patient_has_no_affected_side():
    healthy = labelled_head()
    assert not any(affected(look(healthy, seed)[1]) for seed in range(5))


def test_infarcts_are_painted_into_either_side_of_healthy_pairs_where_that_is_asked_for():
    healthy = labelled_head()
    seen = [affected(look(healthy, seed, painted=1.0)[1]) for seed in SEEDS]
    assert {side for sides in seen for side in sides} == set(SIDES)
    assert 0.4 < np.mean([bool(sides) for sides in seen]) < 1.0  # some are too small to affect


def test_nothing_is_painted_beside_a_real_infarct(scan):
    for seed in SEEDS:
        plain, painted = (look(scan, seed, codes=[RegionCode.L], painted=p) for p in (0.0, 1.0))
        np.testing.assert_array_equal(plain[0], painted[0])
        np.testing.assert_array_equal(plain[1], painted[1])


def test_scans_without_infarct_masks_are_refused(scan):
    with pytest.raises(UsageError, match="infarct masks") as refused:
        look(replace(scan, infarct_on=None), 0)
    assert refused.value.code is ErrorCode.RECIPE_INVALID


def test_scans_without_the_regions_are_refused(scan):
    empty = replace(scan, regions_on=lambda grid: np.zeros(grid.array.shape, np.uint8))
    with pytest.raises(UsageError, match="one of the regions C, L, IC, I") as refused:
        look(empty, 0)
    assert refused.value.code is ErrorCode.RECIPE_INVALID


def test_the_midplane_lies_between_the_centres_of_both_sides(scan):
    plane = midplane_of(scan.centres_mm, scan.volumes_ml)
    np.testing.assert_allclose(plane.normal, [1.0, 0.0, 0.0], atol=0.02)
    assert plane.offset_mm == pytest.approx(0.0, abs=0.5)
    moved = scan.centres_mm @ np.array([[0.96, 0.28, 0], [-0.28, 0.96, 0], [0, 0, 1.0]])
    plane = midplane_of(moved + np.array([3.0, 4.0, 5.0]), scan.volumes_ml)
    np.testing.assert_allclose(plane.normal, [0.96, 0.28, 0.0], atol=0.02)
    assert plane.offset_mm == pytest.approx(0.96 * 3.0 + 0.28 * 4.0, abs=0.5)
    assert midplane_of(moved, np.zeros(20)).normal.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("task", sorted(PAIRS))
def test_views_are_made_for_the_patches_of_a_recipe(scan, task):
    view = VIEWS[task]
    assert (view.channels, view.classes) == (PatchSpec().channels, 2)
    assert view.validation_looks > 1
    other = view.cut_as(PatchSpec((4, 8, 8), (4.0, 4.0, 8.0), shows_region=False))
    assert other.channels == 2
    image, labels = other.look(scan, None, Draw((1,)))
    assert image.shape == (2, *labels.shape) == (2, 4, 8, 8)
    brain = VIEWS["brain"]
    assert brain.cut_as(PatchSpec()) is brain
