"""The method `ncct-danet` on a synthetic patient, with networks whose answers are known."""

from __future__ import annotations

import csv
import importlib.util
import io
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn
from torch.nn import functional

from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference import registry
from ASPECTSLib.inference.asymmetry_inputs import PatchSpec
from ASPECTSLib.inference.calibration import Calibration
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.pipeline import ScoreOptions, score_study
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.report.table import regions_csv
from ASPECTSLib.report.wording import AFFECTED, NOT_AFFECTED, UNSURE, call_sign, headline
from ASPECTSLib.review import prepare_review, rescore
from ASPECTSLib.systems import danet
from ASPECTSLib.systems.danet import DANET_MODELS

OPTIONS = ScoreOptions(method="ncct-danet", regions=RegionSource.REGISTRATION)
TASKS = dict(zip(DANET_MODELS, ("asymmetry-cortical", "asymmetry-subcortical"), strict=True))
THRESHOLD = 0.6
BLOCK = (1, 4, 4)
UNSURE_THRESHOLDS = {"M2": 0.9, "C": 0.05}
"""Beside a probability of one half: far above, and far below; all others are one half, too."""


class Darker(nn.Module):
    """Call affected what is darker than the other side; steep, as patches hold 50 HU as 2."""

    def __init__(self) -> None:
        super().__init__()
        self.steepness = nn.Parameter(torch.tensor(60.0))

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Return maps (B, 2, d, h, w) of patches (B, 2c, D, H, W)."""
        left, right = patches[:, 0], patches[:, patches.shape[1] // 2]
        darker = torch.stack((right - left, left - right), dim=1) - 0.06
        return functional.avg_pool3d(self.steepness * darker, BLOCK)


class Even(nn.Module):
    """Give every place of every patch the same probability."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.logit(torch.tensor(probability, dtype=torch.float64)))

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Return maps (B, 2, d, h, w) of patches (B, 2c, D, H, W)."""
        return functional.avg_pool3d(torch.zeros_like(patches[:, :2]), BLOCK) + self.logit.float()


def known_model(name, thresholds):
    card = SimpleNamespace(
        sha256="0" * 64,
        task=TASKS[name],
        input=PatchSpec().to_json(),
        calibration=Calibration(threshold=thresholds),
    )
    return SimpleNamespace(name=name, card=card)


@pytest.fixture(scope="module", autouse=True)
def known_networks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "find_model", lambda name: known_model(name, {"M2": THRESHOLD}))
        patch.setattr(registry, "find_optional_model", lambda _name: None)
        patch.setattr(registry, "load_network", lambda _model: Darker())
        yield


@pytest.fixture(scope="module")
def scan(small_scan):
    return Scan(small_scan, ("small.nii.gz",))


@pytest.fixture(scope="module")
def study(scan):
    return score_study(scan, OPTIONS)


def by_region(result):
    return {(info.region, info.side): info for info in result.regions}


def test_dark_regions_are_called_on_their_side_with_a_heat_map(study):
    regions = by_region(study.result)
    assert all(regions[name, "left"].affected for name in ("I", "L", "M2"))
    assert study.result.aspects.right == 10
    assert study.result.method.name == "ncct-danet"
    assert [m.name for m in study.result.method.models][-2:] == list(DANET_MODELS)
    labels, heat = study.images.regions.array, study.images.heatmap.array
    assert study.result.method.heatmap == "probability"
    assert heat[labels == 0].max() == 0.0
    assert np.median(heat[labels == 16]) > 0.7
    assert np.median(heat[labels == 6]) < 0.5


@pytest.fixture
def undecided(scan, monkeypatch):
    """Score by networks that cannot tell: which calls are unsure depends on the thresholds alone."""
    monkeypatch.setattr(registry, "load_network", lambda _model: Even(0.5))
    monkeypatch.setattr(
        danet, "required_models", lambda *_: {n: known_model(n, UNSURE_THRESHOLDS) for n in TASKS}
    )
    return score_study(scan, OPTIONS)


def test_calls_are_unsure_by_the_odds_of_their_thresholds(undecided):
    regions = by_region(undecided.result)
    assert all(
        info.unsure == (name not in UNSURE_THRESHOLDS) for (name, _), info in regions.items()
    )
    assert not regions["M2", "left"].affected
    assert regions["C", "left"].affected


def test_unsure_calls_are_seen_in_table_signs_and_headline(undecided):
    result = undecided.result
    table = list(csv.DictReader(io.StringIO(regions_csv(result))))
    assert {row["region"] for row in table if row["unsure"] == "no"} == set(UNSURE_THRESHOLDS)
    signs = {name: call_sign(info) for (name, _), info in by_region(result).items()}
    assert (signs.pop("M2"), signs.pop("C")) == (NOT_AFFECTED, AFFECTED)
    assert set(signs.values()) == {UNSURE}
    assert "unsure 1–9" in headline(result)
    named = next(w.message for w in result.quality.warnings if w.code == "UNSURE_CALLS")
    assert "M5 left" in named
    assert "M2" not in named


def test_a_call_at_its_threshold_stays_when_it_is_scored_again(scan, monkeypatch):
    """The result holds four decimals: 0.59996 is written as the threshold, which calls the region."""
    monkeypatch.setattr(registry, "load_network", lambda _model: Even(0.59996))
    study = score_study(scan, OPTIONS)
    result = StudyResult.from_json(study.result.to_json())
    review = prepare_review(result, study.images.scan, study.images.compared)
    again = rescore(result, review, study.images.regions.array)
    assert again.to_json() == result.to_json()
    assert by_region(result)["M2", "left"].affected


def test_thresholds_of_the_card_are_told(study):
    thresholds = study.result.method.options["thresholds"]
    assert (thresholds[5], thresholds[15], thresholds[6]) == (THRESHOLD, THRESHOLD, 0.5)
    assert "affected from 0.60" in by_region(study.result)["M2", "left"].evidence


def test_a_mirrored_head_gives_the_mirrored_calls(scan, study):
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirrored = Scan(Volume(scan.volume.array, mirror @ scan.volume.affine), scan.files)
    there, here = by_region(score_study(mirrored, OPTIONS).result), by_region(study.result)
    for (name, side), info in here.items():
        other = there[name, "right" if side == "left" else "left"]
        assert other.affected == info.affected
        assert other.probability == pytest.approx(info.probability, abs=1e-3)


def test_after_an_edit_the_networks_probabilities_stay(study):
    result = StudyResult.from_json(study.result.to_json())
    review = prepare_review(result, study.images.scan, study.images.compared)
    regions = study.images.regions.array.copy()
    assert rescore(result, review, regions).aspects == result.aspects
    regions[regions == 16] = 0
    edited = by_region(rescore(result, review, regions))["M2", "left"]
    assert edited.probability == by_region(result)["M2", "left"].probability
    assert edited.volume_ml == 0.0


def test_without_pytorch_it_is_refused_with_a_code(scan, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ResourceError, match="expected PyTorch for the method ncct-danet") as error:
        score_study(scan, OPTIONS)
    assert error.value.code is ErrorCode.TORCH_MISSING
