"""How ventricles and sulci widen with age in synthetic patients."""

from __future__ import annotations

import numpy as np

MAX_SULCAL_WIDENING_MM = 1.2
"""Cortex lost to the sulci at high age."""

SULCAL_VARIATION = 0.6
"""Standard deviation of the widening from place to place, as a share of it."""

VENTRICLE_MM = (-1.5, 4.0)
"""Range in which the ventricles' walls move outwards, from young to old."""


def sulcal_widening_mm(age_years: float) -> float:
    """Return how much cortex next to fluid has turned to fluid: evenly from 40 years on to the most at 90."""
    return MAX_SULCAL_WIDENING_MM * float(np.clip((age_years - 40.0) / 50.0, 0.0, 1.0))


def ventricle_widening_mm(age_years: float, range_mm: tuple[float, float] = VENTRICLE_MM) -> float:
    """Return how far the ventricles' walls have moved outwards: evenly from 20 years on to 90."""
    young, old = range_mm
    return young + (old - young) * float(np.clip((age_years - 20) / 70, 0, 1))
