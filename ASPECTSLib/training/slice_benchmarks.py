"""Benchmark of the slice finder: how far from the level of the true regions it sees the ganglionic slice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from torch import nn

from ASPECTSLib.atlas.atlas import load_atlas
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference.card import Metric
from ASPECTSLib.inference.registry import find_model, load_network
from ASPECTSLib.inference.slice_finder import compare_key_slices, find_ganglionic
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.key_slices import KeySlices, find_key_slices
from ASPECTSLib.synthesis.generator import PatientRange, draw_patient, labels_on, scan_patient
from ASPECTSLib.training.launch import mean_interval
from ASPECTSLib.training.parts import ALL, Part, in_parts
from ASPECTSLib.training.unseen import (
    HELD_OUT,
    Benchmark,
    measured_scanners,
    required_data,
    unseen_seed,
    unseen_sources,
)

PATIENTS = 60

SliceCase = tuple[Volume, KeySlices]
"""A head CT in HU, in the image frame, and its key slices."""


def run_slice_benchmark(
    name: str, models: Sequence[str], data: Path | None, progress: Progress, workers: int = 1
) -> list[Metric]:
    """Measure a slice finder.

    Parameters
    ----------
    name
        A key of `SLICE_BENCHMARKS`.
    models
        Names or paths, one of them of the task `slice-finder`.
    data
        Folder with the public data, as `docs/cohorts.md` lays it out.
    progress
        Told of each case, and asked for cancellation.
    workers
        Processes that share the patients.

    Returns
    -------
    list of Metric
        With bootstrap intervals of 95 % over patients.

    Raises
    ------
    UsageError
        USAGE without a data folder or without one slice finder.
    """
    data = required_data(name, data)
    chosen = [model for model in models if find_model(model).card.task == "slice-finder"]
    if len(chosen) != 1:
        raise UsageError(ErrorCode.USAGE, f"expected one slice finder, got {len(chosen)}")
    apart = in_parts(partial(_distances, chosen[0], data), workers, progress)
    apart_mm, slices = np.array(apart).T
    return [
        _metric(name, "ganglionic slice, mean distance in mm", apart_mm),
        _metric(name, "ganglionic slice, share at most one slice off", slices <= 1),
    ]


def _distances(
    model: str, data: Path, part: Part, progress: Progress
) -> Iterator[tuple[float, float]]:
    """Yield how far off the network is in each patient of a part."""
    network = load_network(find_model(model))
    for case in slice_cases(data, PATIENTS, progress, part):
        yield distance_of(network, *case)


def slice_cases(
    data: Path, count: int, progress: Progress, part: Part = ALL
) -> Iterator[SliceCase]:
    """Make patients of the anatomies that no recipe trains on, those of a part."""
    sources = unseen_sources(data, load_atlas(), progress)
    patients = PatientRange(scanners=measured_scanners())
    for number in part.of(range(count)):
        progress.stage(f"patient {number + 1} of {count}", number / count)
        patient = draw_patient(sources, unseen_seed(number), patients)
        scan = scan_patient(patient, Modality.NCCT, patients)
        volume = scan.images["ncct"]
        regions = labels_on(scan, volume, ("regions",))[0]
        yield volume, find_key_slices(regions, float(volume.spacing_mm[2]))


def distance_of(network: nn.Module, volume: Volume, true: KeySlices) -> tuple[float, float]:
    """Return how far the ganglionic slice of a network lies from the true one, in mm and in slices."""
    slice_mm = float(volume.spacing_mm[2])
    apart_mm = compare_key_slices(find_ganglionic(network, volume), true, slice_mm)
    return apart_mm, float(np.round(apart_mm / slice_mm))


def _metric(name: str, words: str, values: np.ndarray) -> Metric:
    numbers = [float(value) for value in values]
    mean = round(float(np.mean(numbers)), 4)
    return Metric(name, words, mean, mean_interval(numbers), len(numbers), HELD_OUT, True)


SLICE_BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType(
    {"synthetic-slices": run_slice_benchmark}
)
"""By name: what `aspects models verify --benchmark` runs."""
