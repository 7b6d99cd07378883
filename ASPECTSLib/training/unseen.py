"""Patients to measure on: of anatomies that no recipe trains on, with seeds that no recipe draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.inference.card import Metric
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis.anatomy import load_anatomies
from ASPECTSLib.synthesis.generator import Sources
from ASPECTSLib.synthesis.lesion_shapes import load_shapes
from ASPECTSLib.synthesis.scanners import SCANNERS, Scanner
from ASPECTSLib.training.tasks import TEST, PatientRecipe, split

Benchmark = Callable[[str, Sequence[str], Path | None, Progress, int], list[Metric]]
"""Measures models: name of the benchmark, models by name or path, folder of data, progress, number of processes."""

ANATOMY_FOLDER, LESION_FOLDER = "anatomy/synthseg", "lesions/soop"
CACHE_FOLDER = "aspects-cache"
HELD_OUT = "synthetic patients of anatomies that were not trained on"

_PIXEL_MM = (0.8, 1.0)
_SEED = 2026


def unseen_sources(data: Path, atlas: Atlas, progress: Progress) -> Sources:
    """Return the anatomies that are held out, and the infarct shapes.

    Parameters
    ----------
    data
        Folder with the public data; prepared arrays are kept in its `CACHE_FOLDER`, where there is one.
    atlas
        Gives the regions.
    progress
        Told of each anatomy.

    Raises
    ------
    UsageError
        USAGE if there are too few anatomies to hold some out.
    """
    cache = data / CACHE_FOLDER if (data / CACHE_FOLDER).is_dir() else None
    anatomies = load_anatomies(data / ANATOMY_FOLDER, atlas, cache, progress)
    every = PatientRecipe().hold_out_every
    if len(anatomies) < every:
        message = (
            f"expected at least {every} anatomies, of which some are held out, got {len(anatomies)}"
        )
        raise UsageError(ErrorCode.USAGE, message)
    _, held_out = split(anatomies, every)
    return Sources(held_out, load_shapes(data / LESION_FOLDER, atlas, cache, progress))


def required_data(name: str, data: Path | None) -> Path:
    """Return the data folder of a benchmark.

    Raises
    ------
    UsageError
        USAGE if there is none.
    """
    if data is None:
        raise UsageError(ErrorCode.USAGE, f"expected --data DIR for the benchmark {name}")
    return data


def unseen_seed(number: int) -> tuple[int, ...]:
    """Return the seed of a patient."""
    return (TEST, _SEED, number)


def measured_scanners() -> dict[Modality, Scanner]:
    """Return all scanners with pixels of at least 0.8 mm: the networks see no finer ones, and they are fast to make."""
    scanners = {}
    for modality, scanner in SCANNERS.items():
        low, high = scanner.scans.in_plane_mm
        pixels = (max(low, _PIXEL_MM[0]), max(high, _PIXEL_MM[1]))
        scanners[modality] = replace(scanner, scans=replace(scanner.scans, in_plane_mm=pixels))
    return scanners
