"""Blood and old infarcts in a scan that is scored: what the result says, on either side, and after an edit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from no_go_phantoms import (
    BLOOD_HU,
    BLOOD_MM,
    CORTEX_RIGHT_MM,
    DEEP_RIGHT_MM,
    FLUID_HU,
    MIDDLE_MM,
    OLD_MM,
    mirrored_scan,
    with_ball,
)

from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.evidence import COMPARED, LEFT_OUT
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.pipeline import ScoreOptions, score_study
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.review import prepare_review, rescore

OPTIONS = ScoreOptions("classical", regions=RegionSource.REGISTRATION)


def score(volume):
    return score_study(Scan(volume, ("scan.nii.gz",)), OPTIONS)


@pytest.fixture(scope="module")
def plain(small_scan):
    return score(small_scan)


@pytest.fixture(scope="module")
def bleeding_scan(small_scan):
    return with_ball(small_scan, DEEP_RIGHT_MM, BLOOD_MM, BLOOD_HU)


@pytest.fixture(scope="module")
def bleeding(bleeding_scan):
    return score(bleeding_scan)


@pytest.fixture(scope="module")
def old_scan(small_scan):
    return with_ball(small_scan, CORTEX_RIGHT_MM, OLD_MM, FLUID_HU)


@pytest.fixture(scope="module")
def old(old_scan):
    return score(old_scan)


def messages(study):
    return {warning.code: warning.message for warning in study.result.quality.warnings}


def middle_of_old(scan):
    """Return where the old infarct fills whole slices of the scan."""
    empty = scan.with_array(np.zeros_like(scan.array))
    return with_ball(empty, CORTEX_RIGHT_MM, OLD_MM - scan.spacing_mm[2] / 2, 1).array > 0


def test_blood_leaves_no_score_and_no_calls(bleeding):
    result = bleeding.result
    assert result.quality.abstained
    assert (result.aspects.score, result.aspects.side) == (None, None)
    assert all((info.affected, info.probability) == (None, None) for info in result.regions)
    assert result.quality.warnings[0].code == "HAEMORRHAGE"
    assert "LOW_REGISTRATION_QUALITY" not in messages(bleeding)


def test_what_may_be_blood_is_warned_of_and_scored(small_scan, plain):
    suspected = score(with_ball(small_scan, MIDDLE_MM, BLOOD_MM, BLOOD_HU))
    assert "HAEMORRHAGE_SUSPECTED" in messages(suspected)
    assert not suspected.result.quality.abstained
    assert suspected.result.aspects.side == plain.result.aspects.side


def test_a_scan_without_either_is_not_warned_of(plain):
    assert not messages(plain).keys() & {"HAEMORRHAGE", "HAEMORRHAGE_SUSPECTED", "OLD_INFARCT"}


def test_an_old_infarct_costs_no_point_and_is_told(old, plain):
    assert old.result.aspects.right == plain.result.aspects.right == 10
    assert old.result.aspects.side == "left"
    assert messages(old)["OLD_INFARCT"].startswith("14.")
    volume_ml = 4 / 3 * np.pi * OLD_MM**3 / 1000
    assert float(messages(old)["OLD_INFARCT"].split()[0]) == pytest.approx(volume_ml, rel=0.25)


def test_it_is_left_out_with_its_mirror_image(old, old_scan, plain):
    place = middle_of_old(old_scan)
    compared = old.images.compared.array
    assert (compared[place] == LEFT_OUT).all()
    opposite = place[..., ::-1] & (plain.images.compared.array == COMPARED)
    assert (compared[opposite] == LEFT_OUT).mean() > 0.8  # the head is not quite upright


@pytest.mark.parametrize("name", ["bleeding", "old"])
def test_the_mirrored_scan_gives_the_mirrored_finding(name, request):
    scan, study = (request.getfixturevalue(f"{name}{suffix}") for suffix in ("_scan", ""))
    mirrored = score(mirrored_scan(scan))
    assert messages(mirrored).keys() == messages(study).keys()
    for code in ("HAEMORRHAGE", "OLD_INFARCT"):
        assert messages(mirrored).get(code) == messages(study).get(code)
    for image in ("compared", "heatmap"):
        arrays = [getattr(one.images, image).array for one in (mirrored, study)]
        np.testing.assert_array_equal(arrays[0][..., ::-1], arrays[1])
    regions = mirrored.images.regions.array[..., ::-1]
    np.testing.assert_array_equal(regions, swap_sides(study.images.regions.array))
    there, here = mirrored.result.regions, study.result.regions
    for first, other in zip((*there[10:], *there[:10]), here, strict=True):
        assert (first.affected, first.median) == (other.affected, other.median)


@pytest.mark.parametrize("name", ["bleeding", "old"])
def test_regions_that_nobody_touched_give_the_same_result(name, request):
    study = request.getfixturevalue(name)
    result = StudyResult.from_json(study.result.to_json())
    reviewed = prepare_review(result, study.images.scan, study.images.compared)
    again = rescore(result, reviewed, study.images.regions.array)
    assert again.to_json() == result.to_json()


def test_thin_slices_that_nobody_touched_give_the_same_result(old_scan):
    affine = old_scan.affine @ np.diag([1.0, 1.0, 1.0 / 6, 1.0])
    thin = replace(old_scan, array=old_scan.array.repeat(6, axis=0), affine=affine)
    study = score(thin)
    assert "OLD_INFARCT" in messages(study)
    result = StudyResult.from_json(study.result.to_json())
    reviewed = prepare_review(result, study.images.scan, study.images.compared)
    assert reviewed.evidence.averaged_slices == 2
    again = rescore(result, reviewed, study.images.regions.array)
    assert again.to_json() == result.to_json()
