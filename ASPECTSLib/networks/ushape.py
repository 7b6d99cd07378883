"""What U-shaped networks share: the way down and up with skips, their stages, and the checks on entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ASPECTSLib.errors import ErrorCode, UsageError

Stride = tuple[int, int, int]

_NEGATIVE_SLOPE = 0.01  # of leaky ReLU, as in nnU-Net, doi:10.1038/s41592-020-01008-z
_MIN_GROUP_CHANNELS = 8  # so that a map of a single voxel can still be normalised
_PLANAR: Stride = (1, 2, 2)
_CUBIC: Stride = (2, 2, 2)


@dataclass(frozen=True)
class Stages:
    """Levels of a U-shaped network and the steps between them.

    Parameters
    ----------
    widths
        Channels of each level, finest first; at least two levels of at least two channels.
    planar_stages
        How many steps down, from the finest on, halve rows and columns only; the others halve the slices too.

    Raises
    ------
    UsageError
        MODEL_MISMATCH if the numbers do not make a network.
    """

    widths: tuple[int, ...]
    planar_stages: int

    def __post_init__(self) -> None:
        check_counts("widths", self.widths, lowest=2)
        require(len(self.widths) > 1, "widths of at least 2 levels", list(self.widths))
        steps = len(self.widths) - 1
        check_counts("planar_stages", (self.planar_stages,), lowest=0)
        fits = self.planar_stages <= steps
        require(fits, f"planar_stages of at most {steps}", self.planar_stages)

    @property
    def strides(self) -> tuple[Stride, ...]:
        """Strides (slices, rows, columns) of each step down, finest first."""
        steps = len(self.widths) - 1
        return (_PLANAR,) * self.planar_stages + (_CUBIC,) * (steps - self.planar_stages)

    @property
    def divisor(self) -> Stride:
        """What must divide the size (D, H, W) of an image."""
        steps = len(self.widths) - 1
        return (2 ** (steps - self.planar_stages), 2**steps, 2**steps)


@dataclass(frozen=True)
class Parts:
    """Modules of a U-shaped network, finest level first.

    Parameters
    ----------
    encoders
        One for each level; the last is the bottom.
    downs, ups
        One for each step between levels.
    decoders
        One for each level but the bottom; each takes the channels of its level twice: from below and the skip.
    head
        From the channels of the finest level to logits.
    """

    encoders: Sequence[nn.Module]
    downs: Sequence[nn.Module]
    ups: Sequence[nn.Module]
    decoders: Sequence[nn.Module]
    head: nn.Module


class UShape(nn.Module):
    """Encoder and decoder with a skip at each level.

    Parameters
    ----------
    in_channels
        Channels of the image.
    stages
        Levels and steps.
    parts
        The modules.
    """

    def __init__(self, in_channels: int, stages: Stages, parts: Parts) -> None:
        super().__init__()
        self.in_channels = in_channels
        self._divisor = stages.divisor
        self.encoders = nn.ModuleList(parts.encoders)
        self.downs = nn.ModuleList(parts.downs)
        self.ups = nn.ModuleList(parts.ups)
        self.decoders = nn.ModuleList(parts.decoders)
        self.head = parts.head

    @property
    def divisor(self) -> Stride:
        """What must divide the size (D, H, W) of an image."""
        return self._divisor

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Compute logits.

        Parameters
        ----------
        image
            Float, shape (B, in_channels, D, H, W); `divisor` divides (D, H, W).

        Returns
        -------
        torch.Tensor
            Shape (B, out_channels, D, H, W).

        Raises
        ------
        UsageError
            MODEL_MISMATCH if the shape is another.
        """
        _check_image(tuple(image.shape), self.in_channels, self._divisor)
        features, skips = image, []
        for encode, down in zip(self.encoders, self.downs, strict=False):  # the bottom has no step
            features = encode(features)
            skips.append(features)
            features = down(features)
        features = self.encoders[-1](features)
        for level in reversed(range(len(skips))):
            joined = torch.cat((self.ups[level](features), skips[level]), dim=1)
            features = self.decoders[level](joined)
        return self.head(features)


def convolve(
    in_channels: int, out_channels: int, kernel: int, stride: int | Stride = 1
) -> nn.Sequential:
    """Make a convolution with normalisation and activation, which keeps the size where the stride is 1."""
    convolution = nn.Conv3d(
        in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False
    )
    return nn.Sequential(convolution, normalise(out_channels), activate())


def rescale(in_channels: int, out_channels: int, stride: Stride, *, upwards: bool) -> nn.Sequential:
    """Make a learned step between levels: a (transposed) convolution whose kernel is its stride."""
    kind = nn.ConvTranspose3d if upwards else nn.Conv3d
    convolution = kind(in_channels, out_channels, stride, stride, bias=False)
    return nn.Sequential(convolution, normalise(out_channels), activate())


def normalise(channels: int) -> nn.GroupNorm:
    """Make a normalisation that does not depend on the other samples of the batch.

    Groups (Wu 2018, doi:10.1007/978-3-030-01261-8_1) have at least eight channels, so that the coarsest level may
    shrink to a single voxel, which instance normalisation cannot take.
    """
    most = max(channels // _MIN_GROUP_CHANNELS, 1)
    groups = max(count for count in range(1, most + 1) if channels % count == 0)
    return nn.GroupNorm(groups, channels)


def activate() -> nn.LeakyReLU:
    """Make the activation."""
    return nn.LeakyReLU(_NEGATIVE_SLOPE, inplace=True)


def check_counts(name: str, values: Sequence[int], lowest: int) -> None:
    """Refuse what are not whole numbers from `lowest` on.

    Raises
    ------
    UsageError
        MODEL_MISMATCH.
    """
    for value in values:
        whole = isinstance(value, int) and not isinstance(value, bool)
        met = whole and value >= lowest
        require(met, f"{name} in whole numbers of at least {lowest}", value)


def require(met: bool, expected: str, got: object) -> None:
    """Refuse what is not as a network needs it.

    Raises
    ------
    UsageError
        MODEL_MISMATCH, with what was expected and what was got, unless the condition is met.
    """
    if not met:
        raise UsageError(ErrorCode.MODEL_MISMATCH, f"expected {expected}, got {got}")


def _check_image(shape: tuple[int, ...], channels: int, divisor: Stride) -> None:
    axes = "an image of 5 axes (batch, channel, slice, row, column)"
    require(len(shape) == 5, axes, len(shape))
    require(shape[1] == channels, f"an image of {channels} channels", shape[1])
    size = shape[2:]
    fits = all(n > 0 and n % d == 0 for n, d in zip(size, divisor, strict=True))
    require(fits, f"slices, rows and columns in multiples of {divisor}", size)
