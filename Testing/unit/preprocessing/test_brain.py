from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import (
    AIR_HU,
    FLUID_HU,
    SKIN_HU,
    SKULL_AXES_MM,
    dice,
    ellipsoid,
    grid_points,
    head_hu,
    head_scan,
    inside_skull,
    pose_matrix,
)

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, canonicalize, centred_affine
from ASPECTSLib.io.images import read_image
from ASPECTSLib.preprocessing.brain import (
    brain_mask,
    brain_mask_confidence_connected,
    check_brain,
)

SPACING_MM = np.array([3.0, 3.0, 5.0])
WIDE_SHAPE = (38, 80, 70)
MUSCLE_HU = 60.0
TEMPLE, ORBIT = (76.0, 10.0, 5.0), (30.0, 88.0, -30.0)
REAL_CASES = ("sub001", "sub002")


@pytest.fixture(scope="module")
def head():
    return head_scan(pose_matrix(yaw_deg=6.0, roll_deg=-4.0, shift_mm=(5.0, -3.0, 0.0)))


def phantom(hu_of_points, shape=(38, 74, 60), noise_hu=3.0):
    affine = centred_affine(shape, SPACING_MM)
    noise = np.random.default_rng(0).normal(scale=noise_hu, size=shape)
    return Volume((hu_of_points(grid_points(affine, shape)) + noise).astype(np.float32), affine)


def cylinder(hu, height_mm):
    def hu_of_points(points):
        inside = np.hypot(points[..., 0], points[..., 1]) < 75.0
        return np.where(inside & (np.abs(points[..., 2]) < height_mm / 2), hu, AIR_HU)

    return phantom(hu_of_points)


def torso(axes_mm, height_mm):
    """Return soft tissue within fat, with a spine."""

    def hu_of_points(points):
        x, y, z = np.moveaxis(points, -1, 0)
        hu = np.full(x.shape, AIR_HU)
        for inset_mm, value in ((0.0, -90.0), (15.0, 45.0)):
            hu[(x / (axes_mm[0] - inset_mm)) ** 2 + (y / (axes_mm[1] - inset_mm)) ** 2 < 1.0] = (
                value
            )
        hu[np.hypot(x, y + axes_mm[1] - 40.0) < 22.0] = 500.0
        return np.where(np.abs(z) < height_mm / 2, hu, AIR_HU)

    return phantom(hu_of_points, shape=(30, 80, 90))


def muscle(points, centre_mm):
    """Tell which points lie in a lump as large as a temporal muscle, outside the skull."""
    return ellipsoid(points, (24.0, 26.0, 30.0), centre_mm) & ~ellipsoid(points, SKULL_AXES_MM)


def leaking_head(centre_mm, half_width_mm, ventricle_axes_mm=(0.0, 0.0, 0.0), noise_hu=3.0):
    """Return a head in which a canal through the skull connects the brain with a muscle, and where the muscle is."""

    def hu_of_points(points):
        hu = head_hu(points)
        if any(ventricle_axes_mm):
            hu[ellipsoid(points, ventricle_axes_mm)] = FLUID_HU
        hu[muscle(points, centre_mm)] = MUSCLE_HU
        direction = np.array(centre_mm) / np.linalg.norm(centre_mm)
        along = points @ direction
        from_axis = np.linalg.norm(points - along[..., None] * direction, axis=-1)
        hu[(from_axis < half_width_mm) & (along > 0.0) & (hu > 200.0)] = MUSCLE_HU
        return hu

    points = grid_points(centred_affine(WIDE_SHAPE, SPACING_MM), WIDE_SHAPE)
    volume = phantom(hu_of_points, WIDE_SHAPE, noise_hu)
    return volume, inside_skull(points), muscle(points, centre_mm)


def slab(volume, slices):
    array = volume.array[slices]
    return Volume(array, centred_affine(array.shape, volume.spacing_mm))


def refusal(volume):
    with pytest.raises(ContentRefusedError) as caught:
        check_brain(volume, brain_mask(volume))
    return caught.value


def test_the_mask_of_a_phantom_head_is_its_brain(head):
    mask = brain_mask(head.ct)
    assert mask.array.dtype == bool
    assert dice(mask.array, head.brain.array) > 0.97
    check_brain(head.ct, mask)


def test_ventricles_are_part_of_the_brain(head):
    fluid = head.brain.array & (head.ct.array > 0.0) & (head.ct.array < 15.0)
    inner = np.zeros_like(fluid)
    inner[14:26, 20:52, 18:42] = True
    assert brain_mask(head.ct).array[fluid & inner].mean() > 0.99


def test_bone_and_scalp_are_not(head):
    mask = brain_mask(head.ct).array
    assert not mask[head.ct.array > 200.0].any()
    assert mask[:, :4].sum() == mask[:, -4:].sum() == 0


@pytest.mark.parametrize("lowest_hu", [-50.0, 0.0])
def test_scans_that_are_clipped_have_the_same_brain(head, lowest_hu):
    clipped = head.ct.with_array(np.maximum(head.ct.array, lowest_hu))
    mask = brain_mask(clipped)
    assert dice(mask.array, head.brain.array) > 0.97
    check_brain(clipped, mask)


def test_a_scan_without_skull_is_all_brain(head):
    stripped = head.ct.with_array(np.where(head.brain.array, np.clip(head.ct.array, 1, 80), 0.0))
    mask = brain_mask(stripped)
    assert dice(mask.array, head.brain.array) > 0.97
    check_brain(stripped, mask)


def test_a_finer_scan_has_the_same_brain():
    head = head_scan(spacing_mm=(2.0, 2.0, 5.0))
    assert dice(brain_mask(head.ct).array, head.brain.array) > 0.97


def test_a_mirrored_scan_has_the_mirrored_brain(head):
    mirror = head.ct.with_array(np.ascontiguousarray(head.ct.array[..., ::-1]))
    assert np.array_equal(brain_mask(mirror).array, brain_mask(head.ct).array[..., ::-1])


@pytest.mark.parametrize("half_width_mm", [4.0, 6.0, 8.0])
@pytest.mark.parametrize("centre_mm", [TEMPLE, ORBIT])
def test_what_a_gap_of_the_skull_connects_with_the_brain_is_left_out(centre_mm, half_width_mm):
    volume, brain, outside = leaking_head(centre_mm, half_width_mm)
    mask = brain_mask(volume)
    assert dice(mask.array, brain) > 0.97
    assert mask.array[outside].mean() < 0.10
    check_brain(volume, mask)


def test_noise_in_wide_ventricles_does_not_break_a_brain_that_must_be_parted_from_muscle():
    volume, brain, outside = leaking_head(TEMPLE, 8.0, (50.0, 65.0, 55.0), noise_hu=20.0)
    mask = brain_mask(volume)
    assert dice(mask.array, brain) > 0.97
    assert mask.array[outside].mean() < 0.10


def test_a_head_without_a_bone_flap_has_the_same_brain():
    def hu_of_points(points):
        hu = head_hu(points)
        flap = np.linalg.norm(points - np.array([70.0, 0.0, 20.0]), axis=-1) < 40.0
        hu[flap & (hu > 200.0)] = SKIN_HU
        return hu

    volume = phantom(hu_of_points)
    brain = inside_skull(grid_points(volume.affine, volume.array.shape))
    mask = brain_mask(volume)
    assert dice(mask.array, brain) > 0.95
    check_brain(volume, mask)


def test_air_holds_no_brain():
    error = refusal(phantom(lambda points: np.full(points.shape[:3], AIR_HU)))
    assert error.code is ErrorCode.NO_BRAIN
    assert "no brain tissue" in error.message


@pytest.mark.parametrize(
    ("hu", "height_mm"), [(0.0, 120.0), (0.0, 400.0), (6.0, 120.0), (6.0, 400.0), (40.0, 400.0)]
)
def test_a_cylinder_without_skull_is_no_brain(hu, height_mm):
    assert refusal(cylinder(hu, height_mm)).code is ErrorCode.NO_BRAIN


@pytest.mark.parametrize("height_mm", [120.0, 400.0])
@pytest.mark.parametrize("axes_mm", [(130.0, 100.0), (105.0, 75.0)])
def test_a_torso_is_no_brain(axes_mm, height_mm):
    assert refusal(torso(axes_mm, height_mm)).code is ErrorCode.NO_BRAIN


def test_an_empty_mask_holds_no_brain(head):
    empty = head.brain.with_array(np.zeros_like(head.brain.array))
    with pytest.raises(ContentRefusedError, match="no brain tissue"):
        check_brain(head.ct, empty)


@pytest.mark.parametrize(
    ("slices", "end"),
    [
        (slice(24, None), "bottom"),
        (slice(30, None), "bottom"),
        (slice(0, 19), "top"),
        (slice(0, 26), "top"),
    ],
)
def test_part_of_a_head_is_refused_as_partial(head, slices, end):
    error = refusal(slab(head.ct, slices))
    assert error.code is ErrorCode.PARTIAL_COVERAGE
    assert f"at the {end}" in error.message


@pytest.mark.parametrize("slices", [slice(8, None), slice(0, 34)])
def test_a_scan_that_misses_only_the_base_or_the_scalp_is_taken(head, slices):
    part = slab(head.ct, slices)
    check_brain(part, brain_mask(part))


@pytest.mark.parametrize("case", REAL_CASES)
def test_real_brains_agree_with_the_published_masks(shared_data, case):
    folder = shared_data / "ncct" / "ct-aspects" / case
    scan = canonicalize(read_image(folder / "im_aligned.nii.gz")).volume
    published = canonicalize(read_image(folder / "im_aligned_stripped.nii.gz")).volume.array > 0
    mask = brain_mask(scan)
    assert dice(mask.array, published) >= 0.96
    check_brain(scan, mask)


def test_the_published_recipe_finds_the_brain_in_the_middle_of_the_head():
    head = head_scan(spacing_mm=(2.0, 2.0, 5.0), noise_hu=2.0)
    middle = slice(17, 22)
    part, truth = slab(head.ct, middle), head.brain.array[middle]
    mask = brain_mask_confidence_connected(part)
    assert mask.array.shape == truth.shape
    assert dice(mask.array, truth) > 0.95


def test_the_published_recipe_finds_nothing_in_air():
    air = phantom(lambda points: np.full(points.shape[:3], AIR_HU), shape=(2, 40, 40))
    assert not brain_mask_confidence_connected(air).array.any()
