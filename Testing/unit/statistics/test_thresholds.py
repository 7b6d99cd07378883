from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.statistics.roc import Direction, accuracy_at, marker
from ASPECTSLib.statistics.thresholds import (
    Aim,
    ThresholdRule,
    choose_threshold,
    region_thresholds,
)


def some_measure(seed=0, count=80, share=0.3):
    generator = np.random.default_rng(seed)
    affected = generator.random(count) < share
    said = np.round(np.clip(generator.normal(0.35 + 0.3 * affected, 0.2), 0, 1), 2)
    return marker(said, affected, Direction.HIGHER)


def every_accuracy(measure):
    return [accuracy_at(measure, float(value)) for value in np.unique(measure.values)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("minimum", [0.0, 0.8, 0.95])
def test_the_threshold_is_the_best_of_those_allowed(seed, minimum):
    measure = some_measure(seed)
    allowed = [a for a in every_accuracy(measure) if a.specificity.value >= minimum]
    found = choose_threshold(measure, ThresholdRule(Aim.YOUDEN, minimum))
    assert found in allowed
    assert found.youden == pytest.approx(max(a.youden for a in allowed))
    fewest = choose_threshold(measure, ThresholdRule(Aim.FEWEST_ERRORS, minimum))
    right = [a.sensitivity.count + a.specificity.count for a in allowed]
    assert fewest.sensitivity.count + fewest.specificity.count == max(right)


def test_errors_of_the_same_cost_call_rare_findings_later():
    measure = some_measure(1, 400, 0.05)
    youden = choose_threshold(measure, ThresholdRule(Aim.YOUDEN))
    fewest = choose_threshold(measure, ThresholdRule(Aim.FEWEST_ERRORS))
    assert fewest.cutoff > youden.cutoff
    assert fewest.specificity.value > youden.specificity.value


def test_a_specificity_met_exactly_is_enough():
    said, affected = np.arange(1, 13) / 12, [False] * 9 + [True, True, False]
    found = choose_threshold(
        marker(said, affected, Direction.HIGHER), ThresholdRule(minimum_specificity=0.9)
    )
    assert found.specificity.value == pytest.approx(0.9)


def test_a_specificity_out_of_reach_is_refused():
    measure = marker([0.9, 0.9, 0.1, 0.1], [False, True, True, False], Direction.HIGHER)
    with pytest.raises(InputRefusedError, match=r"specificity of at least 0.9, got 0.50 at most"):
        choose_threshold(measure, ThresholdRule(minimum_specificity=0.9))


def test_each_region_has_its_own_threshold():
    generator = np.random.default_rng(2)
    affected = generator.random((200, 2)) < 0.4
    said = np.where(affected, [0.5, 0.9], [0.2, 0.6]) + generator.random((200, 2)) / 20
    first, second = region_thresholds(said, affected, ThresholdRule())
    assert 0.5 <= first.cutoff < 0.52
    assert 0.9 <= second.cutoff < 0.92
    assert not first.pooled
    assert first.accuracy.youden == 1.0


def test_regions_with_few_patients_take_the_threshold_of_all():
    generator = np.random.default_rng(3)
    affected = generator.random((60, 4)) < 0.4
    said = np.clip(generator.normal(0.3 + 0.4 * affected, 0.05), 0, 1)
    affected[:, 1] = False
    affected[3:, 2] = False
    affected[:3, 2] = True
    said[0, 3], affected[0, 3] = (
        1.0,
        False,
    )  # the highest of its region, so that no cut-off is specific
    first, none, few, misled = region_thresholds(
        said, affected, ThresholdRule(minimum_specificity=0.99)
    )
    assert (first.pooled, none.pooled, few.pooled, misled.pooled) == (False, True, True, True)
    assert none.cutoff == few.cutoff == misled.cutoff
    assert none.accuracy is None
    assert few.accuracy == accuracy_at(
        marker(said[:, 2], affected[:, 2], Direction.HIGHER), few.cutoff
    )


def test_regions_that_are_never_affected_allow_no_threshold():
    with pytest.raises(InputRefusedError, match="at least 2 patients in each group"):
        region_thresholds(np.full((5, 2), 0.5), np.zeros((5, 2), bool), ThresholdRule())


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(InputRefusedError, match="a probability for each truth"):
        region_thresholds(np.zeros((5, 2)), np.zeros((5, 3), bool), ThresholdRule())
    with pytest.raises(InputRefusedError, match="a finite value for each patient"):
        region_thresholds([[np.nan], [0.1], [0.2], [0.3]], [[0], [1], [0], [1]], ThresholdRule())


@pytest.mark.parametrize("minimum", [-0.1, 1.1])
def test_rules_out_of_range_are_refused(minimum):
    with pytest.raises(InputRefusedError, match="specificity of 0 to 1"):
        ThresholdRule(minimum_specificity=minimum)
    with pytest.raises(InputRefusedError, match="at least 2 patients"):
        ThresholdRule(least_patients=1)
