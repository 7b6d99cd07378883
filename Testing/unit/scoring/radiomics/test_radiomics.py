"""Features on regions whose features are known; `Testing/benchmarks/radiomics_oracle.py` compares all of them."""

from __future__ import annotations

import numpy as np
import pytest
from axis_orders import reordered

from ASPECTSLib.errors import UsageError
from ASPECTSLib.geometry import Volume, canonicalize, centred_affine
from ASPECTSLib.scoring.radiomics.directions import DIRECTIONS
from ASPECTSLib.scoring.radiomics.features import PAPER_FEATURES, all_features, chosen_features
from ASPECTSLib.scoring.radiomics.first_order import first_order_features
from ASPECTSLib.scoring.radiomics.glcm import glcm_features
from ASPECTSLib.scoring.radiomics.glrlm import glrlm_features, high_grey_level_run_emphasis
from ASPECTSLib.scoring.radiomics.region import take_region
from ASPECTSLib.scoring.radiomics.shape import shape_features

SPACING_MM = np.array([0.5, 0.5, 4.0])


def region_of(array, mask=None, bin_width=1.0):
    array = np.asarray(array, np.float64)
    inside = np.ones(array.shape, bool) if mask is None else mask
    return take_region(Volume(array, centred_affine(array.shape, SPACING_MM)), inside, bin_width)


@pytest.fixture(scope="module")
def textured():
    rng = np.random.default_rng(3)
    array = rng.uniform(0, 255, (5, 9, 8))
    return array, rng.random(array.shape) > 0.3


def test_there_are_thirteen_directions_and_no_opposites():
    assert len(set(DIRECTIONS)) == 13
    assert not {tuple(-np.array(step)) for step in DIRECTIONS} & set(DIRECTIONS)


def test_bins_begin_at_a_multiple_of_their_width_below_the_lowest_value():
    region = region_of([[[30.0, 49.0, 50.0, 130.0]]], bin_width=25.0)
    np.testing.assert_array_equal(region.levels, [1, 1, 2, 5])
    assert region.largest_level == 5


def test_first_order_features_are_those_of_the_values():
    found = first_order_features(region_of([[[1.0, 2.0, 3.0, 6.0]]]))
    assert found["Mean"] == 3.0
    assert found["RootMeanSquared"] == pytest.approx(np.sqrt(50 / 4))
    assert found["Energy"] == 50.0
    assert found["TotalEnergy"] == 50.0
    assert found["Entropy"] == pytest.approx(2.0)
    assert found["Uniformity"] == pytest.approx(0.25)
    assert found["Variance"] == pytest.approx(3.5)
    assert found["Skewness"] == pytest.approx(4.5 / 3.5**1.5)


def test_a_flat_region_has_neither_skewness_nor_entropy():
    found = first_order_features(region_of(np.full((2, 3, 3), 7.0)))
    assert (found["Skewness"], found["Kurtosis"]) == (0.0, 0.0)
    assert found["Entropy"] == pytest.approx(0.0, abs=1e-12)


def test_the_axes_of_a_box_are_measured_in_millimetres():
    mask = np.zeros((10, 40, 60), bool)
    mask[2:8, 5:25, 5:45] = True  # 24 x 10 x 20 mm
    found = shape_features(region_of(mask.astype(float), mask))
    assert found["VoxelVolume"] == pytest.approx(6 * 20 * 40)
    assert found["MajorAxisLength"] == pytest.approx(4 * np.sqrt(35 / 12) * 4.0)
    assert found["MajorAxisLength"] > found["MinorAxisLength"] > found["LeastAxisLength"]
    assert found["Flatness"] <= found["Elongation"] <= 1.0


def test_runs_are_counted_along_lines():
    # Along the row: one run of 1 x 2, one of 2 x 1; along all others each voxel is a run.
    found = glrlm_features(region_of([[[1.0, 1.0, 2.0]]]))
    assert found["RunPercentage"] == pytest.approx((2 / 3 + 12) / 13)
    assert found["HighGrayLevelRunEmphasis"] == pytest.approx((2.5 + 12 * 2.0) / 13)


def test_a_run_ends_at_a_hole_of_the_region():
    mask = np.array([[[True, True, False, True]]])
    found = glrlm_features(region_of(np.ones((1, 1, 4)), mask))
    assert found["LongRunEmphasis"] == pytest.approx((2.5 + 12 * 1.0) / 13)


def test_co_occurrence_of_a_checkerboard_is_known():
    board = np.indices((1, 6, 6)).sum(axis=0) % 2 + 1.0
    found = glcm_features(region_of(board))
    # Along rows and columns each neighbour differs, along both diagonals none does.
    assert found["Contrast"] == pytest.approx(0.5)
    assert found["JointAverage"] == pytest.approx(1.5)
    assert found["MaximumProbability"] == pytest.approx(0.5, abs=0.02)


def test_a_single_voxel_has_no_neighbours():
    assert np.isnan(glcm_features(region_of([[[3.0]]]))["Contrast"])


def test_a_mirrored_or_reordered_region_has_the_same_features(textured):
    array, mask = textured
    expected = all_features(region_of(array, mask, 25.0))
    grid = Volume(array, centred_affine(array.shape, SPACING_MM))
    turned, inside = (
        canonicalize(reordered(grid.with_array(a), (2, 0, 1), (True, False, True))).volume
        for a in (array, mask)
    )
    mirrored = take_region(
        turned.with_array(turned.array[..., ::-1].copy()), inside.array[..., ::-1].copy(), 25.0
    )
    found = all_features(mirrored)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9), name


def test_chosen_features_are_those_of_all(textured):
    region = region_of(*textured, 25.0)
    expected = all_features(region)
    some = (*PAPER_FEATURES, "glcm_Contrast", "firstorder_Median")
    assert chosen_features(region, some) == {name: expected[name] for name in some}
    three = chosen_features(region, PAPER_FEATURES)
    assert three == {name: pytest.approx(expected[name]) for name in PAPER_FEATURES}
    assert high_grey_level_run_emphasis(region) == pytest.approx(
        expected["glrlm_HighGrayLevelRunEmphasis"]
    )


def test_what_cannot_be_measured_is_refused(textured):
    array, mask = textured
    with pytest.raises(UsageError, match="known, got glcm_Magic"):
        chosen_features(region_of(array, mask), ("glcm_Magic",))
    with pytest.raises(UsageError, match="got 0 voxels"):
        region_of(array, np.zeros_like(mask))
