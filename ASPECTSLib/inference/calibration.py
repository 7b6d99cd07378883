"""From a network's logits to probabilities that mean something, and from which of them on something is called."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ErrorCode, ResourceError

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Calibration:
    """How the logits of a model become probabilities, as measured on patients that it was not trained on.

    Parameters
    ----------
    temperature
        Logits are divided by it (Guo 2017, arXiv:1706.04599).
    offset
        Is added then (Platt 1999): a network that was trained with more weight on one class calls it too often.
    threshold
        Probability from which on something is called, by the name of what is called, such as `M2`.

    Raises
    ------
    ResourceError
        MODEL_DAMAGED if a number is not finite or out of its range.
    """

    temperature: float = 1.0
    offset: float = 0.0
    threshold: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        is_scale = _is_number(self.temperature) and self.temperature > 0
        _require(is_scale, "a temperature above 0", self.temperature)
        _require(_is_number(self.offset), "a finite number as offset", self.offset)
        _require(isinstance(self.threshold, Mapping), "thresholds as an object", self.threshold)
        for name, value in self.threshold.items():
            named = isinstance(name, str) and name.isprintable()
            _require(named, "names of printable characters in threshold", name)
            is_share = _is_number(value) and 0.0 < value < 1.0
            _require(is_share, f"a threshold between 0 and 1 for {name}", value)

    def probability(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probabilities of logits of any shape."""
        scaled = np.asarray(logits, np.float64) / self.temperature + self.offset
        return 0.5 * (1.0 + np.tanh(scaled / 2.0))  # the logistic function, without overflow

    def threshold_of(self, name: str) -> float:
        """Return the probability from which on something is called; 0.5 unless the calibration says otherwise."""
        return float(self.threshold.get(name, DEFAULT_THRESHOLD))

    def to_json(self) -> dict[str, Any]:
        """Return what a card says of it."""
        threshold = {name: float(value) for name, value in self.threshold.items()}
        return {"temperature": self.temperature, "offset": self.offset, "threshold": threshold}

    @classmethod
    def from_json(cls, content: object) -> Calibration:
        """Read what a card says of it; keys that are left out have their defaults, others are left aside.

        Raises
        ------
        ResourceError
            MODEL_DAMAGED if it is no calibration.
        """
        _require(isinstance(content, Mapping), "an object as calibration", content)
        known = {key: content[key] for key in cls().to_json() if key in content}
        return cls(**known)


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and math.isfinite(value)  # type: ignore[arg-type]


def _require(met: bool, expected: str, got: object) -> None:
    if not met:
        message = f"expected {expected}, got {ascii(got)[:60]}"
        raise ResourceError(ErrorCode.MODEL_DAMAGED, message)
