from __future__ import annotations

import pytest
import torch
from training_problems import box_trainer

from ASPECTSLib.training import precision
from ASPECTSLib.training.precision import computing_precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(params=[True, False])
def has_bf16(request, monkeypatch):
    monkeypatch.setattr(precision, "_has_bf16", lambda: request.param)
    return request.param


def test_bf16_is_for_processors_that_have_it(has_bf16):
    assert computing_precision("bf16", CPU) == ("bf16" if has_bf16 else "fp32")


@pytest.mark.usefixtures("has_bf16")
def test_all_else_is_computed_as_it_is_wanted():
    assert computing_precision("fp32", CPU) == "fp32"
    assert computing_precision("bf16", GPU) == "bf16"
    assert computing_precision("fp16", GPU) == "fp16"


def test_a_run_tells_that_it_computed_otherwise(has_bf16, tmp_path):
    notes = box_trainer(tmp_path, precision="bf16", steps=2).run().notes
    told = [note for note in notes if "no bf16: fp32" in note]
    assert bool(told) is not has_bf16
