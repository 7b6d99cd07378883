"""Infarct and regions of a head by slice networks whose answers are known, and by ones that favour a side."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from head_phantoms import BRAIN_AXES_MM, ellipsoid, grid_points, mirrored, pose_matrix
from torch import nn

from ASPECTSLib.atlas.regions import RegionCode, Side, region_of, swap_sides
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, centred_affine, expand
from ASPECTSLib.inference.slice_inputs import (
    ANATOMY_PIXELS,
    ANATOMY_SLICE_CHANNELS,
    INFARCT_PIXELS,
    INFARCT_SLICE_CHANNELS,
    brain_frame,
)
from ASPECTSLib.inference.slices import (
    CODES,
    MIN_INFARCT_ML,
    predict_anatomy,
    predict_ncct_infarct,
    split_sides,
)
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.preprocessing.midplane import Midplane
from ASPECTSLib.scoring.overlap import dice

SHAPE, SPACING_MM = (20, 110, 90), (2.0, 2.0, 8.0)
FEW, THICK_MM = (3, 110, 90), (2.0, 2.0, 30.0)
CENTRE_MM, RADIUS_MM = (30.0, 20.0, 12.0), 16.0
BRAIN_HU, DARKER_HU = 30.0, 15.0
POSE = (9.0, -6.0, (4.0, -3.0, 5.0))

PLACES = {RegionCode.M2: (0.45, 0.05), RegionCode.L: (0.25, 0.05), RegionCode.M6: (0.4, -0.35)}
"""Of the regions that are found: distance from the plane and place front to back, in dm."""


class DarkerThanTheOtherSide(nn.Module):
    """Take for infarct what is more than 8 HU darker than the other side; one side can be overlooked."""

    def __init__(self, *, right_only=False):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.right_only, self.calls = right_only, 0

    def forward(self, image):
        self.calls += 1
        assert image.shape[1] == INFARCT_SLICE_CHANNELS
        own, other = image[:, 1:2], image[:, 2:3]
        infarct = torch.where(own > 0, 100.0 * (other - own - 0.16), -8.0)
        if self.right_only:
            infarct[..., : infarct.shape[-1] // 2] = -8.0
        return torch.cat((torch.zeros_like(infarct), infarct.clamp(-8.0, 8.0)), dim=1)


class RegionsByPlace(nn.Module):
    """Take for a region what lies within a centimetre and a half of its place."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, image):
        assert image.shape[1] == ANATOMY_SLICE_CHANNELS
        scores = torch.zeros((1, len(CODES) + 1, *image.shape[2:]))
        for code, (x, y) in PLACES.items():
            near = ((image[0, 3] - x) ** 2 + (image[0, 4] - y) ** 2).sqrt() < 0.15
            scores[0, CODES.index(code) + 1] = 20.0 * near - 10.0
        return scores


class Patient:
    """A turned brain of even density with a dark ball on one side."""

    def __init__(self, shape=SHAPE, spacing_mm=SPACING_MM, radius_mm=RADIUS_MM):
        affine, to_head = centred_affine(shape, np.array(spacing_mm)), pose_matrix(*POSE)
        self.in_head = apply_affine(to_head, grid_points(affine, shape))
        self.infarct = ellipsoid(self.in_head, (radius_mm,) * 3, CENTRE_MM)
        density = (BRAIN_HU - DARKER_HU * self.infarct).astype(np.float32)
        self.volume = Volume(density, affine)
        self.brain = Volume(ellipsoid(self.in_head, BRAIN_AXES_MM), affine)
        self.midplane = Midplane(to_head[0, :3], -float(to_head[0, 3]), 1.0)

    def mirror(self):
        other = object.__new__(Patient)
        other.volume, other.brain = mirrored(self.volume), mirrored(self.brain)
        other.midplane = self.midplane.mirrored()
        return other

    def infarct_by(self, network, **options):
        return predict_ncct_infarct(
            network, self.volume, self.brain, self.midplane, INFARCT_PIXELS, **options
        )

    def anatomy_by(self, network, **options):
        return predict_anatomy(
            network, self.volume, self.brain, self.midplane, ANATOMY_PIXELS, **options
        )


@pytest.fixture(scope="module")
def patient():
    return Patient()


@pytest.fixture(scope="module")
def textured():
    """A few thick slices that are nowhere the same."""
    few = Patient(FEW, THICK_MM)
    noise = np.random.default_rng(0).normal(0.0, 6.0, FEW).astype(np.float32)
    few.volume = few.volume.with_array(few.volume.array + noise)
    return few


@pytest.fixture(scope="module")
def regions(patient):
    return patient.anatomy_by(RegionsByPlace(), mirroring=False)


def untrained(channels, classes):
    torch.manual_seed(0)
    options = {"in_channels": channels, "out_channels": classes}
    return build_network("slice-linknet", options).eval()


def test_an_infarct_is_recovered_on_the_grid_of_the_scan(patient):
    found = patient.infarct_by(DarkerThanTheOtherSide())
    assert found.mask.array.dtype == bool
    np.testing.assert_array_equal(found.mask.affine, patient.brain.affine)
    assert dice(found.mask.array, patient.infarct) > 0.9
    probability = found.probability.array
    assert probability.dtype == np.float32
    assert probability[found.mask.array].min() >= 0.5
    assert (probability.min(), probability.max() <= 1.0) == (0.0, True)
    assert not probability[~patient.brain.array].any()


def test_an_infarct_is_given_on_finer_slices_where_the_mask_has_them(patient):
    affine = patient.brain.affine @ np.diag([1.0, 1.0, 0.25, 1.0])
    affine[:3, 3] = apply_affine(patient.brain.affine, np.array([0.0, 0.0, -0.375]))
    array = np.repeat(patient.brain.array, 4, axis=0)
    thin = Volume(array, affine)
    network = DarkerThanTheOtherSide()
    found = predict_ncct_infarct(network, patient.volume, thin, patient.midplane, INFARCT_PIXELS)
    truth = expand(patient.infarct, (1, 1, 4), thin).array
    assert dice(found.mask.array, truth) > 0.85
    assert found.mask.array.sum() / 4 == pytest.approx(patient.infarct.sum(), rel=0.15)


@pytest.mark.parametrize(("factor", "is_kept"), [(0.99, True), (1.01, False)])
def test_bodies_that_are_too_small_are_dropped(patient, monkeypatch, factor, is_kept):
    network = DarkerThanTheOtherSide()
    found = patient.infarct_by(network, mirroring=False).mask
    volume_ml = found.array.sum() * found.voxel_volume_ml
    assert volume_ml > MIN_INFARCT_ML
    monkeypatch.setattr("ASPECTSLib.inference.slices.MIN_INFARCT_ML", factor * volume_ml)
    again = patient.infarct_by(network, mirroring=False)
    assert again.mask.array.any() == is_kept
    assert again.probability.array.max() > 0.9


def test_a_mirrored_scan_has_the_mirrored_infarct_by_a_network_that_favours_a_side(patient):
    network = DarkerThanTheOtherSide(right_only=True)
    found, other = (head.infarct_by(network) for head in (patient, patient.mirror()))
    assert network.calls == 4
    np.testing.assert_allclose(
        other.probability.array[..., ::-1], found.probability.array, atol=1e-3
    )
    assert patient.infarct_by(network, mirroring=False).mask.array.any()
    assert not patient.mirror().infarct_by(network, mirroring=False).mask.array.any()


def test_a_mirrored_scan_has_the_mirrored_infarct_by_a_real_network(textured):
    network = untrained(INFARCT_SLICE_CHANNELS, 2)
    found, other = (head.infarct_by(network) for head in (textured, textured.mirror()))
    difference = other.probability.array[..., ::-1] - found.probability.array
    assert np.abs(difference).max() < 1e-3
    assert found.probability.array.std() > 0.01


def test_regions_lie_at_their_places_on_their_own_sides(patient, regions):
    assert regions.array.dtype == np.uint8
    np.testing.assert_array_equal(regions.affine, patient.brain.affine)
    expected = {region_of(code, side).label for code in PLACES for side in Side}
    assert set(np.unique(regions.array)) == {0, *expected}
    for code, (x, y) in PLACES.items():
        for side, sign in ((Side.RIGHT, 1), (Side.LEFT, -1)):
            points = patient.in_head[regions.array == region_of(code, side).label]
            np.testing.assert_allclose(points.mean(axis=0)[:2], (100 * sign * x, 100 * y), atol=6.0)


def test_regions_end_at_the_brain(patient, regions):
    assert not regions.array[~patient.brain.array].any()


def test_a_mirrored_scan_has_the_mirrored_regions(patient, regions):
    other = patient.mirror().anatomy_by(RegionsByPlace())
    swapped = swap_sides(other.array[..., ::-1])
    assert (swapped != regions.array).mean() < 1e-4


def test_a_mirrored_scan_has_the_mirrored_regions_by_a_real_network(textured):
    network = untrained(ANATOMY_SLICE_CHANNELS, len(CODES) + 1)
    found, other = (head.anatomy_by(network) for head in (textured, textured.mirror()))
    swapped = swap_sides(other.array[..., ::-1])
    assert (swapped != found.array).mean() < 1e-3
    assert found.array.any()


def test_the_plane_parts_the_sides(patient):
    codes = np.random.default_rng(0).integers(0, len(CODES) + 1, SHAPE).astype(np.uint8)
    frame = brain_frame(patient.brain, patient.midplane)
    labels = split_sides(patient.brain.with_array(codes), frame).array
    for number, code in enumerate(CODES, start=1):
        for side, is_side in ((Side.RIGHT, 1), (Side.LEFT, -1)):
            on_side = (codes == number) & (is_side * patient.in_head[..., 0] > 0)
            np.testing.assert_array_equal(labels == region_of(code, side).label, on_side)


@pytest.mark.parametrize("predict", [predict_ncct_infarct, predict_anatomy])
def test_without_a_brain_it_is_refused(patient, predict):
    empty = patient.brain.with_array(np.zeros_like(patient.brain.array))
    with pytest.raises(ContentRefusedError, match="brain mask, got an empty one") as refused:
        predict(DarkerThanTheOtherSide(), patient.volume, empty, patient.midplane, INFARCT_PIXELS)
    assert refused.value.code is ErrorCode.NO_BRAIN


def test_the_scan_is_left_as_it_is(patient):
    before = patient.volume.array.copy()
    patient.infarct_by(DarkerThanTheOtherSide())
    np.testing.assert_array_equal(patient.volume.array, before)
