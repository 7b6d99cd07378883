"""Cohorts that are scored by quick workers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ASPECTSLib.batch.cases import Case

QUICK_WORKER = Path(__file__).parents[2] / "quick_worker.py"


@pytest.fixture(scope="session")
def quick_python(tmp_path_factory):
    """Return a program that takes the place of the workers' interpreter."""
    program = tmp_path_factory.mktemp("python") / "python"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{QUICK_WORKER}"\n')
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def cohort(tmp_path):
    """Make cases named as what is to come of them."""

    def make(*names):
        return tuple(
            Case(f"{number}-{name}", {None: tmp_path / f"{name}.nii.gz"})
            for number, name in enumerate(names)
        )

    return make
