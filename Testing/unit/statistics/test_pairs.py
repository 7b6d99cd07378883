from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.pairs import checked_pairs, checked_truth, complete, is_constant


def test_patients_with_a_missing_value_are_left_out_of_all_variables():
    x, y, table = complete([1, np.nan, 3, 4], [1, 2, 3, np.nan], np.arange(8.0).reshape(4, 2))
    assert x.tolist() == [1, 3]
    assert y.tolist() == [1, 3]
    assert table.tolist() == [[0, 1], [4, 5]]


def test_variables_of_other_patients_are_refused():
    with pytest.raises(InputRefusedError, match="same patients"):
        complete([1, 2], [1, 2, 3])
    with pytest.raises(InputRefusedError, match="two values for each patient"):
        checked_pairs([[1, 2]], [[1, 2]])


def test_true_and_false_are_the_only_truth():
    assert checked_truth([1, 0, True]).tolist() == [True, False, True]
    with pytest.raises(InputRefusedError, match="true or false"):
        checked_truth([1.0, np.nan])


def test_rounding_is_no_difference():
    assert is_constant(np.array([1.1, 1.2, 1.3]) - np.array([0.1, 0.2, 0.3]))
    assert not is_constant(np.array([1.0, 1.0 + 1e-9]))
    assert is_constant(np.zeros(3))
