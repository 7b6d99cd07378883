"""The plain 3-D U-Net."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ASPECTSLib.networks.ushape import (
    Parts,
    Stages,
    UShape,
    activate,
    check_counts,
    convolve,
    normalise,
    require,
    rescale,
)


class UNet3D(UShape):
    """Segment with a 3-D U-Net.

    Çiçek 2016, doi:10.1007/978-3-319-46723-8_49: pairs of 3x3x3 convolutions, maximum pooling and transposed
    convolutions; with group normalisation, so that a batch may hold one image, and as many channels at a level as on
    the way down.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image and of the logits.
    widths
        Channels of each level, finest first.
    planar_stages
        How many steps down, from the finest on, halve rows and columns only; the others halve the slices too.
    convolutions
        3x3x3 convolutions of each level, on the way down and again on the way up.
    residual
        Whether what enters a level is added to what leaves it (Lee 2017, arXiv:1706.00120).

    Raises
    ------
    UsageError
        MODEL_MISMATCH if the numbers do not make a network.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int] = (16, 32, 64, 128),
        planar_stages: int = 0,
        convolutions: int = 2,
        residual: bool = False,
    ) -> None:
        check_counts("channels", (in_channels, out_channels), lowest=1)
        check_counts("convolutions", (convolutions,), lowest=1)
        require(isinstance(residual, bool), "residual as true or false", residual)
        stages = Stages(tuple(widths), planar_stages)
        level = _ResidualLevel if residual else _level
        steps = list(zip(stages.widths, stages.widths[1:], stages.strides, strict=False))
        entries = (in_channels, *stages.widths)
        parts = Parts(
            encoders=[
                level(entry, width, convolutions)
                for entry, width in zip(entries, stages.widths, strict=False)
            ],
            downs=[nn.MaxPool3d(stride) for stride in stages.strides],
            ups=[rescale(coarse, fine, stride, upwards=True) for fine, coarse, stride in steps],
            decoders=[level(2 * width, width, convolutions) for width in stages.widths[:-1]],
            head=nn.Conv3d(stages.widths[0], out_channels, 1),
        )
        super().__init__(in_channels, stages, parts)


class _ResidualLevel(nn.Module):
    """The convolutions of one level, added to what came in at the new number of channels."""

    def __init__(self, in_channels: int, width: int, convolutions: int) -> None:
        super().__init__()
        last = nn.Sequential(nn.Conv3d(width, width, 3, padding=1, bias=False), normalise(width))
        self.entry = nn.Conv3d(in_channels, width, 1, bias=False)
        self.change = nn.Sequential(*_level(width, width, convolutions - 1), last)
        self.activation = activate()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, in_channels, D, H, W) to (B, width, D, H, W)."""
        entered = self.entry(features)
        return self.activation(entered + self.change(entered))


def _level(in_channels: int, width: int, convolutions: int) -> nn.Sequential:
    entries = [in_channels] + [width] * (convolutions - 1)
    return nn.Sequential(*(convolve(entry, width, 3) for entry in entries[:convolutions]))
