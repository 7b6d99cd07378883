"""LinkNet on slices, with an EfficientNet encoder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from ASPECTSLib.networks.efficient_encoder import (
    ACTIVATION,
    GROUP_CHANNELS_DIVISOR,
    NORMALISATION,
    EfficientEncoder,
    SliceNetwork,
    check_widths,
    monai_part,
)

_REDUCTION = 4  # of the channels that are convolved upwards, as in the paper


class SliceLinkNet(SliceNetwork):
    """Segment slices with LinkNet (Chaurasia 2017, doi:10.1109/VCIP.2017.8305148).

    Features of the encoder are added on the way up, not joined, so that the decoder has the encoder's channels; each
    step up is a transposed convolution between two that reduce and expand the channels.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the slices and of the logits.
    width
        Channels at the slice's own pixels, a multiple of 8.
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
        self, in_channels: int, out_channels: int, width: int = 16, encoder_size: int = 0
    ) -> None:
        check_widths((width,), 1)
        encoder = EfficientEncoder(in_channels, encoder_size)
        super().__init__(encoder, _AddingDecoder(encoder.widths, width), width, out_channels)


class _AddingDecoder(nn.Module):
    """Go up level by level and add the encoder's features; the last step has none to add."""

    def __init__(self, features: Sequence[int], width: int) -> None:
        super().__init__()
        coarse_to_fine = (*reversed(features), width)
        self.steps = nn.ModuleList(_step(coarse, fine) for coarse, fine in pairwise(coarse_to_fine))

    def forward(self, features: list[Tensor]) -> Tensor:
        """Map the encoder's features to those of the slice's own pixels."""
        decoded = features[-1]
        for step, skip in zip(self.steps, features[-2::-1], strict=False):  # none for the last step
            decoded = step(decoded) + skip
        return self.steps[-1](decoded)


def _step(coarse: int, fine: int) -> nn.Sequential:
    groups = max(coarse // _REDUCTION // GROUP_CHANNELS_DIVISOR, 1)
    inner = groups * GROUP_CHANNELS_DIVISOR
    convolution = monai_part("monai.networks.blocks.convolutions", "Convolution")
    shared = {"act": ACTIVATION, "norm": NORMALISATION, "bias": False}
    return nn.Sequential(
        convolution(2, coarse, inner, kernel_size=1, **shared),
        convolution(2, inner, inner, kernel_size=3, strides=2, is_transposed=True, **shared),
        convolution(2, inner, fine, kernel_size=1, **shared),
    )
