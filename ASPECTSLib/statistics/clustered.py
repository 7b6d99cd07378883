"""Calls of several regions of each patient: shares and areas whose intervals come of drawing patients, not regions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.statistics.bootstrap import Bootstrap, percentile_interval, replicates
from ASPECTSLib.statistics.estimates import Estimate
from ASPECTSLib.statistics.proportions import proportion

Statistic = Callable[[NDArray, NDArray], float]


def clustered_share(
    of: NDArray[np.bool_], counted: NDArray[np.bool_], bootstrap: Bootstrap | None = None
) -> Estimate | None:
    """Return which share of some regions is counted; None where there are none.

    Parameters
    ----------
    of
        Regions that the share is of, shape (patients, regions).
    counted
        Those of them that count, of the same shape.
    bootstrap
        Over patients; its defaults when left out.

    Returns
    -------
    Estimate
        `n` is the number of regions. Where all count or none, resamples say so, too: the interval is then that of
        Wilson, as if regions were independent.
    """
    count, n = int((counted & of).sum()), int(of.sum())
    if n and count in {0, n}:
        share = proportion(count, n)
        return Estimate(share.value, share.low, share.high, n)
    return _bootstrapped(_share, of, counted & of, n, bootstrap)


def clustered_area(
    truth: NDArray[np.bool_],
    strength: NDArray[np.float64],
    known: NDArray[np.bool_] | None = None,
    bootstrap: Bootstrap | None = None,
) -> Estimate | None:
    """Return the area under the ROC curve of regions, ties counting half; None unless some are positive and some not.

    Parameters
    ----------
    truth
        Which regions are positive, shape (patients, regions).
    strength
        Higher ones speak for it, finite where known.
    known
        Which regions are looked at; all when left out.
    bootstrap
        Over patients; its defaults when left out.
    """
    known = np.ones(truth.shape, bool) if known is None else known
    # Unknown regions carry nan through the resampling, and are left out in each resample.
    strength = np.where(known, strength, np.nan)
    return _bootstrapped(_area, truth, strength, int((truth & known).sum()), bootstrap)


def _bootstrapped(
    statistic: Statistic, first: NDArray, second: NDArray, n: int, bootstrap: Bootstrap | None
) -> Estimate | None:
    value = statistic(first, second)
    if not np.isfinite(value):
        return None

    def rows(indices: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.array([statistic(first[row], second[row]) for row in indices])

    found = replicates(rows, bootstrap or Bootstrap(), np.arange(len(first)))
    low, high = percentile_interval(found, observed_only=True)
    return Estimate(float(value), min(low, value), max(high, value), n)


def _share(of: NDArray[np.bool_], counted: NDArray[np.bool_]) -> float:
    return float(counted.sum() / of.sum()) if of.any() else np.nan


def _area(truth: NDArray[np.bool_], strength: NDArray[np.float64]) -> float:
    known = np.isfinite(strength)
    positive, negative = strength[truth & known], strength[~truth & known]
    if not len(positive) or not len(negative):
        return np.nan
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return float(below.mean() / (2 * len(negative)))
