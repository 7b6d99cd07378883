"""U-Net on slices with one of several kinds of attention, that of the paper on regions of CT angiography among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor, nn

from ASPECTSLib.networks.efficient_encoder import (
    GROUP_CHANNELS_DIVISOR,
    SliceNetwork,
    check_widths,
)
from ASPECTSLib.networks.ushape import Stride, check_counts, require

LEVELS = 5
"""Four steps down, as in the paper."""

_MOST_NEIGHBOURS = 4
_SQUEEZED_TO = 8  # one in so many channels, in squeeze and excitation


class SliceAttentionUNet(SliceNetwork):
    """Segment slices by a U-Net (Ronneberger 2015, doi:10.1007/978-3-319-24574-4_28) whose way up attends.

    Channels are normalised in groups, as in the other networks of slices, where the paper says nothing.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the slices and of the logits.
    widths
        Channels of the five levels, finest first, in multiples of 8. Take 16 or more for the first: of 8, each is a
        group of its own, and what is the same all over a slice, such as its height, is normalised away at once.
    attention
        `remapping`: all channels compressed to one by a 1 x 1 convolution, a sigmoid, and the product with each channel
        (feature compression and remapping, of the paper). `squeeze`: a weight for each channel (Hu 2018,
        doi:10.1109/CVPR.2018.00745). `both`: the two, the larger of which counts (Roy 2018,
        doi:10.1007/978-3-030-00928-1_48). `gate`: skips gated by what comes from below (Oktay 2018, arXiv:1804.03999).
        `none`: the plain U-Net.
    neighbours
        How many slices on either side are seen with each, of which the first channel, the brain, is enough. Beyond the
        ends of a scan its last slice is seen again.

    Raises
    ------
    UsageError
        MODEL_MISMATCH if the numbers do not make a network, or there is no such attention.
    """

    divisor: Stride = (1, 2 ** (LEVELS - 1), 2 ** (LEVELS - 1))

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int] = (16, 32, 64, 128, 128),
        attention: str = "remapping",
        neighbours: int = 0,
    ) -> None:
        nn.Module.__init__(self)
        check_counts("in_channels", (in_channels,), lowest=1)
        check_counts("out_channels", (out_channels,), lowest=1)
        check_widths(widths, LEVELS)
        names = ", ".join(ATTENTION)
        require(attention in ATTENTION, f"an attention of {names}", attention)
        is_number = isinstance(neighbours, int) and 0 <= neighbours <= _MOST_NEIGHBOURS
        require(is_number, f"0 to {_MOST_NEIGHBOURS} neighbours", neighbours)
        self.in_channels, self.neighbours = in_channels, neighbours
        self.encoder = _Encoder(in_channels + 2 * neighbours, widths)
        self.decoder = _Decoder(widths, attention)
        self.head = nn.Conv2d(widths[0], out_channels, 1)

    def _seen(self, image: Tensor) -> Tensor:
        slices = image.shape[2]
        here = torch.arange(slices, device=image.device)
        steps = [step for step in range(-self.neighbours, self.neighbours + 1) if step]
        others = [image[:, :1, (here + step).clamp(0, slices - 1)] for step in steps]
        return torch.cat((image, *others), dim=1)


class Remapping(nn.Module):
    """Weigh places: one map of weights from all channels, the product with each."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.compress = nn.Conv2d(channels, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        return features * self.compress(features).sigmoid()


class Squeeze(nn.Module):
    """Weigh channels by their means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // _SQUEEZED_TO, 1)
        self.excite = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        return features * self.excite(features.mean(dim=(2, 3), keepdim=True)).sigmoid()


class Both(nn.Module):
    """Weigh places and channels; of the two products the larger counts."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.places, self.channels = Remapping(channels), Squeeze(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        return torch.maximum(self.places(features), self.channels(features))


class _Gate(nn.Module):
    """Weigh the places of a skip by it and by what comes from below."""

    def __init__(self, skip: int, below: int) -> None:
        super().__init__()
        hidden = max(skip // 2, 1)
        self.skip, self.below = nn.Conv2d(skip, hidden, 1), nn.Conv2d(below, hidden, 1)
        self.weigh = nn.Conv2d(hidden, 1, 1)

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        return skip * self.weigh((self.skip(skip) + self.below(below)).relu()).sigmoid()


def _identity(_channels: int) -> nn.Module:
    return nn.Identity()


ATTENTION: Mapping[str, Callable[[int], nn.Module]] = MappingProxyType(
    {
        "remapping": Remapping,
        "squeeze": Squeeze,
        "both": Both,
        "gate": _identity,  # of the skips
        "none": _identity,
    }
)


class _Encoder(nn.Module):
    def __init__(self, in_channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        entries = (in_channels, *widths[:-1])
        self.stages = nn.ModuleList(map(_convolutions, entries, widths))

    def forward(self, slices: Tensor) -> list[Tensor]:
        levels = []
        for number, stage in enumerate(self.stages):
            slices = stage(nn.functional.max_pool2d(slices, 2) if number else slices)
            levels.append(slices)
        return levels


class _Decoder(nn.Module):
    def __init__(self, widths: Sequence[int], attention: str) -> None:
        super().__init__()
        steps = list(zip(widths[-2::-1], widths[:0:-1], strict=True))
        self.joins = nn.ModuleList(_convolutions(skip + below, skip) for skip, below in steps)
        self.attend = nn.ModuleList(ATTENTION[attention](skip) for skip, _ in steps)
        gates = [_Gate(*step) for step in steps] if attention == "gate" else []
        self.gates = nn.ModuleList(gates)

    def forward(self, levels: list[Tensor]) -> Tensor:
        features = levels[-1]
        for number, skip in enumerate(levels[-2::-1]):
            below = nn.functional.interpolate(features, scale_factor=2.0, mode="nearest")
            kept = self.gates[number](skip, below) if len(self.gates) else skip
            features = self.attend[number](self.joins[number](torch.cat((kept, below), dim=1)))
        return features


def _convolutions(in_channels: int, out_channels: int) -> nn.Module:
    layers: list[nn.Module] = []
    for entry in (in_channels, out_channels):
        layers += [
            nn.Conv2d(entry, out_channels, 3, padding=1, bias=False),
            nn.GroupNorm(GROUP_CHANNELS_DIVISOR, out_channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
