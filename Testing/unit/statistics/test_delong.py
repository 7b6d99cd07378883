"""The areas of `ASPECTSLib.statistics.roc` on the example that their method was published with."""

from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.statistics.roc import Direction, area, area_difference, marker

# DeLong, DeLong & Clarke-Pearson 1988, doi:10.2307/2531595: albumin, total protein and the K-G score of 43 patients
# with ovarian cancer and bowel obstruction, and whether surgery helped (those with all three values).
ROWS = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""
TABLE = np.array(ROWS.split(), float).reshape(-1, 4)
ALBUMIN, PROTEIN, SCORE = (
    marker(TABLE[:, column], TABLE[:, 3], direction)
    for column, direction in enumerate((Direction.HIGHER, Direction.HIGHER, Direction.LOWER))
)


@pytest.mark.parametrize(
    ("measure", "value", "low", "high"),
    # As SAS prints them in the example of its procedure LOGISTIC on comparing curves.
    [
        (ALBUMIN, 0.7366, 0.5549, 0.9182),
        (PROTEIN, 0.6478, 0.4518, 0.8439),
        (SCORE, 0.7258, 0.5243, 0.9273),
    ],
)
def test_areas_and_their_intervals_are_the_published_ones(measure, value, low, high):
    found = area(measure)
    assert (found.value, found.low, found.high) == pytest.approx((value, low, high), abs=5.1e-5)


@pytest.mark.parametrize(
    ("measure", "value", "low", "high", "p_value"),
    [(ALBUMIN, 0.0108, -0.1761, 0.1976, 0.9102), (PROTEIN, -0.0780, -0.2830, 0.1271, 0.4561)],
)
def test_differences_of_areas_are_the_published_ones(measure, value, low, high, p_value):
    difference, p = area_difference(measure, SCORE)
    found = (difference.value, difference.low, difference.high, p)
    assert found == pytest.approx((value, low, high, p_value), abs=5.1e-5)
