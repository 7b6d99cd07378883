from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.proportions import proportion
from ASPECTSLib.statistics.reliability import (
    brier_score,
    expected_calibration_error,
    reliability,
)

SAID = [0.05, 0.15, 0.12, 0.95, 1.0, 0.9]
TRUE = [False, False, True, True, True, False]


def test_each_bin_holds_its_cases_and_empty_ones_are_left_out():
    rows = reliability(SAID, TRUE)
    assert [row.low for row in rows] == pytest.approx([0.0, 0.1, 0.9])
    assert [row.high for row in rows] == pytest.approx([0.1, 0.2, 1.0])
    assert [row.observed for row in rows] == [proportion(0, 1), proportion(1, 2), proportion(2, 3)]
    assert [row.predicted for row in rows] == pytest.approx([0.05, 0.135, 0.95])


def test_the_error_is_the_weighted_mean_of_the_distances():
    expected = (1 * 0.05 + 2 * (0.5 - 0.135) + 3 * (0.95 - 2 / 3)) / 6
    assert expected_calibration_error(SAID, TRUE) == pytest.approx(expected)


def test_right_probabilities_have_an_error_near_zero():
    generator = np.random.default_rng(1)
    said = generator.random((500, 20))
    true = generator.random((500, 20)) < said
    assert expected_calibration_error(said, true) < 0.02
    assert brier_score(said, true) == pytest.approx(1 / 6, abs=0.01)


def test_one_case_and_one_bin_are_enough():
    assert expected_calibration_error([0.25], [True]) == pytest.approx(0.75)
    assert brier_score([0.25], [True]) == pytest.approx(0.5625)
    (row,) = reliability(SAID, TRUE, 1)
    assert row.observed == proportion(3, 6)


@pytest.mark.parametrize("said", [[-0.1, 0.5], [0.5, 1.1], [0.5, np.nan]])
def test_what_is_no_probability_is_refused(said):
    with pytest.raises(InputRefusedError, match="probabilities of 0 to 1"):
        reliability(said, [True, False])


def test_nobody_other_patients_and_no_bins_are_refused():
    with pytest.raises(InputRefusedError, match="a probability for each truth"):
        brier_score([], [])
    with pytest.raises(InputRefusedError, match="a probability for each truth"):
        reliability([0.5], [True, False])
    with pytest.raises(InputRefusedError, match="at least one bin"):
        reliability([0.5], [True], 0)
