"""What the command line says: a progress line for people, JSON lines for programs; and how it is interrupted."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

from ASPECTSLib.errors import CancelledError
from ASPECTSLib.progress import Progress

_BAR_WIDTH = 24
_LINE_WIDTH = 70


class Console:
    """Standard output for results, standard error for progress and errors.

    Parameters
    ----------
    as_json
        One JSON object a line instead of words, for progress and errors.
    quiet
        No progress.
    """

    def __init__(self, *, as_json: bool, quiet: bool = False) -> None:
        self._as_json = as_json
        self._quiet = quiet
        self._line_is_open = False

    def show_progress(self, stage: str, fraction: float) -> None:
        """Show the stage that begins, and the fraction of the whole work done."""
        if self._as_json:
            self._write_line({"stage": stage, "fraction": round(fraction, 3)})
        elif not self._quiet:
            self._show_bar(stage, fraction)

    def show_error(self, code: str, message: str) -> None:
        """Show why there is no result."""
        if self._as_json:
            self._write_line({"error": {"code": str(code), "message": message}})
            return
        self._close_line()
        _print(f"aspects: {message} [{code}]", sys.stderr)

    def show(self, text: str) -> None:
        """Show a result."""
        self._close_line()
        _print(text, sys.stdout)

    def _show_bar(self, stage: str, fraction: float) -> None:
        filled = round(fraction * _BAR_WIDTH)
        line = f"[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {fraction:4.0%} {stage}"
        if sys.stderr.isatty():
            _print(f"\r{line:<{_LINE_WIDTH}}", sys.stderr, end="")
            self._line_is_open = True
            if fraction >= 1.0:
                self._close_line()
        else:
            _print(line, sys.stderr)

    def _close_line(self) -> None:
        if self._line_is_open:
            _print("", sys.stderr)
        self._line_is_open = False

    @staticmethod
    def _write_line(content: dict[str, object]) -> None:
        _print(json.dumps(content), sys.stderr)


def _print(text: str, stream: TextIO, end: str = "\n") -> None:
    """Print at once; where the reader has gone, as `head` does when it has seen enough, the work goes on unseen."""
    try:
        print(text, file=stream, end=end, flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def end_with_standard_input() -> None:
    """Ask this process to stop when its standard input closes: when the program that started it has ended.

    Without this, a crash of that program would leave the work running for nobody.
    """

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def interruptible(console: Console) -> Iterator[Progress]:
    """Give a progress that Ctrl-C and a request to terminate cancel.

    Python code is left at once; compiled code that iterates is asked to stop after its iteration, as no exception
    may pass through it.
    """
    cancelled = threading.Event()
    progress = Progress(console.show_progress, cancelled.is_set)

    def cancel(_signal: int, _frame: FrameType | None) -> None:
        is_first = not cancelled.is_set()
        cancelled.set()
        # A second Ctrl-C must not cut short the tidying up that the first one began.
        if is_first and not progress.in_native_code:
            raise CancelledError

    previous = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield progress
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
