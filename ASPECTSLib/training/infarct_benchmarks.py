"""Benchmarks of the infarct network: overlap, volume and false infarcts, with ADC and without."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ASPECTSLib.atlas.atlas import load_atlas
from ASPECTSLib.errors import ContentRefusedError, ErrorCode, InputRefusedError, UsageError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference.brain import predict_brain
from ASPECTSLib.inference.card import Metric
from ASPECTSLib.inference.infarct import predict_infarct
from ASPECTSLib.inference.registry import find_model, load_network
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.low_adc import low_adc
from ASPECTSLib.scoring.overlap import dice
from ASPECTSLib.statistics.bootstrap import Bootstrap, percentile_interval, replicates
from ASPECTSLib.statistics.correlation import spearman
from ASPECTSLib.statistics.proportions import proportion
from ASPECTSLib.synthesis.generator import PatientRange, draw_patient, scan_patient, truth_on
from ASPECTSLib.synthesis.lesions import SIZE_CLASSES_ML, InfarctOptions
from ASPECTSLib.training.launch import mean_interval
from ASPECTSLib.training.parts import Part, in_parts
from ASPECTSLib.training.reference_scans import reference_infarcts
from ASPECTSLib.training.unseen import (
    HELD_OUT,
    Benchmark,
    measured_scanners,
    required_data,
    unseen_seed,
    unseen_sources,
)

INFARCTED, HEALTHY = 200, 50
"""Synthetic patients."""

INFARCTS = InfarctOptions(mca_share=0.4, age_hours=(1.5, 168.0))
"""All territories, from the first hours to a week."""

WITH_ADC, WITHOUT_ADC, BY_ADC = "DWI and ADC", "DWI alone", "ADC below 620 alone"

_FIRST_HEALTHY = 10_000  # number of the first healthy patient
_NOTED_FALSE_ML = 0.5


@dataclass(frozen=True, eq=False)
class InfarctCase:
    """A diffusion-weighted scan with its ADC, 1e-6 mm2/s, and its true infarct, which may be empty."""

    dwi: Volume
    adc: Volume
    infarct: NDArray[np.bool_]


@dataclass(frozen=True)
class _Outcome:
    """Volumes and overlap of one case by one way."""

    true_ml: float
    found_ml: float
    dice: float


def run_infarct_benchmark(
    name: str, models: Sequence[str], data: Path | None, progress: Progress, workers: int = 1
) -> list[Metric]:
    """Measure an infarct network on a benchmark.

    Parameters
    ----------
    name
        A key of `INFARCT_BENCHMARKS`.
    models
        Name or path of the model.
    data
        Folder with the public data, as `docs/cohorts.md` lays it out.
    progress
        Told of each case, and asked for cancellation.
    workers
        Processes that share the cases.

    Returns
    -------
    list of Metric
        With bootstrap intervals of 95 % over patients; with fewer than five cases the lowest and the highest.

    Raises
    ------
    UsageError
        USAGE without a data folder or without one infarct model.
    """
    data = required_data(name, data)
    chosen = [model for model in models if find_model(model).card.task == "infarct"]
    if len(chosen) != 1:
        raise UsageError(ErrorCode.USAGE, f"expected one infarct model, got {len(chosen)}")
    outcomes = in_parts(partial(_outcomes, name, chosen[0], data), workers, progress)
    summary = _real if name == "real-infarct" else _all
    return [
        metric
        for way in (WITH_ADC, WITHOUT_ADC, BY_ADC)
        for metric in summary(name, way, [outcome[way] for outcome in outcomes])
    ]


def _outcomes(
    name: str, model: str, data: Path, part: Part, progress: Progress
) -> Iterator[dict[str, _Outcome]]:
    """Yield what each way finds in each case of a part."""
    network, brain = load_network(find_model(model)), load_network(find_model("brain"))
    total = (INFARCTED + HEALTHY) / part.count
    for count, case in enumerate(_CASES[name](data, part, progress)):
        progress.stage(f"{name}: case {count + 1}", min(count / total, 0.99))
        yield _measure(network, brain, case)


def _measure(network: nn.Module, brain: nn.Module, case: InfarctCase) -> dict[str, _Outcome]:
    voxel_ml, true = case.dwi.voxel_volume_ml, case.infarct
    return {
        way: _Outcome(
            float(true.sum()) * voxel_ml, float(infarct.sum()) * voxel_ml, dice(infarct, true)
        )
        for way, infarct in _found(network, brain, case).items()
    }


def _found(network: nn.Module, brain: nn.Module, case: InfarctCase) -> dict[str, NDArray[np.bool_]]:
    """Return the infarct by each way; nothing where an answer was refused, so that failures count."""
    try:
        mask = predict_brain(brain, case.dwi, Modality.DWI).array
        return {
            WITH_ADC: predict_infarct(network, case.dwi, case.adc, mask).mask.array,
            WITHOUT_ADC: predict_infarct(network, case.dwi, None, mask).mask.array,
            BY_ADC: low_adc(case.adc, mask),
        }
    except ContentRefusedError:
        nothing = np.zeros(case.infarct.shape, bool)
        return dict.fromkeys((WITH_ADC, WITHOUT_ADC, BY_ADC), nothing)


def _real_cases(data: Path, part: Part, _progress: Progress) -> Iterator[InfarctCase]:
    for scan in part.of(reference_infarcts(data)):
        yield InfarctCase(scan.volume, scan.adc, scan.infarct)


def _synthetic_cases(data: Path, part: Part, progress: Progress) -> Iterator[InfarctCase]:
    sources = unseen_sources(data, load_atlas(), progress)
    ill = PatientRange(healthy=0.0, infarcts=INFARCTS, scanners=measured_scanners())
    well = replace(ill, healthy=1.0)
    numbers = [(n, ill) for n in range(INFARCTED)]
    numbers += [(_FIRST_HEALTHY + n, well) for n in range(HEALTHY)]
    for number, patients in part.of(numbers):
        progress.check()
        patient = draw_patient(sources, unseen_seed(number), patients)
        scan = scan_patient(patient, Modality.DWI, patients)
        infarct = truth_on(scan, scan.acquisition.grid).infarct.array
        yield InfarctCase(_as_float(scan.images["dwi"]), _as_float(scan.images["adc"]), infarct)


def _as_float(volume: Volume) -> Volume:
    return volume.with_array(volume.array.astype(np.float32))


def _real(name: str, way: str, outcomes: Sequence[_Outcome]) -> Iterable[Metric]:
    make = _maker(name, "DWI of two people with stroke", synthetic=False)
    yield make(f"infarct by {way}: Dice", [o.dice for o in outcomes])
    yield make(
        f"infarct by {way}: volume found over true", [o.found_ml / o.true_ml for o in outcomes]
    )


def _all(name: str, way: str, outcomes: Sequence[_Outcome]) -> Iterable[Metric]:
    make = _maker(name, HELD_OUT, synthetic=True)
    ill = [o for o in outcomes if o.true_ml > 0]
    well = [o for o in outcomes if o.true_ml == 0]
    yield make(f"infarct by {way}: Dice", [o.dice for o in ill])
    limits = (0.0, *SIZE_CLASSES_ML, np.inf)
    for low, high in pairwise(limits):
        of_class = [o.dice for o in ill if low <= o.true_ml < high]
        if of_class:
            yield make(f"infarct by {way}: Dice, {_class_words(low, high)}", of_class)
    errors = np.array([abs(o.found_ml - o.true_ml) for o in ill])
    interval = percentile_interval(replicates(_row_medians, _BOOTSTRAP, errors))
    median = make(f"infarct by {way}: median volume error, mL", [float(np.median(errors))])
    yield replace(median, n=len(ill), interval=_rounded(interval))
    with suppress(InputRefusedError):  # too few patients, or the same volume found in all
        rho = spearman([o.true_ml for o in ill], [o.found_ml for o in ill], _BOOTSTRAP).rho
        metric = make(f"infarct by {way}: Spearman of volumes", [rho.value])
        yield replace(metric, n=len(ill), interval=_rounded((rho.low, rho.high)))
    false_ml = [o.found_ml for o in well]
    yield make(f"infarct by {way}: mean false volume in the healthy, mL", false_ml)
    share = proportion(sum(ml > _NOTED_FALSE_ML for ml in false_ml), len(false_ml))
    metric = make(
        f"infarct by {way}: share of the healthy with over {_NOTED_FALSE_ML} mL", false_ml
    )
    value, interval = round(share.value, 4), _rounded((share.low, share.high))
    yield replace(metric, value=value, interval=interval)  # none of a few is no certainty


def _row_medians(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.median(rows, axis=1)


def _class_words(low: float, high: float) -> str:
    if low == 0:
        return f"below {high:g} mL"
    return f"{low:g} to {high:g} mL" if np.isfinite(high) else f"from {low:g} mL"


def _maker(name: str, data: str, *, synthetic: bool) -> Callable[[str, list[float]], Metric]:
    def make(metric: str, values: list[float]) -> Metric:
        mean = round(float(np.mean(values)), 4)
        return Metric(name, metric, mean, mean_interval(values), len(values), data, synthetic)

    return make


def _rounded(interval: tuple[float, float]) -> tuple[float, float]:
    return round(interval[0], 4), round(interval[1], 4)


_BOOTSTRAP = Bootstrap()
_CASES: Mapping[str, Callable[[Path, Part, Progress], Iterator[InfarctCase]]] = MappingProxyType(
    {"real-infarct": _real_cases, "synthetic-infarct": _synthetic_cases}
)

INFARCT_BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType(
    dict.fromkeys(_CASES, run_infarct_benchmark)
)
"""By name: what `aspects models verify --benchmark` runs."""
