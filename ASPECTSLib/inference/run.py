"""Running a network on one image."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def logits(network: nn.Module, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a network's output for one image.

    Parameters
    ----------
    network
        In evaluation mode; its device is used.
    image
        Shape (channels, k, j, i).

    Returns
    -------
    numpy.ndarray
        float32, shape (classes, k, j, i).
    """
    device = next(network.parameters()).device
    batch = torch.from_numpy(np.ascontiguousarray(image[None])).to(device)
    with torch.inference_mode():
        return network(batch.to(memory_format=torch.channels_last_3d))[0].float().cpu().numpy()
