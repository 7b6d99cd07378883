from __future__ import annotations

import pytest

from ASPECTSLib.errors import UsageError
from ASPECTSLib.scoring.severity import (
    CORE_LIMITS_ML,
    TRIALS,
    AspectsGroup,
    CoreGroup,
    Severity,
    aspects_group,
    core_group,
    severity_of,
    severity_of_aspects,
)


@pytest.mark.parametrize(
    ("core_ml", "severity"),
    [(0.0, Severity.MILD), (27.85, Severity.MILD), (27.86, Severity.MODERATE_SEVERE)],
)
def test_the_limit_of_core_volume_belongs_to_the_severe(core_ml, severity):
    assert severity_of(core_ml) is severity


@pytest.mark.parametrize(
    ("score", "severity"),
    [
        (10, Severity.MILD),
        (7, Severity.MILD),
        (6, Severity.MODERATE_SEVERE),
        (0, Severity.MODERATE_SEVERE),
    ],
)
def test_the_limit_of_aspects_belongs_to_the_severe(score, severity):
    assert severity_of_aspects(score) is severity


def test_scores_fall_into_the_groups_of_trials():
    groups = [aspects_group(score) for score in range(11)]
    assert (
        groups == [AspectsGroup.LARGEST] * 3 + [AspectsGroup.LARGE] * 3 + [AspectsGroup.SMALL] * 5
    )


@pytest.mark.parametrize(
    ("core_ml", "group"),
    [
        (0.0, CoreGroup.BELOW_50),
        (49.9, CoreGroup.BELOW_50),
        (50.0, CoreGroup.FROM_50),
        (70.0, CoreGroup.FROM_70),
        (100.0, CoreGroup.FROM_100),
        (400.0, CoreGroup.FROM_100),
    ],
)
def test_core_volumes_fall_into_the_groups_of_trials(core_ml, group):
    assert core_group(core_ml) is group


@pytest.mark.parametrize("score", [-1, 11])
def test_what_is_no_score_is_refused(score):
    for function in (severity_of_aspects, aspects_group):
        with pytest.raises(UsageError, match=f"0 to 10, got {score}"):
            function(score)


def test_every_trial_has_a_source_and_a_criterion():
    for trial in TRIALS:
        assert trial.doi.startswith("10.")
        assert trial.aspects or trial.core_ml
        assert not trial.core_is_alternative or (trial.aspects and trial.core_ml)


def test_the_limits_of_core_volume_are_those_of_trials():
    ends = {end for trial in TRIALS for end in trial.core_ml or () if end is not None}
    assert set(CORE_LIMITS_ML) <= ends
