"""Cohorts of results and readers that are made up, to be evaluated."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from result_phantoms import study_result

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.batch.cases import Case, Refusal, with_folders
from ASPECTSLib.batch.folder import working_in, write_manifest
from ASPECTSLib.batch.records import folder_of, write_refusal
from ASPECTSLib.report.result import CoreInfo

COLUMNS = [f"{region.side.value}_{region.code.value}" for region in REGIONS]


def made_up_calls(patients: int, seed: int, flips: float = 0.08) -> tuple[NDArray, NDArray]:
    """Return truth and a reader's calls who errs in some regions, shape (patients, 20), bool."""
    generator = np.random.default_rng(seed)
    truth = np.zeros((patients, len(REGIONS)), bool)
    for row in truth[: patients * 2 // 3]:
        side = 10 * generator.integers(2)
        row[side : side + 10] = generator.random(10) < generator.uniform(0.1, 0.8)
    return truth, truth ^ (generator.random(truth.shape) < flips)


def write_results(
    folder: Path,
    names: Sequence[str],
    calls: NDArray[np.bool_],
    *,
    probability: NDArray[np.float64] | None = None,
    volumes_ml: Sequence[float] = (),
    method: str = "classical",
) -> None:
    """Write the folder of a cohort in which these regions were called; it has a refused and an abstained case, too."""
    cases = with_folders([*map(Case, names), Case("refused"), Case("abstained")])
    with working_in(folder):
        write_manifest(folder, "cohort.csv", {}, cases)
        for number, (case, called) in enumerate(zip(cases, calls, strict=False)):
            result = study_result({region.label for region in REGIONS if called[region.label - 1]})
            said = called * 0.8 + 0.1 if probability is None else probability[number]
            regions = (
                replace(info, probability=float(p))
                for info, p in zip(result.regions, said, strict=True)
            )
            core = CoreInfo(volume_ml=volumes_ml[number] if len(volumes_ml) else None)
            named = replace(result.method, name=method)
            _write(
                folder_of(case, folder),
                replace(result, regions=tuple(regions), core=core, method=named),
            )
        write_refusal(cases[-2], Refusal("NO_BRAIN", "expected a head"), folder)
        _write(folder_of(cases[-1], folder), study_result(abstained=True))


def write_readers(path: Path, readings: dict[str, tuple[Sequence[str], NDArray]]) -> None:
    """Write a table of readers: names of cases and calls of each."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "reader", *COLUMNS])
        for reader, (names, calls) in readings.items():
            for name, row in zip(names, calls, strict=True):
                writer.writerow([name, reader, *row.astype(int)])


def _write(folder: Path, result) -> None:
    folder.mkdir()
    (folder / "result.json").write_text(result.to_json(), encoding="utf-8")
