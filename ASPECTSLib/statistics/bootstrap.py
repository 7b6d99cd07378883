"""Bootstrap over patients: replicates of a statistic and the interval between their percentiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.statistics.estimates import LEVEL, require

MIN_RESAMPLES = 100
"""Fewer leave the 2.5th percentile to two or three replicates."""

_CHUNK = 250  # resamples at a time: a thousand patients then take 2 MB a variable


@dataclass(frozen=True)
class Bootstrap:
    """How often patients are drawn again with replacement, and from which seed.

    Raises
    ------
    UsageError
        USAGE for fewer than `MIN_RESAMPLES`, or a negative seed.
    """

    resamples: int = 2000
    seed: int = 1

    def __post_init__(self) -> None:
        if self.resamples < MIN_RESAMPLES or self.seed < 0:
            expected = f"at least {MIN_RESAMPLES} resamples and a seed of 0 or more"
            message = f"expected {expected}, got {self.resamples} and {self.seed}"
            raise UsageError(ErrorCode.USAGE, message)

    def rows(self, *sizes: int) -> Iterator[tuple[NDArray[np.int64], ...]]:
        """Yield chunks of resampled rows, one array of shape (resamples, size) for each group of patients.

        Each group is drawn by itself and keeps its size. The same seed gives the same rows, whoever asks.
        """
        generator = np.random.default_rng(self.seed)
        for start in range(0, self.resamples, _CHUNK):
            count = min(_CHUNK, self.resamples - start)
            yield tuple(generator.integers(0, size, (count, size)) for size in sizes)


def replicates(
    statistic: Callable[..., NDArray[np.float64]], bootstrap: Bootstrap, *variables: NDArray
) -> NDArray[np.float64]:
    """Return the statistic of each resample.

    Parameters
    ----------
    statistic
        Takes as many arrays of shape (resamples, n) as there are variables; returns shape (resamples,), nan where
        it is not defined.
    bootstrap
        How often, and from which seed.
    variables
        Of the same patients, shape (n,) each: a patient is drawn with all of them.
    """
    parts = [
        statistic(*(variable[rows] for variable in variables))
        for (rows,) in bootstrap.rows(len(variables[0]))
    ]
    return np.concatenate(parts)


def percentile_interval(values: NDArray, *, observed_only: bool = False) -> tuple[float, float]:
    """Return the percentiles of replicates that hold 95 % between them (Efron & Tibshirani 1993, chapter 13).

    Parameters
    ----------
    values
        Replicates; those that are not defined (nan) are left out.
    observed_only
        Whether both ends must be replicates, as for cut-offs, instead of lying between two.
    """
    defined = values[np.isfinite(values)]
    require(defined.size > 0, "resamples in which the statistic is defined", "none")
    tail = (1 - LEVEL) / 2
    method = "inverted_cdf" if observed_only else "linear"
    low, high = np.quantile(defined, [tail, 1 - tail], method=method)
    return float(low), float(high)
