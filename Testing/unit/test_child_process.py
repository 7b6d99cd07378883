"""The module's child process, with small Python programs in the place of the scoring."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from ASPECTSLib.errors import ExitCode
from ASPECTSSlicer.process import (
    CRASHED,
    KILLED,
    ChildProcess,
    Failure,
    Progress,
    findPython,
    parseLine,
    scoreCommand,
)

WAIT_S = 30.0


@pytest.fixture
def start_command(tmp_path):
    """Start a command; it is ended with the test at the latest."""
    children = []

    def start(command, **options):
        children.append(ChildProcess(command, tmp_path, **options))
        return children[-1]

    yield start
    for child in children:
        child.cancel()


@pytest.fixture
def start(start_command):
    """Start a Python program."""
    return lambda program, **options: start_command([sys.executable, "-c", program], **options)


@pytest.mark.parametrize(
    ("line", "report"),
    [
        ('{"stage": "brain", "fraction": 0.25}', Progress("brain", 0.25)),
        ('{"stage": "done", "fraction": 1}', Progress("done", 1.0)),
        (
            '{"error": {"code": "NO_BRAIN", "message": "found none"}}',
            Failure("NO_BRAIN", "found none"),
        ),
        ('{"score": 7}', None),
        ("7", None),
        ("Traceback (most recent call last):", None),
        ("", None),
    ],
)
def test_lines_are_progress_errors_or_neither(line, report):
    assert parseLine(line) == report


def test_score_command_asks_for_progress_in_json_and_ends_with_slicer(tmp_path):
    command = scoreCommand("PythonSlicer", {"ncct": tmp_path / "scan.nrrd"}, tmp_path / "result")
    assert command[:4] == ["PythonSlicer", "-m", "ASPECTSLib", "score"]
    assert command[-3:] == ["--progress", "json", "--end-with-input"]


def test_score_command_names_each_scan_by_what_it_shows():
    scans = {"ncct": Path("ct.nrrd"), "cta": Path("cta.nrrd"), "": Path("folder")}
    command = scoreCommand("PythonSlicer", scans, Path("result"))
    assert command[4:9] == ["--ncct", "ct.nrrd", "--cta", "cta.nrrd", "folder"]
    assert command[9:11] == ["-o", "result"]


@pytest.mark.parametrize(
    ("age", "words"), [(None, []), (71.0, ["--age", "71"]), (0.5, ["--age", "0.5"])]
)
def test_score_command_hands_method_and_age_on(age, words):
    command = scoreCommand("PythonSlicer", {}, Path("result"), "classical", age)
    at = command.index("--method")
    assert command[at : at + 2 + len(words)] == ["--method", "classical", *words]
    assert ("--age" in command) == bool(words)


def test_score_command_is_one_that_the_program_takes(tmp_path, start_command):
    """A file that is missing is refused as such, not the options."""
    scans = {"ncct": tmp_path / "missing.nrrd"}
    child = start_command(scoreCommand(sys.executable, scans, tmp_path / "result", "auto", 71.0))
    child.wait(WAIT_S)
    child.poll()
    assert child.describeFailure().code == "FILE_NOT_FOUND"
    assert child.exitCode() == ExitCode.REFUSED


def test_without_slicer_there_is_no_python(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="PythonSlicer"):
        findPython()


def test_failure_is_a_sentence_with_its_code():
    assert str(Failure("NO_BRAIN", "found none")) == "found none (NO_BRAIN)"


def test_newest_progress_is_reported_once(start):
    child = start("""print('{"stage": "a", "fraction": 0}\\n{"stage": "b", "fraction": 0.5}')""")
    child.wait(WAIT_S)
    assert child.poll() == Progress("b", 0.5)
    assert child.poll() is None


def test_exit_code_is_none_until_the_child_ends(start):
    child = start("import time; time.sleep(60)")
    assert child.exitCode() is None
    child.cancel()
    assert child.exitCode() != 0


def test_end_is_waited_for_no_longer_than_asked(start):
    child = start("import time; time.sleep(60)")
    begin = time.monotonic()
    assert not child.ended(0.05)
    assert time.monotonic() - begin < 5.0
    child.cancel()
    assert child.ended(WAIT_S)


def test_end_comes_with_all_that_was_written(start):
    child = start("print('a line\\n' * 2000, end='')")
    assert child.ended(WAIT_S)
    child.poll()
    assert child.exitCode() == 0
    assert child.details().splitlines() == ["a line"] * 50


def test_error_on_either_stream_is_the_failure(start):
    line = '{"error": {"code": "NO_BRAIN", "message": "found none"}}'
    child = start(f"import sys; print({line!r}, file=sys.stderr); sys.exit(3)")
    assert child.wait(WAIT_S) == 3
    child.poll()
    assert child.describeFailure() == Failure("NO_BRAIN", "found none")


def test_crash_has_a_code_and_its_last_words_are_in_the_details(start):
    child = start("raise RuntimeError('out of memory')")
    child.wait(WAIT_S)
    child.poll()
    assert child.describeFailure().code == CRASHED
    assert "exit code 1" in child.describeFailure().message
    assert child.details().endswith("RuntimeError: out of memory")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_child_that_was_killed_is_told_from_one_that_failed(start):
    child = start("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    child.wait(WAIT_S)
    child.poll()
    assert child.describeFailure().code == KILLED


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_child_is_noticed_behind_slicer_s_launcher(start):
    """The launcher ends with 1 and a line of its own, whatever signal ended the program."""
    words = "error: [/opt/Slicer/bin/python-real] exit abnormally - Report the problem."
    child = start(f"import sys; print({words!r}, file=sys.stderr); sys.exit(1)")
    child.wait(WAIT_S)
    child.poll()
    assert child.describeFailure().code == KILLED


def test_environment_is_the_one_given(start):
    environment = {**os.environ, "ASPECTS_TEST": "ü"}
    child = start("import os; print(ascii(os.environ['ASPECTS_TEST']))", environment=environment)
    child.wait(WAIT_S)
    child.poll()
    assert child.details() == r"'\xfc'"


def test_child_ends_with_its_input(start):
    """What the program relies on to end when Slicer crashes."""
    child = start("import sys; sys.stdin.read(); print('closed')")
    assert not child.ended(0.3)
    child._process.stdin.close()
    assert child.ended(WAIT_S)
    child.poll()
    assert child.details() == "closed"


def test_cancelling_twice_or_after_the_end_does_nothing(start):
    child = start("pass")
    assert child.wait(WAIT_S) == 0
    child.cancel()
    child.cancel()
    assert child.exitCode() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="looks for the grandchild as POSIX does")
def test_cancel_ends_grandchildren_too(start, tmp_path):
    child = start(
        "import pathlib, subprocess, sys\n"
        "touch = 'pathlib.Path(\"alive\").touch(); time.sleep(.02)'\n"
        "loop = f'import time, pathlib\\nwhile True: {touch}'\n"
        "subprocess.run([sys.executable, '-c', loop])"
    )
    alive = tmp_path / "alive"
    deadline = time.monotonic() + WAIT_S
    while not alive.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    child.cancel()
    alive.unlink()
    time.sleep(0.2)
    assert not alive.exists()
