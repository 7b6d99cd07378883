"""A figure with its interval, and the refusal of data that no figure can be drawn from."""

from __future__ import annotations

from dataclasses import dataclass

from ASPECTSLib.errors import ErrorCode, InputRefusedError

LEVEL = 0.95
"""Of every interval."""


@dataclass(frozen=True)
class Estimate:
    """A figure, the ends of its 95 % interval, and the number of patients behind it."""

    value: float
    low: float
    high: float
    n: int


def require(met: bool, expected: str, got: object) -> None:
    """Refuse data that do not allow a figure.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID unless the condition is met.
    """
    if not met:
        raise InputRefusedError(ErrorCode.COHORT_INVALID, f"expected {expected}, got {got}")
