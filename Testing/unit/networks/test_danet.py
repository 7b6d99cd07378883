"""DA-Net: equal on both sides, blind to what is not asked, and able to see that a whole side is darker."""

from __future__ import annotations

import pytest
import torch

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.networks.danet import DANet, on_map, side_logits

SMALL = {"stem": 8, "growth": 4, "blocks": [1, 1, 1], "halvings": [1, 1]}
SIZE = (4, 16, 24)


def danet(**options):
    torch.manual_seed(0)
    return build_network("danet", {"in_channels": 4, "out_channels": 2, **SMALL, **options}).eval()


def patches(batch=2, channels=4, size=SIZE, seed=0):
    return torch.randn((batch, channels, *size), generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def answer(network, image):
    return network(image)


@pytest.mark.parametrize(
    ("options", "divisor"),
    [
        ({}, (2, 4, 4)),
        ({"halvings": [0, 0]}, (1, 2, 2)),
        ({"halvings": [2, 1]}, (2, 8, 8)),
        ({"halvings": [1, 2]}, (4, 4, 4)),
        ({"blocks": [2], "halvings": [0, 0]}, (1, 2, 2)),
    ],
)
def test_maps_of_both_sides_are_as_coarse_as_asked_for(options, divisor):
    network = danet(**options)
    assert network.divisor == divisor
    maps = answer(network, patches())
    assert maps.shape == (2, 2, *(n // d for n, d in zip(SIZE, divisor, strict=True)))
    assert maps.isfinite().all()


def test_exchanged_sides_give_exchanged_maps():
    network, image = danet(), patches()
    exchanged = answer(network, image[:, [2, 3, 0, 1]])
    torch.testing.assert_close(exchanged, answer(network, image).flip(1), atol=1e-6, rtol=1e-5)


def test_equal_sides_give_equal_maps():
    image = patches()[:, [0, 1, 0, 1]]
    maps = answer(danet(), image)
    torch.testing.assert_close(maps[:, 0], maps[:, 1], atol=1e-6, rtol=1e-5)


def test_a_side_that_is_darker_as_a_whole_is_seen():
    """Sides that are normalised each by itself would look the same."""
    image = patches()[:, [0, 1, 0, 1]]
    image[:, 0] -= 1.0
    maps = answer(danet(), image)
    assert (maps[:, 0] - maps[:, 1]).abs().mean() > 0.01


def test_what_lies_in_the_last_slice_of_a_side_does_not_reach_the_other_side():
    """The sides lie one behind the other: only the difference of the features joins them."""
    network = danet(blocks=[1], halvings=[0, 0])
    seen = {}
    network.end.register_forward_hook(lambda _m, _i, features: seen.update(features=features))
    network.end[0] = torch.nn.Identity()
    for layer in network.stages:
        layer.entry[0] = torch.nn.Identity()
    image = patches(batch=1)
    answer(network, image)
    before = seen["features"]
    image[:, :2, -1] += 5.0
    answer(network, image)
    changed = (seen["features"] - before).abs().amax(dim=(0, 1, 3, 4)) > 1e-6
    assert changed.tolist() == [False, False, True, True] + [False] * 4


def test_each_pair_of_a_batch_is_compared_as_if_it_were_alone():
    network, image = danet(), patches()
    alone = torch.cat([answer(network, image[:1]), answer(network, image[1:])])
    torch.testing.assert_close(answer(network, image), alone, atol=1e-6, rtol=1e-5)


def test_every_weight_takes_part():
    network = danet().train()
    network(patches()).square().sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in network.parameters())


def test_memory_format_changes_nothing():
    network, image = danet(), patches()
    expected = answer(network, image)
    last = network.to(memory_format=torch.channels_last_3d)
    got = answer(last, image.to(memory_format=torch.channels_last_3d))
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (patches()[0], "5 axes"),
        (patches(channels=3), "patches of 4 channels, got 3"),
        (patches(size=(3, 16, 24)), r"multiples of \(2, 4, 4\), got \(3, 16, 24\)"),
        (patches(size=(4, 18, 24)), "multiples of"),
        (patches(size=(0, 16, 24)), "multiples of"),
    ],
)
def test_patches_of_another_shape_are_refused(image, words):
    with pytest.raises(UsageError, match=words) as refused:
        danet()(image)
    assert refused.value.code is ErrorCode.MODEL_MISMATCH


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"in_channels": 3}, "even number of in_channels"),
        ({"in_channels": 0}, "in_channels in whole numbers of at least 2"),
        ({"out_channels": 1}, "out_channels of 2, left and right, got 1"),
        ({"blocks": []}, "blocks, one at least"),
        ({"blocks": [1, 0]}, "at least 1, got 0"),
        ({"growth": 0}, "at least 1, got 0"),
        ({"halvings": [1]}, "two numbers of halvings"),
        ({"halvings": [3, 0]}, "at most 2 halvings"),
        ({"halvings": [0, -1]}, "halvings in whole numbers"),
    ],
)
def test_numbers_that_make_no_network_are_refused(options, words):
    with pytest.raises(UsageError, match=words) as refused:
        danet(**options)
    assert refused.value.code is ErrorCode.MODEL_MISMATCH


def test_the_default_network_is_small():
    assert sum(weight.numel() for weight in DANet(4).parameters()) < 100_000


def test_logits_are_the_means_of_the_maps_in_the_regions():
    maps = torch.arange(16.0).reshape(1, 2, 1, 2, 4)
    regions = torch.zeros((1, 2, 2, 4, 8))
    regions[0, 0, :, :2, :2] = 1  # the first voxel of the left map
    regions[0, 1, :, 2:, 5:] = 1  # a half of the sixth and the last two of the right one
    expected = [[0.0, (0.5 * 14 + 15) / 1.5]]
    torch.testing.assert_close(side_logits(maps, regions), torch.tensor(expected))


def test_an_absent_region_is_looked_for_where_the_other_side_has_it():
    maps = torch.arange(16.0).reshape(1, 2, 1, 2, 4)
    regions = torch.zeros((1, 2, 1, 2, 4))
    torch.testing.assert_close(side_logits(maps, regions), torch.tensor([[3.5, 11.5]]))
    regions[0, 0, 0, 1, 2] = 1
    torch.testing.assert_close(side_logits(maps, regions), torch.tensor([[6.0, 14.0]]))


def test_masks_of_another_batch_or_of_one_side_are_refused():
    maps = torch.zeros((2, 2, 1, 2, 2))
    for shape in ((1, 2, 1, 2, 2), (2, 1, 1, 2, 2), (2, 2, 2, 2)):
        with pytest.raises(UsageError, match="two sides of one batch") as refused:
            on_map(torch.zeros(shape), maps)
        assert refused.value.code is ErrorCode.MODEL_MISMATCH
