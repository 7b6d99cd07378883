"""Two variables of the same patients, checked once before they are compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ASPECTSLib.statistics.estimates import require

MIN_PAIRS = 2
"""With a single patient nothing varies."""


def checked_pairs(
    first: ArrayLike, second: ArrayLike, least: int = MIN_PAIRS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two variables as float64 arrays of shape (n,), or refuse them.

    Parameters
    ----------
    first, second
        Shape (n,), finite; leave patients with a missing value out with `complete`.
    least
        Patients needed.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for shapes that differ, too few patients, or values that are not finite.
    """
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    alike = x.ndim == 1 and x.shape == y.shape
    require(alike, "two values for each patient", f"shapes {x.shape} and {y.shape}")
    require(len(x) >= least, f"at least {least} patients", len(x))
    finite = bool(np.isfinite(x).all() and np.isfinite(y).all())
    require(finite, "finite values for all patients", "some that are missing or infinite")
    return x, y


def checked_truth(truth: ArrayLike) -> NDArray[np.bool_]:
    """Return what is true or false as bool, and refuse everything else, missing values too.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for values other than true and false, 1 and 0.
    """
    array = np.asarray(truth)
    known = bool(np.isin(array, (0, 1)).all())
    require(known, "values that are true or false", "others, or missing ones")
    return array.astype(bool)


def complete(*variables: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    """Return variables of the same patients without those patients that lack a value (nan) in any of them.

    Parameters
    ----------
    variables
        Shape (n,), or (n, columns), each.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID unless all speak of the same number of patients.
    """
    arrays = [np.asarray(variable, np.float64) for variable in variables]
    sizes = {len(array) for array in arrays}
    require(len(sizes) == 1, "variables of the same patients", f"{sorted(sizes)} values")
    known = np.logical_and.reduce(
        [~np.isnan(array).any(axis=tuple(range(1, array.ndim))) for array in arrays]
    )
    return tuple(array[known] for array in arrays)


def is_constant(values: NDArray[np.float64]) -> bool:
    """Tell whether values differ by no more than rounding."""
    scale = float(np.abs(values).max(initial=0.0))
    return bool(np.ptp(values) <= len(values) * np.finfo(np.float64).eps * scale)
