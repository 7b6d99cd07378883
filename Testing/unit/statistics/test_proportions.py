from __future__ import annotations

import pytest
from scipy import stats

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.proportions import compare_proportions, holm, proportion


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    # Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_of_wilson_are_the_published_ones(count, n, low, high):
    found = proportion(count, n)
    assert found.value == count / n
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(
    ("first", "second", "value", "low", "high"),
    # Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, table II, method 10.
    [((48, 80), (56, 70), 0.2, 0.0524, 0.3339), ((3, 10), (9, 10), 0.6, 0.1705, 0.8090)],
)
def test_intervals_of_differences_are_the_published_ones(first, second, value, low, high):
    difference = compare_proportions(proportion(*first), proportion(*second)).value
    assert difference.value == pytest.approx(value)
    assert (difference.low, difference.high) == pytest.approx((low, high), abs=6e-5)
    assert difference.n == first[1] + second[1]


def test_the_p_value_is_that_of_the_lady_tasting_tea():
    # Fisher 1935: three of four cups right; two-sided 34/70.
    assert compare_proportions(proportion(1, 4), proportion(3, 4)).p_value == pytest.approx(34 / 70)


def test_exchanged_groups_turn_the_difference_round():
    one, other = proportion(5, 30), proportion(12, 25)
    forth, back = compare_proportions(one, other), compare_proportions(other, one)
    assert back.value.value == -forth.value.value
    assert (back.value.low, back.value.high) == pytest.approx((-forth.value.high, -forth.value.low))
    assert back.p_value == pytest.approx(forth.p_value)


def test_holm_corrects_in_steps_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.5, 0.9]) == (1.0, 1.0)
    assert holm([0.02]) == (0.02,)


def test_holm_lies_between_no_correction_and_that_of_bonferroni():
    values = stats.uniform.rvs(size=10, random_state=1).tolist()
    for value, corrected in zip(values, holm(values), strict=True):
        assert value <= corrected <= min(10 * value, 1.0)


@pytest.mark.parametrize(("count", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_impossible_counts_are_refused(count, n):
    with pytest.raises(InputRefusedError, match=f"got {count} of {n}"):
        proportion(count, n)
