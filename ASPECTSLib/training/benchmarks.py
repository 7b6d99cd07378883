"""Benchmarks of the shipped models: what the cards claim is measured here, again whenever somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from torch import nn

from ASPECTSLib.atlas.atlas import Atlas, load_atlas
from ASPECTSLib.delineation import register
from ASPECTSLib.errors import ContentRefusedError, ErrorCode, UsageError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference.brain import predict_brain
from ASPECTSLib.inference.card import Metric
from ASPECTSLib.inference.inputs import RegionPrior, region_prior
from ASPECTSLib.inference.pose import RegisteredAtlas
from ASPECTSLib.inference.regions import RegionNetworks, predict_regions
from ASPECTSLib.inference.registry import find_model, find_optional_model, load_network
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.prepared import seen_as_in_use
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.overlap import dice, region_dice
from ASPECTSLib.synthesis.generator import PatientRange, draw_patient, scan_patient, truth_on
from ASPECTSLib.training.call_benchmarks import CALL_BENCHMARKS
from ASPECTSLib.training.infarct_benchmarks import INFARCT_BENCHMARKS
from ASPECTSLib.training.launch import mean_interval
from ASPECTSLib.training.parts import Part, in_parts
from ASPECTSLib.training.patients import MAIN_IMAGE
from ASPECTSLib.training.reference_scans import ReferenceScan, reference_ct, reference_dwi
from ASPECTSLib.training.slice_benchmarks import SLICE_BENCHMARKS
from ASPECTSLib.training.unseen import (
    HELD_OUT,
    Benchmark,
    measured_scanners,
    required_data,
    unseen_seed,
    unseen_sources,
)

BRAIN_DICE, REGION_DICE = "brain, Dice", "twenty regions, mean Dice"
SYNTHETIC_PATIENTS = 50


@dataclass(frozen=True, eq=False)
class _Case:
    """A scan with its truth; the regions may be unknown."""

    name: str
    volume: Volume
    modality: Modality
    brain: Volume
    regions: Volume | None


@dataclass(frozen=True)
class _Definition:
    """Where cases come from, and how they are called in cards."""

    cases: Callable[[Path, Atlas, Part, Progress], Iterator[_Case]]
    data: str
    synthetic: bool


def run_benchmark(
    name: str, models: Sequence[str], data: Path | None, progress: Progress, workers: int = 1
) -> list[Metric]:
    """Measure models on a benchmark.

    Parameters
    ----------
    name
        A key of `BENCHMARKS`.
    models
        Names or paths of the models to measure: one of the task `brain`, or both of the cascade, or all three.
    data
        Folder with the public data, as `docs/cohorts.md` lays it out.
    progress
        Told of each case, and asked for cancellation.
    workers
        Processes that share the cases.

    Returns
    -------
    list of Metric
        Mean Dice over cases, 0 for refused ones, with a bootstrap interval of 95 %; with fewer than five cases the
        lowest and the highest.

    Raises
    ------
    UsageError
        USAGE without a data folder, without models that can be measured, or with too few anatomies to hold some out.
    """
    data = required_data(name, data)
    benchmark = _DEFINITIONS[name]
    scores: dict[str, list[float]] = {}
    for overlaps in in_parts(partial(_overlaps, name, models, data), workers, progress):
        for metric, value in overlaps.items():
            scores.setdefault(metric, []).append(value)
    if not scores:
        message = f"expected models that the benchmark {name} can measure, got none of them"
        raise UsageError(ErrorCode.USAGE, message)
    return [
        Metric(
            benchmark=name,
            metric=metric,
            value=round(float(np.mean(values)), 4),
            interval=mean_interval(values),
            n=len(values),
            data=benchmark.data,
            synthetic=benchmark.synthetic,
        )
        for metric, values in scores.items()
    ]


def _overlaps(
    name: str, models: Sequence[str], data: Path, part: Part, progress: Progress
) -> Iterator[dict[str, float]]:
    """Yield the overlaps in each case of a part."""
    networks, atlas = _networks(models), load_atlas()
    prior = region_prior(atlas)
    total = SYNTHETIC_PATIENTS / part.count
    for count, case in enumerate(_DEFINITIONS[name].cases(data, atlas, part, progress)):
        progress.stage(f"{name}: case {count + 1}", min(count / total, 0.99))
        yield _measure(networks, case, atlas, prior)


@dataclass(frozen=True, eq=False)
class _Networks:
    """What is measured: the brain mask, the regions, or both; regions start from the brain mask's network."""

    brain: nn.Module
    regions: RegionNetworks | None
    measures_brain: bool


def _networks(models: Sequence[str]) -> _Networks:
    files = {file.card.task: file for file in map(find_model, models)}
    if not files.keys() & {"brain", "regions-coarse", "regions-fine"}:
        raise UsageError(ErrorCode.USAGE, "expected a model of the tasks brain or regions")
    brain = load_network(files.get("brain") or find_model("brain"))
    regions = None
    if files.keys() & {"regions-coarse", "regions-fine"}:
        fine = files.get("regions-fine") or find_model("regions-fine")
        coarse = files.get("regions-coarse") or find_optional_model("regions-coarse")
        regions = RegionNetworks(load_network(fine), load_network(coarse) if coarse else None)
    return _Networks(brain, regions, "brain" in files)


def _measure(
    networks: _Networks, case: _Case, atlas: Atlas, prior: RegionPrior
) -> dict[str, float]:
    """Return the overlaps of one case; 0 where a network's answer was refused, so that failures count."""
    wants_regions = networks.regions is not None and case.regions is not None
    found = dict.fromkeys(
        [BRAIN_DICE] * networks.measures_brain + [REGION_DICE] * wants_regions, 0.0
    )
    with suppress(ContentRefusedError):
        mask = predict_brain(networks.brain, case.volume, case.modality)
        if networks.measures_brain:
            found[BRAIN_DICE] = dice(mask.array, case.brain.array)
        if networks.regions is not None and case.regions is not None:
            labels = _regions(networks.regions, case, mask, atlas, prior)
            found[REGION_DICE] = float(region_dice(labels.array, case.regions.array).mean())
    return found


def _regions(
    networks: RegionNetworks, case: _Case, mask: Volume, atlas: Atlas, prior: RegionPrior
) -> Volume:
    """Return the regions of a case as they are found in use."""
    brain = seen_as_in_use(case.volume, mask, case.modality, atlas)
    registered = RegisteredAtlas(atlas.regions, register(brain, atlas).mapping)
    volume = brain.prepared.volume
    return predict_regions(networks, volume, brain.modality, prior, brain.mask, registered).labels


def _real(
    load: Callable[[Path], list[ReferenceScan]],
    data: Path,
    _atlas: Atlas,
    part: Part,
    _progress: Progress,
) -> Iterator[_Case]:
    for scan in part.of(load(data)):
        yield _Case(scan.name, scan.volume, scan.modality, scan.brain, scan.regions)


def _synthetic(
    modality: Modality, data: Path, atlas: Atlas, part: Part, progress: Progress
) -> Iterator[_Case]:
    sources = unseen_sources(data, atlas, progress)
    patients = replace(PatientRange(), scanners=measured_scanners())
    for number in part.of(range(SYNTHETIC_PATIENTS)):
        progress.check()
        patient = draw_patient(sources, unseen_seed(number), patients)
        scan = scan_patient(patient, modality, patients)
        truth = truth_on(scan, scan.acquisition.grid)
        image = scan.images[MAIN_IMAGE[modality]]
        yield _Case(f"patient {number}", image, modality, truth.brain, truth.regions)


_DEFINITIONS: Mapping[str, _Definition] = MappingProxyType(
    {
        "real-ct": _Definition(
            partial(_real, reference_ct), "NCCT of two people with acute stroke", synthetic=False
        ),
        "real-dwi": _Definition(
            partial(_real, reference_dwi), "DWI of two people with stroke", synthetic=False
        ),
    }
    | {
        f"synthetic-{modality.value.lower()}": _Definition(
            partial(_synthetic, modality), f"{modality.value} of {HELD_OUT}", synthetic=True
        )
        for modality in (Modality.NCCT, Modality.CTA, Modality.DWI, Modality.CBF)
    }
)

BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType(
    dict.fromkeys(_DEFINITIONS, run_benchmark)
    | INFARCT_BENCHMARKS
    | CALL_BENCHMARKS
    | SLICE_BENCHMARKS
)
"""By name: what `aspects models verify --benchmark` runs."""
