"""Calls of a head with known dark regions, by a network that takes for affected what is darker than the other side."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from asymmetry_phantoms import paired_head
from head_phantoms import pose_matrix
from model_phantoms import card_content
from torch import nn
from torch.nn import functional

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.inference.asymmetry import AsymmetryModel, asymmetry_model, call_by_asymmetry
from ASPECTSLib.inference.asymmetry_inputs import PAIRS, PatchSpec
from ASPECTSLib.inference.calibration import Calibration
from ASPECTSLib.inference.card import ModelCard
from ASPECTSLib.networks.danet import DANet

SPEC = PatchSpec((12, 32, 24), (2.0, 2.0, 4.0))
DARK = [
    region_of(RegionCode.M2, Side.LEFT),
    region_of(RegionCode.C, Side.LEFT),
    region_of(RegionCode.M6, Side.RIGHT),
]
TILTED = pose_matrix(yaw_deg=9.0, roll_deg=-7.0, shift_mm=(5.0, -3.0, 2.0))


class Darker(nn.Module):
    """Answer with how much darker each side is than the other: 8 HU give a logit of 4."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.batches: list[int] = []

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Return maps (B, 2, d, h, w) at half the size."""
        self.batches.append(len(patches))
        left, right = patches[:, 0:1], patches[:, 2:3]
        drop = torch.cat((right - left, left - right), dim=1) / 0.32
        return functional.avg_pool3d(8.0 * drop - 4.0, 2)


def models(**options):
    return [AsymmetryModel(Darker(), codes, SPEC, **options) for codes in PAIRS.values()]


def call(head, using=None):
    return call_by_asymmetry(using or models(), head.image, head.brain, head.labels, head.midplane)


@pytest.mark.parametrize("to_head", [np.eye(4), TILTED])
def test_dark_regions_are_called_on_the_side_that_is_dark(to_head):
    calls = call(paired_head(DARK, to_head=to_head))
    called = [region for region, p in zip(REGIONS, calls.probability, strict=True) if p >= 0.5]
    assert sorted(region.label for region in called) == sorted(region.label for region in DARK)
    assert calls.probability.shape == calls.threshold.shape == (20,)
    assert (calls.threshold == 0.5).all()


def test_all_pairs_of_a_model_are_seen_at_once():
    using = models()
    call(paired_head(), using)
    assert [model.network.batches for model in using] == [[6], [4]]


def test_the_heat_map_shows_where_and_stays_in_the_regions():
    head = paired_head(DARK, to_head=TILTED)
    calls = call(head)
    heat = calls.heatmap.array
    assert (heat.dtype, heat.shape) == (np.float32, head.labels.array.shape)
    np.testing.assert_array_equal(calls.heatmap.affine, head.labels.affine)
    assert not heat[head.labels.array == 0].any()
    for region in REGIONS:
        inside = heat[head.labels.array == region.label]
        if region in DARK:
            assert np.median(inside) > 0.5
        else:
            assert np.median(inside) < 0.1
            assert inside.min() > 0.0


def test_a_heat_map_on_thin_slices_lies_on_thin_slices():
    head, calls = paired_head(DARK), []
    for step in (1, 2):
        affine = head.labels.affine.copy()
        affine[0, 0] /= step
        affine[0, 3] -= (step - 1) * affine[0, 0] / 2
        labels = type(head.labels)(np.repeat(head.labels.array, step, axis=2), affine)
        calls.append(call_by_asymmetry(models(), head.image, head.brain, labels, head.midplane))
    np.testing.assert_allclose(calls[1].probability, calls[0].probability, atol=0.05)
    assert calls[1].heatmap.array.shape[2] == 2 * calls[0].heatmap.array.shape[2]


@pytest.mark.parametrize("network", ["known", "danet"])
def test_a_mirrored_head_has_exchanged_calls(network):
    torch.manual_seed(1)
    made = DANet(4, stem=8, growth=4, blocks=(1, 1)).eval()
    using = [AsymmetryModel(made, codes, SPEC) for codes in PAIRS.values()]
    head = paired_head(DARK, to_head=TILTED, noise_hu=3.0)
    calls, other = (call(h, using if network == "danet" else None) for h in (head, head.mirrored()))
    exchanged = np.roll(other.probability, 10)
    np.testing.assert_allclose(exchanged, calls.probability, atol=1e-4)
    assert calls.probability.std() > 0.001
    np.testing.assert_allclose(other.heatmap.array[..., ::-1], calls.heatmap.array, atol=1e-4)


def test_probabilities_and_heat_are_calibrated():
    calibration = Calibration(temperature=2.0, offset=-1.0, threshold={"M2": 0.7})
    head = paired_head(DARK)
    plain, calls = call(head), call(head, models(calibration=calibration))
    logits = np.log(plain.probability / (1 - plain.probability))
    np.testing.assert_allclose(calls.probability, 1 / (1 + np.exp(1.0 - logits / 2)), rtol=1e-5)
    assert calls.threshold[[5, 15]].tolist() == [0.7, 0.7]
    assert calls.threshold[[0, 4]].tolist() == [0.5, 0.5]
    assert calls.heatmap.array.max() < plain.heatmap.array.max()


def test_what_no_model_calls_or_no_side_shows_is_unknown():
    head = paired_head(DARK)
    only = [AsymmetryModel(Darker(), PAIRS["asymmetry-subcortical"], SPEC)]
    calls = call(head, only)
    assert np.isnan(calls.probability[[4, 14]]).all()
    assert np.isnan(calls.threshold[[4, 14]]).all()
    absent = np.isin(head.labels.array, (1, 11))
    labels = head.labels.with_array(np.where(absent, 0, head.labels.array))
    calls = call_by_asymmetry(only, head.image, head.brain, labels, head.midplane)
    assert np.isnan(calls.probability[[0, 10]]).all()
    assert np.isfinite(calls.probability[[1, 2, 3, 11, 12, 13]]).all()


def test_a_region_that_one_side_lacks_is_looked_for_there():
    head = paired_head(DARK)
    labels = head.labels.with_array(np.where(head.labels.array == 11, 0, head.labels.array))
    calls = call_by_asymmetry(models(), head.image, head.brain, labels, head.midplane)
    assert calls.probability[[0, 10]].round().tolist() == [0.0, 1.0]


def test_a_scan_without_regions_is_not_called():
    head = paired_head()
    labels = head.labels.with_array(np.zeros_like(head.labels.array))
    calls = call_by_asymmetry(models(), head.image, head.brain, labels, head.midplane)
    assert np.isnan(calls.probability).all()
    assert not calls.heatmap.array.any()


def test_a_card_tells_regions_patches_and_calibration():
    content = card_content(
        b"weights",
        task="asymmetry-cortical",
        input=SPEC.to_json(),
        calibration={"temperature": 3.0},
    )
    model = asymmetry_model(Darker(), ModelCard.from_json(json.dumps(content)))
    assert model.codes == PAIRS["asymmetry-cortical"]
    assert (model.spec, model.calibration) == (SPEC, Calibration(temperature=3.0))


def test_a_model_of_another_task_is_refused():
    card = ModelCard.from_json(json.dumps(card_content(b"weights")))
    with pytest.raises(ResourceError, match=r"of the task asymmetry-.*, got brain") as refused:
        asymmetry_model(Darker(), card)
    assert refused.value.code is ErrorCode.MODEL_MISMATCH
