"""This project's registration beside others, on the same pairs in one run: overlap of regions, error, time and folds.

    PYTHONPATH=Testing python Testing/benchmarks/registration.py DATA COHORT [--pairs N] [--threads N] [--repeats N]
        [--tables direct,real,synthetic,deformed] [--only "NAME;NAME"]

DATA is the folder with the public data, COHORT what `aspects synthesize` writes. Four tables are printed:

- the two real people of DATA: one's regions, as a published network drew them, are carried to the other by what was
  registered. Two ordered pairs;
- the same with their mirror images: six ordered pairs, which are not independent;
- N pairs of synthetic heads with slices of 4 to 6.5 mm, whose regions follow one rule;
- N synthetic heads beside themselves, moved and deformed by a known smooth field, with noise of their own.

Means have 95 % intervals by bootstrap over pairs. Each method runs its own affine registration, and is timed with it on
images in memory, the fastest of the repeats; to read them, to prepare them and to carry the labels is not counted. Time
is that of the processor, summed over threads: other work on the machine does not change who is faster. The defaults of
this project were tuned on eight pairs of synthetic heads; those heads belong in no COHORT that it is measured on.
greedy's settings are those that were best of many on ordered pairs of five real people.

It runs in an environment of its own, `requirements-registration.txt`; peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray
from registration_pairs import Pair, deformed_pairs, real_pairs, synthetic_pairs
from registration_peers import GREEDY, Register, peers

from ASPECTSLib.atlas.regions import REGIONS, RegionCode
from ASPECTSLib.atlases.evaluation import mean_over_cases
from ASPECTSLib.registration.deformable import folding_fraction
from ASPECTSLib.statistics.bootstrap import Bootstrap

DEEP = frozenset({RegionCode.C, RegionCode.L, RegionCode.IC, RegionCode.I})
NAME_WIDTH = 32
HEADER = (
    f"{'':{NAME_WIDTH}}{'Dice':>22}{'worst':>7}{'deep':>7}{'cortex':>8}"
    f"{'mm':>22}{'s':>8}{'/greedy':>9}{'folded':>9}"
)
TABLES: dict[str, tuple[str, Callable[[argparse.Namespace], Sequence[Pair]]]] = {
    "direct": ("the two real people", lambda given: real_pairs(given.data)[:2]),
    "real": ("real people and their mirror images", lambda given: real_pairs(given.data)),
    "synthetic": ("synthetic people", lambda given: synthetic_pairs(given.cohort, given.pairs)),
    "deformed": ("known deformations", lambda given: deformed_pairs(given.cohort, given.pairs)),
}
IS_DEEP = np.array([region.code in DEEP for region in REGIONS])


@dataclass(frozen=True, eq=False)
class Row:
    """What a method makes of all pairs; Dice has shape (pairs, 20), error and time (pairs,)."""

    name: str
    dice: NDArray[np.float64]
    error_mm: NDArray[np.float64]
    seconds: NDArray[np.float64]
    folded: float


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--pairs", type=int, default=20, help="synthetic; 0 for real ones alone")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--only", help="names of methods, with semicolons between them")
    arguments = parser.parse_args()
    _set_threads(arguments.threads)
    methods = peers()
    if arguments.only:
        methods = {name: methods[name] for name in arguments.only.split(";")}
    for table in arguments.tables.split(","):
        title, make_pairs = TABLES[table]
        pairs = make_pairs(arguments)
        if not pairs:
            continue
        print(f"\n{title}, {len(pairs)} pairs, threads: {arguments.threads}\n{HEADER}")
        of_greedy, rows = float("nan"), []
        for name, register in methods.items():
            row = measure(name, register, pairs, arguments.threads, arguments.repeats)
            of_greedy = float(row.seconds.mean()) if name == GREEDY else of_greedy
            print_row(row, of_greedy)
            rows.append(row)
        print_regions(rows)


def measure(
    name: str, register: Register, pairs: Sequence[Pair], threads: int, repeats: int
) -> Row:
    """Run a method on all pairs."""
    dice, errors, seconds, folded = [], [], [], []
    for pair in pairs:
        times = []
        for _ in range(repeats):
            started = process_time()
            mapping = register(pair, threads)
            times.append(process_time() - started)
        dice.append(pair.dice(mapping))
        errors.append(pair.error_mm(mapping))
        seconds.append(min(times))
        brain = None if mapping.grid is None else mapping.grid.array > 0
        folded.append(
            folding_fraction(mapping, brain if brain is not None and brain.any() else None)
        )
    return Row(name, np.array(dice), np.array(errors), np.array(seconds), max(folded))


def print_row(row: Row, of_greedy: float) -> None:
    """Print a line of the table, with the time beside that of greedy."""
    deep, cortex = row.dice[:, IS_DEEP].mean(), row.dice[:, ~IS_DEEP].mean()
    by_pair, seconds = row.dice.mean(axis=1), row.seconds.mean()
    print(
        f"{row.name:{NAME_WIDTH}}{_words(by_pair, 3):>22}{by_pair.min():7.3f}{deep:7.3f}{cortex:8.3f}"
        f"{_words(row.error_mm, 2):>22}{seconds:8.2f}{seconds / of_greedy:9.2f}{row.folded:9.4%}",
        flush=True,
    )


def print_regions(rows: Sequence[Row]) -> None:
    """Print the mean Dice of each region, of both sides."""
    print(f"\n{'Dice by region':{NAME_WIDTH}}" + "".join(f"{code:>7}" for code in RegionCode))
    for row in rows:
        by_side = row.dice.mean(axis=0).reshape(2, -1)
        print(f"{row.name:{NAME_WIDTH}}" + "".join(f"{dice:7.3f}" for dice in by_side.mean(axis=0)))


def _words(values: NDArray[np.float64], digits: int) -> str:
    """Return the mean over pairs with its interval."""
    mean = mean_over_cases(values, Bootstrap())
    if mean is None:
        return "-"
    return f"{mean.value:.{digits}f} ({mean.low:.{digits}f} to {mean.high:.{digits}f})"


def _set_threads(threads: int) -> None:
    """Give all methods the same number; ANTs reads it from the environment when it starts."""
    import SimpleITK as sitk
    import torch

    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = str(threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
