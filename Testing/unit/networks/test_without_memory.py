"""Networks without memory have the shapes of real ones, and cost no import of torch's compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from ASPECTSLib.networks.build import build_network
from ASPECTSLib.networks.without_memory import without_memory

SLICES = {"in_channels": 3, "out_channels": 2}


def shapes(network):
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("architecture", ["slice-unet", "slice-transunet", "unet3d"])
def test_shapes_are_those_of_the_real_network(architecture):
    with without_memory():
        planned = build_network(architecture, SLICES)
    assert {tensor.device.type for tensor in planned.state_dict().values()} == {"meta"}
    assert shapes(planned) == shapes(build_network(architecture, SLICES))


def test_random_numbers_are_drawn_again_afterwards():
    with without_memory():
        pass
    assert torch.empty(8).normal_().std() > 0


@pytest.mark.parametrize("architecture", ["slice-unet", "slice-transunet"])
def test_the_compiler_is_not_imported(architecture):
    code = (
        "import sys\n"
        "from ASPECTSLib.networks.build import build_network\n"
        "from ASPECTSLib.networks.without_memory import without_memory\n"
        "with without_memory():\n"
        f"    build_network('{architecture}', {SLICES})\n"
        "sys.exit('torch._dynamo' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
