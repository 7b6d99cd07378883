"""Cohen's kappa: agreement of two raters beyond what their marginal frequencies give by chance."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ASPECTSLib.statistics.estimates import LEVEL, Estimate, require
from ASPECTSLib.statistics.pairs import checked_pairs


class Weighting(StrEnum):
    """How much a disagreement counts: all alike, by the distance of the two values, or by its square."""

    NONE = "none"
    LINEAR = "linear"
    QUADRATIC = "quadratic"


def kappa(first: ArrayLike, second: ArrayLike, weighting: Weighting = Weighting.NONE) -> Estimate:
    """Return Cohen's kappa of two raters of the same patients.

    Parameters
    ----------
    first, second
        Shape (n,): calls (bool), or values of a scale. Weights use the values themselves, so that a score that
        nobody gave leaves its gap.
    weighting
        Of disagreements (Cohen 1968, doi:10.1037/h0026256); none is Cohen 1960, doi:10.1177/001316446002000104.

    Returns
    -------
    Estimate
        With the large-sample interval of Fleiss, Cohen & Everitt 1969, doi:10.1037/h0028106, cut to -1 to 1; of no
        width where the raters agree on all patients.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for fewer than two patients, shapes that differ, missing values, or raters who both give the
        same single value to everybody: chance then explains all.
    """
    x, y = checked_pairs(first, second)
    categories, codes = np.unique(np.concatenate([x, y]), return_inverse=True)
    varied = len(categories) > 1
    require(varied, "ratings of more than one value", f"{categories[0]:g} for all patients")
    n, size = len(x), len(categories)
    cells = np.bincount(codes[:n] * size + codes[n:], minlength=size**2)
    return kappa_of_table(cells.reshape(size, size), _agreement(categories, weighting))


def kappa_of_table(counts: ArrayLike, agreement: ArrayLike) -> Estimate:
    """Return kappa of a table of counts with any weights.

    Parameters
    ----------
    counts
        Shape (categories, categories): patients by first and second rater.
    agreement
        The same shape, 0 to 1: how far each cell counts as agreement; 1 on the diagonal.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for no patients, or where chance explains all agreement.
    """
    table, weights = np.asarray(counts, np.float64), np.asarray(agreement, np.float64)
    n = float(table.sum())
    require(n > 0, "counts of patients", "none")
    shares = table / n
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    observed = float((weights * shares).sum())
    chance = float(rows @ weights @ columns)
    require(1 - chance > _ROUNDING, "ratings that chance does not explain", "one value for all")
    value = (observed - chance) / (1 - chance)
    # Nonnull variance: Fleiss, Cohen & Everitt 1969, equation 13.
    by_row, by_column = weights @ columns, rows @ weights
    margins = by_row[:, None] + by_column[None]
    inner = (shares * (weights * (1 - chance) - margins * (1 - observed)) ** 2).sum()
    spread = float(inner) - (observed * chance - 2 * chance + observed) ** 2
    error = np.sqrt(max(spread, 0.0) / n) / (1 - chance) ** 2
    half = float(stats.norm.ppf((1 + LEVEL) / 2) * error)
    return Estimate(value, max(value - half, -1.0), min(value + half, 1.0), round(n))


_ROUNDING = 1e-12


def _agreement(categories: NDArray[np.float64], weighting: Weighting) -> NDArray[np.float64]:
    distance = np.abs(categories[:, None] - categories[None])
    if weighting is Weighting.NONE:
        return (distance == 0).astype(np.float64)
    share = distance / distance.max()
    return 1 - (share if weighting is Weighting.LINEAR else share**2)
