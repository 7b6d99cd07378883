"""Scoring a cohort: workers, resuming, and the tables at the end."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from ASPECTSLib.batch.case_folders import find_cases
from ASPECTSLib.batch.cases import Case, Refusal, with_folders
from ASPECTSLib.batch.cluster import Cluster
from ASPECTSLib.batch.folder import check_folder, working_in, write_manifest
from ASPECTSLib.batch.processes import Finished, Processes
from ASPECTSLib.batch.records import Record, Status, folder_of, read_record, write_refusal
from ASPECTSLib.batch.tables import write_tables
from ASPECTSLib.batch.task import Task, options_to_dict
from ASPECTSLib.errors import ASPECTSError, CancelledError, ErrorCode, ResourceError, UsageError
from ASPECTSLib.progress import Progress
from ASPECTSLib.systems.study import ScoreOptions

if TYPE_CHECKING:
    from distributed import Client

_LOST = "the worker that scored this case ended, twice; memory may have been short"
_MINUTE_S, _HOUR_S = 60.0, 3600.0


@dataclass(frozen=True)
class BatchOptions:
    """How a cohort is worked on.

    Parameters
    ----------
    workers
        Processes; one for each core if not given.
    threads
        That each may use. One is best where there are as many workers as cores.
    resume
        Whether to go on with a run in the folder; finished cases stay as they are.
    retry
        Whether refused cases are tried again then.
    picture
        Whether to draw the picture of each case.
    python
        Interpreter of the workers, where it is not that of this process.
    client
        Of a Dask cluster, whose workers are then used instead.

    Raises
    ------
    UsageError
        USAGE for less than one worker or thread.
    """

    workers: int | None = None
    threads: int = 1
    resume: bool = False
    retry: bool = False
    picture: bool = True
    python: str | None = None
    client: Client | None = None

    def __post_init__(self) -> None:
        if min(self.threads, self.workers or 1) < 1 or self.workers == 0:
            message = (
                f"expected at least one worker and thread, got {self.workers} and {self.threads}"
            )
            raise UsageError(ErrorCode.USAGE, message)


@dataclass(frozen=True, eq=False)
class ScoredCohort:
    """What came of a cohort, one record for each case in its order."""

    records: tuple[Record, ...]
    folder: Path

    @property
    def counts(self) -> Mapping[Status, int]:
        """How many cases there are of each status."""
        found = Counter(record.status for record in self.records)
        return {status: found[status] for status in Status}

    @property
    def refusals(self) -> Mapping[str, int]:
        """How many cases were refused for each code, the commonest first."""
        codes = (str(r.refusal.code) for r in self.records if r.refusal is not None)
        return dict(Counter(codes).most_common())


class BatchCancelledError(CancelledError):
    """The user stopped a cohort's run, which can be gone on with."""

    def __init__(self, folder: Path) -> None:
        message = f"cancelled; finished cases are kept in {folder.name}, and the same command with --resume goes on"
        super().__init__(message)


class Workers(Protocol):
    """Who does the tasks."""

    def run(self, tasks: Sequence[Task], progress: Progress) -> Iterator[Finished]:
        """Do tasks and yield each when it is done."""


def score_cohort(
    source: Path | str | Sequence[Case],
    output: Path | str,
    options: ScoreOptions | None = None,
    batch: BatchOptions | None = None,
    progress: Progress | None = None,
) -> ScoredCohort:
    """Score all cases of a cohort, each by itself, into a folder.

    The folder gets `cases/NAME/` with the files of `aspects score`, or with `refused.json`; each appears whole. From
    these, the tables `cases.csv` and `regions.csv` are made anew at the end, when a run is cancelled, too.

    Parameters
    ----------
    source
        A table or folder, see `find_cases`; or the cases.
    output
        New folder; or that of a former run of the same options, to go on with.
    options
        Of the scoring, the same for all cases; defaults when left out.
    batch
        Of the work; defaults when left out.
    progress
        Told of each finished case, with the time that is left, and asked for cancellation.

    Raises
    ------
    InputRefusedError
        If there is no cohort; what is wrong with a case costs only that case.
    UsageError
        OUTPUT_EXISTS, FOLDER_IN_USE or USAGE if the folder cannot be used with these options.
    ASPECTSError
        What stops every case: a full disk, a missing model. The same call with `resume` goes on.
    CancelledError
        If the work was cancelled; finished cases are kept.
    """
    output, batch = Path(output), batch or BatchOptions()
    options, progress = options or ScoreOptions(), progress or Progress()
    is_path = isinstance(source, (str, Path))
    cases = find_cases(Path(source)) if is_path else with_folders(source)
    shown = {**options_to_dict(options), "picture": batch.picture}
    del shown["device"]  # results are the same on each
    check_folder(output, shown, resume=batch.resume)
    with working_in(output):
        write_manifest(output, Path(source).name if is_path else "", shown, cases)
        if batch.retry:
            _forget_refusals(cases, output)
        try:
            _score(_Run(cases, output, options, batch), progress)
        except CancelledError as error:
            _write_finished(cases, output)
            raise BatchCancelledError(output) from error
        except ASPECTSError:
            with suppress(ASPECTSError):
                _write_finished(cases, output)
            raise
        records = _write_finished(cases, output)
    progress.finish()
    return ScoredCohort(records, output)


@dataclass(frozen=True, eq=False)
class _Run:
    cases: tuple[Case, ...]
    output: Path
    options: ScoreOptions
    batch: BatchOptions

    def tasks(self) -> list[Task]:
        """Return what is to be done: all cases that are not finished, nor refused from the beginning."""
        waiting = []
        for case in self.cases:
            if read_record(case, self.output) is not None:
                continue
            if case.refusal is not None:
                write_refusal(case, case.refusal, self.output)
            else:
                waiting.append(Task(case, self.output.absolute(), self.options, self.batch.picture))
        return waiting

    def workers(self) -> Workers:
        """Return who does it."""
        if self.batch.client is not None:
            return Cluster(self.batch.client)
        count = self.batch.workers or _cores()
        return Processes(count, self.batch.threads, self.batch.python)


@dataclass
class _Clock:
    """Tells how far a cohort is, and how long the rest will take at the pace so far."""

    cases: int
    waiting: int
    done: int = 0
    started_s: float = field(default_factory=perf_counter)

    def tell(self, progress: Progress) -> None:
        """Report the cases that are finished."""
        finished = self.cases - self.waiting + self.done
        words = f"{finished} of {self.cases} cases"
        if 0 < self.done < self.waiting:
            pace_s = (perf_counter() - self.started_s) / self.done
            words += f", {_duration(pace_s * (self.waiting - self.done))} left"
        progress.check()
        progress.sink(words, finished / max(self.cases, 1))


def _score(run: _Run, progress: Progress) -> None:
    tasks = run.tasks()
    clock = _Clock(len(run.cases), len(tasks))
    clock.tell(progress)
    if not tasks:
        return
    finished_tasks = run.workers().run(tasks, progress)
    try:
        for finished in finished_tasks:
            if finished.stopped is not None:
                raise ResourceError(ErrorCode(finished.stopped.code), finished.stopped.message)
            if finished.lost:
                _record_loss(finished.task.case, run.output)
            clock.done += 1
            clock.tell(progress)
    finally:
        finished_tasks.close()


def _record_loss(case: Case, output: Path) -> None:
    """Record that no worker came back from a case, unless one had just finished it."""
    if read_record(case, output) is None:
        write_refusal(case, Refusal(ErrorCode.WORKER_LOST, _LOST), output)


def _forget_refusals(cases: Sequence[Case], output: Path) -> None:
    for case in cases:
        record = read_record(case, output)
        if record is not None and record.refusal is not None:
            shutil.rmtree(folder_of(case, output))


def _write_finished(cases: Sequence[Case], output: Path) -> tuple[Record, ...]:
    """Write the tables of the cases that are finished, and return their records."""
    found = (read_record(case, output) for case in cases)
    records = tuple(record for record in found if record is not None)
    write_tables(records, output)
    return records


def _cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _duration(seconds: float) -> str:
    if seconds < _MINUTE_S:
        return f"about {max(round(seconds), 1)} s"
    if seconds < _HOUR_S:
        return f"about {round(seconds / _MINUTE_S)} min"
    hours, rest_s = divmod(seconds, _HOUR_S)
    return f"about {hours:.0f} h {round(rest_s / _MINUTE_S)} min"
