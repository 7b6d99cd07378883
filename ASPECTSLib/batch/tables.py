"""The tables of a cohort: a line for each case, and a line for each region of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ASPECTSLib.batch.records import Record
from ASPECTSLib.io.tables import csv_text
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.report.staging import replace_file
from ASPECTSLib.report.table import COLUMNS, number_cell, region_row

CASES_TABLE, REGIONS_TABLE = "cases.csv", "regions.csv"

CASE_COLUMNS = (
    "case",
    "status",
    "code",
    "message",
    "modality",
    "method",
    "age_years",
    "score",
    "side",
    "left",
    "right",
    "affected",
    "unsure",
    "core_ml",
    "core_adc620_ml",
    "severity",
    "edited",
    "warnings",
    "seconds",
    "folder",
)

_ML_DECIMALS = 2


def write_tables(records: Sequence[Record], output: Path) -> None:
    """Write both tables anew, from the results of all cases that are finished.

    Raises
    ------
    OutputError
        OUTPUT_NOT_WRITABLE if they cannot be written.
    """
    replace_file(output / CASES_TABLE, cases_csv(records).encode())
    replace_file(output / REGIONS_TABLE, regions_csv(records).encode())


def cases_csv(records: Iterable[Record]) -> str:
    """Return the table of the cases, in their order; empty cells where there is no value."""
    return csv_text(CASE_COLUMNS, map(_case_row, records))


def regions_csv(records: Iterable[Record]) -> str:
    """Return the table of the regions of all cases with a result."""
    rows = (
        [record.case.name, *region_row(region)]
        for record in records
        if record.result is not None
        for region in record.result.regions
    )
    return csv_text(("case", *COLUMNS), rows)


def _case_row(record: Record) -> list[str]:
    cells = dict.fromkeys(CASE_COLUMNS, "")
    cells |= {"case": record.case.name, "status": record.status.value, "folder": record.case.folder}
    if record.refusal is not None:
        cells |= {"code": str(record.refusal.code), "message": record.refusal.message}
    if record.result is not None:
        cells |= _result_cells(record.result)
    return [cells[column] for column in CASE_COLUMNS]


def _result_cells(result: StudyResult) -> dict[str, str]:
    aspects, core = result.aspects, result.core
    affected = [f"{info.side} {info.region}" for info in result.regions if info.final_call]
    unsure = [f"{info.side} {info.region}" for info in result.regions if info.unsure]
    return {
        "modality": result.input.modality,
        "method": result.method.name,
        "age_years": number_cell(result.input.age_years, 1),
        "score": _count(aspects.score),
        "side": aspects.side or "",
        "left": _count(aspects.left),
        "right": _count(aspects.right),
        "affected": "; ".join(affected),
        "unsure": "; ".join(unsure),
        "core_ml": number_cell(core.volume_ml, _ML_DECIMALS),
        "core_adc620_ml": number_cell(core.volume_adc620_ml, _ML_DECIMALS),
        "severity": core.severity or "",
        "edited": "yes" if result.is_edited else "no",
        "warnings": "; ".join(dict.fromkeys(w.code for w in result.quality.warnings)),
        "seconds": number_cell(sum(result.timings_s.values()), 1),
    }


def _count(value: int | None) -> str:
    return "" if value is None else str(value)
