"""Patches of a head whose regions are balls: each ball must lie in the middle of its patch, left on the left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from asymmetry_phantoms import BRAIN_HU, DROP_HU, centre_of, labelled_head, paired_head
from head_phantoms import pose_matrix
from scipy import ndimage

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of
from ASPECTSLib.errors import ErrorCode, ResourceError, UsageError
from ASPECTSLib.geometry import Volume, apply_affine
from ASPECTSLib.inference.asymmetry_inputs import (
    OUTSIDE,
    PAIRS,
    SIDES,
    PatchSpec,
    cut_density,
    cut_region,
    pair_grids,
    patch_source,
    region_centres,
    side_channels,
)

SPEC = PatchSpec((8, 24, 24), (2.0, 2.0, 4.0))
TILTED = pose_matrix(yaw_deg=12.0, roll_deg=-9.0, shift_mm=(6.0, -4.0, 3.0), pitch_deg=8.0)
LEFT_L, RIGHT_L = region_of(RegionCode.L, Side.LEFT), region_of(RegionCode.L, Side.RIGHT)


def cut(head, code, spec=SPEC):
    """Return density, brain and region of both sides of a region, left and right."""
    source = patch_source(head.image, head.brain, head.labels, spec)
    grids = pair_grids(code, region_centres(head.labels), head.midplane, spec)
    return [
        (*cut_density(source, grid), cut_region(source, region_of(code, side), grid))
        for side, grid in zip(SIDES, grids, strict=True)
    ]


def test_each_region_is_called_by_one_model():
    assert sorted(code for codes in PAIRS.values() for code in codes) == sorted(RegionCode)
    assert [c.value for c in PAIRS["asymmetry-subcortical"]] == ["C", "L", "IC", "I"]
    assert SIDES == (Side.LEFT, Side.RIGHT)


@pytest.mark.parametrize("region", [LEFT_L, RIGHT_L])
@pytest.mark.parametrize("to_head", [np.eye(4), TILTED])
def test_left_is_seen_on_the_left_and_right_on_the_right(region, to_head):
    head = paired_head([region], to_head=to_head)
    densities = [density[mask].mean() for density, _, mask in cut(head, RegionCode.L)]
    expected = [BRAIN_HU - DROP_HU * (side is region.side) for side in SIDES]
    assert densities == pytest.approx(expected, abs=0.25 * DROP_HU)


@pytest.mark.parametrize("code", list(RegionCode))
def test_regions_lie_in_the_middle_of_their_patches(code):
    for _, _, mask in cut(paired_head(to_head=TILTED), code):
        middle_mm = (np.argwhere(mask).mean(axis=0) - (np.array(mask.shape) - 1) / 2) * (4, 2, 2)
        assert np.abs(middle_mm).max() < 2.0
        assert mask.sum() * 16.0 == pytest.approx(4 / 3 * np.pi * 8.0**3, rel=0.2)


def test_sides_of_a_symmetric_head_look_alike():
    head = paired_head([LEFT_L, RIGHT_L], to_head=TILTED)
    (left, _, left_mask), (right, _, right_mask) = cut(head, RegionCode.L)
    assert np.corrcoef(left.ravel(), right.ravel())[0, 1] > 0.9
    assert (left_mask != right_mask).sum() < 0.3 * left_mask.sum()


def test_patches_run_from_the_side_to_the_middle():
    head = paired_head()
    grids = pair_grids(RegionCode.M2, region_centres(head.labels), head.midplane, SPEC)
    for grid, sign in zip(grids, (-1.0, 1.0), strict=True):
        ends = apply_affine(grid.affine, np.array([[0.0, 0, 0], [23.0, 23.0, 7.0]]))
        assert sign * ends[0, 0] > sign * ends[1, 0]
        assert (ends[1, 1:] - ends[0, 1:]).tolist() == pytest.approx([46.0, 28.0])


def test_a_grid_lies_in_the_middle_of_both_sides_and_makes_do_with_one():
    centres = np.array([centre_of(region) for region in REGIONS])
    head = paired_head()
    centres[LEFT_L.label - 1] += (0.0, 4.0, 0.0)

    def middle_y(centres):
        grids = pair_grids(RegionCode.L, centres, head.midplane, SPEC)
        return [apply_affine(g.affine, (np.array(g.size) - 1) / 2)[1] for g in grids]

    assert middle_y(centres) == pytest.approx([4.0, 4.0])
    centres[RIGHT_L.label - 1] = np.nan
    assert middle_y(centres) == pytest.approx([6.0, 6.0])
    centres[LEFT_L.label - 1] = np.nan
    assert pair_grids(RegionCode.L, centres, head.midplane, SPEC) is None


def test_centres_are_found_also_on_thin_slices():
    coarse = region_centres(paired_head().labels)
    expected = np.array([centre_of(region) for region in REGIONS])
    np.testing.assert_allclose(coarse, expected, atol=1.2)
    shape, affine = (70, 88, 70), paired_head().labels.affine.copy()
    affine[2, 2], affine[2, 3] = 1.0, -20.0
    thin = labelled_head().regions_on(Volume(np.zeros(shape, np.uint8), affine))
    np.testing.assert_allclose(region_centres(Volume(thin, affine)), expected, atol=1.2)


def test_absent_regions_have_no_centre():
    labels = paired_head().labels
    some = labels.with_array(np.where(labels.array == 3, labels.array, 0))
    assert np.isfinite(region_centres(some)).all(axis=1).nonzero()[0].tolist() == [2]
    assert np.isnan(region_centres(labels.with_array(np.zeros_like(labels.array)))).all()


def test_densities_are_seen_within_the_window_and_what_is_not_brain_as_fluid():
    density = np.array([[[-500.0, 5.0, 30.0, 55.0, 900.0, 30.0]]], np.float32)
    brain = np.array([[[True] * 5 + [False]]])
    region = density == 30.0
    channels = side_channels(density, brain, region, SPEC)
    assert channels.dtype == np.float32
    np.testing.assert_allclose(channels[0, 0, 0], [-1, -1, 0, 1, 1, OUTSIDE])
    np.testing.assert_allclose(channels[1], region)
    without = replace(SPEC, shows_region=False)
    assert side_channels(density, brain, region, without).shape == (1, 1, 1, 6)
    assert (SPEC.channels, without.channels) == (4, 2)


def test_the_skull_is_not_seen():
    for density, brain, mask in cut(paired_head(), RegionCode.M2):
        assert not brain.all()
        seen = side_channels(density, brain, mask, SPEC)[0]
        assert (seen[~brain] == OUTSIDE).all()
        assert np.abs(seen[brain]).mean() < 0.3


def test_finer_pixels_are_averaged_and_coarser_ones_left():
    head = paired_head(noise_hu=4.0)

    def deviation(spacing_mm):
        spec = PatchSpec((4, 8, 8), spacing_mm)
        source = patch_source(head.image, head.brain, head.labels, spec)
        inner = ndimage.binary_erosion(source.brain.array, iterations=4)
        return source.image.array[inner].std()

    assert deviation((2.0, 2.0, 3.5)) == pytest.approx(4.0, rel=0.05)
    assert deviation((4.0, 4.0, 7.0)) < 0.6 * 4.0


def test_bone_does_not_bleed_into_the_brain():
    head = paired_head()
    source = patch_source(head.image, head.brain, head.labels, PatchSpec((4, 8, 8), (4, 4, 5.0)))
    assert source.image.array.max() <= 120.0


def test_patches_are_told_to_the_card_and_read_from_it():
    spec = PatchSpec((8, 32, 48), (1.5, 1.5, 5.0), (35.0, 40.0), shows_region=False)
    assert PatchSpec.from_json(spec.to_json() | {"channels": 2}) == spec


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape_kji": [8, 32]}, r"shape_kji of 3 numbers, got \(8, 32\)"),
        ({"shape_kji": [8.0, 32, 48]}, "shape_kji of 3 numbers"),
        ({"shape_kji": [0, 32, 48]}, "shape_kji of 1 or more"),
        ({"spacing_mm": [1.0, 1.0, 0.0]}, "spacing_mm above 0"),
        ({"spacing_mm": [1.0, 1.0, float("nan")]}, "spacing_mm of 3 numbers"),
        ({"window_hu": [30.0, -50.0]}, "width above 0"),
        ({"window_hu": "30"}, "window_hu of 2 numbers"),
        ({"shows_region": 1}, "shows_region as true or false"),
    ],
)
def test_numbers_that_make_no_patch_are_refused(changes, words):
    with pytest.raises(ResourceError, match=words) as refused:
        PatchSpec.from_json(SPEC.to_json() | changes)
    assert refused.value.code is ErrorCode.MODEL_DAMAGED


def test_a_card_that_does_not_tell_its_patches_is_refused():
    content = SPEC.to_json()
    del content["window_hu"]
    with pytest.raises(ResourceError, match="the key window_hu in the input") as refused:
        PatchSpec.from_json(content)
    assert refused.value.code is ErrorCode.MODEL_DAMAGED
    with pytest.raises(UsageError, match="width above 0") as refused:
        PatchSpec(window_hu=(30.0, 0.0))
    assert refused.value.code is ErrorCode.MODEL_MISMATCH


def test_the_default_patch_holds_each_region_of_a_large_tilted_head(atlas):
    spec = PatchSpec()
    half_mm = np.array(spec.shape_kji[::-1]) * spec.spacing_mm / 2
    pitch = np.linalg.inv(pose_matrix(pitch_deg=15.0))[:3, :3]
    for region in REGIONS:
        voxels = np.argwhere(atlas.regions.array == region.label)[:, ::-1].astype(float)
        points = apply_affine(atlas.regions.affine, voxels)
        points = 1.1 * (points - points.mean(axis=0)) @ pitch.T
        inside = (np.abs(points) < half_mm).all(axis=1)
        assert inside.mean() > 0.999, region.code
