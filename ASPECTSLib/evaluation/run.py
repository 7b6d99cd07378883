"""An evaluation from folders to a report: results and readers in, tables, pictures and one page out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ASPECTSLib import __version__
from ASPECTSLib.batch.case_table import NAME_COLUMNS, read_rows
from ASPECTSLib.errors import ErrorCode, FileRefusedError, InputRefusedError, UsageError
from ASPECTSLib.evaluation.agreement import (
    Compared,
    clinical_table,
    each_score_table,
    program_table,
    region_table,
    score_table,
    volume_table,
)
from ASPECTSLib.evaluation.masks import MaskOverlap, compare_masks
from ASPECTSLib.evaluation.page import report_html
from ASPECTSLib.evaluation.pictures import draw_pictures
from ASPECTSLib.evaluation.readings import CONSENSUS, Reader, consensus_of
from ASPECTSLib.evaluation.sources import Results, read_readers, read_results
from ASPECTSLib.evaluation.tables import Table, attempt
from ASPECTSLib.io.tables import is_unknown
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.staging import check_output, publish, staging_folder
from ASPECTSLib.statistics.agreement import LOW_SCORE
from ASPECTSLib.statistics.bootstrap import Bootstrap, percentile_interval, replicates
from ASPECTSLib.statistics.estimates import Estimate

REPORT_FILE, JSON_FILE = "report.html", "evaluation.json"
TABLES_FOLDER, FIGURES_FOLDER = "tables", "figures"

_CONSENSUS_OF = 3  # two who differ have no majority


@dataclass(frozen=True)
class EvaluationOptions:
    """What an evaluation is to show.

    Parameters
    ----------
    reference
        Name of the reader whose calls are held for true, or `consensus`; the first reader when left out, or the
        consensus of three or more.
    cut
        A score of at most this is low.
    beside
        Folders with results of other programs on the same cases.
    masks
        Folder with infarct masks, see `compare_masks`.
    clinical
        Table with a row for each case: numbers such as nihss and mrs.
    bootstrap
        Of the intervals that have no closed form.
    """

    reference: str | None = None
    cut: int = LOW_SCORE
    beside: Sequence[Path] = ()
    masks: Path | None = None
    clinical: Path | None = None
    bootstrap: Bootstrap = Bootstrap()  # noqa: RUF009 - it is frozen

    def __post_init__(self) -> None:
        if not 0 <= self.cut < 10:
            message = f"expected a cut from 0 to 9, got {self.cut}"
            raise UsageError(ErrorCode.USAGE, message)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came of it.

    Parameters
    ----------
    compared
        The readers.
    tables
        In the order of the report.
    flow
        How many cases there are of each kind, in words.
    """

    compared: Compared
    tables: tuple[Table, ...]
    flow: tuple[str, ...]


def evaluate_cohort(
    results: Path | str,
    readers: Path | str,
    options: EvaluationOptions | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Compare the results of a cohort with readers.

    Parameters
    ----------
    results
        Folder of `aspects batch`.
    readers
        As `ASPECTSLib.evaluation.sources.read_readers`.
    options
        Defaults when left out.
    progress
        Told of the stages, and asked for cancellation.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID if nobody has read any case with a result, or as the readers of the files.
    UsageError
        USAGE if there is no such reader as the reference.
    """
    options, progress = options or EvaluationOptions(), progress or Progress()
    progress.stage("reading results", 0.05)
    all_results = [read_results(Path(folder)) for folder in (results, *options.beside)]
    people = read_readers(Path(readers))
    programs = _distinct([one.program for one in all_results], people)
    compared = Compared(
        programs,
        people,
        _reference(people, options.reference),
        _cases(all_results, people),
        options.cut,
        options.bootstrap,
    )
    progress.stage("tables", 0.3)
    tables = [
        region_table(compared),
        score_table(compared),
        each_score_table(compared),
        volume_table(compared),
        program_table(compared),
    ]
    if options.masks is not None:
        progress.stage("masks", 0.5)
        overlaps = list(compare_masks(all_results[0].by_name, Path(results), options.masks))
        tables += _mask_tables(overlaps, programs[0].name, options.bootstrap)
    if options.clinical is not None:
        tables.append(clinical_table(compared, read_clinical(options.clinical)))
    kept = tuple(table for table in tables if table is not None)
    return Evaluation(compared, kept, _flow(all_results, compared))


def write_evaluation(
    evaluation: Evaluation, folder: Path, progress: Progress | None = None
) -> None:
    """Write report, tables and figures into a new folder, which appears whole.

    Raises
    ------
    UsageError
        OUTPUT_EXISTS if there is something of that name.
    OutputError
        OUTPUT_NOT_WRITABLE if it cannot be written.
    """
    progress = progress or Progress()
    check_output(folder)
    progress.stage("pictures", 0.6)
    pictures = draw_pictures(evaluation.compared)
    progress.stage("writing", 0.95)
    with staging_folder(folder) as staging:
        for table in evaluation.tables:
            _write(staging / TABLES_FOLDER / f"{table.name}.csv", table.to_csv().encode())
        for name, png in pictures.items():
            _write(staging / FIGURES_FOLDER / f"{name}.png", png)
        text = json.dumps(_as_dict(evaluation), indent=1, allow_nan=False, ensure_ascii=False)
        _write(staging / JSON_FILE, (text + "\n").encode())
        page = report_html(evaluation.tables, pictures, evaluation.flow)
        _write(staging / REPORT_FILE, page.encode())
        publish(staging, folder)
    progress.finish()


def read_clinical(path: Path) -> dict[str, dict[str, float]]:
    """Read numbers that are known of the cases, by variable and case; columns that are no numbers are left out.

    Raises
    ------
    FileRefusedError
        COHORT_INVALID without a column of names or any column of numbers, or as `read_rows`.
    """
    columns, rows = read_rows(path)
    name_column = next((name for name in NAME_COLUMNS if name in columns), None)
    variables: dict[str, dict[str, float]] = {}
    for column in columns:
        values = {row.get(name_column or "", ""): row[column] for _, row in rows if row.get(column)}
        known = {case: cell for case, cell in values.items() if not is_unknown(cell)}
        if column != name_column and known and all(map(_is_number, known.values())):
            variables[column] = {case: float(cell) for case, cell in known.items()}
    if name_column is None or not variables:
        message = f"{path.name}: expected a column case, and columns of numbers such as nihss"
        raise FileRefusedError(ErrorCode.COHORT_INVALID, message)
    return variables


def _reference(people: Sequence[Reader], name: str | None) -> Reader:
    if name == CONSENSUS or (name is None and len(people) >= _CONSENSUS_OF):
        return consensus_of(people)
    found = [reader for reader in people if name in {None, reader.name}]
    if not found:
        names = ", ".join(reader.name for reader in people)
        message = f"expected {CONSENSUS} or a reader out of {names}, got {name}"
        raise UsageError(ErrorCode.USAGE, message)
    return found[0]


def _distinct(programs: Sequence[Reader], people: Sequence[Reader]) -> list[Reader]:
    """Return programs whose names are those of nobody else."""
    taken, renamed = {reader.name for reader in people}, []
    for program in programs:
        name, number = program.name, 1
        while name in taken:
            number += 1
            name = f"{program.name} ({number})"
        taken.add(name)
        renamed.append(replace(program, name=name))
    return renamed


def _cases(results: Sequence[Results], people: Sequence[Reader]) -> tuple[str, ...]:
    """Return all cases that somebody has read, those of the results first; at least one by both."""
    of_program = dict.fromkeys(name for one in results for name in one.by_name)
    of_people = dict.fromkeys(case for reader in people for case in reader.readings)
    scored = {case for one in results for case in one.program.readings}
    if not scored & of_people.keys():
        message = "expected readings of cases that have a result, got none; are the names of the cases the same?"
        raise InputRefusedError(ErrorCode.COHORT_INVALID, message)
    return tuple(of_program | of_people)


def _mask_tables(
    overlaps: Sequence[MaskOverlap], program: str, bootstrap: Bootstrap
) -> list[Table | None]:
    if not overlaps:
        return [None]
    known = [one for one in overlaps if one.dice is not None]
    mean = attempt(lambda: _mean([one.dice for one in known], bootstrap)) if known else None
    rows = [[f"mean of {len(known)}", mean, None, None, None]]
    rows += [[one.case, one.dice, one.volume_ml, one.true_ml, one.problem] for one in overlaps]
    columns = ("case", "Dice", "volume, mL", "true volume, mL", "problem")
    note = (
        f"Infarct masks of {program} beside those that were drawn; two empty ones have a Dice of 1."
    )
    return [Table("masks", "Infarct masks", note, columns, rows)]


def _mean(values: Sequence[float], bootstrap: Bootstrap) -> Estimate:
    array = np.array(values, float)
    found = replicates(lambda rows: rows.mean(axis=1), bootstrap, array)
    return Estimate(float(array.mean()), *percentile_interval(found), len(array))


def _flow(results: Sequence[Results], compared: Compared) -> tuple[str, ...]:
    lines = []
    for one, program in zip(results, compared.programs, strict=True):
        counts = ", ".join(f"{n} {status}" for status, n in one.counts.items())
        lines.append(f"{program.name}: {len(one.records)} cases, {counts}")
        codes = [str(r.refusal.code) for r in one.records if r.refusal is not None]
        lines += [f"  {codes.count(code)} x {code}" for code in dict.fromkeys(codes)]
    for reader in compared.readers:
        both = sum(case in compared.programs[0].readings for case in reader.readings)
        lines.append(
            f"{reader.name}: {len(reader.readings)} cases read, {both} of them with a score"
        )
    return (*lines, f"reference: {compared.reference.name}")


def _as_dict(evaluation: Evaluation) -> dict[str, Any]:
    compared = evaluation.compared
    return {
        "schema_version": 1,
        "version": __version__,
        "programs": [program.name for program in compared.programs],
        "readers": [reader.name for reader in compared.readers],
        "reference": compared.reference.name,
        "cut": compared.cut,
        "bootstrap": {
            "resamples": compared.bootstrap.resamples,
            "seed": compared.bootstrap.seed,
        },
        "flow": list(evaluation.flow),
        "tables": [table.to_dict() for table in evaluation.tables],
    }


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False
