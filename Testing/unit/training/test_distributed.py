from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed
from train_boxes import train_boxes

from ASPECTSLib.training.checkpoint import read_checkpoint
from ASPECTSLib.training.log import read_log

TESTING = Path(__file__).resolve().parents[2]
LAUNCHER = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")

pytestmark = pytest.mark.skipif(
    not (distributed.is_available() and distributed.is_gloo_available()),
    reason="needs torch with Gloo",
)


def test_two_processes_train_as_one_does(tmp_path):
    paths = os.pathsep.join((str(TESTING), str(TESTING.parent)))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [*LAUNCHER, str(TESTING / "train_boxes.py"), str(tmp_path / "two")]
    subprocess.run(command, check=True, env=environment, capture_output=True, timeout=120)
    train_boxes(tmp_path / "one")
    expected, got = read_log(tmp_path / "one"), read_log(tmp_path / "two")
    assert got.keys() == expected.keys()
    for series, points in expected.items():
        assert got[series] == [(step, pytest.approx(value, rel=1e-3)) for step, value in points]
    files = [read_checkpoint(tmp_path / name / "weights.safetensors") for name in ("one", "two")]
    for name, weight in files[0].tensors.items():
        torch.testing.assert_close(files[1].tensors[name], weight, atol=1e-4, rtol=1e-3)
