"""What the library offers at its top, for people at a console."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ASPECTSLib
from ASPECTSLib.batch.run import score_cohort
from ASPECTSLib.evaluation.run import evaluate_cohort


def test_cohorts_are_scored_and_evaluated_from_the_top():
    assert ASPECTSLib.score_cohort is score_cohort
    assert ASPECTSLib.evaluate_cohort is evaluate_cohort


def test_another_name_is_not_there():
    with pytest.raises(AttributeError, match="score_everything"):
        ASPECTSLib.score_everything  # noqa: B018


def test_the_library_imports_nothing_of_that_before_it_is_asked_for():
    program = (
        "import sys, ASPECTSLib; print([n for n in sys.modules if n.startswith('ASPECTSLib.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
