"""The slice finder: what each slice of a stack shows, and where it stands among the others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ASPECTSLib.networks.ushape import activate, check_counts, normalise, require

NO_SLICE = -1.0
"""Value of all voxels of a slice that only fills up a batch; slices that are there have values from 0 on."""

_STEM_KERNEL = 5
_MULTI_RESOLUTION_LAYERS = 2
_KERNELS = (1, 3, 5, 7)  # slices


class SliceFinder(nn.Module):
    """Find a slice of a stack: ASPECTSLoc-Net (Sun 2024, doi:10.1038/s41597-024-03973-y, figure 7).

    A residual encoder sees each slice alone; a bidirectional LSTM relates it to the others. What that already says of
    the classes goes with its output through two layers of 1-D convolutions of several widths and a second LSTM. Other
    than there, the normalisations depend on one slice only, so that a batch may hold one stack, and the first opinion
    is added to the last, so that one loss teaches both.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the slices and of the logits.
    widths, blocks
        Channels and residual blocks of each stage of the encoder, finest first. As in ResNet, rows and columns are
        halved twice before the first stage and once before each other one.
    expansion
        1 for blocks of two 3x3 convolutions, 4 for bottlenecks with so many times the channels at their ends (He 2016,
        doi:10.1109/CVPR.2016.90): ResNet-50 has widths of 64 to 512 and blocks of 3, 4, 6 and 3.
    hidden
        Units of each LSTM in each direction; 512 in the paper.

    Raises
    ------
    UsageError
        MODEL_MISMATCH if the numbers do not make a network.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int] = (24, 48, 96, 128),
        blocks: Sequence[int] = (1, 1, 1, 1),
        expansion: int = 1,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        check_counts("channels", (in_channels, out_channels), lowest=1)
        _check_encoder(widths, blocks, expansion)
        check_counts("hidden", (hidden,), lowest=1)
        self.in_channels, self.out_channels = in_channels, out_channels
        self._halvings = len(widths) + 1
        self.encoder = _encoder(in_channels, widths, blocks, expansion)
        related = 2 * hidden
        self.first_lstm = _lstm(widths[-1] * expansion, hidden)
        self.first_opinion = nn.Linear(related, out_channels)
        entries = (related + out_channels, *[related] * (_MULTI_RESOLUTION_LAYERS - 1))
        self.layers = nn.ModuleList(_MultiResolution(entry, related) for entry in entries)
        self.second_lstm = _lstm(related, hidden)
        self.last_opinion = nn.Linear(related, out_channels)

    @property
    def divisor(self) -> tuple[int, int, int]:
        """What must divide the size (N, H, W) of an image."""
        return 1, 2**self._halvings, 2**self._halvings

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Compute logits.

        Parameters
        ----------
        image
            Float, shape (B, in_channels, N, H, W): stacks of N slices from foot to head, of values from 0 on. Shorter
            stacks are filled up at their end with slices of `NO_SLICE`, which change nothing for the others.

        Returns
        -------
        torch.Tensor
            Shape (B, out_channels, N, 1, 1); 0 for slices of `NO_SLICE`.

        Raises
        ------
        UsageError
            MODEL_MISMATCH if the shape is another, a stack has no slice, or is filled up elsewhere than at its end.
        """
        self._check(tuple(image.shape))
        there = image.amax(dim=(1, 3, 4)) >= 0
        slices = image.transpose(1, 2)[there]  # what fills up is not looked at
        seen = self.encoder(slices).float()
        features = seen.new_zeros((*there.shape, seen.shape[1]))
        features[there] = seen
        # LSTM in 16 bits are slower on a CPU and worth little on a GPU: these sequences are short.
        with torch.autocast(image.device.type, enabled=False):
            logits = self._read(features, there)
        return logits.transpose(1, 2)[..., None, None]

    def _read(self, features: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """Return logits (B, N, classes) of features (B, N, channels)."""
        lengths = _lengths(there)
        related = _run(self.first_lstm, features, lengths)
        first = self.first_opinion(related)
        joined = torch.cat((related, first), dim=2)
        for layer in self.layers:
            joined = layer(joined * there[..., None])
        last = self.last_opinion(_run(self.second_lstm, joined, lengths))
        return (first + last) * there[..., None]

    def _check(self, shape: tuple[int, ...]) -> None:
        require(len(shape) == 5, "an image of 5 axes (batch, channel, slice, row, column)", shape)
        channels = self.in_channels
        require(shape[1] == channels, f"an image of {channels} channels", shape[1])
        size, divisor = shape[2:], self.divisor
        fits = all(n > 0 and n % d == 0 for n, d in zip(size, divisor, strict=True))
        require(fits, f"slices, rows and columns in multiples of {divisor}", size)


class _Residual(nn.Module):
    """Two 3x3 convolutions, or a bottleneck, added to what came in."""

    def __init__(self, in_channels: int, width: int, expansion: int, stride: int) -> None:
        super().__init__()
        out_channels = width * expansion
        if expansion == 1:
            layers = [*_convolve(in_channels, width, 3, stride), activate()]
            layers += _convolve(width, width, 3)
        else:
            layers = [*_convolve(in_channels, width, 1), activate()]
            layers += [*_convolve(width, width, 3, stride), activate()]
            layers += _convolve(width, out_channels, 1)
        self.change = nn.Sequential(*layers)
        is_same = stride == 1 and in_channels == out_channels
        entry = [] if is_same else _convolve(in_channels, out_channels, 1, stride)
        self.entry = nn.Sequential(*entry)
        self.activation = activate()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (M, in_channels, H, W) to (M, width * expansion, H / stride, W / stride)."""
        return self.activation(self.entry(features) + self.change(features))


class _MultiResolution(nn.Module):
    """Convolutions of several widths along the slices, side by side."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        width = -(-out_channels // len(_KERNELS))
        self.branches = nn.ModuleList(
            nn.Conv1d(in_channels, width, kernel, padding=kernel // 2) for kernel in _KERNELS
        )
        self.mix = nn.Linear(width * len(_KERNELS), out_channels)
        self.norm = nn.LayerNorm(out_channels)
        self.activation = activate()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, N, in_channels) to (B, N, out_channels)."""
        along = features.transpose(1, 2)
        joined = torch.cat([branch(along) for branch in self.branches], dim=1)
        return self.activation(self.norm(self.mix(joined.transpose(1, 2))))


def _check_encoder(widths: Sequence[int], blocks: Sequence[int], expansion: int) -> None:
    check_counts("widths", widths, lowest=2)
    check_counts("blocks", blocks, lowest=1)
    check_counts("expansion", (expansion,), lowest=1)
    require(bool(widths), "at least 1 of widths", "none")
    require(len(blocks) == len(widths), f"blocks for {len(widths)} stages", len(blocks))


def _encoder(
    in_channels: int, widths: Sequence[int], blocks: Sequence[int], expansion: int
) -> nn.Sequential:
    """Make an encoder from (M, in_channels, H, W) to (M, features)."""
    layers: list[nn.Module] = [
        *_convolve(in_channels, widths[0], _STEM_KERNEL, stride=2),
        activate(),
        nn.MaxPool2d(2),
    ]
    entry = widths[0]
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        for block in range(count):
            stride = 2 if stage and not block else 1
            layers.append(_Residual(entry, width, expansion, stride))
            entry = width * expansion
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _convolve(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(
        in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False
    )
    return [convolution, normalise(out_channels)]


def _lstm(in_channels: int, hidden: int) -> nn.LSTM:
    return nn.LSTM(in_channels, hidden, batch_first=True, bidirectional=True)


def _lengths(there: torch.Tensor) -> torch.Tensor:
    """Return how many slices each stack has, on the CPU, from which of them are there, shape (B, N)."""
    lengths = there.sum(dim=1).cpu()
    require(bool((lengths > 0).all()), "stacks of at least 1 slice", "one of none")
    at_the_end = bool((there[:, :-1] >= there[:, 1:]).all())
    require(at_the_end, "stacks that are filled up at their end", "one that is not")
    return lengths


def _run(lstm: nn.LSTM, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Run a bidirectional LSTM over (B, N, channels), backwards from the last slice of each stack on."""
    packed = pack_padded_sequence(features, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(lstm(packed)[0], True, total_length=features.shape[1])[0]
