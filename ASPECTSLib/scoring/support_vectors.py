"""A support vector machine as plain numbers: decisions and probabilities without the library that trained it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ErrorCode, ResourceError

Kernel = Literal["linear", "rbf"]

KINDS = ("cortical", "subcortical")
"""Of regions, each with a machine of its own: M1 to M6, and C, L, IC and I."""


@dataclass(frozen=True)
class SupportVectors:
    """A trained machine (Cortes and Vapnik 1995, doi:10.1007/BF00994018).

    Parameters
    ----------
    features
        Names of its inputs, in their order.
    kernel
        `linear`, or `rbf`: exp(-gamma |x - y|²).
    gamma
        Of the second.
    mean, scale
        What each input is centred and divided by.
    vectors
        The support vectors, so scaled, shape (n, inputs).
    weights
        Of each, shape (n,).
    intercept
        Added to the decision.
    slope, offset
        The probability is 1 / (1 + exp(slope · decision + offset)) (Platt 1999).
    threshold
        Affected from this probability on.

    Raises
    ------
    ResourceError
        MODEL_DAMAGED if shapes do not fit, or a number is none.
    """

    features: tuple[str, ...]
    kernel: Kernel
    gamma: float
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    vectors: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    intercept: float
    slope: float
    offset: float
    threshold: float

    def __post_init__(self) -> None:
        count = len(self.features)
        shapes = {len(self.mean), len(self.scale), *map(len, self.vectors)}
        numbers = np.array([*self.mean, *self.scale, *self.weights, *np.ravel(self.vectors)])
        rest = (self.gamma, self.intercept, self.slope, self.offset, self.threshold)
        if (
            shapes != {count}
            or len(self.vectors) != len(self.weights)
            or self.kernel not in {"linear", "rbf"}
            or not np.isfinite([*numbers, *rest]).all()
            or min(self.scale) <= 0
        ):
            message = "expected a support vector machine with numbers that fit each other"
            raise ResourceError(ErrorCode.MODEL_DAMAGED, message)

    def decision(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the signed distance from the border of samples, shape (n, inputs) to (n,)."""
        scaled = (inputs - np.array(self.mean)) / np.array(self.scale)
        vectors = np.array(self.vectors)
        products = scaled @ vectors.T
        if self.kernel == "rbf":
            squares = (scaled**2).sum(axis=1)[:, None] + (vectors**2).sum(axis=1)[None, :]
            products = np.exp(-self.gamma * (squares - 2.0 * products))
        return products @ np.array(self.weights) + self.intercept

    def probability(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of being affected, 0 to 1, shape (n,)."""
        return 1.0 / (1.0 + np.exp(self.slope * self.decision(inputs) + self.offset))

    def as_dict(self) -> dict[str, Any]:
        """Return the machine for JSON."""
        return asdict(self)


def from_dict(data: dict[str, Any]) -> SupportVectors:
    """Read a machine back.

    Raises
    ------
    ResourceError
        MODEL_DAMAGED.
    """
    try:
        return SupportVectors(**{name: _frozen(value) for name, value in data.items()})
    except (TypeError, ValueError) as error:
        message = "expected the fields of a support vector machine"
        raise ResourceError(ErrorCode.MODEL_DAMAGED, message) from error


def read_machines(text: str) -> dict[str, SupportVectors]:
    """Return the machines of a file by the regions that they are for, one of `KINDS`.

    Raises
    ------
    ResourceError
        MODEL_DAMAGED.
    """
    try:
        machines = json.loads(text)["machines"]
        return {kind: from_dict(machines[kind]) for kind in KINDS}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = "expected a JSON file with machines for cortical and subcortical regions"
        raise ResourceError(ErrorCode.MODEL_DAMAGED, message) from error


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
