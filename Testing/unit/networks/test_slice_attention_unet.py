from __future__ import annotations

import pytest
import torch

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.networks.slice_attention_unet import ATTENTION, Both, Remapping, Squeeze

SIZE = (2, 32, 48)


def network(attention, **options):
    torch.manual_seed(0)
    chosen = {"in_channels": 3, "out_channels": 21, "widths": [8, 8, 16, 16, 16], **options}
    return build_network("slice-attention-unet", {**chosen, "attention": attention})


@pytest.fixture(scope="module", params=ATTENTION)
def made(request):
    return network(request.param).eval()


def image(*size, batch=1):
    return torch.randn((batch, 3, *size), generator=torch.Generator().manual_seed(1))


def test_logits_lie_on_the_grid_of_the_slices(made):
    with torch.inference_mode():
        logits = made(image(*SIZE, batch=2))
    assert logits.shape == (2, 21, *SIZE)
    assert logits.isfinite().all()
    assert made.divisor == (1, 16, 16)


def test_no_slice_depends_on_another(made):
    slices = image(*SIZE)
    with torch.inference_mode():
        together = made(slices)
        for k in range(SIZE[0]):
            alone = made(slices[:, :, k : k + 1])
            torch.testing.assert_close(together[:, :, k : k + 1], alone, atol=1e-4, rtol=1e-4)


def test_neighbours_are_seen_as_far_as_is_asked_for():
    made, slices = network("remapping", neighbours=1).eval(), image(5, 32, 48)
    changed = slices.clone()
    changed[:, 0, 4] += 1.0
    with torch.inference_mode():
        moved = (made(slices) - made(changed)).abs().amax(dim=(0, 1, 3, 4))
    assert (moved[:3] < 1e-4).all()
    assert (moved[3:] > 1e-3).all()


def test_beyond_the_ends_the_last_slice_is_seen_again():
    made, alone = network("none", neighbours=2).eval(), image(1, 32, 48)
    with torch.inference_mode():
        repeated = made(alone.expand(-1, -1, 3, -1, -1))
        torch.testing.assert_close(repeated[:, :, :1], made(alone), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("neighbours", [-1, 5, 1.5])
def test_other_numbers_of_neighbours_are_refused(neighbours):
    with pytest.raises(UsageError, match="neighbours") as caught:
        network("none", neighbours=neighbours)
    assert caught.value.code is ErrorCode.MODEL_MISMATCH


def test_every_weight_is_reached_by_the_gradient(made):
    made(image(*SIZE)).square().mean().backward()
    assert all(weight.grad is not None for weight in made.parameters())
    made.zero_grad(set_to_none=True)


def test_remapping_weighs_all_channels_of_a_place_alike():
    torch.manual_seed(0)
    features = image(1, 8, 8)[:, :, 0]
    ratio = Remapping(3)(features) / features
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
    assert ((ratio > 0) & (ratio < 1)).all()


def test_squeezing_weighs_all_places_of_a_channel_alike():
    torch.manual_seed(0)
    features = image(1, 8, 8)[:, :, 0]
    ratio = Squeeze(3)(features) / features
    torch.testing.assert_close(ratio, ratio[..., :1, :1].expand_as(ratio))


def test_of_both_the_larger_counts():
    torch.manual_seed(0)
    both, features = Both(3), image(1, 8, 8)[:, :, 0]
    expected = torch.maximum(both.places(features), both.channels(features))
    torch.testing.assert_close(both(features), expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"attention": "magic"}, "attention of remapping"),
        ({"attention": "none", "widths": [8, 8]}, "widths of 5 levels"),
        ({"attention": "none", "out_channels": 0}, "out_channels"),
    ],
)
def test_what_makes_no_network_is_refused(options, words):
    with pytest.raises(UsageError, match=words) as caught:
        network(**options)
    assert caught.value.code is ErrorCode.MODEL_MISMATCH
