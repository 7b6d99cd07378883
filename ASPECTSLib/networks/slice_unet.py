"""U-Net on slices, with an EfficientNet encoder."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ASPECTSLib.networks.efficient_encoder import (
    ACTIVATION,
    DECODER_WIDTHS,
    LEVELS,
    NORMALISATION,
    EfficientEncoder,
    SliceNetwork,
    check_widths,
    monai_part,
)


class SliceUNet(SliceNetwork):
    """Segment slices as Deep-ASPECTS does (Upadhyay 2022, doi:10.1007/978-3-031-25066-8_17).

    A U-Net (Ronneberger 2015, doi:10.1007/978-3-319-24574-4_28) whose way down is EfficientNet: features of each level
    are joined with what comes from below. Theirs has 42 million weights, as EfficientNet-B5 has about 28; B0 is the
    one whose weights can ship.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the slices and of the logits.
    widths
        Channels of the decoder's levels, coarsest first, in multiples of 8; the last has the slice's own pixels.
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
        super().__init__(encoder, unet_decoder(encoder.widths, widths), widths[-1], out_channels)


def unet_decoder(features: Sequence[int], widths: Sequence[int]) -> nn.Module:
    """Make MONAI's decoder of a U-Net.

    Parameters
    ----------
    features
        Channels of the encoder's levels, finest first.
    widths
        Channels of the decoder's levels, coarsest first; one more level than there are skips.
    """
    return monai_part("monai.networks.nets.flexible_unet", "UNetDecoder")(
        spatial_dims=2,
        encoder_channels=(0, *features),  # the slice itself is no skip
        decoder_channels=tuple(widths),
        act=ACTIVATION,
        norm=NORMALISATION,
        dropout=0.0,
        bias=False,
        upsample="nontrainable",
        pre_conv="default",
        interp_mode="nearest",
        align_corners=None,
        is_pad=False,
    )
