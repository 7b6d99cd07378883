from __future__ import annotations

import pytest

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.groups import Summary, rank_sum_p, summarize


def test_a_group_is_summarized_by_its_quartiles():
    assert summarize([1, 2, 3, 4, 10]) == Summary(5, 3.0, 2.0, 4.0)
    assert summarize([7]) == Summary(1, 7.0, 7.0, 7.0)
    assert summarize([]) is None


def test_groups_that_lie_apart_differ_and_equal_ones_do_not():
    assert rank_sum_p(range(20), range(20, 40)) < 1e-6
    assert rank_sum_p([1, 2, 3], [1, 2, 3]) == pytest.approx(1.0)
    assert rank_sum_p([4, 4], [4, 4, 4]) == 1.0


def test_the_order_of_the_groups_does_not_matter():
    first, second = [1, 5, 6, 6, 9], [2, 6, 7, 8, 8, 11]
    assert rank_sum_p(first, second) == pytest.approx(rank_sum_p(second, first))


def test_an_empty_group_is_refused():
    with pytest.raises(InputRefusedError, match="patients in both groups, got 2 and 0"):
        rank_sum_p([1, 2], [])
