"""TransUNet on slices: a transformer between an EfficientNet encoder and the decoder of a U-Net."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ASPECTSLib.networks.efficient_encoder import (
    DECODER_WIDTHS,
    LEVELS,
    EfficientEncoder,
    SliceNetwork,
    check_widths,
)
from ASPECTSLib.networks.slice_unet import unet_decoder
from ASPECTSLib.networks.ushape import check_counts, require

_POSITIONS = 7  # rows and columns of the coarsest level of a slice of 224 x 224
_POSITION_DEVIATION = 0.02  # of the embeddings as they are drawn, as in ViT
_MLP_RATIO = 2  # 4 in ViT; the weights are to ship


class SliceTransUNet(SliceNetwork):
    """Segment slices with TransUNet (Chen 2021, arXiv:2102.04306).

    Each place of the encoder's coarsest level is a token; layers of self-attention as in ViT relate places of a slice
    wherever they are, and the decoder of a U-Net goes on from there. The encoder is the same as that of the other
    slice networks, not ResNet-50, and the transformer is as small as weights that ship must be. Its layers are those
    of torch: MONAI's would need one more library.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the slices and of the logits.
    widths
        Channels of the decoder's levels, coarsest first, in multiples of 8; the last has the slice's own pixels.
    encoder_size
        0 to 7 for EfficientNet-B0 to B7.
    transformer
        Channels of a token, layers, and heads, whose number divides the channels; 768, 12 and 12 in the paper.

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
        transformer: Sequence[int] = (160, 3, 8),
    ) -> None:
        check_widths(widths, LEVELS)
        require(len(transformer) == 3, "a transformer of channels, layers and heads", transformer)
        check_counts("transformer", transformer, lowest=1)
        hidden, _, heads = transformer
        require(hidden % heads == 0, f"channels of the transformer in {heads} heads", hidden)
        encoder = EfficientEncoder(in_channels, encoder_size)
        decoder = _TokenDecoder(encoder.widths, widths, transformer)
        super().__init__(encoder, decoder, widths[-1], out_channels)


class _TokenDecoder(nn.Module):
    """Relate the places of the coarsest level, then decode as a U-Net."""

    def __init__(
        self, features: Sequence[int], widths: Sequence[int], transformer: Sequence[int]
    ) -> None:
        super().__init__()
        hidden, layers, heads = transformer
        self.entry = nn.Conv2d(features[-1], hidden, 1)
        embedding = torch.zeros(1, hidden, _POSITIONS, _POSITIONS)
        self.positions = nn.Parameter(nn.init.normal_(embedding, std=_POSITION_DEVIATION))
        self.layers = nn.Sequential(*(_layer(hidden, heads) for _ in range(layers)))
        self.end = nn.LayerNorm(hidden)
        self.decoder = unet_decoder((*features[:-1], hidden), widths)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Map the encoder's features to those of the slice's own pixels."""
        tokens = self.entry(features[-1])
        tokens = tokens + _resized(self.positions, tokens.shape[2:])
        related = self.end(self.layers(tokens.flatten(2).transpose(1, 2)))
        bottom = related.transpose(1, 2).reshape(tokens.shape)
        return self.decoder([*features[:-1], bottom])


def _layer(hidden: int, heads: int) -> nn.Module:
    return nn.TransformerEncoderLayer(
        hidden,
        heads,
        _MLP_RATIO * hidden,
        dropout=0.0,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )


def _resized(positions: Tensor, size: torch.Size) -> Tensor:
    """Return the positions of a slice of another size."""
    if positions.shape[2:] == size:
        return positions
    return functional.interpolate(positions, size=size, mode="bilinear", align_corners=False)
