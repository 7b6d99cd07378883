"""Linear correlation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ASPECTSLib.statistics.correlation import Correlation
from ASPECTSLib.statistics.estimates import LEVEL, Estimate, require
from ASPECTSLib.statistics.pairs import checked_pairs, is_constant

MIN_PATIENTS = 4
"""Fisher's interval divides by n - 3."""

_PERFECT = 1.0 - 1e-12  # beyond lies rounding: Fisher's z is infinite at 1


def pearson(first: ArrayLike, second: ArrayLike) -> Correlation:
    """Correlate two variables of the same patients linearly.

    Parameters
    ----------
    first, second
        Shape (n,), finite.

    Returns
    -------
    Correlation
        r with the interval by Fisher's z (1921), which has no width at -1 and 1, and the p value of no correlation
        (t distribution with n - 2 degrees of freedom).

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for fewer than `MIN_PATIENTS`, shapes that differ, missing values, or a variable that is the
        same for all.
    """
    x, y = checked_pairs(first, second, MIN_PATIENTS)
    vary = not (is_constant(x) or is_constant(y))
    require(vary, "variables that differ between patients", "one that is the same for all")
    x, y = x - x.mean(), y - y.mean()
    r = float(np.clip((x / np.linalg.norm(x)) @ (y / np.linalg.norm(y)), -1.0, 1.0))
    if abs(r) > _PERFECT:
        return Correlation(Estimate(round(r), round(r), round(r), len(x)), 0.0)
    half = stats.norm.ppf((1 + LEVEL) / 2) / np.sqrt(len(x) - 3)
    low, high = np.tanh(np.arctanh(r) + np.array([-half, half]))
    freedom = len(x) - 2
    t = abs(r) * np.sqrt(freedom / (1 - r**2))
    p_value = float(2 * stats.t.sf(t, freedom))
    return Correlation(Estimate(r, float(low), float(high), len(x)), p_value)
