"""The thirteen directions of neighbours in three dimensions, without their opposites."""

from __future__ import annotations

from itertools import product

DIRECTIONS: tuple[tuple[int, int, int], ...] = tuple(
    step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)
)
"""Steps along (k, j, i)."""
