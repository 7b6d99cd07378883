from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.pearson import pearson

# Anscombe 1973, doi:10.2307/2682899: four sets with a correlation of 0.816.
X = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
Y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]


def test_the_correlation_is_the_published_one():
    found = pearson(X, Y)
    assert found.rho.value == pytest.approx(0.816, abs=5e-4)
    assert found.rho.n == 11


def test_interval_and_p_value_are_those_of_scipy():
    found, expected = pearson(X, Y), stats.pearsonr(X, Y)
    interval = expected.confidence_interval(0.95)
    assert (found.rho.low, found.rho.high) == pytest.approx((interval.low, interval.high))
    assert found.p_value == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("slope", [2.5, -0.1])
def test_a_straight_line_is_perfect(slope):
    found = pearson(X, slope * np.array(X) + 3)
    sign = np.sign(slope)
    assert (found.rho.value, found.rho.low, found.rho.high) == (sign, sign, sign)
    assert found.p_value == 0.0


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e9])
def test_a_variable_that_is_the_same_for_all_is_refused(constant):
    with pytest.raises(InputRefusedError, match="differ between patients"):
        pearson(X, [constant] * len(X))


def test_too_few_patients_and_missing_values_are_refused():
    with pytest.raises(InputRefusedError, match="at least 4 patients, got 3"):
        pearson([1, 2, 3], [1, 3, 2])
    with pytest.raises(InputRefusedError, match="missing"):
        pearson([1, 2, 3, np.nan], [1, 3, 2, 4])
