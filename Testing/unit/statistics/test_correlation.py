from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.bootstrap import Bootstrap
from ASPECTSLib.statistics.correlation import partial_spearman, spearman

QUICK = Bootstrap(200)
# The textbook's ten people: intelligence quotient and hours of television a week; rho = -29/165.
IQ = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
HOURS = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]


def residual_ranks(x, z):
    """Return what a straight line through the ranks of z leaves of those of x."""
    x, z = stats.rankdata(x), stats.rankdata(z)
    return x - np.polyval(np.polyfit(z, x, 1), z)


@pytest.fixture
def three():
    generator = np.random.default_rng(5)
    z = generator.normal(size=80)
    x, y = z + generator.normal(size=80), z + generator.normal(size=80)
    return x, y, z


def test_the_example_of_the_textbook_comes_out():
    found = spearman(IQ, HOURS, QUICK)
    assert found.rho.value == pytest.approx(-29 / 165)
    assert found.p_value == pytest.approx(0.6272, abs=1e-4)
    assert found.rho.low < found.rho.value < found.rho.high
    assert found.rho.n == 10


def test_only_the_order_counts(three):
    x, y, _ = three
    assert spearman(np.exp(x), y**3, QUICK) == spearman(x, y, QUICK)


def test_turning_a_variable_round_turns_the_interval_round(three):
    x, y, _ = three
    plain, turned = spearman(x, y, QUICK).rho, spearman(x, -y, QUICK).rho
    assert turned.value == pytest.approx(-plain.value)
    assert (turned.low, turned.high) == pytest.approx((-plain.high, -plain.low))


def test_perfect_order_is_one_in_every_resample():
    rho = spearman(range(20), range(20), QUICK).rho
    assert (rho.value, rho.low, rho.high) == pytest.approx((1.0, 1.0, 1.0))


def test_tied_values_share_their_rank():
    x, y = [0, 0, 1, 1, 2, 2, 3], [1, 0, 1, 2, 2, 2, 9]
    assert spearman(x, y, QUICK).rho.value == pytest.approx(stats.spearmanr(x, y).statistic)


def test_the_interval_narrows_with_more_patients(three):
    x, y, _ = three
    few, many = spearman(x[:20], y[:20], QUICK).rho, spearman(x, y, QUICK).rho
    assert many.high - many.low < few.high - few.low


def test_a_partial_correlation_is_that_of_what_the_third_variable_leaves(three):
    x, y, z = three
    found = partial_spearman(x, y, z, QUICK)
    expected = stats.pearsonr(residual_ranks(x, z), residual_ranks(y, z)).statistic
    assert found.rho.value == pytest.approx(expected)
    assert abs(found.rho.value) < spearman(x, y, QUICK).rho.value
    assert found.rho.low < found.rho.value < found.rho.high


def test_a_variable_that_has_nothing_to_do_with_it_changes_little(three):
    x, y, _ = three
    other = np.random.default_rng(9).normal(size=80)
    partial = partial_spearman(x, y, other, QUICK).rho.value
    assert partial == pytest.approx(spearman(x, y, QUICK).rho.value, abs=0.05)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], "at least 5 patients to correlate, got 4"),
        ([1] * 6, [1, 2, 3, 4, 5, 6], "differ between patients"),
        ([1, 2, 3, 4, np.nan], [1, 2, 3, 4, 5], "finite values"),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6], "same patients"),
    ],
)
def test_what_cannot_be_correlated_is_refused(x, y, words):
    with pytest.raises(InputRefusedError, match=words):
        spearman(x, y, QUICK)


def test_a_third_variable_that_leaves_nothing_is_refused(three):
    x, y, _ = three
    with pytest.raises(InputRefusedError, match="leaves something to correlate"):
        partial_spearman(x, y, y, QUICK)
