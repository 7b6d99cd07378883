"""How a network is trained: numbers that decide the result, and those of the machine it runs on."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

from ASPECTSLib.errors import ErrorCode, UsageError

Precision = Literal["fp32", "bf16", "fp16"]

_ANY = float("inf")
_LIMITS = {
    "steps": (1, _ANY),
    "batch": (1, _ANY),
    "learning_rate": (1e-9, 10.0),
    "warmup_steps": (0, _ANY),
    "weight_decay": (0.0, 1.0),
    "ema_decay": (0.0, 1.0 - 1e-9),
    "clip_norm": (0.0, 1e9),
    "workers": (0, 256),
    "validate_every": (0, _ANY),
    "checkpoint_every": (0, _ANY),
    "patience": (0, _ANY),
    "seed": (0, 2**32 - 1),
}

FREE_TO_CHANGE = frozenset(
    {"workers", "validate_every", "checkpoint_every", "patience", "device", "channels_last"}
)
"""What may differ when a run is resumed; all else decides the weights."""


@dataclass(frozen=True)
class TrainingOptions:
    """Options of one training run.

    Parameters
    ----------
    steps
        Updates of the weights.
    batch
        Samples of each step, over all processes together.
    learning_rate
        The highest one, after the warm-up.
    warmup_steps
        Steps over which the learning rate rises to it.
    weight_decay
        Of AdamW, for weights but not for biases and normalisations.
    ema_decay
        Of the moving average of the weights; 0 keeps the weights themselves.
    clip_norm
        Longest gradient; 0 does not clip.
    precision
        Of the network's forward pass; the weights are always fp32. fp16 needs a GPU.
    workers
        Processes that make samples; 0 makes them in this one.
    validate_every, checkpoint_every
        In steps; 0 only at the end.
    patience
        Validations in a row without a better Dice after which training stops; 0 never.
    seed
        Of random numbers within the network (dropout). Samples are the data set's matter.
    device
        `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
    channels_last
        Whether images and weights lie in memory with the channels last, which is faster on most GPUs.

    Raises
    ------
    UsageError
        RECIPE_INVALID if a value is out of its range.
    """

    steps: int
    batch: int = 2
    learning_rate: float = 1e-3
    warmup_steps: int = 0
    weight_decay: float = 1e-2
    ema_decay: float = 0.999
    clip_norm: float = 1.0
    precision: Precision = "fp32"
    workers: int = 0
    validate_every: int = 0
    checkpoint_every: int = 0
    patience: int = 0
    seed: int = 0
    device: str = "auto"
    channels_last: bool = False

    def __post_init__(self) -> None:
        precisions = get_args(Precision)
        is_known = self.precision in precisions
        require(is_known, "precision", f"one of {', '.join(precisions)}", self.precision)
        for field in fields(self):
            if field.name in _LIMITS:
                _check_range(field.name, getattr(self, field.name), _LIMITS[field.name])
        _check_range("warmup_steps", self.warmup_steps, (0, self.steps))


def require(met: bool, key: str, expected: str, got: object) -> None:
    """Refuse a value of a recipe.

    Raises
    ------
    UsageError
        RECIPE_INVALID, with the key, what it takes and what it got, unless the condition is met.
    """
    if not met:
        raise UsageError(ErrorCode.RECIPE_INVALID, f"{key}: expected {expected}, got {got}")


def _check_range(key: str, value: float, limits: tuple[float, float]) -> None:
    lowest, highest = limits
    wanted = f"{lowest:g} to {highest:g}" if highest < _ANY else f"at least {lowest:g}"
    require(lowest <= value <= highest, key, wanted, value)
