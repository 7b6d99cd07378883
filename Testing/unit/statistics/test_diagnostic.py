from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.diagnostic import diagnose, mcnemar
from ASPECTSLib.statistics.proportions import proportion

# Altman & Bland 1994, doi:10.1136/bmj.308.6943.1552: liver scans and pathology, 344 patients.
LIVER = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [231, 27, 32, 54], axis=0).T


def test_shares_are_the_published_ones():
    found = diagnose(*LIVER)
    assert found.sensitivity == proportion(231, 258)
    assert found.specificity == proportion(54, 86)
    assert found.sensitivity.value == pytest.approx(0.90, abs=5e-3)
    assert found.specificity.value == pytest.approx(0.63, abs=5e-3)
    # Altman & Bland 1994, doi:10.1136/bmj.309.6947.102: predictive values 0.88 and 0.67.
    assert found.positive_predictive_value.value == pytest.approx(0.88, abs=5e-3)
    assert found.negative_predictive_value.value == pytest.approx(0.67, abs=5e-3)
    assert found.accuracy == proportion(285, 344)
    assert found.balanced_accuracy == pytest.approx((231 / 258 + 54 / 86) / 2)


def test_tables_of_regions_are_counted_as_a_whole():
    truth = np.array([[True, False], [False, True]])
    assert diagnose(truth, truth).accuracy == proportion(4, 4)


def test_a_share_of_nobody_is_none_and_the_others_stay():
    found = diagnose([False, False], [True, False])
    assert found.sensitivity is None
    assert found.balanced_accuracy is None
    assert found.specificity == proportion(1, 2)
    silent = diagnose([True, False], [False, False])
    assert silent.positive_predictive_value is None
    assert silent.negative_predictive_value == proportion(1, 2)
    assert diagnose([True], [True]).specificity is None


def test_two_readers_are_compared_where_only_one_is_right():
    # Of 16 patients in whom one of two is right, the first is in 4: twice P(X <= 4) of a fair coin.
    truth = np.ones(30, bool)
    first, second = truth.copy(), truth.copy()
    first[:12] = second[12:16] = False
    found = mcnemar(truth, first, second)
    assert (found.only_first, found.only_second, found.n) == (4, 12, 30)
    assert found.p_value == pytest.approx(2 * (1 + 16 + 120 + 560 + 1820) / 2**16)


def test_exchanged_readers_have_the_same_p_value():
    truth, first, second = np.random.default_rng(1).random((3, 50)) < 0.5
    forth, back = mcnemar(truth, first, second), mcnemar(truth, second, first)
    assert (back.only_first, back.only_second) == (forth.only_second, forth.only_first)
    assert back.p_value == forth.p_value


def test_readers_without_a_difference_have_a_p_value_of_one():
    assert mcnemar([True, False], [True, True], [True, True]).p_value == 1.0


@pytest.mark.parametrize("called", [[1.0, np.nan], [1, 2], ["yes", "no"]])
def test_what_is_no_call_is_refused(called):
    with pytest.raises(InputRefusedError, match="true or false"):
        diagnose([True, False], called)


def test_calls_of_other_patients_or_of_nobody_are_refused():
    with pytest.raises(InputRefusedError, match="a call for each truth"):
        diagnose([True, False], [True])
    with pytest.raises(InputRefusedError, match="a call for each truth"):
        diagnose([], [])
    with pytest.raises(InputRefusedError, match="a call for each truth"):
        mcnemar([True], [True], [True, False])
