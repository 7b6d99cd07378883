from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ASPECTSLib
from ASPECTSLib.cli.console import Console, interruptible
from ASPECTSLib.errors import CancelledError, ErrorCode, ExitCode

ROOT = Path(ASPECTSLib.__file__).parents[1]
WAIT_S = 60.0
STOP_S = 2.0

posix = pytest.mark.skipif(sys.platform == "win32", reason="sends signals as POSIX has them")


@pytest.fixture
def start_score(synthetic_scan_path):
    """Start `aspects score` as a process of its own; it is ended with the test at the latest."""
    children = []

    def start(folder, *options):
        arguments = ["score", str(synthetic_scan_path), "-o", str(folder), "--progress", "json"]
        child = subprocess.Popen(
            [sys.executable, "-m", "ASPECTSLib", *arguments, *options],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def wait_for(child, stage):
    for line in child.stderr:
        if json.loads(line).get("stage") == stage:
            return
    pytest.fail(f"the child ended before {stage}")


@posix
@pytest.mark.parametrize(
    ("number", "stage"),
    [
        (signal.SIGINT, "deformable registration"),
        (signal.SIGTERM, "affine registration"),
        (signal.SIGINT, "loading"),
    ],
)
def test_a_signal_ends_the_process_at_once_and_leaves_nothing(start_score, tmp_path, number, stage):
    child = start_score(tmp_path / "new" / "result")
    wait_for(child, stage)
    child.send_signal(number)
    sent_s = time.monotonic()
    out, err = child.communicate(timeout=WAIT_S)
    assert time.monotonic() - sent_s < STOP_S
    assert (child.returncode, out) == (ExitCode.CANCELLED, "")
    last = json.loads(err.splitlines()[-1])
    assert last["error"]["code"] == ErrorCode.CANCELLED
    assert list(tmp_path.iterdir()) == []


@posix
def test_the_end_of_the_calling_program_ends_the_process_when_asked_for(start_score, tmp_path):
    child = start_score(tmp_path / "new" / "result", "--end-with-input")
    wait_for(child, "affine registration")
    child.stdin.close()
    child.stdin = None  # `communicate` would flush it
    assert child.wait(WAIT_S) == ExitCode.CANCELLED
    assert list(tmp_path.iterdir()) == []


@posix
def test_a_signal_is_a_cancellation():
    with (
        pytest.raises(CancelledError),
        interruptible(Console(as_json=False, quiet=True)) as progress,
    ):
        signal.raise_signal(signal.SIGINT)
    assert progress.is_cancelled()


@posix
def test_a_signal_in_compiled_code_waits_for_its_end():
    with interruptible(Console(as_json=False, quiet=True)) as progress:
        with progress.native():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(CancelledError):
            progress.check()


@posix
def test_a_second_signal_does_not_disturb_the_tidying_up():
    tidied = []

    def work():
        with interruptible(Console(as_json=False, quiet=True)):
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                signal.raise_signal(signal.SIGINT)
                tidied.append("all")

    with pytest.raises(CancelledError):
        work()
    assert tidied == ["all"]


@posix
def test_signals_mean_what_they_meant_before_once_the_work_is_done():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with interruptible(Console(as_json=False, quiet=True)):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_keyboard_interrupt_outside_the_work_is_a_cancellation(run, monkeypatch, tmp_path):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("ASPECTSLib.cli.score.check_scan_arguments", interrupt)
    outcome = run("score", "scan", "-o", tmp_path / "result", "--progress", "json")
    assert outcome.exit_code == ExitCode.CANCELLED
    assert outcome.error["code"] == ErrorCode.CANCELLED
