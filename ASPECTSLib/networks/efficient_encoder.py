"""What the slice networks share: the EfficientNet encoder of MONAI, slices that each stand alone, and the checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.networks.ushape import Stride, check_counts, require

LEVELS = 5
"""Of the encoder: its feature maps have a half to a thirty-second of the slice's rows and columns."""

GROUP_CHANNELS_DIVISOR = 8
"""All channel counts are multiples of it, as those of EfficientNet are, so that eight groups divide each."""

NORMALISATION = ("group", {"num_groups": GROUP_CHANNELS_DIVISOR})
"""As MONAI takes it. EfficientNet's own batch normalisation would have the slices of one head as its batch: one slice
would change another in training but not in use, the average of the weights would come with the statistics of other
weights, and these move by a hundredth a step, slower than a short run. Groups of channels are normalised within each
slice (Wu 2018, doi:10.1007/978-3-030-01261-8_1), in training as in use."""

ACTIVATION = ("relu", {"inplace": True})

DECODER_WIDTHS = (96, 64, 32, 16, 16)
"""Channels of a decoder's levels, coarsest first. The finest has 16: of 8, each would be a group of its own in the
normalisation, which takes away how much it found in a slice."""

SLICES_AT_ONCE = 4
"""On a processor, where nothing is learned: the features of more do not stay in its caches, and 26 slices at once take
twice as long."""

_LARGEST_ENCODER = 7
_DIVISOR: Stride = (1, 2**LEVELS, 2**LEVELS)


class EfficientEncoder(nn.Module):
    """EfficientNet without its classifier (Tan 2019, arXiv:1905.11946), by MONAI, with random weights.

    Connections are not dropped at random: synthetic patients do not repeat, and short runs learn too little with them.

    Parameters
    ----------
    in_channels
        Of the slices.
    size
        0 to 7 for EfficientNet-B0 to B7.

    Raises
    ------
    UsageError
        MODEL_MISMATCH if there is no such encoder.
    ResourceError
        TORCH_MISSING without MONAI.
    """

    def __init__(self, in_channels: int, size: int) -> None:
        super().__init__()
        check_counts("in_channels", (in_channels,), lowest=1)
        check_counts("encoder_size", (size,), lowest=0)
        is_known = size <= _LARGEST_ENCODER
        require(is_known, f"encoder_size of at most {_LARGEST_ENCODER}", size)
        kind = monai_part("monai.networks.nets", "EfficientNetEncoder")
        self.features = kind(
            f"efficientnet-b{size}", pretrained=False, in_channels=in_channels, norm=NORMALISATION
        )
        self.widths: tuple[int, ...] = kind.num_channels_per_output()[size]
        self._keep_features_only()

    def forward(self, slices: Tensor) -> list[Tensor]:
        """Map (N, in_channels, H, W) to the features of `LEVELS` levels, finest first."""
        return self.features(slices)

    def _keep_features_only(self) -> None:
        """Remove the layers of the classifier, a third of the weights of B0, which no slice goes through."""
        for name in ("_conv_head", "_conv_head_padding", "_bn1", "_avg_pooling", "_dropout", "_fc"):
            delattr(self.features, name)
        for module in self.features.modules():
            if hasattr(module, "drop_connect_rate"):
                module.drop_connect_rate = 0.0


class SliceNetwork(nn.Module):
    """Segment slices, each by itself.

    Parameters
    ----------
    encoder
        Of the slices.
    decoder
        Maps the encoder's features to features of the slice's own rows and columns.
    width
        Channels of these.
    out_channels
        Of the logits.

    Raises
    ------
    UsageError
        MODEL_MISMATCH if the numbers do not make a network.
    """

    divisor: Stride = _DIVISOR
    """What must divide the size (D, H, W) of an image."""

    def __init__(
        self, encoder: EfficientEncoder, decoder: nn.Module, width: int, out_channels: int
    ) -> None:
        super().__init__()
        check_counts("out_channels", (out_channels,), lowest=1)
        self.in_channels = int(encoder.features.in_channels)
        self.encoder, self.decoder = encoder, decoder
        self.head = nn.Conv2d(width, out_channels, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Compute logits.

        Parameters
        ----------
        image
            Float, shape (B, in_channels, D, H, W); 32 divides H and W.

        Returns
        -------
        torch.Tensor
            Shape (B, out_channels, D, H, W); no slice depends on another but those that a network takes as neighbours.

        Raises
        ------
        UsageError
            MODEL_MISMATCH if the shape is another.
        """
        self._check(tuple(image.shape))
        # No copy where the channels lie last: slices then lie one behind the other, each with its channels last.
        slices = self._seen(image).transpose(1, 2).flatten(0, 1)
        logits = torch.cat([self._logits(part) for part in self._portions(slices)])
        return logits.unflatten(0, (image.shape[0], image.shape[2])).transpose(1, 2)

    def to(self, *args: Any, **kwargs: Any) -> SliceNetwork:
        """Move as any network; "channels last" of images with slices is that of slices for two-dimensional weights."""
        if kwargs.get("memory_format") is torch.channels_last_3d:
            kwargs["memory_format"] = torch.channels_last
        return super().to(*args, **kwargs)

    def _seen(self, image: Tensor) -> Tensor:
        """Return what the encoder sees, of the same slices."""
        return image

    def _logits(self, slices: Tensor) -> Tensor:
        return self.head(self.decoder(self.encoder(slices)))

    def _portions(self, slices: Tensor) -> Sequence[Tensor]:
        is_in_use = not torch.is_grad_enabled()
        return slices.split(SLICES_AT_ONCE) if is_in_use and slices.is_cpu else (slices,)

    def _check(self, shape: tuple[int, ...]) -> None:
        axes = "an image of 5 axes (batch, channel, slice, row, column)"
        require(len(shape) == 5, axes, len(shape))
        require(shape[1] == self.in_channels, f"an image of {self.in_channels} channels", shape[1])
        fits = all(n > 0 and n % d == 0 for n, d in zip(shape[2:], self.divisor, strict=True))
        require(fits, f"slices, rows and columns in multiples of {self.divisor}", shape[2:])


def check_widths(widths: Sequence[int], count: int) -> None:
    """Refuse widths of a decoder that cannot be normalised in groups.

    Raises
    ------
    UsageError
        MODEL_MISMATCH.
    """
    require(len(widths) == count, f"widths of {count} levels", list(widths))
    check_counts("widths", widths, lowest=GROUP_CHANNELS_DIVISOR)
    fits = all(width % GROUP_CHANNELS_DIVISOR == 0 for width in widths)
    require(fits, f"widths in multiples of {GROUP_CHANNELS_DIVISOR}", list(widths))


def up_and_join(in_channels: int, skip_channels: int, out_channels: int) -> nn.Module:
    """Make MONAI's step upwards: twice the rows and columns, joined with a skip, and two convolutions.

    Called with features and skip, or features and None where `skip_channels` is 0.
    """
    return monai_part("monai.networks.nets.basic_unet", "UpCat")(
        2,
        in_channels,
        skip_channels,
        out_channels,
        ACTIVATION,
        NORMALISATION,
        bias=False,
        upsample="nontrainable",
        interp_mode="nearest",
        align_corners=None,
        is_pad=False,
    )


def monai_part(module: str, name: str) -> Callable[..., Any]:
    """Return a part of MONAI, which takes seconds to import, and that only where it is needed.

    Raises
    ------
    ResourceError
        TORCH_MISSING if MONAI is not installed.
    """
    try:
        return getattr(__import__(module, fromlist=[name]), name)
    except ImportError as error:
        message = "expected MONAI for this network, which is not installed; `pip install monai` installs it"
        raise ResourceError(ErrorCode.TORCH_MISSING, message) from error
