"""What must hold on real scans; skipped where the data are not there.

The two people here were looked at when the rule of the atlas and the thresholds were set: these tests guard against
losing what was reached, they do not measure accuracy.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
from reference_cases import load_reference_cases

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.io.scan import read_scan
from ASPECTSLib.pipeline import ScoreOptions, score_study
from ASPECTSLib.scoring.overlap import region_dice


@pytest.fixture(scope="module")
def cases(shared_data):
    return {case.name: case for case in load_reference_cases(shared_data)}


@pytest.fixture(scope="module")
def scored():
    """Return what scores a scan by the method of choice, each once."""
    return functools.cache(lambda path: score_study(read_scan(path)))


@pytest.mark.parametrize(("name", "side"), [("sub001", "right"), ("sub002", "left")])
def test_scan_as_taken_is_scored_on_the_side_and_within_a_point_of_the_reader(
    cases, scored, name, side
):
    case = cases[name]
    aspects = scored(case.scan_path).result.aspects
    assert aspects.side == side
    assert abs(aspects.score - (10 - len(case.affected))) <= 1


def test_nine_of_ten_regions_are_called_as_by_the_reader(cases, scored):
    right = [
        info.affected == (label in case.affected)
        for case in cases.values()
        for label, info in enumerate(scored(case.scan_path).result.regions, start=1)
    ]
    assert len(right) == 40
    assert sum(right) >= 36


@pytest.mark.parametrize("name", ["sub001", "sub002"])
def test_mapped_regions_overlap_the_reference_regions(cases, name):
    case = cases[name]
    options = ScoreOptions(method="classical")
    regions = score_study(read_scan(case.aligned_path), options).images.regions
    scores = region_dice(canonicalize(regions).volume.array, case.regions)
    assert scores.mean() >= 0.72
    assert scores.min() >= 0.40


@pytest.mark.parametrize("name", ["sub001", "sub002"])
def test_registered_regions_of_the_infarcts_side_overlap_as_those_of_the_healthy_side(cases, name):
    case = cases[name]
    options = ScoreOptions(method="classical", regions=RegionSource.REGISTRATION)
    regions = score_study(read_scan(case.aligned_path), options).images.regions
    scores = region_dice(canonicalize(regions).volume.array, case.regions)
    infarct = {REGIONS[label - 1].side for label in case.affected}
    is_infarcted = np.array([region.side in infarct for region in REGIONS])
    assert scores[is_infarcted].mean() >= scores[~is_infarcted].mean() - 0.03


@pytest.mark.parametrize("folder", ["ct-normal", "ct-gantry-tilt", "ct-and-dwi"])
def test_dicom_folder_is_scored_with_an_atlas_that_fits(shared_data, scored, folder):
    result = scored(shared_data / "dicom" / folder).result
    assert not result.quality.abstained
    assert result.quality.registration["brain_dice"] > 0.92


@pytest.mark.parametrize("folder", ["ct-normal", "ct-gantry-tilt"])
def test_unremarkable_head_has_at_most_one_affected_region(shared_data, scored, folder):
    assert scored(shared_data / "dicom" / folder).result.aspects.score >= 9


def test_infarct_of_the_left_middle_cerebral_artery_is_found_in_a_stripped_scan(
    shared_data, scored
):
    result = scored(shared_data / "ncct" / "mca-infarct-mni" / "NCCT_brain.nii.gz").result
    called = {info.region for info in result.regions if info.affected and info.side == "left"}
    assert result.aspects.side == "left"
    assert {"C", "L", "I"} <= called


def test_label_map_of_a_real_scan_is_as_large_as_the_scan_and_holds_all_regions(cases, scored):
    path = cases["sub002"].scan_path
    regions = scored(path).images.regions
    assert regions.array.shape == read_scan(path).volume.array.shape
    assert np.array_equal(np.unique(regions.array), np.arange(21))


def test_networks_that_compare_the_sides_find_a_large_infarct(shared_data):
    pytest.importorskip("torch")
    path = shared_data / "ncct" / "mca-infarct-mni" / "NCCT_brain.nii.gz"
    result = score_study(read_scan(path), ScoreOptions(method="ncct-danet")).result
    called = {info.region for info in result.regions if info.affected and info.side == "left"}
    assert result.aspects.score <= 6
    assert result.aspects.side == "left"
    assert {"C", "L", "I"} <= called


def test_a_mirrored_scan_gives_the_mirrored_calls_and_probabilities(cases, scored):
    path = cases["sub002"].scan_path
    scan, mirror = read_scan(path), np.diag([-1.0, 1.0, 1.0, 1.0])
    mirrored = replace(scan, volume=Volume(scan.volume.array, mirror @ scan.volume.affine))
    there, here = score_study(mirrored).result.regions, scored(path).result.regions
    half = len(REGIONS) // 2
    for one, other in zip(here, (*there[half:], *there[:half]), strict=True):
        assert one.affected == other.affected
        assert one.probability == pytest.approx(other.probability, abs=1e-3)
