from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ASPECTSLib.inference.run import logits


class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([1.0, 10.0, 100.0]))
        self.was_in_inference_mode = False

    def forward(self, image):
        self.was_in_inference_mode = torch.is_inference_mode_enabled()
        total = (image * self.weights.reshape(1, 3, 1, 1, 1)).sum(dim=1, keepdim=True)
        return torch.cat((total, -total), dim=1)


def test_channels_and_axes_reach_the_network_in_their_order():
    image = np.arange(3 * 2 * 3 * 4, dtype=np.float32).reshape(3, 2, 3, 4)
    network = Weighted()
    found = logits(network, image)
    expected = image[0] + 10 * image[1] + 100 * image[2]
    np.testing.assert_allclose(found, [expected, -expected])
    assert found.dtype == np.float32
    assert network.was_in_inference_mode


def test_views_of_arrays_are_taken_too():
    image = np.arange(72, dtype=np.float32).reshape(3, 2, 3, 4)[..., ::-1]
    np.testing.assert_allclose(logits(Weighted(), image)[0], logits(Weighted(), image.copy())[0])


def test_answers_in_half_precision_come_back_in_single():
    class Half(Weighted):
        def forward(self, image):
            return super().forward(image).to(torch.bfloat16)

    assert logits(Half(), np.ones((3, 2, 2, 2), np.float32)).dtype == np.float32
