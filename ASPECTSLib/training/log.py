"""The log of a run: a table of numbers, and the same for TensorBoard."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ASPECTSLib.errors import ErrorCode, OutputError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG_FILE = "log.csv"
WITHOUT_TENSORBOARD = "tensorboard is not installed: the log is in log.csv only"

_HEADER = ("step", "series", "value")

Series = dict[str, list[tuple[int, float]]]


class TrainingLog:
    """Write numbers by step, as rows of step, series and value.

    A row of step n is about the weights after n steps, or of how they came about. Use it in a `with` statement.

    Parameters
    ----------
    folder
        Gets `log.csv`, and event files where tensorboard is installed.
    step
        Steps done so far: rows of later ones, from a run that was killed after its last checkpoint, are dropped.

    Raises
    ------
    OutputError
        OUTPUT_NOT_WRITABLE if the files cannot be written.
    """

    def __init__(self, folder: Path, step: int) -> None:
        path = folder / LOG_FILE
        kept = [row for row in _read_rows(path) if row[0] <= step]
        try:
            self._file = path.open("w", newline="", encoding="utf-8")
        except OSError as error:
            message = f"the file {path.name} cannot be written: {error.strerror}"
            raise OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, message) from error
        self._rows = csv.writer(self._file)
        self._rows.writerow(_HEADER)
        self._rows.writerows(kept)
        self._events = _open_events(folder, step)

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be logged, for a person."""
        return () if self._events else (WITHOUT_TENSORBOARD,)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write the values of some series after `step` steps."""
        for series, value in values.items():
            self._rows.writerow((step, series, repr(float(value))))
            if self._events:
                self._events.add_scalar(series, value, step)

    def flush(self) -> None:
        """Put everything on disk."""
        self._file.flush()
        if self._events:
            self._events.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._events:
            self._events.close()


def read_log(folder: Path) -> Series:
    """Read the log of a run: (step, value) of each series; empty where there is none."""
    series: Series = {}
    for step, name, value in _read_rows(folder / LOG_FILE):
        series.setdefault(name, []).append((step, value))
    return series


def _read_rows(path: Path) -> list[tuple[int, str, float]]:
    """Read the rows; the last one may have been cut short when the run was killed."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return [(int(row[0]), row[1], float(row[2])) for row in rows if _is_whole(row)]


def _is_whole(row: list[str]) -> bool:
    if len(row) != len(_HEADER):
        return False
    try:
        int(row[0]), float(row[2])
    except ValueError:
        return False
    return True


def _open_events(folder: Path, step: int) -> SummaryWriter | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    # Events of steps that are done again are hidden, as their rows are dropped.
    return SummaryWriter(str(folder), purge_step=step + 1)
