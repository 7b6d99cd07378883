"""Progress of long work: stages with a fraction, and cancellation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from ASPECTSLib.errors import CancelledError

ProgressSink = Callable[[str, float], None]


def ignore_progress(_stage: str, _fraction: float) -> None:
    """Take a progress report and do nothing with it."""


@dataclass
class Progress:
    """Report stages to a sink, time them, and stop when asked to.

    Parameters
    ----------
    sink
        Called with the stage's name and the fraction of the whole work done so far, 0 to 1.
    is_cancelled
        Asked at each stage and between iterations; a true answer raises `CancelledError` there.
    timings_s
        Seconds that each stage took.
    in_native_code
        Whether compiled code runs through which no exception may pass.
    """

    sink: ProgressSink = ignore_progress
    is_cancelled: Callable[[], bool] = lambda: False
    timings_s: dict[str, float] = field(default_factory=dict)
    in_native_code: bool = False
    _stage: str | None = None
    _started_s: float = 0.0

    def stage(self, name: str, fraction: float) -> None:
        """End the running stage and begin another.

        Raises
        ------
        CancelledError
            If the work was cancelled.
        """
        self._end_stage()
        self.check()
        self._stage, self._started_s = name, perf_counter()
        self.sink(name, fraction)

    def check(self) -> None:
        """Stop here if the work was cancelled.

        Raises
        ------
        CancelledError
            If the work was cancelled.
        """
        if self.is_cancelled():
            raise CancelledError

    @contextmanager
    def native(self) -> Iterator[None]:
        """Mark compiled code through which no exception may pass: a signal handler waits for its end."""
        self.in_native_code = True
        try:
            yield
        finally:
            self.in_native_code = False

    def finish(self) -> None:
        """End the last stage and report that all is done."""
        self._end_stage()
        self.sink("done", 1.0)

    def _end_stage(self) -> None:
        if self._stage is not None:
            elapsed_s = perf_counter() - self._started_s
            self.timings_s[self._stage] = self.timings_s.get(self._stage, 0.0) + elapsed_s
        self._stage = None
