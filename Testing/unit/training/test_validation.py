from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.training.losses import IGNORED
from ASPECTSLib.training.validation import Tally, dice_by_class


def voxels(*labels):
    return torch.tensor(labels, dtype=torch.uint8)[None, None, None]


def segmented_as(*labels, classes=4):
    """Logits of which the largest is that of the labels."""
    return functional.one_hot(voxels(*labels).long(), classes).movedim(-1, 1).float()


def alone(sums):
    return sums


def test_dice_is_that_computed_by_hand_and_none_where_the_class_is_absent():
    dice = dice_by_class(segmented_as(0, 1, 1, 2, 3, 3), voxels(0, 1, 0, 1, 2, IGNORED))
    assert dice[:3].tolist() == pytest.approx([2 / 3, 2 / 4, 0.0])
    assert dice[3].isnan()


def test_means_are_over_the_cases_that_have_the_class():
    tally = Tally(dice_by_class)
    tally.add(segmented_as(1, 1, 0), voxels(1, 1, 0), 0.5, counts=True)
    tally.add(segmented_as(1, 0, 2), voxels(1, 1, 2), 1.5, counts=True)
    tally.add(segmented_as(0, 0, 2), voxels(0, 0, 0), 1.0, counts=True)
    validation = tally.means(alone)
    assert validation.loss == 1.0
    assert validation.dice == pytest.approx({1: (1 + 2 / 3) / 2, 2: 1.0})
    assert validation.mean_dice == pytest.approx((5 / 6 + 1) / 2)


def test_repeats_do_not_count():
    tally = Tally(dice_by_class)
    tally.add(segmented_as(0), voxels(1), 9.0, counts=False)
    tally.add(segmented_as(1), voxels(1), 1.0, counts=True)
    validation = tally.means(alone)
    assert (validation.loss, validation.dice) == (1.0, {1: 1.0})


def test_sums_of_other_processes_are_added():
    tally = Tally(dice_by_class)
    tally.add(segmented_as(1, classes=2), voxels(1), 1.0, counts=True)
    other = torch.tensor([3.0, 1.0, 0.0, 0.0, 0.0, 1.0])  # loss, cases, Dice and counts by class
    validation = tally.means(lambda sums: sums + other)
    assert (validation.loss, validation.dice) == (2.0, {1: 0.5})


@pytest.mark.parametrize("labels", [None, voxels(0, 0)])
def test_no_case_or_background_only_is_refused(labels):
    tally = Tally(dice_by_class)
    if labels is not None:
        tally.add(segmented_as(0, 1), labels, 0.0, counts=True)
    with pytest.raises(UsageError, match="expected validation cases") as refused:
        tally.means(alone)
    assert refused.value.code is ErrorCode.COHORT_INVALID
