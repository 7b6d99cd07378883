from __future__ import annotations

import pytest
import torch
from torch import nn

from ASPECTSLib.training.ema import WeightAverage, effective_decay
from ASPECTSLib.training.schedule import learning_rate


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.25),
        (1, 0.5),
        (3, 1.0),
        (4, 1.0),
        (6, 0.8535534),  # a quarter of the cosine: (1 + cos 45°) / 2
        (8, 0.5),
        (10, 0.1464466),
        (11, 0.0380602),
    ],
)
def test_learning_rate_rises_in_a_line_and_falls_as_a_cosine(step, expected):
    rate = learning_rate(step, steps=12, warmup_steps=4, highest=2e-3)
    assert rate == pytest.approx(2e-3 * expected, rel=1e-6)


@pytest.mark.parametrize(("warmup_steps", "first"), [(0, 1.0), (3, 1 / 3)])
def test_without_a_cosine_or_a_warm_up_there_is_still_a_rate(warmup_steps, first):
    assert learning_rate(0, steps=3, warmup_steps=warmup_steps, highest=1.0) == first


@pytest.mark.parametrize(
    ("decay", "step", "expected"),
    [(0.999, 0, 0.1), (0.999, 90, 0.91), (0.999, 10**6, 0.999), (0.0, 90, 0.0)],
)
def test_the_average_is_short_early_on(decay, step, expected):
    assert effective_decay(decay, step) == expected


def test_the_average_is_that_computed_by_hand():
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 1.0)
    average = WeightAverage(network, decay=0.5)
    seen = []
    for step, weight in ((0, 2.0), (100, 3.0)):
        nn.init.constant_(network.weight, weight)
        average.update(network, step)
        seen.append(float(average.network.weight))
    assert seen == pytest.approx([0.1 * 1 + 0.9 * 2, 0.5 * 1.9 + 0.5 * 3])
    assert not average.network.weight.requires_grad


def test_buffers_are_copied_and_the_averaged_network_is_for_evaluation():
    network = nn.BatchNorm1d(2)
    average = WeightAverage(network, decay=0.9)
    network(torch.randn((8, 2), generator=torch.Generator().manual_seed(0)))
    average.update(network, 0)
    assert torch.equal(average.network.running_mean, network.running_mean)
    assert network.training
    assert not average.network.training
