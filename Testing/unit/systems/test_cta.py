"""The methods on CT angiography, on that of the synthetic patient: infarct in I, L and M2 of the left."""

from __future__ import annotations

import numpy as np
import pytest
from axis_orders import reordered
from cta_phantoms import small_angiography
from no_go_phantoms import BLOOD_HU, BLOOD_MM, DEEP_RIGHT_MM, with_ball

from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.errors import ContentRefusedError, ErrorCode, ResourceError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.methods import AUTO, CTA_RADIOMICS, CTA_RATIO
from ASPECTSLib.pipeline import ScoreOptions, score_study, score_to_folder
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.report.wording import contrast_lines
from ASPECTSLib.review import prepare_review, rescore
from ASPECTSLib.systems.cta import load_machines

INFARCTED = {("I", "left"), ("L", "left"), ("M2", "left")}


def score(volume, method=CTA_RADIOMICS):
    options = ScoreOptions(method=method, regions=RegionSource.REGISTRATION)
    return score_study(Scan(volume, ("cta.nii.gz",), Modality.CTA), options)


@pytest.fixture(scope="module")
def scan(synthetic_patient):
    scan = small_angiography(synthetic_patient)
    return Volume(np.rint(scan.array).astype(np.int16), scan.affine)


@pytest.fixture(scope="module")
def study(scan):
    return score(scan)


@pytest.fixture(scope="module")
def by_ratio(scan):
    return score(scan, CTA_RATIO)


def affected(study):
    return {(info.region, info.side) for info in study.result.regions if info.affected}


def test_infarcted_regions_are_called_on_their_side(study):
    found = affected(study)
    assert found >= INFARCTED
    assert all(side == "left" for _, side in found)


def test_the_published_rule_calls_most_of_them(by_ratio):
    assert len(affected(by_ratio) & INFARCTED) >= 2
    assert by_ratio.result.aspects.side == "left"


def test_the_result_says_what_it_rests_on(study, by_ratio):
    result = study.result
    assert result.input.modality == "CTA"
    assert result.method.name == CTA_RADIOMICS
    assert "cta-svm" in [model.name for model in result.method.models]
    m2 = next(i for i in result.regions if (i.region, i.side) == ("M2", "left"))
    assert m2.evidence.startswith("radiomics: ")
    assert "HU darker than the right side" in m2.evidence
    assert by_ratio.result.regions[0].evidence.startswith("cut-points: ")
    assert "BLOOD_MAY_HIDE" in [warning.code for warning in result.quality.warnings]


def test_the_result_tells_how_the_vessels_are_filled(study, by_ratio):
    contrast = study.result.contrast
    assert contrast == by_ratio.result.contrast
    assert contrast.artery_hu > 100.0
    assert StudyResult.from_json(study.result.to_json()).contrast.phase == contrast.phase
    assert contrast_lines(contrast)[0].startswith("contrast phase ")


def test_automatic_takes_it_for_an_angiography_and_says_why(scan):
    result = score(scan, AUTO).result
    assert result.method.name == CTA_RADIOMICS
    assert result.method.reason.startswith("cta-radiomics is taken")


def test_images_lie_on_the_grid_of_the_scan(study, scan):
    images = study.images
    for image in (images.scan, images.regions, images.heatmap, images.compared):
        assert image.array.shape == scan.array.shape
        np.testing.assert_allclose(image.affine, scan.affine)
    assert images.infarct is None


def test_a_mirrored_scan_gives_the_mirrored_result(study, scan):
    turned = score(scan.with_array(np.ascontiguousarray(scan.array[..., ::-1])))
    labels = swap_sides(turned.images.regions.array[..., ::-1])
    np.testing.assert_array_equal(labels, study.images.regions.array)
    assert turned.result.contrast.phase == study.result.contrast.phase
    assert turned.result.contrast.vein_hu == pytest.approx(study.result.contrast.vein_hu, rel=0.05)
    regions = turned.result.regions
    for info, other in zip(study.result.regions, regions[10:] + regions[:10], strict=True):
        assert info.affected == other.affected
        assert info.probability == pytest.approx(other.probability, abs=1e-3)


def test_the_order_of_the_axes_does_not_matter(study, scan):
    turned = score(reordered(scan, (1, 0, 2), (False, True, True)))
    assert turned.result.aspects == study.result.aspects
    assert turned.result.contrast.artery_hu == pytest.approx(
        study.result.contrast.artery_hu, abs=0.1
    )
    for info, other in zip(study.result.regions, turned.result.regions, strict=True):
        assert info.probability == pytest.approx(other.probability, abs=1e-4)


@pytest.mark.parametrize("method", [CTA_RADIOMICS, CTA_RATIO])
def test_a_head_ct_without_contrast_agent_is_refused(small_scan, method):
    with pytest.raises(ContentRefusedError, match="expected a CT angiography") as caught:
        score(small_scan, method)
    assert caught.value.code is ErrorCode.WRONG_MODALITY


def test_an_angiography_given_as_head_ct_is_refused(scan):
    options = ScoreOptions(regions=RegionSource.REGISTRATION)
    with pytest.raises(ContentRefusedError, match="give it as such, --cta") as caught:
        score_study(Scan(scan, ("cta.nii.gz",), Modality.NCCT), options)
    assert caught.value.code is ErrorCode.WRONG_MODALITY


def test_scoring_again_gives_the_same(study):
    result = StudyResult.from_json(study.result.to_json())
    review = prepare_review(result, study.images.scan, study.images.compared)
    again = rescore(result, review, study.images.regions.array)
    assert again.to_json() == result.to_json()


def test_all_files_are_written(scan, tmp_path):
    options = ScoreOptions(method=CTA_RATIO, regions=RegionSource.REGISTRATION)
    score_to_folder(Scan(scan, ("cta.nii.gz",), Modality.CTA), options, tmp_path / "out")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"result.json", "regions.nii.gz", "heatmap.nii.gz", "regions.csv"} <= written


def test_support_vectors_that_are_missing_or_damaged_are_told(tmp_path):
    with pytest.raises(ResourceError) as caught:
        load_machines(tmp_path / "cta-svm.json")
    assert caught.value.code is ErrorCode.MODEL_NOT_FOUND
    (tmp_path / "cta-svm.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ResourceError) as caught:
        load_machines(tmp_path / "cta-svm.json")
    assert caught.value.code is ErrorCode.MODEL_DAMAGED


def test_blood_between_the_vessels_leaves_no_score(scan):
    bleeding = with_ball(scan, DEEP_RIGHT_MM, BLOOD_MM, BLOOD_HU)
    result = score(bleeding).result
    assert result.quality.abstained
    assert "HAEMORRHAGE" in [warning.code for warning in result.quality.warnings]
