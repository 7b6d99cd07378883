"""Benchmark of the slice finder: how far from the level of the true regions it sees the ganglionic slice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from ASPECTSLib.training.unseen import (
    HELD_OUT,
    measured_scanners,
    required_data,
    unseen_seed,
    unseen_sources,
)

PATIENTS = 60

SliceCase = tuple[Volume, KeySlices]
"""A head CT in HU, in the image frame, and its key slices."""


def run_slice_benchmark(
    name: str, models: Sequence[str], data: Path | None, progress: Progress
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
    files = [file for file in map(find_model, models) if file.card.task == "slice-finder"]
    if len(files) != 1:
        raise UsageError(ErrorCode.USAGE, f"expected one slice finder, got {len(files)}")
    network = load_network(files[0])
    apart = np.array(
        [distance_of(network, *case) for case in slice_cases(data, PATIENTS, progress)]
    )
    apart_mm, slices = apart.T
    return [
        _metric(name, "ganglionic slice, mean distance in mm", apart_mm),
        _metric(name, "ganglionic slice, share at most one slice off", slices <= 1),
    ]


def slice_cases(data: Path, count: int, progress: Progress) -> Iterator[SliceCase]:
    """Make patients of the anatomies that no recipe trains on."""
    sources = unseen_sources(data, load_atlas(), progress)
    patients = PatientRange(scanners=measured_scanners())
    for number in range(count):
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


SLICE_BENCHMARKS: Mapping[
    str, Callable[[str, Sequence[str], Path | None, Progress], list[Metric]]
] = MappingProxyType({"synthetic-slices": run_slice_benchmark})
"""By name: what `aspects models verify --benchmark` runs."""
