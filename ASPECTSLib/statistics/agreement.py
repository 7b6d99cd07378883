"""How often two scores of the same patients are the same, nearly the same, or in the same class."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ASPECTSLib.statistics.estimates import require
from ASPECTSLib.statistics.pairs import checked_pairs
from ASPECTSLib.statistics.proportions import Proportion, proportion

SCORE_BINS = ((0, 3), (4, 7), (8, 10))
"""Classes of ASPECTS, first and last score of each: large, middle and small infarcts."""


LOW_SCORE = 6
"""A score of at most this is low, as in table 1 of Cao 2022 (doi:10.1002/hbm.25845)."""


def agreement_within(first: ArrayLike, second: ArrayLike, distance: float = 0.0) -> Proportion:
    """Return the share of patients whose two scores differ by no more than a distance, with Wilson's interval.

    Parameters
    ----------
    first, second
        Shape (n,), finite, at least one patient.
    distance
        0 for exact agreement.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for nobody, shapes that differ, missing values, or a negative distance.
    """
    require(distance >= 0, "a distance of at least 0", distance)
    x, y = checked_pairs(first, second, 1)
    return proportion(int((np.abs(x - y) <= distance).sum()), len(x))


def binned(scores: ArrayLike) -> NDArray[np.int64]:
    """Return the class of each score: its index in `SCORE_BINS`.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for scores that are no whole numbers from 0 to 10.
    """
    values = np.asarray(scores, np.float64)
    lowest, highest = SCORE_BINS[0][0], SCORE_BINS[-1][1]
    whole = bool(((values >= lowest) & (values <= highest) & (values == np.rint(values))).all())
    require(whole, f"whole scores of {lowest} to {highest}", "others")
    return np.searchsorted([last for _, last in SCORE_BINS], values).astype(np.int64)


def binned_agreement(first: ArrayLike, second: ArrayLike) -> Proportion:
    """Return the share of patients whose two scores are in the same class of `SCORE_BINS`.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID as `binned`, and for shapes that differ or nobody.
    """
    return agreement_within(binned(first), binned(second))


def confusion(truth: ArrayLike, found: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Count patients by true and found class, shape (classes, classes), truth in the rows.

    Parameters
    ----------
    truth, found
        Shape (n,), whole numbers from 0 to classes - 1; nobody gives zeros.
    classes
        How many there are.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for other values, or shapes that differ.
    """
    x, y = checked_pairs(truth, found, 0)
    known = all(bool(((v >= 0) & (v < classes) & (v == np.rint(v))).all()) for v in (x, y))
    require(known, f"classes 0 to {classes - 1}", "others")
    cells = x.astype(np.int64) * classes + y.astype(np.int64)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)
