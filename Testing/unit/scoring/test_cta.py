from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of, swap_sides
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.scoring.cta import (
    CUT_POINTS,
    call_by_ratio,
    enhanced_tissue,
    region_features,
    side_differences,
    to_grey,
    vessels_of,
)
from ASPECTSLib.scoring.radiomics.features import PAPER_FEATURES

SHAPE = (6, 40, 80)
AFFINE = centred_affine(SHAPE, np.array([1.0, 1.0, 4.0]))
USUAL_HU, DARK_HU = 38.0, 30.0
M2_LEFT = region_of(RegionCode.M2, Side.LEFT)


@pytest.fixture(scope="module")
def labels():
    """Return a block for each region, those of the two sides mirrored."""
    array = np.zeros(SHAPE, np.uint8)
    for region in REGIONS:
        row, column = divmod((region.label - 1) % 10, 5)
        block = (slice(1, 5), slice(2 + 18 * row, 18 + 18 * row))
        columns = slice(2 + 7 * column, 8 + 7 * column)
        if region.side is Side.LEFT:
            array[(*block, columns)] = region.label
        else:
            array[(*block, slice(SHAPE[2] - columns.stop, SHAPE[2] - columns.start))] = region.label
    return array


@pytest.fixture(scope="module")
def head(labels):
    noise = np.random.default_rng(0).normal(0.0, 1.0, SHAPE)
    usual = np.where(labels == M2_LEFT.label, DARK_HU, USUAL_HU)
    return Volume((usual + noise).astype(np.float32), AFFINE)


def test_the_window_is_eighty_wide_around_forty():
    grey = to_grey(Volume(np.array([[[-50.0, 0.0, 40.0, 80.0, 900.0]]]), np.eye(4))).array
    np.testing.assert_allclose(grey.ravel(), [0.0, 0.0, 127.5, 255.0, 255.0])


def test_there_is_a_cut_point_for_each_region():
    assert set(CUT_POINTS) == set(RegionCode)
    assert all(0.85 < ratio < 1.0 for ratio in CUT_POINTS.values())


def test_a_region_whose_density_falls_below_its_cut_point_is_called(head, labels):
    calls = call_by_ratio(head, labels)
    called = [r for r, call in zip(REGIONS, calls, strict=True) if call.affected]
    assert called == [M2_LEFT]
    assert calls[M2_LEFT.label - 1].ratio == pytest.approx(DARK_HU / USUAL_HU, abs=0.01)


def test_a_mirrored_head_gives_the_mirrored_ratios(head, labels):
    turned = call_by_ratio(
        head.with_array(head.array[..., ::-1].copy()), swap_sides(labels[..., ::-1].copy())
    )
    for call, other in zip(call_by_ratio(head, labels), turned[10:] + turned[:10], strict=True):
        assert call.ratio == pytest.approx(other.ratio, rel=1e-6)


def test_a_region_that_is_not_there_has_no_ratio(head, labels):
    without = np.where(labels == M2_LEFT.label, 0, labels)
    calls = call_by_ratio(head, without)
    assert calls[M2_LEFT.label - 1].ratio is None
    assert not calls[M2_LEFT.label - 1].affected


def test_features_of_the_darker_side_are_smaller(head, labels):
    tissue = labels > 0
    found = region_features(to_grey(head), labels, tissue, PAPER_FEATURES)
    ratios = side_differences(found, PAPER_FEATURES)
    assert ratios.shape == (20, 3)
    assert (ratios[M2_LEFT.label - 1] < -0.05).all()
    np.testing.assert_allclose(ratios[:10], -ratios[10:])


def test_a_region_with_too_little_tissue_is_not_measured(head, labels):
    tissue = (labels > 0) & (labels != M2_LEFT.label)
    found = region_features(to_grey(head), labels, tissue, PAPER_FEATURES)
    assert found[M2_LEFT] is None
    ratios = side_differences(found, PAPER_FEATURES)
    assert np.isnan(ratios[[M2_LEFT.label - 1, M2_LEFT.label - 11]]).all()


def test_vessels_and_what_lies_beside_them_are_no_tissue(head, labels):
    bright = head.array.copy()
    bright[3, 20, 30] = 300.0
    volume, inside = head.with_array(bright), labels >= 0
    vessels = vessels_of(volume, inside)
    assert vessels[3, 20, 29:32].all()
    assert not vessels[3, 20, 27]
    assert not vessels[4].any()
    assert vessels.sum() == 9
    enhanced = head.with_array(head.array + 15.0)  # grey matter that took up contrast agent
    assert enhanced_tissue(enhanced, inside & ~vessels)[2].mean() > 0.9
