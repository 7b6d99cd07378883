"""How many cases a minute a cohort takes, what memory it needs, and where the time goes.

    python Testing/benchmarks/throughput.py COHORT [--cases N] [--method NAME] [--workers 1 2]
    python Testing/benchmarks/throughput.py COHORT --memory N

COHORT is what `aspects batch` takes. The same cases are scored without pictures by each number of workers, into folders
that go again, and a line is printed for each: cases a minute, the ratio to the first one, and the mean seconds of each
stage. With --memory one process scores N cases, again and again the same ones where there are fewer, and prints its
resident memory along the way: after the tenth case all networks are loaded.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from ASPECTSLib.batch.case_folders import find_cases
from ASPECTSLib.batch.cases import Case
from ASPECTSLib.batch.run import BatchOptions, ScoredCohort, score_cohort
from ASPECTSLib.batch.task import Task, do_task
from ASPECTSLib.systems.study import ScoreOptions

SETTLED = 10
"""Cases after which everything that is kept has been loaded."""

_SHOWN_EVERY = 20


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--cases", type=int, default=12)
    parser.add_argument("--method", default="auto")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--memory", type=int, metavar="N")
    arguments = parser.parse_args()
    cases = [case for case in find_cases(arguments.cohort) if case.refusal is None]
    options = ScoreOptions(arguments.method)
    if arguments.memory:
        show_memory(cases, arguments.memory, options)
    else:
        show_pace(cases[: arguments.cases], arguments.workers, options)


def show_pace(cases: list[Case], workers: list[int], options: ScoreOptions) -> None:
    """Print cases a minute and the cost of each stage."""
    first = None
    for count in workers:
        with TemporaryDirectory() as folder:
            batch = BatchOptions(workers=count, picture=False)
            started_s = perf_counter()
            cohort = score_cohort(cases, Path(folder) / "results", options, batch)
            pace = 60 * len(cases) / (perf_counter() - started_s)
        first = first or pace
        print(f"{count} workers: {pace:6.2f} cases a minute, {pace / first:.2f} times the first")
        for stage, seconds in stages_of(cohort).items():
            print(f"    {stage:<28} {seconds:6.2f} s")


def stages_of(cohort: ScoredCohort) -> dict[str, float]:
    """Return the mean seconds of each stage, of the cases with a result."""
    total: dict[str, float] = defaultdict(float)
    results = [record.result for record in cohort.records if record.result is not None]
    for result in results:
        for stage, seconds in result.timings_s.items():
            total[stage] += seconds / len(results)
    return dict(total)


def show_memory(cases: list[Case], count: int, options: ScoreOptions) -> None:
    """Print the resident memory of this process along many cases."""
    settled = 0.0
    with TemporaryDirectory() as folder:
        for number, case in enumerate(islice(cycle(cases), count), start=1):
            named = replace(case, folder=f"case-{number}")
            do_task(Task(named, Path(folder), options, picture=False))
            memory = resident_mb()
            settled = memory if number == SETTLED else settled
            if number % _SHOWN_EVERY == 0 or number in {1, SETTLED, count}:
                grown = f", {memory - settled:+.0f} MB since case {SETTLED}" if settled else ""
                print(f"{number:4d} cases: {memory:7.0f} MB{grown}", flush=True)


def resident_mb() -> float:
    """Return the memory that this process has now, on Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
