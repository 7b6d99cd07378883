"""Networks of the task `infarct` whose answers are known beforehand."""

from __future__ import annotations

import torch
from torch import nn

_LIMIT = 0.75  # of what the network sees: 1.5 times the signal of the brain
_STEEPNESS = 40.0


class BrightInfarct(nn.Module):
    """Take for infarct what is brighter than one and a half times the brain; what was seen is kept.

    Parameters
    ----------
    right_only
        Whether only the right half of the grid is looked at.
    """

    divisor = (4, 8, 8)

    def __init__(self, *, right_only: bool = False) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.right_only = right_only
        self.seen: list[torch.Tensor] = []

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (1, 2, k, j, i) of an image (1, 3, k, j, i)."""
        self.seen.append(image.clone())
        sizes = zip(image.shape[2:], self.divisor, strict=True)
        assert not any(size % divisor for size, divisor in sizes)
        infarct = _STEEPNESS * (image[:, :1] - _LIMIT)
        if self.right_only:
            infarct[..., : infarct.shape[-1] // 2] = -_STEEPNESS
        return torch.cat((torch.zeros_like(infarct), infarct), dim=1)
