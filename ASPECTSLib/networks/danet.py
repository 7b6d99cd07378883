"""DA-Net: one region of both sides, seen by the same dense network and told apart by their difference."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ASPECTSLib.networks.ushape import Stride, activate, check_counts, normalise, require

_SIDES = 2
_STEM_STRIDE: Stride = (1, 2, 2)


class DANet(nn.Module):
    """Compare a region with that of the other side.

    Cao 2022, doi:10.1002/hbm.25845, section 2.4: both sides, the right one mirrored, go through the same DenseNet
    (Huang 2017, doi:10.1109/CVPR.2017.243) whose layers are 1x3x3 and then 3x1x1 convolutions, for thick slices.
    Features f of a side and their difference from the other side's are what the classifier of that side sees. Average
    pooling and a linear classifier commute, so the classifier is applied to each voxel: that is the class activation
    map (Zhou 2016, doi:10.1109/CVPR.2016.319), and `side_logits` pools it.

    Other than there, groups of channels are normalised over both sides together. Batches are small, and a side that is
    normalised by itself would lose what is asked for: that the whole of it is darker. And only as many steps halve rows
    and columns as asked for: deep regions are a centimetre wide, and the map is to show them.

    Exchanged sides give the exchanged output.

    Parameters
    ----------
    in_channels
        Those of the left side, and after them as many of the right side, mirrored.
    out_channels
        2: left and right.
    stem
        Channels of the first convolution, which halves rows and columns.
    growth
        Channels that each layer adds.
    blocks
        Layers of each dense block. Between blocks stand transitions, which halve the channels.
    halvings
        How many transitions, from the first on, halve rows and columns; and how many, up to the last, halve slices.

    Raises
    ------
    UsageError
        MODEL_MISMATCH if the numbers do not make a network.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 2,
        stem: int = 16,
        growth: int = 12,
        blocks: Sequence[int] = (2, 3, 4, 4),
        halvings: Sequence[int] = (1, 1),
    ) -> None:
        super().__init__()
        _check_sides(in_channels, out_channels)
        check_counts("stem, growth and layers", (stem, growth, *blocks), lowest=1)
        require(len(blocks) > 0, "blocks, one at least", list(blocks))
        strides = _strides(len(blocks) - 1, halvings)
        self.in_channels = in_channels
        self._divisor = tuple(
            math.prod(along) for along in zip(_STEM_STRIDE, *strides, strict=True)
        )
        # An even kernel with an even stride keeps the map's voxels in the middle of what they stand for.
        self.stem = nn.Conv3d(
            in_channels // _SIDES, stem, (1, 4, 4), _STEM_STRIDE, (0, 1, 1), bias=False
        )
        stages, width = [], stem
        for layers, stride in zip(blocks, (*strides, None), strict=True):
            stages += [_Layer(width + n * growth, growth) for n in range(layers)]
            width += layers * growth
            if stride is not None:
                stages.append(_Transition(width, stride))
                width //= 2
        self.stages = nn.ModuleList(stages)
        self.end = nn.Sequential(normalise(width), activate())
        self.classifier = nn.Conv3d(2 * width, 1, 1)

    @property
    def divisor(self) -> Stride:
        """What must divide the size (D, H, W) of a patch."""
        return self._divisor

    def forward(self, patches: Tensor) -> Tensor:
        """Compute the class activation maps.

        Parameters
        ----------
        patches
            Float, shape (B, in_channels, D, H, W); `divisor` divides (D, H, W).

        Returns
        -------
        torch.Tensor
            Shape (B, 2, d, h, w): of the left side, and of the right side, mirrored; (d, h, w) is (D, H, W) over
            `divisor`. `side_logits` makes the two calls of it.

        Raises
        ------
        UsageError
            MODEL_MISMATCH if the shape is another.
        """
        self._check(tuple(patches.shape))
        batch, _, slices, rows, columns = patches.shape
        own = self.in_channels // _SIDES
        # The sides lie one behind the other along the slices, where no convolution joins them.
        sides = patches.reshape(batch, _SIDES, own, slices, rows, columns).transpose(1, 2)
        features = self.stem(sides.reshape(batch, own, _SIDES * slices, rows, columns))
        for stage in self.stages:
            features = stage(features)
        features = _by_side(self.end(features))
        difference = features - features.flip(2)
        return _classified(self.classifier, torch.cat((features, difference), dim=1))

    def _check(self, shape: tuple[int, ...]) -> None:
        require(
            len(shape) == 5, "patches of 5 axes (batch, channel, slice, row, column)", len(shape)
        )
        require(shape[1] == self.in_channels, f"patches of {self.in_channels} channels", shape[1])
        fits = all(n > 0 and n % d == 0 for n, d in zip(shape[2:], self._divisor, strict=True))
        require(fits, f"slices, rows and columns in multiples of {self._divisor}", shape[2:])


def side_logits(maps: Tensor, regions: Tensor) -> Tensor:
    """Pool class activation maps over the regions: the logits of both sides being affected.

    The mean over the whole patch, as in the paper, would be the mean of what surrounds the region: a caudate nucleus
    is one part in forty of its patch. So the mean is taken over the region itself; that of the other side stands in
    for one that is empty, and the whole patch for two.

    Parameters
    ----------
    maps
        Shape (B, 2, d, h, w), of `DANet`.
    regions
        Masks of the region of each side, shape (B, 2, D, H, W), 0 to 1 or bool, on the grid of the patches.

    Returns
    -------
    torch.Tensor
        Shape (B, 2): left and right.

    Raises
    ------
    UsageError
        MODEL_MISMATCH if the shapes do not go together.
    """
    weights = on_map(regions, maps)
    for stand_in in (weights.flip(1), torch.ones_like(weights)):
        is_empty = weights.sum(dim=(2, 3, 4), keepdim=True) == 0
        weights = torch.where(is_empty, stand_in, weights)
    return (maps * weights).sum(dim=(2, 3, 4)) / weights.sum(dim=(2, 3, 4))


def on_map(regions: Tensor, maps: Tensor) -> Tensor:
    """Return how much of each voxel of class activation maps is region, float, 0 to 1, of the maps' shape.

    Raises
    ------
    UsageError
        MODEL_MISMATCH if the shapes do not go together.
    """
    fits = regions.ndim == maps.ndim == 5 and regions.shape[:2] == maps.shape[:2]
    got = (tuple(maps.shape), tuple(regions.shape))
    require(fits and maps.shape[1] == _SIDES, "maps and regions of two sides of one batch", got)
    return functional.adaptive_avg_pool3d(regions.to(maps.dtype), maps.shape[2:])


class _Layer(nn.Module):
    """A layer of a dense block: what it makes is added to the channels that it saw."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.entry = nn.Sequential(normalise(width), activate())
        self.in_plane = nn.Conv3d(width, growth, (1, 3, 3), padding=(0, 1, 1), bias=False)
        # Kernels are given in (side, slice, pixel): along the slices of one side only.
        self.through = nn.Conv3d(growth, growth, (1, 3, 1), padding=(0, 1, 0), bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, width, 2D, H, W) to (B, width + growth, 2D, H, W)."""
        made = self.in_plane(self.entry(features))
        batch, growth, slices, rows, columns = made.shape
        apart = made.reshape(batch, growth, _SIDES, slices // _SIDES, rows * columns)
        return torch.cat((features, self.through(apart).reshape(made.shape)), dim=1)


class _Transition(nn.Module):
    """Halve the channels, and whatever the stride says."""

    def __init__(self, width: int, stride: Stride) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            normalise(width), activate(), nn.Conv3d(width, width // 2, 1, bias=False)
        )
        self.stride = stride

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, width, 2D, H, W) to (B, width // 2, 2D / a, H / b, W / c)."""
        return functional.avg_pool3d(self.mix(features), self.stride)


def _by_side(features: Tensor) -> Tensor:
    """Return (B, C, 2, d, h, w) of (B, C, 2d, h, w)."""
    batch, width, slices, rows, columns = features.shape
    return features.reshape(batch, width, _SIDES, slices // _SIDES, rows, columns)


def _classified(classifier: nn.Conv3d, features: Tensor) -> Tensor:
    """Return (B, 2, d, h, w) of (B, C, 2, d, h, w)."""
    batch, width, sides, slices, rows, columns = features.shape
    maps = classifier(features.reshape(batch, width, sides * slices, rows, columns))
    return maps.reshape(batch, sides, slices, rows, columns)


def _strides(transitions: int, halvings: Sequence[int]) -> tuple[Stride, ...]:
    require(len(halvings) == 2, "two numbers of halvings: in-plane, and across slices", halvings)
    check_counts("halvings", halvings, lowest=0)
    in_plane, through = halvings
    fits = max(halvings) <= transitions
    require(fits, f"at most {transitions} halvings, one a transition", list(halvings))
    planar = [2 if number < in_plane else 1 for number in range(transitions)]
    across = [2 if number >= transitions - through else 1 for number in range(transitions)]
    return tuple((k, ji, ji) for k, ji in zip(across, planar, strict=True))


def _check_sides(in_channels: int, out_channels: int) -> None:
    check_counts("in_channels", (in_channels,), lowest=_SIDES)
    even = in_channels % _SIDES == 0
    require(even, "an even number of in_channels, as many for each side", in_channels)
    two = out_channels == _SIDES
    require(two, f"out_channels of {_SIDES}, left and right", out_channels)
