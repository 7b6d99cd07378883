"""A cohort as a table: a row for each case, with the paths of its scans."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from ASPECTSLib.atlas.age_groups import MAX_AGE_YEARS, age_of
from ASPECTSLib.batch.cases import Case, Refusal
from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.io.file_names import KIND_NAMES
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.tables import is_unknown, read_text

NAME_COLUMNS = ("case", "participant_id", "id", "subject")
"""The first of them that a table has names its cases."""

SCAN_COLUMN, AGE_COLUMN, SERIES_COLUMN = "scan", "age", "series"

SEPARATORS: Mapping[str, str] = {".csv": ",", ".tsv": "\t"}


def read_case_table(path: Path) -> list[Case]:
    """Read the cases of a table.

    Parameters
    ----------
    path
        CSV or TSV in UTF-8, with a column of names (`NAME_COLUMNS`) and `scan`, or columns by kind: ncct, cta, dwi,
        adc, b0, cbf. Paths are files or DICOM folders, as from the table's own folder. `age` and `series` may be
        there; other columns are not looked at. Empty cells and n/a are unknown.

    Returns
    -------
    list of Case
        In the order of the rows; those with a row that cannot be used say why.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND, FILE_EMPTY or FILE_UNREADABLE if there is no such file; COHORT_INVALID if it is no table of
        cases.
    """
    columns, rows = read_rows(path)
    name_column = next((name for name in NAME_COLUMNS if name in columns), None)
    scan_columns = [name for name in (SCAN_COLUMN, *KIND_NAMES) if name in columns]
    if name_column is None or not scan_columns:
        kinds = ", ".join(KIND_NAMES)
        message = f"{path.name}: expected a column {' or '.join(NAME_COLUMNS)}, and {SCAN_COLUMN} or some of {kinds}"
        raise FileRefusedError(ErrorCode.COHORT_INVALID, message)
    folder = path.absolute().parent
    return [_case(row, name_column, scan_columns, folder, line) for line, row in rows]


def read_rows(path: Path) -> tuple[Sequence[str], list[tuple[int, dict[str, str]]]]:
    """Return the column names of a CSV or TSV file in lower case, and its rows that are not empty, with their lines.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND, FILE_EMPTY or FILE_UNREADABLE if it cannot be read; COHORT_INVALID if it has no rows.
    """
    text = read_text(path)
    separator = SEPARATORS.get(path.suffix.lower(), ",")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, restval="")
    reader.fieldnames = [(name or "").strip().lower() for name in reader.fieldnames or ()]
    rows = [
        (reader.line_num, {key: (value or "").strip() for key, value in row.items() if key})
        for row in reader
        if any(isinstance(value, str) and value.strip() for value in row.values())
    ]
    if not rows:
        message = f"{path.name}: expected a row for each case, got none"
        raise FileRefusedError(ErrorCode.COHORT_INVALID, message)
    return reader.fieldnames, rows


def _case(
    row: Mapping[str, str], name_column: str, scan_columns: Sequence[str], folder: Path, line: int
) -> Case:
    name = row[name_column] or f"line-{line}"
    scans = {
        KIND_NAMES.get(column): folder / row[column]
        for column in scan_columns
        if not is_unknown(row[column])
    }
    problem = _problem(row, name_column, scans)
    age = row.get(AGE_COLUMN, "")
    return Case(
        name=name,
        scans={} if problem else scans,
        age_years=None if problem or is_unknown(age) else age_of(age),
        series=row.get(SERIES_COLUMN) or None,
        refusal=Refusal(ErrorCode.COHORT_INVALID, f"line {line}: {problem}") if problem else None,
    )


def _problem(
    row: Mapping[str, str], name_column: str, scans: Mapping[Modality | None, Path]
) -> str | None:
    if is_unknown(row[name_column]):
        return "expected a name, got none"
    if not scans:
        return "expected the path of a scan, got none"
    if None in scans and len(scans) > 1:
        return f"expected {SCAN_COLUMN} or scans by kind, got both"
    age = row.get(AGE_COLUMN, "")
    if not is_unknown(age) and age_of(age) is None:
        return f"expected an age of 0 to {MAX_AGE_YEARS:.0f} years, got {age[:20]!r}"
    return None
