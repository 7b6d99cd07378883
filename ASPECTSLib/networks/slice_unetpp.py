"""UNet++ on slices, with an EfficientNet encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ASPECTSLib.networks.efficient_encoder import (
    DECODER_WIDTHS,
    LEVELS,
    EfficientEncoder,
    SliceNetwork,
    check_widths,
    up_and_join,
)


class SliceUNetPlusPlus(SliceNetwork):
    """Segment slices with UNet++ (Zhou 2018, doi:10.1007/978-3-030-00889-5_1).

    As the U-Net, but skips are not taken over as they are: between encoder and decoder lie nodes, each made of all
    nodes of its level before it and of the one below. There is one output, of the last node, and no deep supervision.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the slices and of the logits.
    widths
        Channels of each level's nodes, coarsest first, in multiples of 8; the last has the slice's own pixels.
    encoder_size
        0 to 7 for EfficientNet-B0 to B7.

    Raises
    ------
    UsageError
        MODEL_MISMATCH if the numbers do not make a network.
    ResourceError
        TORCH_MISSING without MONAI.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int] = DECODER_WIDTHS,
        encoder_size: int = 0,
    ) -> None:
        check_widths(widths, LEVELS)
        encoder = EfficientEncoder(in_channels, encoder_size)
        super().__init__(encoder, _NestedDecoder(encoder.widths, widths), widths[-1], out_channels)


class _NestedDecoder(nn.Module):
    """The nodes between encoder and output, and a last step to the slice's own pixels, which has no skip."""

    def __init__(self, features: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        *nested, last = widths
        own = nested[::-1]  # of each level, finest first
        rows = []
        for level, width in enumerate(own):
            # Node n of a level sees what enters it, the n nodes before it, and node n of the level below.
            below = [features[level + 1], *own[level + 1 : level + 2] * (LEVELS - 2 - level)]
            skips = [features[level] + n * width for n in range(len(below))]
            nodes = [up_and_join(*pair, width) for pair in zip(below, skips, strict=True)]
            rows.append(nn.ModuleList(nodes))
        self.rows = nn.ModuleList(rows)
        self.last = up_and_join(own[0], 0, last)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Map the encoder's features to those of the slice's own pixels."""
        below = [features[-1]]
        for entry, nodes in zip(features[-2::-1], reversed(self.rows), strict=True):
            level = [entry]
            for node, lower in zip(nodes, below, strict=True):
                level.append(node(lower, torch.cat(level, dim=1)))
            below = level
        return self.last(below[-1], None)
