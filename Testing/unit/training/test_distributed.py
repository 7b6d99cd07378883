from __future__ import annotations

import os
import shutil
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
# The processes speak over the loopback address: the name of the machine need not resolve.
LAUNCHER = (
    *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
    *("--local-addr", "127.0.0.1", "--nproc-per-node", "2"),
)

pytestmark = pytest.mark.skipif(
    not (distributed.is_available() and distributed.is_gloo_available()),
    reason="needs torch with Gloo",
)


def launch_training(folder: Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join((str(TESTING), str(TESTING.parent)))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [*LAUNCHER, str(TESTING / "train_boxes.py"), str(folder)]
    options = {"env": environment, "capture_output": True, "text": True, "timeout": 120}
    return subprocess.run(command, check=False, **options)


def test_two_processes_train_as_one_does(tmp_path):
    launched = launch_training(tmp_path / "two")
    if (
        launched.returncode
    ):  # ports and sockets are the machine's: on a busy one a first attempt may miss its own
        shutil.rmtree(tmp_path / "two", ignore_errors=True)
        launched = launch_training(tmp_path / "two")
    assert launched.returncode == 0, launched.stderr
    train_boxes(tmp_path / "one")
    expected, got = read_log(tmp_path / "one"), read_log(tmp_path / "two")
    assert got.keys() == expected.keys()
    for series, points in expected.items():
        assert got[series] == [(step, pytest.approx(value, rel=1e-3)) for step, value in points]
    files = [read_checkpoint(tmp_path / name / "weights.safetensors") for name in ("one", "two")]
    for name, weight in files[0].tensors.items():
        torch.testing.assert_close(files[1].tensors[name], weight, atol=1e-4, rtol=1e-3)
