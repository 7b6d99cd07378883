"""Benchmark of the methods on NCCT: region calls and scores of synthetic patients against the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import AFFECTED_FRACTION, REGION_GROUPS, REGIONS
from ASPECTSLib.errors import ErrorCode, InputRefusedError, UsageError
from ASPECTSLib.inference.card import Metric, ModelFile
from ASPECTSLib.inference.registry import find_model
from ASPECTSLib.progress import Progress
from ASPECTSLib.statistics.agreement import LOW_SCORE
from ASPECTSLib.statistics.bland_altman import limits_of_agreement
from ASPECTSLib.statistics.clustered import clustered_area, clustered_share
from ASPECTSLib.statistics.estimates import Estimate
from ASPECTSLib.statistics.icc import icc_agreement
from ASPECTSLib.statistics.proportions import proportion
from ASPECTSLib.systems.head_ct import HeadCt
from ASPECTSLib.training.call_cases import (
    MODELS_OF,
    CallCase,
    CallPatients,
    RegionCalls,
    call_cases,
    call_heads,
    totals,
)
from ASPECTSLib.training.parts import Part, in_parts
from ASPECTSLib.training.tasks import TEST
from ASPECTSLib.training.unseen import HELD_OUT, Benchmark, required_data

PATIENTS = CallPatients(infarcted=100, healthy=100, stream=TEST, seed=2026)
"""Half of them without infarct."""

_HALF = len(REGIONS) // 2


Caller = Callable[[HeadCt], RegionCalls]
"""What calls the regions of a head."""


@dataclass(eq=False)
class Compared:
    """What a method said of all patients, beside the truth.

    Parameters
    ----------
    affected
        Truth of each patient, shape (20,).
    calls
        Of the method.
    """

    affected: list[NDArray[np.bool_]] = field(default_factory=list)
    calls: list[RegionCalls] = field(default_factory=list)

    @property
    def truth(self) -> NDArray[np.bool_]:
        """Shape (patients, 20)."""
        return np.array(self.affected)

    @property
    def called(self) -> NDArray[np.bool_]:
        """Shape (patients, 20)."""
        return np.array([calls.called for calls in self.calls])

    @property
    def probability(self) -> NDArray[np.float64]:
        """Shape (patients, 20)."""
        return np.array([calls.probability for calls in self.calls])


@dataclass(frozen=True, eq=False)
class Answered:
    """What each method said of a patient, beside the truth.

    Parameters
    ----------
    affected
        Truth, shape (20,).
    calls
        By the name of the method; None if there is no score.
    """

    affected: NDArray[np.bool_]
    calls: Mapping[str, RegionCalls] | None


@dataclass(frozen=True, eq=False)
class Outcome:
    """A benchmark's run.

    Parameters
    ----------
    methods
        What each said, by name.
    patients
        How many there were.
    abstained
        How many of them have no score: the scan was refused, the atlas did not fit, or blood was seen.
    """

    methods: Mapping[str, Compared]
    patients: int
    abstained: int


def run_call_benchmark(
    name: str, models: Sequence[str], data: Path | None, progress: Progress, workers: int = 1
) -> list[Metric]:
    """Measure the methods on NCCT of which all models are given.

    Parameters
    ----------
    name
        A key of `CALL_BENCHMARKS`.
    models
        Names or paths.
    data
        Folder with the public data, as `docs/cohorts.md` lays it out.
    progress
        Told of each case, and asked for cancellation.
    workers
        Processes that share the patients.

    Returns
    -------
    list of Metric
        With bootstrap intervals of 95 % over patients, those of ICC and limits of agreement in closed form.

    Raises
    ------
    UsageError
        USAGE without a data folder, or without all models of a method.
    """
    data = required_data(name, data)
    files = {file.name: file for file in map(find_model, models)}
    methods = [
        method for method, needed in MODELS_OF.items() if needed and set(needed) <= set(files)
    ]
    if not methods:
        wanted = " or ".join(" with ".join(needed) for needed in MODELS_OF.values() if needed)
        raise UsageError(ErrorCode.USAGE, f"expected the models {wanted}, got none of these sets")
    outcome = compare_methods(methods, models, data, progress, workers=workers)
    return [m for method in methods for m in metrics_of(name, method, outcome)]


def compare_methods(
    methods: Sequence[str],
    models: Sequence[str],
    data: Path,
    progress: Progress,
    patients: CallPatients = PATIENTS,
    workers: int = 1,
) -> Outcome:
    """Let methods call the regions of synthetic patients.

    Parameters
    ----------
    methods
        Keys of `MODELS_OF`.
    models
        Names or paths: those that the methods need at least.
    data, progress, workers
        As in `run_call_benchmark`.
    patients
        Whom they are asked about.

    Raises
    ------
    UsageError
        USAGE if the folder lacks what patients are made of, or for fewer than one worker.
    ResourceError
        If a model is missing or damaged, or WORKER_LOST if a process ended in the midst of its work.
    """
    work = partial(_answers_of, tuple(methods), tuple(models), data, patients)
    return _summed(in_parts(work, workers, progress), methods)


def _answers_of(
    methods: Sequence[str],
    models: Sequence[str],
    data: Path,
    patients: CallPatients,
    part: Part,
    progress: Progress,
) -> Iterator[Answered]:
    """Yield what methods say of each patient of a part."""
    files = {file.name: file for file in map(find_model, models)}
    yield from _answers(call_cases(data, patients, progress, part), _callers(methods, files))


def _callers(methods: Sequence[str], models: Mapping[str, ModelFile]) -> dict[str, Caller]:
    def caller(method: str) -> Caller:
        return lambda head: call_heads(head, method, models, AFFECTED_FRACTION)

    return {method: caller(method) for method in methods}


def compare(cases: Iterable[CallCase], callers: Mapping[str, Caller]) -> Outcome:
    """Let each caller call the regions of patients; those of whom there would be no score are counted and left out."""
    return _summed(_answers(cases, callers), list(callers))


def _answers(cases: Iterable[CallCase], callers: Mapping[str, Caller]) -> Iterator[Answered]:
    for case in cases:
        scored = case.has_score
        calls = {m: call(case.head) for m, call in callers.items()} if scored else None
        yield Answered(case.affected, calls)


def _summed(answers: Iterable[Answered], methods: Sequence[str]) -> Outcome:
    compared = {method: Compared() for method in methods}
    patients = abstained = 0
    for answer in answers:
        patients += 1
        if answer.calls is None:
            abstained += 1
            continue
        for method, calls in answer.calls.items():
            compared[method].affected.append(answer.affected)
            compared[method].calls.append(calls)
    return Outcome(compared, patients, abstained)


def metrics_of(name: str, method: str, outcome: Outcome) -> Iterator[Metric]:
    """Return what a card says of a method: each row of table 1 of Cao 2022, and the agreement of the scores."""
    found = outcome.methods[method]
    make = _maker(name, method, len(found.calls))
    for group in REGION_GROUPS:
        for measure, estimate in group_measures(found, group).items():
            yield make(f"{group}, {measure}", estimate)
    for measure, estimate in total_measures(found).items():
        yield make(f"score, {measure}", estimate)
    share = proportion(outcome.abstained, outcome.patients)
    every = _maker(name, method, outcome.patients)
    yield every("abstained", Estimate(share.value, share.low, share.high, share.n))


def group_measures(found: Compared, group: str) -> dict[str, Estimate]:
    """Return sensitivity, specificity, accuracy and area under the ROC curve of a group of regions.

    Those that are not defined are left out: nothing is affected, or everything.
    """
    chosen = [region.code in REGION_GROUPS[group] for region in REGIONS]
    truth, called = found.truth[:, chosen], found.called[:, chosen]
    probability = found.probability[:, chosen]
    measures = {
        "sensitivity": clustered_share(truth, called),
        "specificity": clustered_share(~truth, ~called),
        "accuracy": clustered_share(np.ones_like(truth), called == truth),
        "AUC": clustered_area(truth, probability),
    }
    return {name: estimate for name, estimate in measures.items() if estimate is not None}


def total_measures(found: Compared) -> dict[str, Estimate]:
    """Return how well the scores agree with the true ones, and sensitivity and specificity for low ones."""
    true, said = totals(found.truth), totals(found.called)
    limits = limits_of_agreement(true, said)
    is_low, said_low = (true <= LOW_SCORE)[:, None], (said <= LOW_SCORE)[:, None]
    measures = {
        "bias": limits.bias,
        "lower limit of agreement": limits.lower,
        "upper limit of agreement": limits.upper,
        "within 1 point": clustered_share(np.ones_like(is_low), _near(true, said, 1)),
        "within 2 points": clustered_share(np.ones_like(is_low), _near(true, said, 2)),
        f"at most {LOW_SCORE}, sensitivity": clustered_share(is_low, said_low),
        f"at most {LOW_SCORE}, specificity": clustered_share(~is_low, ~said_low),
        "right side, of those affected on one": _side(found),
    }
    with suppress(InputRefusedError):  # all scores alike
        measures["ICC(2,1)"] = icc_agreement(np.stack([true, said], axis=1))
    return {name: estimate for name, estimate in measures.items() if estimate is not None}


def _near(true: NDArray[np.int64], said: NDArray[np.int64], distance: int) -> NDArray[np.bool_]:
    return (np.abs(true - said) <= distance)[:, None]


def _side(found: Compared) -> Estimate | None:
    """Return how often the worse side is right, of patients with one that is."""
    true, said = (_more_on_the_left(affected) for affected in (found.truth, found.called))
    one_sided = (true != 0)[:, None]
    return clustered_share(one_sided, (true == said)[:, None])


def _more_on_the_left(affected: NDArray[np.bool_]) -> NDArray[np.int64]:
    right, left = affected[:, :_HALF].sum(axis=1), affected[:, _HALF:].sum(axis=1)
    return np.sign(left - right)


def _maker(name: str, method: str, patients: int) -> Callable[[str, Estimate], Metric]:
    def make(measure: str, estimate: Estimate) -> Metric:
        interval = (round(estimate.low, 4), round(estimate.high, 4))
        value = round(estimate.value, 4)
        return Metric(name, f"{method}: {measure}", value, interval, patients, HELD_OUT, True)

    return make


CALL_BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType({"synthetic-calls": run_call_benchmark})
"""By name: what `aspects models verify --benchmark` runs."""
