"""The method `ncct-combined` on a synthetic patient, with networks whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("monai")

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.inference.infarct import PredictedInfarct
from ASPECTSLib.inference.plain_models import PlainKind, find_plain, plain_path
from ASPECTSLib.inference.registry import MODELS_FOLDER
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.pipeline import ScoreOptions, score_study, score_to_folder
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.review import prepare_review, rescore
from ASPECTSLib.scoring.pooled_call import Measures, Pool
from ASPECTSLib.systems import combined
from ASPECTSLib.systems.combined import COMBINED_MODELS, POOL, SUSPECTED_PROBABILITY, load_pool

OPTIONS = ScoreOptions(method="ncct-combined", regions=RegionSource.REGISTRATION)
M2_LEFT, M5_LEFT, M5_RIGHT = (
    region_of(RegionCode(code), side)
    for code, side in (("M2", Side.LEFT), ("M5", Side.LEFT), ("M5", Side.RIGHT))
)
KNOWN = Pool(density=1.0, coverage=1.0, asymmetry=1.0, offset=0.5)
SUSPECTED = 0.4
"""Probability of infarct in all of M5: suspected, and not shown."""


def known_probability(labels):
    """Return an infarct in the back half of M2, and something suspected in all of M5, both on the left."""
    probability = np.where(labels.array == M5_LEFT.label, SUSPECTED, 0.0).astype(np.float32)
    back = labels.array == M2_LEFT.label
    rows = np.flatnonzero(back.any(axis=(0, 2)))
    back[:, : int(np.median(rows))] = False
    probability[back] = 0.9
    return labels.with_array(probability)


def segment(head, _model):
    probability = known_probability(head.found.labels)
    return PredictedInfarct(probability.with_array(probability.array >= 0.5), probability)


def compare(_head, models):
    assert [model.name for model in models] == list(COMBINED_MODELS[:2])
    return SimpleNamespace(probability=np.array([said_of(region) for region in REGIONS]))


def said_of(region):
    return 0.9 if region in {M2_LEFT, M5_LEFT} else 0.05


def known_models(_method, names):
    card = SimpleNamespace(sha256="0" * 64)
    return {name: SimpleNamespace(name=name, card=card) for name in names}


@pytest.fixture(scope="module", autouse=True)
def known_networks():
    shipped = load_pool()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(combined, "segment_infarct", segment)
        patch.setattr(combined, "compare_sides", compare)
        patch.setattr(combined, "load_pool", lambda: (KNOWN, shipped))
        patch.setattr(combined, "required_models", known_models)
        yield


@pytest.fixture(scope="module")
def scan(small_scan):
    return Scan(small_scan, ("small.nii.gz",))


@pytest.fixture(scope="module")
def study(scan):
    return score_study(scan, OPTIONS)


@pytest.fixture(scope="module")
def reviewed(study):
    result = StudyResult.from_json(study.result.to_json())
    return result, prepare_review(result, study.images.scan, study.images.compared)


def info(result, region):
    return result.regions[region.label - 1]


def again(reviewed, regions, infarct):
    result, scan = reviewed
    return rescore(result, scan, regions, infarct)


def test_the_three_measures_make_the_probability(study):
    labels = study.images.regions.array
    suspected = study.images.heatmap.array >= SUSPECTED_PROBABILITY
    for region in REGIONS:
        found = info(study.result, region)
        both = (found.median, found.contralateral_median)
        drop_hu = np.nan if None in both else found.contralateral_median - found.median
        share = suspected[labels == region.label].mean()
        values = (drop_hu, share, said_of(region))
        measures = Measures(*(np.array([value]) for value in values))
        assert found.probability == pytest.approx(KNOWN.probability(measures)[0], abs=2e-3)
        assert found.affected == (found.probability >= 0.5)


def test_what_is_only_suspected_counts_and_is_not_shown(study):
    m2, m5 = (info(study.result, region) for region in (M2_LEFT, M5_LEFT))
    assert m2.affected
    assert m5.affected
    assert 0.3 < m2.infarct_fraction < 0.7
    assert m5.infarct_fraction == 0.0
    assert "infarct suspected in 100% of the region, shown in 0%" in m5.evidence
    assert "network that compares the sides: 0.90" in m5.evidence
    assert study.result.aspects.side == "left"
    infarct = study.images.infarct
    volume_ml = float((infarct.array > 0).sum()) * infarct.voxel_volume_ml
    assert study.result.core.volume_ml == pytest.approx(volume_ml)


def test_the_result_names_networks_and_weights(study):
    names = [model.name for model in study.result.method.models]
    assert [name for name in names if name in {*COMBINED_MODELS, POOL}] == [*COMBINED_MODELS, POOL]
    assert study.result.method.name == "ncct-combined"
    assert study.result.method.heatmap == "probability"


def test_nothing_touched_gives_the_same_result(study, reviewed):
    regions, infarct = study.images.regions.array, study.images.infarct.array > 0
    assert again(reviewed, regions, infarct).to_json() == study.result.to_json()


def test_erasing_the_infarct_clears_the_region_that_it_covered_and_undoing_calls_it_again(
    study, reviewed
):
    regions, infarct = study.images.regions.array, study.images.infarct.array > 0
    scan = reviewed[1]
    written = replace(reviewed[0], outputs={"infarct": "infarct.nii.gz"})
    erased = rescore(written, scan, regions, np.zeros_like(infarct))
    assert not info(erased, M2_LEFT).affected
    assert info(erased, M5_LEFT).affected  # no infarct was shown there
    # Opened anew, the probability that the program gave is not lost.
    later = prepare_review(erased, study.images.scan, study.images.compared)
    back = rescore(erased, later, regions, infarct)
    assert info(back, M2_LEFT) == info(study.result, M2_LEFT)


def test_infarct_that_is_drawn_into_a_region_calls_it(study, reviewed):
    regions, infarct = study.images.regions.array, study.images.infarct.array > 0
    assert not info(study.result, M5_RIGHT).affected
    drawn = again(reviewed, regions, infarct | (regions == M5_RIGHT.label))
    assert info(drawn, M5_RIGHT).affected
    assert info(drawn, M5_RIGHT).infarct_fraction == 1.0


def test_the_files_of_a_study_are_written(scan, tmp_path):
    score_to_folder(scan, OPTIONS, tmp_path / "out", picture=False)
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"result.json", "infarct.nii.gz", "regions.nii.gz", "heatmap.nii.gz"} <= written


def test_the_weights_that_ship_are_found_and_those_of_the_site_before_them(tmp_path, monkeypatch):
    shipped = find_plain(PlainKind.POOL, POOL)
    assert shipped == MODELS_FOLDER / "pools" / "ncct-combined.json"
    pool, found = load_pool()
    assert set(pool.threshold) == {code.value for code in RegionCode}
    assert min(pool.density, pool.coverage, pool.asymmetry) > 0
    own = plain_path(tmp_path, PlainKind.POOL, POOL)
    own.parent.mkdir()
    own.write_text(shipped.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    monkeypatch.setenv("ASPECTS_MODELS", str(tmp_path))
    assert find_plain(PlainKind.POOL, POOL) == own
    assert load_pool()[1].sha256 != found.sha256


def test_weights_that_are_missing_or_no_text_are_told(tmp_path):
    with pytest.raises(ResourceError, match="weights of measures") as caught:
        load_pool(tmp_path / "none.json")
    assert caught.value.code is ErrorCode.MODEL_NOT_FOUND
    damaged = tmp_path / "damaged.json"
    damaged.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ResourceError, match="is no text") as caught:
        load_pool(damaged)
    assert caught.value.code is ErrorCode.MODEL_DAMAGED
