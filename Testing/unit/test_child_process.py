"""The module's child process, with small Python programs in the place of the scoring."""

from __future__ import annotations

import sys
import time

import pytest

from ASPECTSSlicer.process import ChildProcess, Failure, Progress, parseLine, scoreCommand

WAIT_S = 30.0


@pytest.fixture
def start(tmp_path):
    """Start a Python program; it is ended with the test at the latest."""
    children = []

    def start_program(program, **options):
        children.append(ChildProcess([sys.executable, "-c", program], tmp_path, **options))
        return children[-1]

    yield start_program
    for child in children:
        child.cancel()


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


def test_score_command_asks_for_progress_in_json(tmp_path):
    command = scoreCommand("PythonSlicer", tmp_path / "scan.nii.gz", tmp_path / "result")
    assert command[:4] == ["PythonSlicer", "-m", "ASPECTSLib", "score"]
    assert command[-2:] == ["--progress", "json"]


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


def test_error_on_either_stream_is_the_failure(start):
    line = '{"error": {"code": "NO_BRAIN", "message": "found none"}}'
    child = start(f"import sys; print({line!r}, file=sys.stderr); sys.exit(3)")
    assert child.wait(WAIT_S) == 3
    child.poll()
    assert child.describeFailure() == "found none (NO_BRAIN)"


def test_crash_is_described_by_its_last_words(start):
    child = start("raise RuntimeError('out of memory')")
    child.wait(WAIT_S)
    child.poll()
    assert child.describeFailure().endswith("exit code 1: RuntimeError: out of memory")


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
