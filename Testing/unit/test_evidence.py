"""What calls rest on, on a head that is darker on one side."""

from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of
from ASPECTSLib.evidence import CoverageEvidence, NetworkEvidence, PooledEvidence, gather_evidence
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.scoring.pooled_call import WeighedRegion

SHAPE = (8, 40, 40)
M2_LEFT, M2_RIGHT = (region_of(RegionCode.M2, side) for side in (Side.LEFT, Side.RIGHT))
PROBABILITIES = tuple(0.9 if region == M2_LEFT else 0.2 for region in REGIONS)
THRESHOLDS = (0.5,) * 20


@pytest.fixture(scope="module")
def grid():
    return Volume(np.zeros(SHAPE, np.float32), centred_affine(SHAPE, (3.0, 3.0, 5.0)))


@pytest.fixture(scope="module")
def labels(grid):
    array = np.zeros(SHAPE, np.uint8)
    array[2:6, 10:30, 4:16] = M2_LEFT.label  # columns run from left to right
    array[2:6, 10:30, 24:36] = M2_RIGHT.label
    return grid.with_array(array)


@pytest.fixture(scope="module")
def density(grid, labels):
    hu = np.where(labels.array == M2_LEFT.label, 29.0, 33.0).astype(np.float32)
    return gather_evidence(grid.with_array(hu), grid.with_array(np.ones(SHAPE, bool)), 1)


def call_of(evidence, labels, infarct=None, region=M2_LEFT):
    return evidence.call_regions(labels, infarct)[region.label - 1]


def test_a_networks_calls_go_by_its_probabilities_and_show_the_density(density, labels):
    evidence = NetworkEvidence(density, PROBABILITIES, THRESHOLDS)
    left, right = (call_of(evidence, labels, region=r) for r in (M2_LEFT, M2_RIGHT))
    assert (left.affected, right.affected) == (True, False)
    assert left.measure.drop == pytest.approx(4.0, abs=0.2)
    assert "0.90" in left.evidence


def test_they_stay_when_a_border_is_moved(density, labels):
    evidence = NetworkEvidence(density, PROBABILITIES, THRESHOLDS)
    smaller = labels.array.copy()
    smaller[3:] = 0
    moved = call_of(evidence, labels.with_array(smaller))
    assert moved.probability == 0.9
    assert moved.measure.volume_ml < call_of(evidence, labels).measure.volume_ml


def test_a_drawn_infarct_counts_beside_the_network(density, labels):
    evidence = NetworkEvidence(density, PROBABILITIES, THRESHOLDS)
    drawn = labels.array == M2_RIGHT.label
    assert not call_of(evidence, labels, region=M2_RIGHT).affected
    assert call_of(evidence, labels, drawn, M2_RIGHT).affected


def test_by_coverage_the_infarct_alone_decides(density, labels):
    evidence = CoverageEvidence(density, affected_fraction=0.1)
    assert not call_of(evidence, labels).affected
    infarct = np.zeros(SHAPE, bool)
    infarct[2:6, 10:30, 24:27] = True
    right = call_of(evidence, labels, infarct, M2_RIGHT)
    assert right.affected
    assert right.infarct_fraction == pytest.approx(0.25)
    assert right.measure.median == pytest.approx(33.0, abs=0.1)


def test_of_a_pool_the_infarct_decides_where_it_was_drawn_or_erased(density, labels):
    weighed = tuple(
        WeighedRegion(probability, 0.5, 0.3, 0.4, covered=region == M2_LEFT)
        for region, probability in zip(REGIONS, PROBABILITIES, strict=True)
    )
    evidence = PooledEvidence(density, weighed, affected_fraction=0.1)
    found, drawn = (labels.array == region.label for region in (M2_LEFT, M2_RIGHT))
    assert call_of(evidence, labels, found).affected
    assert not call_of(evidence, labels, found, M2_RIGHT).affected
    assert call_of(evidence, labels, found | drawn, M2_RIGHT).affected
    assert not call_of(evidence, labels).affected  # erased


def test_places_that_are_left_out_are_not_compared(density):
    places = np.zeros(density.tissue.shape, bool)
    places[2:4] = True
    left = density.leaving_out(places)
    assert not left.tissue[2:4].any()
    np.testing.assert_array_equal(left.tissue[4:], density.tissue[4:])


def test_voxels_that_were_selected_before_are_compared_again(grid, labels):
    mask = np.zeros(SHAPE, bool)
    mask[1:, 5:35, 3:37] = True
    selected = mask & (np.indices(SHAPE).sum(axis=0) % 3 == 0)
    scan = grid.with_array(np.full(SHAPE, 33.0, np.float32))
    evidence = gather_evidence(scan, grid.with_array(mask), 1, selected)
    assert 0 < evidence.tissue.sum() == selected.sum()
    np.testing.assert_array_equal(evidence.tissue, selected[evidence.box])
    assert call_of(evidence, labels).measure.median == pytest.approx(33.0, abs=0.1)


def test_the_evidence_of_the_mirrored_head_is_the_mirrored_evidence(grid):
    """The brain lies off the middle of the grid."""
    rng = np.random.default_rng(3)
    hu = rng.normal(33.0, 4.0, SHAPE).astype(np.float32)
    mask = np.zeros(SHAPE, bool)
    mask[1:7, 5:30, 3:25] = True
    given, turned = (
        gather_evidence(
            grid.with_array(np.ascontiguousarray(hu[..., ::step])),
            grid.with_array(np.ascontiguousarray(mask[..., ::step])),
            1,
        )
        for step in (1, -1)
    )
    mirrored = given.mirrored(grid)
    assert mirrored.box == turned.box
    for name in ("smoothed", "mask"):
        np.testing.assert_array_equal(getattr(mirrored, name).array, getattr(turned, name).array)
        np.testing.assert_array_equal(getattr(mirrored, name).affine, getattr(turned, name).affine)
    np.testing.assert_array_equal(mirrored.tissue, turned.tissue)
