"""The command line, run in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from ASPECTSLib.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """What a command said and how it ended; `lines` are those of standard error as JSON."""

    exit_code: int
    out: str
    err: str

    @property
    def lines(self):
        return [json.loads(line) for line in self.err.splitlines()]

    @property
    def error(self):
        """The error in JSON mode, which is the last line and the only one of its kind."""
        errors = [line["error"] for line in self.lines if "error" in line]
        assert errors == [self.lines[-1]["error"]]
        return errors[0]


@pytest.fixture
def run(capfd):
    """Run `aspects` with some arguments."""

    def run_aspects(*arguments):
        capfd.readouterr()
        exit_code = main([str(argument) for argument in arguments])
        return Outcome(exit_code, *capfd.readouterr())

    return run_aspects
