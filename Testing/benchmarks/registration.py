"""This project's registration beside others, on the same pairs in one run: overlap of regions, error, time and folds.

    PYTHONPATH=Testing python Testing/benchmarks/registration.py DATA COHORT [--pairs N] [--threads N] [--repeats N]
        [--only "NAME;NAME"]

DATA is the folder with the public data, COHORT what `aspects synthesize` writes. Three tables are printed:

- the two real people of DATA and their mirror images: one's regions, as a published network drew them, are carried to
  another by what was registered. Six ordered pairs, which are not independent;
- N pairs of synthetic heads with slices of 4 to 6.5 mm, whose regions follow one rule;
- N synthetic heads beside themselves, moved and deformed by a known smooth field, with noise of their own.

Each method runs its own affine registration, and is timed with it on images in memory, the fastest of the repeats; to
read them, to prepare them and to carry the labels is not counted. The defaults of this project were tuned on eight
pairs of synthetic heads. greedy's settings are those that were best of many on ordered pairs of five real people.

It runs in an environment of its own, `requirements-registration.txt`; peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from registration_pairs import Pair, deformed_pairs, real_pairs, synthetic_pairs
from registration_peers import GREEDY, Register, peers

from ASPECTSLib.atlas.regions import REGIONS, RegionCode
from ASPECTSLib.registration.deformable import folding_fraction

DEEP = frozenset({RegionCode.C, RegionCode.L, RegionCode.IC, RegionCode.I})
HEADER = f"{'':32}{'Dice':>7}{'worst':>7}{'deep':>7}{'cortex':>8}{'mm':>7}{'s':>8}{'/greedy':>9}{'folded':>9}"
IS_DEEP = np.array([region.code in DEEP for region in REGIONS])


@dataclass(frozen=True, eq=False)
class Row:
    """What a method makes of all pairs; Dice has shape (pairs, 20)."""

    name: str
    dice: NDArray[np.float64]
    error_mm: float
    seconds: float
    folded: float


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--pairs", type=int, default=20, help="synthetic; 0 for real ones alone")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", help="names of methods, with semicolons between them")
    arguments = parser.parse_args()
    _set_threads(arguments.threads)
    methods = peers()
    if arguments.only:
        methods = {name: methods[name] for name in arguments.only.split(";")}
    tables = {
        "real people and their mirror images": real_pairs(arguments.data),
        "synthetic people": synthetic_pairs(arguments.cohort, arguments.pairs),
        "known deformations": deformed_pairs(arguments.cohort, arguments.pairs),
    }
    for title, pairs in tables.items():
        if not pairs:
            continue
        print(f"\n{title}, {len(pairs)} pairs, threads: {arguments.threads}\n{HEADER}")
        of_greedy = float("nan")
        for name, register in methods.items():
            row = measure(name, register, pairs, arguments.threads, arguments.repeats)
            of_greedy = row.seconds if name == GREEDY else of_greedy
            print_row(row, of_greedy)


def measure(
    name: str, register: Register, pairs: Sequence[Pair], threads: int, repeats: int
) -> Row:
    """Run a method on all pairs."""
    dice, errors, seconds, folded = [], [], [], []
    for pair in pairs:
        times = []
        for _ in range(repeats):
            started = perf_counter()
            mapping = register(pair, threads)
            times.append(perf_counter() - started)
        dice.append(pair.dice(mapping))
        errors.append(pair.error_mm(mapping))
        seconds.append(min(times))
        brain = None if mapping.grid is None else mapping.grid.array > 0
        folded.append(
            folding_fraction(mapping, brain if brain is not None and brain.any() else None)
        )
    return Row(name, np.array(dice), float(np.mean(errors)), float(np.mean(seconds)), max(folded))


def print_row(row: Row, of_greedy: float) -> None:
    """Print a line of the table, with the time beside that of greedy."""
    deep, cortex = row.dice[:, IS_DEEP].mean(), row.dice[:, ~IS_DEEP].mean()
    print(
        f"{row.name:32}{row.dice.mean():7.3f}{row.dice.mean(axis=1).min():7.3f}{deep:7.3f}{cortex:8.3f}"
        f"{row.error_mm:7.2f}{row.seconds:8.2f}{row.seconds / of_greedy:9.2f}{row.folded:9.4%}",
        flush=True,
    )


def _set_threads(threads: int) -> None:
    """Give all methods the same number; ANTs reads it from the environment when it starts."""
    import SimpleITK as sitk
    import torch

    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = str(threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
