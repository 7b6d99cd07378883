"""Networks whose answers are known beforehand, in place of trained ones."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ASPECTSLib.atlas.regions import swap_sides

_CERTAIN = 20.0  # logit of what is there, 0 of all else


class KnownLabels(nn.Module):
    """Answer with a label map, whatever is seen; what was seen is kept.

    Where regions are known, the mirror image of what was seen last has the mirrored map, with right and left exchanged.
    """

    def __init__(self, labels: NDArray[np.uint8], classes: int) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.labels, self.classes = torch.from_numpy(labels.astype(np.int64)), classes
        self.seen: list[torch.Tensor] = []

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (1, classes, k, j, i)."""
        labels = self.labels
        if self.seen and torch.equal(self.seen[-1][:, 0], image[:, 0].flip(-1)):
            labels = torch.from_numpy(swap_sides(labels.flip(-1).numpy()))
        self.seen.append(image.clone())
        assert image.shape[2:] == labels.shape
        one_hot = functional.one_hot(labels, self.classes).movedim(-1, 0)
        return _CERTAIN * one_hot[None].float()


class SoftTissue(nn.Module):
    """Take for brain what is brighter than fluid and darker than bone in the brain window."""

    def __init__(self, low: float = 0.05, high: float = 0.9) -> None:
        super().__init__()
        self.limits = nn.Parameter(torch.tensor([low, high]))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (B, 2, k, j, i) of an image (B, 1, k, j, i)."""
        low, high = self.limits
        inside = torch.minimum(image - low, high - image)
        return torch.cat((torch.zeros_like(inside), inside), dim=1)
