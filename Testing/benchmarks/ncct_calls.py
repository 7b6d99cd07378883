"""The methods on NCCT in one table: region calls and scores of synthetic patients, in the form of the DA-Net paper.

    python Testing/benchmarks/ncct_calls.py DATA [--methods classical,ncct-combined] [--workers N] [--figure PNG]

DATA is the folder with the public data. Patients are those of the benchmark `synthetic-calls`: 100 with infarct and 100
without, of anatomies that no recipe trains on. Prints table 1 of Cao 2022 (doi:10.1002/hbm.25845) for each method,
shares with 95 % bootstrap intervals over patients, the agreement of the scores, and McNemar's test of the region calls
of each method against those of the first. With --figure, a reliability diagram of the probabilities is drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ASPECTSLib.atlas.regions import REGION_GROUPS
from ASPECTSLib.evaluation.pictures import reliability_points
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.reliability_figure import ReliabilityPoint, reliability_png
from ASPECTSLib.statistics.diagnostic import mcnemar
from ASPECTSLib.statistics.estimates import Estimate
from ASPECTSLib.statistics.reliability import (
    brier_score,
    expected_calibration_error,
)
from ASPECTSLib.training.call_benchmarks import (
    PATIENTS,
    Compared,
    Outcome,
    compare_methods,
    group_measures,
    total_measures,
)
from ASPECTSLib.training.call_cases import MODELS_OF

MEASURES = ("sensitivity", "specificity", "accuracy", "AUC")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--methods", default=",".join(MODELS_OF))
    parser.add_argument("--patients", type=int, default=PATIENTS.infarcted, help="of each kind")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the patients")
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    methods = arguments.methods.split(",")
    models = sorted({name for method in methods for name in MODELS_OF[method]})
    patients = replace(PATIENTS, infarcted=arguments.patients, healthy=arguments.patients)
    outcome = compare_methods(
        methods, models, arguments.data, Progress(), patients, arguments.workers
    )
    print_outcome(outcome)
    if arguments.figure:
        said = {method: points_of(found) for method, found in outcome.methods.items()}
        arguments.figure.write_bytes(reliability_png(said))


def print_outcome(outcome: Outcome) -> None:
    """Print what came of all methods."""
    print(f"{outcome.patients} synthetic patients, {outcome.abstained} of them without a score")
    for method, found in outcome.methods.items():
        print_regions(method, found)
        print_totals(method, found)
    compare_with_first(outcome.methods)


def print_regions(method: str, found: Compared) -> None:
    """Print table 1."""
    print(f"\n{method}, n = {len(found.calls)}")
    print(f"{'region':12}" + "".join(f"{measure:24}" for measure in MEASURES))
    for group in REGION_GROUPS:
        measures = group_measures(found, group)
        print(f"{group:12}" + "".join(f"{cell(measures.get(m)):24}" for m in MEASURES))


def print_totals(method: str, found: Compared) -> None:
    """Print how the scores agree, and how right the probabilities are."""
    print(f"{method}, score:")
    for measure, estimate in total_measures(found).items():
        print(f"  {measure:42}{cell(estimate)}")
    error = expected_calibration_error(found.probability, found.truth)
    print(f"  {'expected calibration error':42}{error:.3f}")
    print(f"  {'Brier score':42}{brier_score(found.probability, found.truth):.3f}")


def compare_with_first(methods: Mapping[str, Compared]) -> None:
    """Print McNemar's test of the calls of each method against those of the first."""
    names: Sequence[str] = list(methods)
    for name in names[1:]:
        first, other = methods[names[0]], methods[name]
        pairs = mcnemar(first.truth.ravel(), first.called.ravel(), other.called.ravel())
        print(
            f"\n{names[0]} against {name}: {pairs.only_first} region calls right in the first only, "
            f"{pairs.only_second} in the second only, p = {pairs.p_value:.2g} (regions taken as independent)"
        )


def points_of(found: Compared) -> list[ReliabilityPoint]:
    """Return the reliability table of a method's probabilities as points."""
    return reliability_points(found.probability, found.truth)


def cell(estimate: Estimate | None) -> str:
    """Return a figure with its interval."""
    if estimate is None:
        return "-"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


if __name__ == "__main__":
    main()
