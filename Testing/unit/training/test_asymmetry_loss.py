"""The loss of DA-Net by hand, and on dark boxes that a tiny network learns to find."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
import torch

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.networks.danet import DANet, side_logits
from ASPECTSLib.training.asymmetry_loss import (
    AFFECTED_FLAGS,
    REGION_FLAGS,
    asymmetry,
    called_rightly,
)
from ASPECTSLib.training.losses import build_loss

SIZE = (2, 16, 16)
LEFT, RIGHT = 0, 1


def flags(affected=(), size=(1, 2, 4)):
    """Return labels (1, D, H, W): the left half is the left region, the first row the right one."""
    labels = torch.zeros((1, *size), dtype=torch.uint8)
    labels[..., : size[2] // 2] |= REGION_FLAGS[LEFT]
    labels[:, :, 0] |= REGION_FLAGS[RIGHT]
    for side in affected:
        labels |= AFFECTED_FLAGS[side]
    return labels


def maps(left, right, size=(1, 2, 4)):
    """Return maps whose probability is the same everywhere on a side."""
    chances = torch.tensor([left, right]).reshape(1, 2, 1, 1, 1)
    return chances.logit().expand(1, 2, *size).contiguous()


@pytest.mark.parametrize(
    ("affected", "share", "expected"),
    [
        ((), 0.5, -(log(0.2) + log(0.6)) / 2),
        ((LEFT,), 0.5, -(log(0.8) + log(0.6)) / 2),
        ((RIGHT,), 0.5, -(log(0.2) + log(0.4)) / 2),
        # Weights 0.8 and 0.2 over their mean, 0.32.
        ((LEFT,), 0.2, -(0.8 * log(0.8) + 0.2 * log(0.6)) / 2 / 0.32),
    ],
)
def test_cross_entropy_of_both_sides_is_that_computed_by_hand(affected, share, expected):
    loss = asymmetry(maps(0.8, 0.4), flags(affected), affected_share=share, attention_weight=0.0)
    assert loss.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("affected", "expected"),
    [
        # Nothing to attend to: low everywhere, inside and outside alike.
        ((), (0.8**2 + 0.4**2) / 2),
        # High in the region and low outside, half and half.
        ((LEFT,), ((0.2**2 + 0.8**2) / 2 + 0.4**2) / 2),
    ],
)
def test_attention_is_wanted_in_the_regions_of_affected_sides_only(affected, expected):
    labels, answer = flags(affected), maps(0.8, 0.4)
    without = asymmetry(answer, labels, attention_weight=0.0)
    loss = asymmetry(answer, labels, attention_weight=2.0)
    assert (loss - without).item() == pytest.approx(2.0 * expected, abs=1e-5)


def test_maps_are_pooled_over_the_regions():
    answer = maps(0.5, 0.5)
    answer[:, LEFT, :, :, 2:] = 9.0  # outside of the left region
    answer[:, RIGHT, :, 1] = -9.0  # outside of the right one
    loss = asymmetry(answer, flags((LEFT,)), attention_weight=0.0)
    assert loss.item() == pytest.approx(log(2.0), abs=1e-5)


def test_coarse_maps_are_held_against_averaged_regions():
    fine = maps(0.7, 0.3, (2, 4, 8))
    labels = flags((LEFT,), (2, 4, 8))
    torch.testing.assert_close(
        asymmetry(fine[..., ::2, ::2], labels), asymmetry(fine, labels), atol=1e-5, rtol=1e-5
    )


def test_the_share_of_right_calls_is_told_for_affected_and_unaffected_sides():
    for affected, expected in (
        ((), [0.5]),
        ((LEFT,), [1.0, 1.0]),
        ((RIGHT,), [0.0, 0.0]),
        ((LEFT, RIGHT), [0.5]),
    ):
        measured = called_rightly(maps(0.8, 0.4), flags(affected))
        assert measured.dtype == torch.float64
        assert torch.isnan(measured[0])
        told = measured[1:][measured[1:].isfinite()]
        assert told.tolist() == expected
    assert torch.isnan(called_rightly(maps(0.8, 0.4), flags())[1])


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (torch.zeros(1, 3, 1, 2, 4), flags()),
        (torch.zeros(2, 2, 1, 2, 4), flags()),
        (torch.zeros(1, 2, 1, 2, 4), flags()[0]),
    ],
)
def test_shapes_that_do_not_fit_are_refused(logits, labels):
    with pytest.raises(UsageError, match=r"loss: expected maps \(B, 2, d, h, w\)") as refused:
        asymmetry(logits, labels)
    assert refused.value.code is ErrorCode.RECIPE_INVALID


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_none_or_all_is_refused(share):
    loss = build_loss("asymmetry", {"affected_share": share})
    with pytest.raises(UsageError, match=r"loss\.affected_share: expected a share") as refused:
        loss(maps(0.5, 0.5), flags())
    assert refused.value.code is ErrorCode.RECIPE_INVALID


def dark_boxes(seed, count=8):
    """Return patches and labels: a box in each, darker than the other side's in every third."""
    random = np.random.default_rng(seed)
    images = random.normal(0.0, 0.3, (count, 4, *SIZE)).astype(np.float32)
    labels = np.zeros((count, *SIZE), np.uint8)
    images[:, 1::2] = 0.0
    for image, label in zip(images, labels, strict=True):
        j, i = random.integers(2, 8, 2)
        box = (slice(None), slice(j, j + 6), slice(i, i + 6))
        image[:, *box] += random.normal(0.0, 0.3)  # the same on both sides
        image[1::2, *box] = 1.0
        label[box] |= sum(REGION_FLAGS)
        side = random.integers(3)
        if side < 2:
            image[2 * side, *box] -= 0.4
            label[...] |= AFFECTED_FLAGS[side]
    return torch.from_numpy(images), torch.from_numpy(labels)


def test_a_tiny_network_learns_which_side_is_dark_and_attends_to_the_box():
    torch.manual_seed(0)
    network = DANet(4, stem=8, growth=4, blocks=(1, 1), halvings=(0, 0))
    optimiser, losses = torch.optim.Adam(network.parameters(), 0.01), []
    for step in range(60):
        image, labels = dark_boxes([1, step])
        loss = asymmetry(network(image), labels, affected_share=1 / 3)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])
    image, labels = dark_boxes([2], 60)
    with torch.inference_mode():
        answer = network.eval()(image)
    regions = torch.stack([(labels & flag) > 0 for flag in REGION_FLAGS], dim=1)
    truth = torch.stack([labels[:, 0, 0, 0] & flag > 0 for flag in AFFECTED_FLAGS], dim=1)
    called = side_logits(answer, regions) > 0
    assert (called == truth).float().mean() > 0.9
    heat = torch.nn.functional.interpolate(answer.sigmoid(), SIZE)
    inside, outside = (heat[truth][mask[truth]].mean() for mask in (regions, ~regions))
    assert inside > outside + 0.3
