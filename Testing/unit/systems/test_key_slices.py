"""The key slices of the regions, checked by a network whose answer is known."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

import torch
from no_go_phantoms import mirrored_scan
from torch import nn

from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.inference import registry
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.pipeline import ScoreOptions, score_study
from ASPECTSLib.report.key_slice_warnings import KEY_SLICES_DISAGREE
from ASPECTSLib.systems.key_slices import SLICE_FINDER_MODEL

OPTIONS = ScoreOptions("classical", regions=RegionSource.REGISTRATION)
AWAY = 3  # slices of 10 mm


class KnownSlice(nn.Module):
    """Take one slice for the ganglionic one, counted from the top of the stack, whatever is seen."""

    divisor = (1, 32, 32)

    def __init__(self, from_top: int) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.from_top = from_top

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (1, 2, N, 1, 1) of an image (1, 3, N, H, W)."""
        logits = torch.zeros(1, 2, image.shape[2], 1, 1)
        logits[:, 1] = -20.0
        logits[:, 1, -1 - self.from_top] = 20.0
        return logits


@pytest.fixture(scope="module")
def without(small_scan):
    """Score without the network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "find_optional_model", lambda _name: None)
        return score_study(Scan(small_scan, ("small.nii.gz",)), OPTIONS).result


@pytest.fixture
def install(monkeypatch, small_scan, without):
    """Return what installs a network that sees the ganglionic slice some slices above that of the regions."""

    def put(away):
        from_top = small_scan.size[2] - 1 - without.key_slices.ganglionic - away
        card = SimpleNamespace(sha256="5" * 64)
        model = SimpleNamespace(name=SLICE_FINDER_MODEL, card=card)
        found = {SLICE_FINDER_MODEL: model}
        monkeypatch.setattr(registry, "find_optional_model", found.get)
        monkeypatch.setattr(registry, "load_network", lambda _model: KnownSlice(from_top))

    return put


def score(volume, progress=None):
    return score_study(Scan(volume, ("small.nii.gz",)), OPTIONS, progress).result


def told(result):
    return [w.message for w in result.quality.warnings if w.code == KEY_SLICES_DISAGREE]


def test_without_the_network_nothing_is_said(without):
    assert told(without) == []
    assert SLICE_FINDER_MODEL not in {model.name for model in without.method.models}


def test_a_network_that_agrees_is_named_and_changes_nothing(install, small_scan, without):
    install(away=0)
    result = score(small_scan)
    assert told(result) == []
    assert [m.sha256 for m in result.method.models if m.name == SLICE_FINDER_MODEL] == ["5" * 64]
    assert (result.aspects, result.regions) == (without.aspects, without.regions)


@pytest.mark.parametrize("away", [AWAY, -AWAY])
def test_a_network_that_sees_another_level_is_told(install, small_scan, without, away):
    install(away)
    result = score(small_scan)
    assert len(told(result)) == 1
    assert "30 mm" in told(result)[0]
    assert (result.aspects, result.key_slices) == (without.aspects, without.key_slices)


def test_the_mirrored_scan_is_told_the_same(install, small_scan):
    install(AWAY)
    assert told(score(mirrored_scan(small_scan))) == told(score(small_scan))


def test_without_pytorch_the_network_is_not_asked(install, small_scan, monkeypatch):
    install(AWAY)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert told(score(small_scan)) == []


def test_a_damaged_model_is_not_passed_over(small_scan, monkeypatch):
    def damaged(_name):
        raise ResourceError(ErrorCode.MODEL_DAMAGED, "the model card is damaged")

    monkeypatch.setattr(registry, "find_optional_model", damaged)
    with pytest.raises(ResourceError, match="damaged"):
        score(small_scan)
