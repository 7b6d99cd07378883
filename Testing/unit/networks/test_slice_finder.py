from __future__ import annotations

import pytest
import torch

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.networks.slice_finder import NO_SLICE

SMALL = {"widths": [4, 8], "blocks": [1, 1], "hidden": 6}
MOST_BYTES = 10_000_000


def network(**options):
    torch.manual_seed(0)
    return build_network(
        "slice-finder", {"in_channels": 3, "out_channels": 2, **SMALL, **options}
    ).eval()


def stacks(slices=7, batch=1, size=(16, 24), channels=3):
    return torch.rand(
        (batch, channels, slices, *size), generator=torch.Generator().manual_seed(slices)
    )


def filled_up(stack, slices):
    missing = torch.full((*stack.shape[:2], slices - stack.shape[2], *stack.shape[3:]), NO_SLICE)
    return torch.cat((stack, missing), dim=2)


@pytest.mark.parametrize("slices", [1, 2, 7, 40])
@torch.inference_mode()
def test_every_slice_has_its_logits_however_many_there_are(slices):
    logits = network()(stacks(slices, batch=2))
    assert logits.shape == (2, 2, slices, 1, 1)
    assert logits.isfinite().all()


@torch.inference_mode()
def test_slices_that_fill_up_a_batch_change_nothing_for_the_others():
    model, long, short = network(), stacks(9), stacks(5)
    together = model(torch.cat((long, filled_up(short, 9))))
    torch.testing.assert_close(together[:1], model(long))
    torch.testing.assert_close(together[1:, :, :5], model(short))
    assert not together[1, :, 5:].any()


@torch.inference_mode()
def test_each_stack_of_a_batch_is_read_as_if_it_were_alone():
    model, both = network(), stacks(batch=2)
    alone = torch.cat([model(both[:1]), model(both[1:])])
    torch.testing.assert_close(model(both), alone)


@pytest.mark.parametrize("changed", [0, 6])
@torch.inference_mode()
def test_what_a_slice_is_taken_for_depends_on_all_others(changed):
    model, stack = network(), stacks()
    other = stack.clone()
    other[:, :, changed] = 1 - other[:, :, changed]
    assert ((model(stack) - model(other)).abs().amax(dim=1) > 0).all()


@torch.inference_mode()
def test_the_order_of_the_slices_matters():
    model, stack = network(), stacks()
    turned = model(stack.flip(2)).flip(2)
    assert (model(stack) - turned).abs().max() > 1e-4


@pytest.mark.parametrize("options", [{}, {"expansion": 4}, {"blocks": [2, 1]}])
def test_every_weight_takes_part(options):
    model = network(**options).train()
    model(stacks()).square().sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.parameters())


def test_slices_that_fill_up_a_batch_teach_nothing():
    model = network().train()
    gradients = []
    for stack in (stacks(), filled_up(stacks(), 12)):
        model.zero_grad()
        model(stack).square().sum().backward()
        gradients.append([weight.grad.clone() for weight in model.parameters()])
    torch.testing.assert_close(*gradients)


@torch.inference_mode()
def test_memory_format_and_mixed_precision_change_little():
    model, stack = network(), stacks()
    plain = model(stack)
    torch.testing.assert_close(
        model(stack.to(memory_format=torch.channels_last_3d)), plain, atol=1e-4, rtol=1e-4
    )
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(stack)
    torch.testing.assert_close(mixed.float(), plain, atol=0.05, rtol=0.05)


def test_the_default_network_is_small():
    model = build_network("slice-finder", {"in_channels": 3, "out_channels": 2})
    assert 2 * sum(weight.numel() for weight in model.parameters()) < MOST_BYTES


def test_the_encoder_of_the_paper_can_be_had():
    options = {"widths": [64, 128, 256, 512], "blocks": [3, 4, 6, 3], "expansion": 4}
    with torch.device("meta"):
        model = network(**options, hidden=512)
    encoder = sum(weight.numel() for weight in model.encoder.parameters())
    assert encoder == pytest.approx(23.5e6, rel=0.02)  # ResNet-50 without its classifier
    assert model.first_lstm.input_size == 2048


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (stacks()[0], "image of 5 axes"),
        (stacks(channels=1), "image of 3 channels, got 1"),
        (stacks(size=(16, 20)), r"multiples of \(1, 8, 8\), got"),
        (stacks()[:, :, :0], r"multiples of \(1, 8, 8\), got"),
        (torch.full((1, 3, 4, 8, 8), NO_SLICE), "at least 1 slice"),
        (filled_up(stacks(), 9).flip(2), "filled up at their end"),
    ],
)
def test_images_that_are_no_stacks_are_refused(image, words):
    with pytest.raises(UsageError, match=words) as refused:
        network()(image)
    assert refused.value.code is ErrorCode.MODEL_MISMATCH


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"widths": []}, "at least 1 of widths"),
        ({"widths": [4, 1]}, "widths in whole numbers of at least 2, got 1"),
        ({"blocks": [1]}, "blocks for 2 stages, got 1"),
        ({"blocks": [1, 0]}, "blocks in whole numbers of at least 1"),
        ({"expansion": 0}, "expansion in whole numbers"),
        ({"hidden": 0}, "hidden in whole numbers"),
        ({"in_channels": 0}, "channels in whole numbers"),
    ],
)
def test_options_that_make_no_network_are_refused(options, words):
    with pytest.raises(UsageError, match=words) as refused:
        network(**options)
    assert refused.value.code is ErrorCode.MODEL_MISMATCH
