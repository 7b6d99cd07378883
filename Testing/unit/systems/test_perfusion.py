"""The method `ctp-cbf` on maps of blood flow whose core is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from axis_orders import reordered
from no_go_phantoms import BLOOD_HU, BLOOD_MM, DEEP_RIGHT_MM, with_ball
from perfusion_phantoms import flow_and_core, perfusion_scan
from truth_phantoms import CORE, flow_map, mirrored_about

from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.errors import ErrorCode, InputRefusedError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.methods import AUTO
from ASPECTSLib.pipeline import ScoreOptions, score_study, score_to_folder
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.review import prepare_review, rescore

OPTIONS = ScoreOptions(regions=RegionSource.REGISTRATION)
AFFECTED = {(code, "left") for code in CORE}


@pytest.fixture(scope="module")
def head():
    return flow_and_core()


def score(flow, options=OPTIONS, **companions):
    return score_study(perfusion_scan(flow, **companions), options)


@pytest.fixture(scope="module")
def study(head):
    return score(head[0])


@pytest.fixture(scope="module")
def flow(synthetic_patient):
    return flow_map(synthetic_patient)


@pytest.fixture(scope="module")
def beside(flow, small_scan):
    """Return a study whose anatomy is that of a head CT."""
    return score(flow, ncct=small_scan)


def affected(study):
    return {(info.region, info.side) for info in study.result.regions if info.affected}


def codes(study):
    return [warning.code for warning in study.result.quality.warnings]


def test_the_core_is_measured_within_three_per_cent(study, head):
    flow, core = head
    true_ml = core.sum() * flow.voxel_volume_ml
    assert study.result.core.volume_ml == pytest.approx(true_ml, rel=0.03)
    found = study.images.infarct.array > 0
    assert (found & core).sum() > 0.93 * core.sum()


def test_the_region_that_holds_the_core_is_affected(study):
    assert affected(study) == {("M2", "left")}
    assert (study.result.aspects.right, study.result.aspects.left) == (10, 9)
    m2 = next(i for i in study.result.regions if (i.region, i.side) == ("M2", "left"))
    assert m2.infarct_fraction > 0.5
    assert m2.median < 0.3 * m2.contralateral_median


def test_the_result_says_how_it_came_about(study):
    result = study.result
    assert result.input.modality == "CTP"
    assert result.method.name == "ctp-cbf"
    assert result.method.options["anatomy"] == "CBF"
    assert result.method.options["core_below"] == 0.3
    assert result.core.severity == ("moderate-severe" if result.core.volume_ml >= 27.86 else "mild")
    assert "NO_NCCT" in codes(study)


def test_automatic_takes_it_and_says_why(head):
    result = score(head[0], replace(OPTIONS, method=AUTO)).result
    assert result.method.name == "ctp-cbf"
    assert "blood flow" in result.method.reason


def test_images_lie_on_the_grid_of_the_map(study, head):
    images = study.images
    for image in (images.scan, images.regions, images.infarct, images.heatmap, images.compared):
        np.testing.assert_allclose(image.affine, head[0].affine)
        assert image.array.shape == head[0].array.shape
    assert images.heatmap.array[head[1]].mean() > 0.8
    assert 0.0 <= images.heatmap.array.min() <= images.heatmap.array.max() <= 1.0


def test_a_mirrored_map_gives_the_mirrored_result(study, head):
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    turned = score(Volume(head[0].array, mirror @ head[0].affine))
    np.testing.assert_array_equal(
        swap_sides(turned.images.regions.array), study.images.regions.array
    )
    assert turned.result.core.volume_ml == pytest.approx(study.result.core.volume_ml)
    assert affected(turned) == {("M2", "right")}


def test_the_order_of_the_axes_does_not_matter(study, head):
    turned = score(reordered(head[0], (2, 0, 1), (True, False, True)))
    assert turned.result.core == study.result.core
    assert affected(turned) == affected(study)


@pytest.mark.parametrize("factor", [1 / 60.0, 0.05, 12.0])
def test_flow_in_another_unit_is_refused(head, factor):
    flow = head[0]
    with pytest.raises(InputRefusedError, match="mL/100 g/min") as caught:
        score(flow.with_array(flow.array * np.float32(factor)))
    assert caught.value.code is ErrorCode.IMPLAUSIBLE_UNITS


def test_a_stricter_rule_calls_less(study, head):
    strict = score(head[0], replace(OPTIONS, affected_fraction=0.999))
    assert affected(strict) == set()
    assert strict.result.core.volume_ml == study.result.core.volume_ml


def test_scoring_again_gives_the_same_and_follows_the_core(study):
    images = study.images
    result = StudyResult.from_json(study.result.to_json())
    review = prepare_review(result, images.scan, images.compared)
    infarct = images.infarct.array > 0
    again = rescore(study.result, review, images.regions.array, infarct)
    assert again == study.result
    named = replace(result, outputs={"infarct": "infarct.nii.gz"})
    without = rescore(named, review, images.regions.array, np.zeros_like(infarct))
    assert without.aspects.score == 10
    assert without.core.volume_ml == 0.0


def test_all_files_are_written(head, tmp_path):
    result = score_to_folder(perfusion_scan(head[0]), OPTIONS, tmp_path / "out")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"result.json", "regions.nii.gz", "infarct.nii.gz", "heatmap.nii.gz"} <= written
    assert result.outputs["infarct"] == "infarct.nii.gz"


def test_a_head_ct_beside_the_map_gives_the_anatomy(beside, flow):
    assert affected(beside) == AFFECTED
    assert beside.result.method.options["anatomy"] == "NCCT"
    assert "NO_NCCT" not in codes(beside)
    assert beside.images.regions.array.shape == flow.array.shape
    np.testing.assert_allclose(beside.images.regions.affine, flow.affine)


def test_map_and_head_ct_mirrored_give_the_mirrored_result(beside, flow, small_scan):
    turned_ct = small_scan.with_array(np.ascontiguousarray(small_scan.array[..., ::-1]))
    turned = score(mirrored_about(flow, small_scan), ncct=turned_ct)
    assert affected(turned) == {(code, "right") for code in CORE}
    assert turned.result.core.volume_ml == pytest.approx(beside.result.core.volume_ml, rel=5e-3)


def test_blood_on_the_head_ct_leaves_no_score(flow, small_scan):
    bleeding = with_ball(small_scan, DEEP_RIGHT_MM, BLOOD_MM, BLOOD_HU)
    result = score(flow, ncct=bleeding).result
    assert result.quality.abstained
    assert result.aspects.score is None


def test_a_map_of_some_slices_is_refused_where_regions_are_missing(flow, small_scan):
    part = slice(len(flow.array) // 2, None)
    affine = flow.affine.copy()
    affine[:3, 3] += affine[:3, 2] * part.start
    with pytest.raises(InputRefusedError) as caught:
        score(Volume(flow.array[part], affine), ncct=small_scan)
    assert caught.value.code is ErrorCode.PARTIAL_COVERAGE


def test_tmax_and_blood_volume_are_told_beside_the_core(head):
    flow, core = head
    late = core | np.roll(core, 4, axis=1)
    tmax = flow.with_array(np.where(late, 9.0, 2.0) * (flow.array > 0))
    cbv = flow.with_array(np.where(core, 1.0, 4.0) * (flow.array > 0))
    info = score(flow, tmax=tmax, cbv=cbv).result.core
    assert info.hypoperfused_ml > info.volume_ml + 5.0
    assert info.relative_cbv == pytest.approx(0.25, abs=0.05)


def test_a_core_that_is_full_of_blood_is_warned_of(head):
    flow = head[0]
    cbv = flow.with_array(np.where(flow.array > 0, 4.0, 0.0))
    assert "CORE_WITH_BLOOD_VOLUME" in codes(score(flow, cbv=cbv))
