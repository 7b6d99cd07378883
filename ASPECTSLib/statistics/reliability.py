"""Whether probabilities are right: those said beside the shares observed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ASPECTSLib.statistics.estimates import require
from ASPECTSLib.statistics.pairs import checked_truth
from ASPECTSLib.statistics.proportions import Proportion, proportion

BINS = 10
"""Of equal width, as reliability diagrams usually have."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Cases whose probability lies from `low` to below `high`, the last bin's end included.

    Parameters
    ----------
    low, high
        Ends of the bin.
    predicted
        Mean probability of its cases.
    observed
        Share of them that is truly positive, with Wilson's interval.
    """

    low: float
    high: float
    predicted: float
    observed: Proportion


def reliability(
    probabilities: ArrayLike, truth: ArrayLike, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Return the reliability table, without the bins that hold nobody.

    Parameters
    ----------
    probabilities
        Of being positive, 0 to 1, any shape, at least one.
    truth
        bool, of the same shape.
    bins
        How many of equal width.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for shapes that differ, nobody, or values that are no probabilities.
    """
    said, positive = _checked(probabilities, truth)
    require(bins >= 1, "at least one bin", bins)
    edges = np.linspace(0.0, 1.0, bins + 1)
    index = np.clip(np.searchsorted(edges, said, side="right") - 1, 0, bins - 1)
    return tuple(
        ReliabilityBin(
            float(edges[number]),
            float(edges[number + 1]),
            float(said[index == number].mean()),
            proportion(int(positive[index == number].sum()), int((index == number).sum())),
        )
        for number in np.unique(index)
    )


def expected_calibration_error(
    probabilities: ArrayLike, truth: ArrayLike, bins: int = BINS
) -> float:
    """Return the mean distance of said and observed over bins, each weighted by its cases.

    Naeini 2015, doi:10.1609/aaai.v29i1.9602. Depends on the number of bins, and is above 0 for few cases even where
    probabilities are right. Parameters and errors as those of `reliability`.
    """
    table = reliability(probabilities, truth, bins)
    distances = [abs(row.predicted - row.observed.value) * row.observed.n for row in table]
    return sum(distances) / sum(row.observed.n for row in table)


def brier_score(probabilities: ArrayLike, truth: ArrayLike) -> float:
    """Return the mean squared distance of probabilities from the truth.

    Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2. Errors as those of `reliability`.
    """
    said, positive = _checked(probabilities, truth)
    return float(((said - positive) ** 2).mean())


def _checked(
    probabilities: ArrayLike, truth: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    said, positive = np.asarray(probabilities, np.float64), checked_truth(truth)
    alike = said.shape == positive.shape and said.size > 0
    require(alike, "a probability for each truth", f"shapes {said.shape} and {positive.shape}")
    inside = bool(((said >= 0) & (said <= 1)).all())
    require(inside, "probabilities of 0 to 1", "others, or missing ones")
    return said.ravel(), positive.ravel()
