"""The scoring program as a child process: its command, what it reports, and its end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from ASPECTSLib.errors import ExitCode
from ASPECTSLib.process_tree import kill_group, own_group

KILLED, CRASHED, NOT_STARTED = "PROCESS_KILLED", "PROCESS_FAILED", "NOT_STARTED"
"""Codes of a child that ended without words of its own, or that never ran."""

# of PythonSlicer, which exits with 1 when what it ran was killed
_LAUNCHERS_WORDS = "exit abnormally"
_END_S = 2.0
_WAIT_STEP_S = 0.05
_KEPT_LINES = 50  # of other output, for the details of an error


@dataclass(frozen=True)
class Progress:
    """What the child works on, and the fraction of the whole that is done, 0 to 1."""

    stage: str
    fraction: float


@dataclass(frozen=True)
class Failure:
    """Why there is no result: a code for programs and a sentence for people."""

    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"


def findPython() -> str:
    """Return the path of Slicer's own Python.

    Raises
    ------
    FileNotFoundError
        Outside Slicer's environment.
    """
    python = shutil.which("PythonSlicer")
    if python is None:
        message = "expected PythonSlicer on the search path, as inside Slicer"
        raise FileNotFoundError(message)
    return python


def scoreCommand(
    python: str,
    scans: Mapping[str, Path],
    resultFolder: Path,
    method: str = "auto",
    ageYears: float | None = None,
) -> list[str]:
    """Return the command that scores a study into a folder that does not exist yet.

    Parameters
    ----------
    python
        The interpreter.
    scans
        Files or DICOM folders by what they show, as the options of the command line: "ncct" and so on;
        "" for one that is to be recognised.
    resultFolder
        Where the result goes.
    method, ageYears
        As the options of the same names.
    """
    command = [python, "-m", "ASPECTSLib", "score"]
    for kind, path in scans.items():
        command += [f"--{kind}", str(path)] if kind else [str(path)]
    command += ["-o", str(resultFolder), "--method", method]
    if ageYears is not None:
        command += ["--age", f"{ageYears:g}"]
    return [*command, "--progress", "json", "--end-with-input"]


def parseLine(line: str) -> Progress | Failure | None:
    """Read one line of the child's output; None if it is neither progress nor an error."""
    try:
        report = json.loads(line)
    except json.JSONDecodeError:
        return None
    match report:
        case {"stage": str(stage), "fraction": int() | float() as fraction}:
            return Progress(stage, float(fraction))
        case {"error": {"code": str(code), "message": str(message)}}:
            return Failure(code, message)
    return None


class ChildProcess:
    """A running command, polled from a timer; nothing here waits except `cancel` and `wait`.

    Parameters
    ----------
    command
        The program and its arguments.
    workingFolder
        Folder that the program starts in; `python -m` finds the library there.
    environment
        Environment variables of the program; those of this process if not given.
    """

    def __init__(
        self,
        command: Sequence[str],
        workingFolder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.failure: Failure | None = None
        self.otherOutput: deque[str] = deque(maxlen=_KEPT_LINES)
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._process = subprocess.Popen(
            command,
            cwd=workingFolder,
            env={**(os.environ if environment is None else environment), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,  # never written to: the child ends when it closes
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            **own_group(),
        )
        self._reader = threading.Thread(target=self._readLines, daemon=True)
        self._reader.start()

    def poll(self) -> Progress | None:
        """Take in what the child wrote since the last call; return its newest progress, if any."""
        newest = None
        while (line := self._nextLine()) is not None:
            match parseLine(line):
                case Progress() as newest:
                    pass
                case Failure() as failure:
                    self.failure = failure
                case None:
                    self.otherOutput.append(line)
        return newest

    def exitCode(self) -> int | None:
        """Return the exit code, or None while the child runs or writes."""
        return None if self._reader.is_alive() else self._process.poll()

    def describeFailure(self) -> Failure:
        """Say why there is no result: the child's own words, or how it ended."""
        if self.failure is not None:
            return self.failure
        code = self.exitCode()
        if self._wasKilled(code):
            message = (
                "The scoring program was ended from outside. "
                "Nothing was changed; score again, and free some memory if it happens again."
            )
            return Failure(KILLED, message)
        message = f"The scoring program failed (exit code {code}). Nothing was changed."
        return Failure(CRASHED, message)

    def _wasKilled(self, code: int | None) -> bool:
        if code is not None and code < 0:
            return True
        isFailure = code == ExitCode.FAILURE
        return isFailure and any(_LAUNCHERS_WORDS in line for line in self.otherOutput)

    def details(self) -> str:
        """Return what else the child said last, for a report of an error."""
        return "\n".join(self.otherOutput)

    def ended(self, timeout_s: float) -> bool:
        """Wait for the end of the child for a moment, and return whether it came."""
        self._reader.join(timeout_s)
        if not self._reader.is_alive():  # the output closes a moment before the end
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        return self.exitCode() is not None

    def waitAlive(self, keepAlive: Callable[[], object]) -> None:
        """Wait for the end of the child, and do something again and again meanwhile."""
        while not self.ended(_WAIT_STEP_S):
            keepAlive()

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the end of the child and return its exit code."""
        self._reader.join(timeout_s)
        return self._process.wait(timeout_s)

    def cancel(self) -> None:
        """End the child and all processes that it started."""
        if self.exitCode() is None:  # a launcher may be gone before what it runs
            kill_group(self._process)
        self._process.stdin.close()  # which ends a child that the kill did not reach
        self._reader.join(_END_S)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)

    def _readLines(self) -> None:
        with self._process.stdout as output:
            for line in output:
                self._lines.put(line.rstrip())

    def _nextLine(self) -> str | None:
        try:
            return self._lines.get_nowait()
        except Empty:
            return None
