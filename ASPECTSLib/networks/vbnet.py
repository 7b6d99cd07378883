"""VB-Net: a V-Net whose residual blocks are bottlenecks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

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

_MIN_INNER_CHANNELS = 8  # fewer make the 3x3x3 convolution cheap and blind


class VBNet(UShape):
    """Segment with VB-Net.

    Han 2019, ceur-ws.org/Vol-2349/SegTHOR2019_paper_1.pdf, with the planar first steps of Cao 2022 for thick slices
    (doi:10.1002/hbm.26056, section 2.3), which in turn is V-Net (Milletari 2016, doi:10.1109/3DV.2016.79) with
    bottlenecks (He 2016, doi:10.1109/CVPR.2016.90). Batch normalisation is replaced by group normalisation, so that a
    batch may hold one image.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image and of the logits.
    widths
        Channels of each level, finest first.
    planar_stages
        How many steps down, from the finest on, halve rows and columns only; the others halve the slices too.
    blocks
        Residual blocks of each level, on the way down and again on the way up. At 0, the finest level is only the
        3x3x3 convolution that the image enters by: most of the time goes into this level.
    bottleneck
        By how much a block reduces its channels before its 3x3x3 convolution, but never below 8; 1 does not reduce.

    Raises
    ------
    UsageError
        MODEL_MISMATCH if the numbers do not make a network.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int] = (16, 32, 64, 96, 128),
        planar_stages: int = 2,
        blocks: Sequence[int] = (1, 1, 2, 2, 2),
        bottleneck: int = 4,
    ) -> None:
        check_counts("channels", (in_channels, out_channels), lowest=1)
        check_counts("blocks", blocks, lowest=0)
        check_counts("bottleneck", (bottleneck,), lowest=1)
        stages = Stages(tuple(widths), planar_stages)
        levels = len(stages.widths)
        require(len(blocks) == levels, f"blocks for {levels} levels", len(blocks))
        row = partial(_row, bottleneck=bottleneck)
        rows = list(zip(stages.widths, blocks, strict=True))
        steps = list(zip(stages.widths, stages.widths[1:], stages.strides, strict=False))
        first, finest = convolve(in_channels, widths[0], 3), nn.Conv3d(widths[0], out_channels, 1)
        parts = Parts(
            encoders=[nn.Sequential(first, *row(*rows[0])), *(row(*level) for level in rows[1:])],
            downs=[rescale(fine, coarse, stride, upwards=False) for fine, coarse, stride in steps],
            ups=[rescale(coarse, fine, stride, upwards=True) for fine, coarse, stride in steps],
            decoders=[
                nn.Sequential(convolve(2 * width, width, 1), *row(width, count))
                for width, count in rows[:-1]
            ],
            head=finest,
        )
        super().__init__(in_channels, stages, parts)


class Bottleneck(nn.Module):
    """Residual block: reduce the channels, convolve, expand, and add to what came in.

    Parameters
    ----------
    width
        Channels in and out.
    reduction
        Divisor of the channels of the 3x3x3 convolution, which keeps at least eight; 1 leaves a plain residual block
        of one 3x3x3 convolution.
    """

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        inner = max(width // reduction, min(width, _MIN_INNER_CHANNELS))
        if inner == width:
            layers = [nn.Conv3d(width, width, 3, padding=1, bias=False)]
        else:
            expansion = nn.Conv3d(inner, width, 1, bias=False)
            layers = [convolve(width, inner, 1), convolve(inner, inner, 3), expansion]
        self.change = nn.Sequential(*layers, normalise(width))
        self.activation = activate()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, width, D, H, W) to the same shape."""
        return self.activation(features + self.change(features))


def _row(width: int, count: int, bottleneck: int) -> nn.Sequential:
    return nn.Sequential(*(Bottleneck(width, bottleneck) for _ in range(count)))
