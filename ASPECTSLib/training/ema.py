"""Moving average of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import nn

_RAMP = (
    10.0  # the average spans about a tenth of the steps so far, as in TensorFlow's moving average
)


class WeightAverage:
    """A second network, whose weights are the exponential moving average of the first one's.

    Averaged weights generalise better than the last ones (Polyak 1992, doi:10.1137/0330046; Tarvainen 2017,
    arXiv:1703.01780).

    Parameters
    ----------
    network
        The network that learns; its weights are the first average.
    decay
        Weight of the former average once the run is long; early on it is less, so that random weights fade soon.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step, counted from 0; buffers are copied."""
        decay = effective_decay(self._decay, step)
        for kept, new in zip(self.network.parameters(), network.parameters(), strict=True):
            kept.lerp_(new, 1.0 - decay)
        for kept, new in zip(self.network.buffers(), network.buffers(), strict=True):
            kept.copy_(new)


def effective_decay(decay: float, step: int) -> float:
    """Return the weight of the former average at a step, counted from 0."""
    return min(decay, (1.0 + step) / (_RAMP + step))
