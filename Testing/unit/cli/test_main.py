from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ASPECTSLib
from ASPECTSLib.cli.main import SUBCOMMANDS, main
from ASPECTSLib.errors import ExitCode

ROOT = Path(ASPECTSLib.__file__).parents[1]
HEAVY = {"SimpleITK", "scipy", "matplotlib", "pydicom", "numpy"}


def python(*arguments):
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def usage_error(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == ExitCode.USAGE
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["guess"], "guess"),
        (["score", "scan.nii.gz"], "-o/--output"),
        (["score", "scan.nii.gz", "-o", "out", "--progress", "xml"], "xml"),
        (["score", "scan.nii.gz", "-o", "out", "--age", "old"], "0 to 130 years, got old"),
        (["score", "scan.nii.gz", "-o", "out", "--age", "131"], "0 to 130 years, got 131"),
        (["score", "scan.nii.gz", "-o", "out", "--age", "nan"], "0 to 130 years, got nan"),
        (["score", "scan.nii.gz", "-o", "out", "--frame", "first"], "first"),
        (["info"], "SCAN"),
        (["demo", "--seed", "lucky"], "lucky"),
    ],
)
def test_a_command_that_cannot_be_parsed_is_a_usage_error(capsys, arguments, words):
    assert words in usage_error(arguments, capsys)


@pytest.mark.parametrize(
    "arguments", [["--help"], *([c, "--help"] for c in ("score", "demo", "info"))]
)
def test_help_is_given(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == ExitCode.RESULT
    assert "usage: aspects" in capsys.readouterr().out


def test_help_names_every_subcommand_and_says_research_use_only(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for subcommand in SUBCOMMANDS:
        assert subcommand.__name__.rpartition(".")[2] in text
    assert "Research use only" in text


def test_the_version_is_that_of_the_library(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.strip() == f"aspects {ASPECTSLib.__version__}"


def test_the_command_line_starts_without_heavy_imports():
    program = f"import sys, ASPECTSLib.cli.main; print(*({HEAVY!r} & set(sys.modules)))"
    child = python("-c", program)
    assert (child.returncode, child.stdout.strip(), child.stderr) == (0, "", "")


def test_the_module_is_the_command():
    child = python("-m", "ASPECTSLib", "--version")
    assert (child.returncode, child.stdout.strip()) == (0, f"aspects {ASPECTSLib.__version__}")
