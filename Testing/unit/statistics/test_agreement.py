from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.agreement import agreement_within, binned, binned_agreement, confusion
from ASPECTSLib.statistics.proportions import proportion

FIRST, SECOND = [10, 8, 7, 3, 0], [9, 8, 5, 4, 3]


@pytest.mark.parametrize(("distance", "count"), [(0, 1), (1, 3), (2, 4), (3, 5), (0.5, 1)])
def test_scores_within_a_distance_are_counted(distance, count):
    assert agreement_within(FIRST, SECOND, distance) == proportion(count, 5)


def test_exact_agreement_is_the_default():
    assert agreement_within(FIRST, SECOND).count == 1


def test_every_score_has_its_class():
    assert binned(range(11)).tolist() == [0] * 4 + [1] * 4 + [2] * 3


def test_patients_in_the_same_class_are_counted():
    assert binned_agreement(FIRST, SECOND) == proportion(4, 5)


def test_one_patient_is_enough():
    assert agreement_within([7], [7]).value == 1.0


def test_the_confusion_has_the_truth_in_its_rows():
    assert confusion([0, 1, 1, 2], [0, 1, 2, 2], 3).tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 1]]
    assert confusion([], [], 2).tolist() == [[0, 0], [0, 0]]


def test_nobody_and_missing_scores_are_refused():
    with pytest.raises(InputRefusedError, match="at least 1 patients, got 0"):
        agreement_within([], [])
    with pytest.raises(InputRefusedError, match="missing"):
        agreement_within([np.nan], [1])
    with pytest.raises(InputRefusedError, match="distance of at least 0"):
        agreement_within([1], [1], -1)


@pytest.mark.parametrize("score", [-1, 11, 6.5, np.nan])
def test_what_is_no_score_has_no_class(score):
    with pytest.raises(InputRefusedError, match="whole scores of 0 to 10"):
        binned([5, score])


@pytest.mark.parametrize("found", [3, 0.5, -1])
def test_classes_that_are_not_there_are_refused(found):
    with pytest.raises(InputRefusedError, match="classes 0 to 2"):
        confusion([1], [found], 3)
