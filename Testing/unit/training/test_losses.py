from __future__ import annotations

from math import e, log

import pytest
import torch

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.training.losses import (
    IGNORED,
    LOSSES,
    build_loss,
    cross_entropy,
    dice_ce,
    focal,
    soft_dice,
)

SEGMENTATION = sorted(
    set(LOSSES) - {"asymmetry"}
)  # which is of another task, with a test of its own


def probabilities(*voxels):
    """Logits of samples with 1 x 1 x n voxels, from the probabilities of their classes."""
    return torch.tensor(voxels).log().movedim(-1, 1)[:, :, None, None]


def labels(*samples):
    return torch.tensor(samples, dtype=torch.uint8)[:, None, None]


TWO_VOXELS = probabilities([[0.8, 0.2], [0.4, 0.6]])


@pytest.mark.parametrize(
    ("truth", "include_background", "expected"),
    [
        # Foreground: overlap 0.6, sums 0.8 and 1. Background: overlap 0.8, sums 1.2 and 1.
        ([0, 1], False, 1 - 1.2 / 1.8),
        ([0, 1], True, 1 - (1.2 / 1.8 + 1.6 / 2.2) / 2),
        ([1, 1], False, 1 - 1.6 / 2.8),
        ([0, 0], False, 0.0),
        ([IGNORED, 1], False, 1 - 1.2 / 1.6),
        ([IGNORED, IGNORED], True, 0.0),
    ],
)
def test_soft_dice_is_that_computed_by_hand(truth, include_background, expected):
    got = soft_dice(TWO_VOXELS, labels(truth), include_background=include_background)
    assert got.item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("truth", "weights", "expected"),
    [
        ([0, 1], None, -(log(0.8) + log(0.6)) / 2),
        ([0, 1], [1.0, 3.0], -(log(0.8) + 3 * log(0.6)) / 4),
        ([IGNORED, 1], None, -log(0.6)),
        ([IGNORED, 1], [1.0, 3.0], -log(0.6)),
        ([IGNORED, IGNORED], None, 0.0),
        ([0, 0], [0.0, 1.0], 0.0),
    ],
)
def test_cross_entropy_is_that_computed_by_hand(truth, weights, expected):
    got = cross_entropy(TWO_VOXELS, labels(truth), class_weights=weights)
    assert got.item() == pytest.approx(expected, abs=1e-6)


def test_focal_loss_is_that_computed_by_hand():
    expected = -(0.2**2 * log(0.8) + 3 * 0.4**2 * log(0.6)) / 4
    got = focal(TWO_VOXELS, labels([0, 1]), gamma=2.0, class_weights=(1.0, 3.0))
    assert got.item() == pytest.approx(expected, abs=1e-6)


def test_dice_ce_is_the_sum_of_both():
    truth = labels([0, 1])
    expected = soft_dice(TWO_VOXELS, truth) + cross_entropy(TWO_VOXELS, truth)
    assert dice_ce(TWO_VOXELS, truth).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("name", SEGMENTATION)
def test_a_batch_has_the_mean_loss_of_its_samples(name):
    logits = torch.randn((2, 3, 2, 3, 4), generator=torch.Generator().manual_seed(0))
    truth = torch.zeros((2, 2, 3, 4), dtype=torch.uint8)
    truth[0, 0], truth[1, 1, 1], truth[1, 0] = 1, 2, IGNORED
    loss = build_loss(name, {})
    alone = [loss(logits[n : n + 1], truth[n : n + 1]) for n in (0, 1)]
    torch.testing.assert_close(loss(logits, truth), sum(alone) / 2)


@pytest.mark.parametrize("name", SEGMENTATION)
def test_gradients_are_finite_where_nothing_is_known_and_where_all_is_right(name):
    for truth, logit in ((IGNORED, 0.0), (0, 100.0), (1, 100.0)):
        logits = torch.zeros((1, 2, 1, 1, 3))
        logits[:, 0] = logit
        logits.requires_grad_()
        LOSSES[name](logits, labels([truth] * 3)).backward()
        assert logits.grad.isfinite().all()


@pytest.mark.parametrize("name", SEGMENTATION)
def test_ignored_voxels_have_no_gradient(name):
    logits = TWO_VOXELS.clone().requires_grad_()
    LOSSES[name](logits, labels([IGNORED, 1])).backward()
    assert logits.grad[..., 0].abs().sum() == 0
    assert logits.grad[..., 1].abs().sum() > 0


def test_half_precision_logits_lose_nothing_but_their_own_rounding():
    exact = torch.tensor([0.0, 1.0])[None, :, None, None, None].bfloat16()
    assert cross_entropy(exact, labels([0])).item() == pytest.approx(log(1 + e), abs=1e-6)


def test_labels_on_another_grid_are_refused():
    with pytest.raises(UsageError, match=r"labels of shape \(1, 1, 1, 2\), got \(1, 1, 1, 3\)"):
        dice_ce(TWO_VOXELS, labels([0, 1, 1]))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("hinge", {}, "loss.name: expected one of cross_entropy, dice_ce, .*, got hinge"),
        ("dice_ce", {"gamma": 2}, "loss.gamma: expected a key of class_weights"),
        ("focal", {"gamma": -1}, "loss.gamma: expected a number from 0 on, got -1"),
        ("focal", {"gamma": True}, "loss.gamma: expected a number"),
        ("focal", {"class_weights": 2}, "loss.class_weights: expected a list of numbers"),
        ("focal", {"class_weights": [1, "2"]}, "loss.class_weights: expected a list of numbers"),
        ("soft_dice", {"include_background": 1}, "include_background: expected true or false"),
    ],
)
def test_options_that_make_no_loss_are_refused(name, options, words):
    with pytest.raises(UsageError, match=words) as refused:
        build_loss(name, options)
    assert refused.value.code is ErrorCode.RECIPE_INVALID


def test_weights_for_other_classes_are_refused():
    loss = build_loss("cross_entropy", {"class_weights": [1, 2, 3]})
    with pytest.raises(UsageError, match=r"loss\.class_weights: expected 2 numbers, got 3"):
        loss(TWO_VOXELS, labels([0, 1]))
