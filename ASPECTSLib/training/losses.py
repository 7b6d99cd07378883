"""Losses of segmentation, and by name those of other tasks.

All return the mean over the samples of the batch of a value that one sample has alone. So a batch that is spread over
several processes has the loss of the whole. Those of segmentation take logits of shape (B, C, D, H, W) and labels of
shape (B, D, H, W); voxels of the label `IGNORED` take no part.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import torch
from torch.nn import functional

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.training.asymmetry_loss import asymmetry
from ASPECTSLib.training.boundary_loss import boundary
from ASPECTSLib.training.options import require

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

IGNORED = 255
"""Label of voxels of which nothing is known."""

_SMOOTHING = 1e-5  # as nnU-Net, doi:10.1038/s41592-020-01008-z
_FOCUS = 2.0  # best of Lin 2017, doi:10.1109/ICCV.2017.324, table 1b


def soft_dice(
    logits: torch.Tensor, labels: torch.Tensor, *, include_background: bool = False
) -> torch.Tensor:
    """Return one minus the mean soft Dice of the classes that a sample has.

    Classes that are absent from a sample are left to the cross-entropy: their Dice is 0 however few voxels are wrong.
    A sample of background alone has a loss of 0.

    Parameters
    ----------
    logits, labels
        As the module says.
    include_background
        Whether class 0 counts as one of the classes.

    Returns
    -------
    torch.Tensor
        0 to 1, a scalar.

    Raises
    ------
    UsageError
        RECIPE_INVALID if the shapes do not fit.
    """
    flat_logits, flat_labels = _flatten(logits, labels)
    known = (flat_labels != IGNORED)[:, None]
    classes = torch.arange(logits.shape[1], device=logits.device)[None, :, None]
    truth = flat_labels[:, None] == classes
    probability = flat_logits.softmax(dim=1) * known
    overlap = (probability * truth).sum(dim=2)
    truth_voxels = truth.sum(dim=2)
    dice = (2 * overlap + _SMOOTHING) / (probability.sum(dim=2) + truth_voxels + _SMOOTHING)
    present = truth_voxels > 0
    if not include_background:
        present = present & (classes[..., 0] > 0)
    shortfall = torch.where(present, 1 - dice, 0).sum(dim=1)
    return (shortfall / present.sum(dim=1).clamp(min=1)).mean()


def cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor, *, class_weights: Sequence[float] | None = None
) -> torch.Tensor:
    """Return the cross-entropy in nats, as the weighted mean over the voxels of each sample.

    Parameters
    ----------
    logits, labels
        As the module says.
    class_weights
        One for each class; all 1 by default.

    Raises
    ------
    UsageError
        RECIPE_INVALID if the shapes or the number of weights do not fit.
    """
    return focal(logits, labels, gamma=0.0, class_weights=class_weights)


def dice_ce(
    logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    class_weights: Sequence[float] | None = None,
    entropy_weight: float = 1.0,
) -> torch.Tensor:
    """Return the sum of soft Dice loss (without background) and cross-entropy, as nnU-Net does.

    Parameters
    ----------
    logits, labels
        As the module says.
    class_weights
        Of the cross-entropy.
    entropy_weight
        Of the cross-entropy in the sum. Where a class is rare, its Dice hardly feels many false voxels, and samples
        without it have none: more weight on the cross-entropy then keeps these down.

    Raises
    ------
    UsageError
        RECIPE_INVALID if the shapes or the number of weights do not fit.
    """
    entropy = cross_entropy(logits, labels, class_weights=class_weights)
    return soft_dice(logits, labels) + entropy_weight * entropy


def focal(
    logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    gamma: float = _FOCUS,
    class_weights: Sequence[float] | None = None,
) -> torch.Tensor:
    """Return the focal loss (Lin 2017, doi:10.1109/ICCV.2017.324): cross-entropy that easy voxels add little to.

    Parameters
    ----------
    logits, labels
        As the module says.
    gamma
        Power of one minus the probability of the true class; 0 is the cross-entropy.
    class_weights
        One for each class; all 1 by default.

    Raises
    ------
    UsageError
        RECIPE_INVALID if the shapes or the number of weights do not fit.
    """
    flat_logits, flat_labels = _flatten(logits, labels)
    entropy = functional.cross_entropy(
        flat_logits, flat_labels, ignore_index=IGNORED, reduction="none"
    )
    if gamma:
        entropy = (1 - torch.exp(-entropy)).clamp(min=0) ** gamma * entropy
    weights = _voxel_weights(flat_logits, flat_labels, class_weights)
    total = weights.sum(dim=1)
    return ((entropy * weights).sum(dim=1) / torch.where(total > 0, total, 1)).mean()


def focal_boundary_dice(
    logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    focal_weight: float = 3.0,
    boundary_weight: float = 1.0,
    dice_weight: float = 1.0,
    class_weights: Sequence[float] | None = None,
) -> torch.Tensor:
    """Return the weighted sum of focal, boundary and Dice loss of Deep-ASPECTS.

    Upadhyay 2022, doi:10.1007/978-3-031-25066-8_17, equation 2, with the weights that were best there.

    Parameters
    ----------
    logits, labels
        As the module says, with slices: (B, C, D, H, W) and (B, D, H, W).
    focal_weight, boundary_weight, dice_weight
        Of each term.
    class_weights
        Of the focal loss, whose authors balance the classes, too. From random weights, with all at 1, a rare class is
        lost within the first steps, and boundary and Dice loss alone do not bring it back.

    Raises
    ------
    UsageError
        RECIPE_INVALID if the shapes do not fit.
    """
    focused = focal(logits, labels, class_weights=class_weights)
    total = focal_weight * focused + dice_weight * soft_dice(logits, labels)
    classes = torch.arange(1, logits.shape[1], device=logits.device)
    truth = labels[:, None] == classes.reshape(1, -1, *[1] * (labels.ndim - 1))
    error = (logits.float().softmax(dim=1)[:, 1:] - truth.float()).abs()
    known = (labels != IGNORED)[:, None]
    return total + boundary_weight * boundary(error * known, truth)


LOSSES: Mapping[str, Callable[..., torch.Tensor]] = MappingProxyType(
    {
        "cross_entropy": cross_entropy,
        "dice_ce": dice_ce,
        "focal": focal,
        "focal_boundary_dice": focal_boundary_dice,
        "soft_dice": soft_dice,
        "asymmetry": asymmetry,
    }
)


def build_loss(name: str, options: Mapping[str, object]) -> Loss:
    """Make a loss of logits and labels.

    Parameters
    ----------
    name
        One of `LOSSES`.
    options
        Its keywords.

    Raises
    ------
    UsageError
        RECIPE_INVALID if there is no such loss or it has no such keyword, or a value is of another kind.
    """
    require(name in LOSSES, "loss.name", f"one of {', '.join(LOSSES)}", name)
    known = list(inspect.signature(LOSSES[name]).parameters)[2:]
    for key, value in options.items():
        require(key in known, f"loss.{key}", f"a key of {', '.join(known)}", "another one")
        _check_option(key, value)
    return partial(LOSSES[name], **options)


def _check_option(key: str, value: object) -> None:
    if key == "include_background":
        expected, met = "true or false", isinstance(value, bool)
    elif key == "class_weights":
        expected = "a list of numbers from 0 on"
        met = isinstance(value, list | tuple) and all(_is_weight(one) for one in value)
    else:
        expected, met = "a number from 0 on", _is_weight(value)
    require(met, f"loss.{key}", expected, value)


def _is_weight(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _flatten(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Check the shapes, and give float32 (B, C, voxels) and int64 (B, voxels)."""
    grid = (logits.shape[0], *logits.shape[2:])
    if logits.ndim < 3 or tuple(labels.shape) != grid:
        message = f"expected labels of shape {grid}, got {tuple(labels.shape)}"
        raise UsageError(ErrorCode.RECIPE_INVALID, message)
    return logits.float().flatten(start_dim=2), labels.long().flatten(start_dim=1)


def _voxel_weights(
    logits: torch.Tensor, labels: torch.Tensor, class_weights: Sequence[float] | None
) -> torch.Tensor:
    known = labels != IGNORED
    if class_weights is None:
        return known.float()
    classes, given = logits.shape[1], len(class_weights)
    require(given == classes, "loss.class_weights", f"{classes} numbers", given)
    return logits.new_tensor(class_weights)[labels * known] * known
