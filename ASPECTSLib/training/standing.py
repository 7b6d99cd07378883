"""How far a run has come, and what it came to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ASPECTSLib.errors import ErrorCode, TrainingError
from ASPECTSLib.training.options import FREE_TO_CHANGE, TrainingOptions
from ASPECTSLib.training.validation import Validation

_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Standing:
    """How far a run has come.

    Parameters
    ----------
    step
        Steps done.
    validated_step
        Steps done at the last validation.
    best_dice, best_step
        Best mean Dice of a validation, and the steps done then; none before the first.
    worse
        Validations in a row since then.
    """

    step: int = 0
    validated_step: int = 0
    best_dice: float | None = None
    best_step: int | None = None
    worse: int = 0

    def after(self, validation: Validation) -> Standing:
        """Return the standing after a validation."""
        dice = validation.mean_dice
        if self.best_dice is None or dice > self.best_dice:
            return Standing(self.step, self.step, dice, self.step)
        return replace(self, validated_step=self.step, worse=self.worse + 1)

    def is_over(self, options: TrainingOptions) -> bool:
        """Tell whether all steps are done, or so many validations were no better that the rest is not worth it."""
        is_stuck = 0 < options.patience <= self.worse
        return self.step >= options.steps or is_stuck

    def is_due(self, every: int, options: TrainingOptions) -> bool:
        """Tell whether what is to be done every so many steps is due now; at the end it always is."""
        return self.step == options.steps or (
            every > 0 and self.step > 0 and self.step % every == 0
        )


@dataclass(frozen=True)
class TrainingResult:
    """What a run came to.

    Parameters
    ----------
    standing
        Steps done, and the best validation.
    stopped_early
        Whether it ended before its last step, for want of improvement.
    weights
        File of the averaged weights: those of the best validation, or of the end where nothing was validated.
    notes
        What could not be done, for a person.
    """

    standing: Standing
    stopped_early: bool
    weights: Path
    notes: tuple[str, ...] = ()


def to_state(standing: Standing, options: TrainingOptions) -> dict[str, Any]:
    """Return what a checkpoint holds beside the learner's part, for JSON."""
    return {
        "schema_version": _SCHEMA_VERSION,
        "standing": asdict(standing),
        "options": asdict(options),
    }


def from_state(state: dict[str, Any], options: TrainingOptions) -> Standing:
    """Return the standing of a checkpoint.

    Parameters
    ----------
    state
        From `to_state`.
    options
        Those to go on with.

    Raises
    ------
    TrainingError
        CHECKPOINT_INVALID if an option that decides the weights is another one, or another version wrote the state.
    """
    if state.get("schema_version") != _SCHEMA_VERSION:
        message = f"expected a checkpoint of version {_SCHEMA_VERSION}, got another one"
        raise TrainingError(ErrorCode.CHECKPOINT_INVALID, message)
    for name, value in asdict(options).items():
        before = state["options"].get(name)
        if name not in FREE_TO_CHANGE and before != value:
            message = f"{name}: expected {before}, as the run began with, got {value}"
            raise TrainingError(ErrorCode.CHECKPOINT_INVALID, message)
    return Standing(**state["standing"])
