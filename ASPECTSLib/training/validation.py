"""How well a network segments cases that it does not learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.training.losses import IGNORED

Measure = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""What is measured of a case: from logits (1, C, ...) and labels (1, ...) to float64, shape (classes,), on the CPU, NaN
where the case tells nothing of a class; class 0 does not count."""


@dataclass(frozen=True)
class Validation:
    """Means over the cases of a validation.

    Parameters
    ----------
    loss
        Mean loss.
    dice
        Mean Dice of each class but the background, by class, over the cases that have the class; classes that no
        case has are left out.

    Raises
    ------
    UsageError
        COHORT_INVALID if there is no class at all.
    """

    loss: float
    dice: dict[int, float]

    def __post_init__(self) -> None:
        if not self.dice:
            message = "expected validation cases with labels, found background only"
            raise UsageError(ErrorCode.COHORT_INVALID, message)

    @property
    def mean_dice(self) -> float:
        """Mean over the classes."""
        return sum(self.dice.values()) / len(self.dice)


class Tally:
    """Sums of losses and Dice over cases.

    Parameters
    ----------
    measure
        `dice_by_class`, or what a task has in its place.
    """

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self._sums: torch.Tensor | None = None

    def add(self, logits: torch.Tensor, labels: torch.Tensor, loss: float, *, counts: bool) -> None:
        """Add a case.

        Parameters
        ----------
        logits, labels
            As the measure takes them.
        loss
            Of the case.
        counts
            Whether it is to be counted; one that is not only tells how many classes there are.
        """
        dice = self._measure(logits, labels)
        there = dice.isfinite()
        head = dice.new_tensor([loss, 1.0])
        case = torch.cat((head, torch.where(there, dice, 0.0), there.double()))
        if self._sums is None:
            self._sums = torch.zeros_like(case)
        if counts:
            self._sums += case

    def means(self, total: Callable[[torch.Tensor], torch.Tensor]) -> Validation:
        """Return the means.

        Parameters
        ----------
        total
            Sums over processes.

        Raises
        ------
        UsageError
            COHORT_INVALID if there was no case, or none with labels.
        """
        if self._sums is None:
            raise UsageError(ErrorCode.COHORT_INVALID, "expected validation cases, found none")
        sums = total(self._sums)
        (loss, cases), classes = sums[:2].tolist(), (len(sums) - 2) // 2
        dice, counts = sums[2:].reshape(2, classes).tolist()
        means = {c: dice[c] / counts[c] for c in range(1, classes) if counts[c]}
        return Validation(loss / cases, means)


def dice_by_class(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the Dice of the most probable class with the labels.

    Parameters
    ----------
    logits
        Shape (1, C, D, H, W).
    labels
        Shape (1, D, H, W); voxels of 255 take no part.

    Returns
    -------
    torch.Tensor
        float64, shape (C,), on the CPU; NaN where the labels have no voxel of the class: there a single wrong voxel
        and a hundred have the same Dice.
    """
    classes = logits.shape[1]
    known = labels.flatten() != IGNORED
    truth = labels.flatten().long()[known]
    found = logits.argmax(dim=1).flatten()[known]
    both = _counts(truth[truth == found], classes)
    of_truth = _counts(truth, classes)
    dice = 2 * both / (of_truth + _counts(found, classes))
    return torch.where(of_truth > 0, dice, torch.nan)


def _counts(values: torch.Tensor, classes: int) -> torch.Tensor:
    return torch.bincount(values, minlength=classes).cpu().double()
