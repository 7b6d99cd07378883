"""Where readings come from: results of `aspects batch`, a table of readers, the truth of synthetic patients."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.batch.case_table import NAME_COLUMNS, read_rows
from ASPECTSLib.batch.folder import read_manifest
from ASPECTSLib.batch.records import Record, Status, read_record
from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.evaluation.readings import Reader, Reading, score_of
from ASPECTSLib.io.images import check_exists
from ASPECTSLib.io.tables import is_unknown
from ASPECTSLib.report.result import StudyResult

READER_COLUMN, SCORE_COLUMN, VOLUME_COLUMN, AFFECTED_COLUMN = (
    "reader",
    "score",
    "volume_ml",
    "affected",
)
REGION_COLUMNS = tuple(f"{region.side.value}_{region.code.value}".lower() for region in REGIONS)
NO_REGION = "none"
TRUTH_FILE = "truth.json"
"""Of a synthetic patient, as `ASPECTSLib.synthesis.cohort` writes it."""

_TRUE, _FALSE = frozenset({"1", "yes", "true", "y"}), frozenset({"0", "no", "false", "n"})
_SEPARATOR = re.compile(r"[;,]")


@dataclass(frozen=True, eq=False)
class Results:
    """A folder of results: the program as a reader, and what came of each case.

    Parameters
    ----------
    program
        With readings of the cases that have a score.
    folder
        Of the results.
    records
        Of all cases that are finished.
    """

    program: Reader
    folder: Path
    records: tuple[Record, ...]

    @property
    def by_name(self) -> dict[str, Record]:
        """The records by the names of their cases; the first of a name counts."""
        found: dict[str, Record] = {}
        for record in self.records:
            found.setdefault(record.case.name, record)
        return found

    @property
    def counts(self) -> dict[str, int]:
        """How many cases there are of each status."""
        found = [record.status for record in self.records]
        return {status.value: found.count(status) for status in Status}


def read_results(folder: Path) -> Results:
    """Read the results of `aspects batch`.

    The program's own calls count, not those that a person changed afterwards.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND or FILE_UNREADABLE if the folder holds none, COHORT_INVALID if none of its cases has a score.
    """
    check_exists(folder)
    found = (read_record(case, folder) for case in read_manifest(folder)["cases"])
    records = tuple(record for record in found if record is not None)
    results = {
        record.case.name: record.result
        for record in records
        if record.result is not None and record.status is Status.SCORED
    }
    if not results:
        message = f"expected results with scores in {folder.name}, got none"
        raise FileRefusedError(ErrorCode.COHORT_INVALID, message)
    methods = sorted({f"{r.method.name} {r.method.version}" for r in results.values()})
    readings = {name: _of_result(result) for name, result in results.items()}
    return Results(Reader(", ".join(methods), readings, is_program=True), folder, records)


def read_readers(path: Path) -> tuple[Reader, ...]:
    """Read what people, or the makers of synthetic patients, say of the cases.

    Parameters
    ----------
    path
        A CSV or TSV table with a row for each case and reader: `case`, `reader` (one only if left out), and `score`, or
        the calls. These stand in columns `right_C` to `left_M6` (1, 0, or empty) or in `affected`, as a list such as
        "left M1; left M2", or "none". `volume_ml` may be there. Or the folder of `aspects synthesize`, whose reader is
        the truth.

    Raises
    ------
    FileRefusedError
        COHORT_INVALID, with the line, for what is missing, stands there twice, or contradicts itself; or as
        `read_rows`.
    """
    check_exists(path)
    if path.is_dir():
        return (_truth_of(path),)
    columns, rows = read_rows(path)
    name_column = next((name for name in NAME_COLUMNS if name in columns), None)
    has_calls = AFFECTED_COLUMN in columns or set(REGION_COLUMNS) <= set(columns)
    if name_column is None or not (has_calls or SCORE_COLUMN in columns):
        expected = f"a column case, and {SCORE_COLUMN}, {AFFECTED_COLUMN} or right_C to left_M6"
        raise _invalid(path, f"expected {expected}")
    readers: dict[str, dict[str, Reading]] = {}
    for line, row in rows:
        name, case = row.get(READER_COLUMN) or path.stem, row[name_column]
        if is_unknown(case):
            raise _invalid(path, f"line {line}: expected the name of a case, got none")
        readings = readers.setdefault(name, {})
        if case in readings:
            raise _invalid(path, f"line {line}: {name} has read {case} before")
        try:
            readings[case] = _of_row(row)
        except ValueError as error:
            raise _invalid(path, f"line {line}: {error}") from error
    return tuple(Reader(name, readings) for name, readings in readers.items())


def _of_result(result: StudyResult) -> Reading:
    affected = tuple(info.affected for info in result.regions)
    return Reading(
        affected,
        score_of(tuple(bool(call) for call in affected)),
        tuple(info.probability for info in result.regions),
        result.core.volume_ml,
    )


def _of_row(row: Mapping[str, str]) -> Reading:
    affected = _calls(row)
    score, volume = row.get(SCORE_COLUMN, ""), row.get(VOLUME_COLUMN, "")
    of_calls = score_of(affected)
    given = None if is_unknown(score) else _whole(score, 10, "a score of 0 to 10")
    if given is not None and of_calls is not None and given != of_calls:
        message = f"the score is {given}, but the regions give {of_calls}"
        raise ValueError(message)
    volume_ml = None if is_unknown(volume) else _volume(volume)
    return Reading(affected, of_calls if given is None else given, volume_ml=volume_ml)


def _calls(row: Mapping[str, str]) -> tuple[bool | None, ...]:
    listed = row.get(AFFECTED_COLUMN, "")
    if not is_unknown(listed):
        return _listed(listed)
    cells = [row.get(column, "") for column in REGION_COLUMNS]
    if all(map(is_unknown, cells)):
        return ()
    return tuple(map(_call, cells))


def _listed(text: str) -> tuple[bool, ...]:
    """Return the calls of a list such as "left M1; left M2"."""
    names = {f"{r.side.value} {r.code.value}".lower(): n for n, r in enumerate(REGIONS)}
    calls = [False] * len(REGIONS)
    if text.strip().lower() == NO_REGION:
        return tuple(calls)
    for part in filter(str.strip, _SEPARATOR.split(text)):
        name = " ".join(part.replace("_", " ").lower().split())
        if name not in names:
            message = f"expected regions such as left M1, or {NO_REGION}, got {part.strip()[:20]!r}"
            raise ValueError(message)
        calls[names[name]] = True
    return tuple(calls)


def _call(cell: str) -> bool | None:
    if is_unknown(cell):
        return None
    if cell.lower() not in _TRUE | _FALSE:
        message = f"expected 1 or 0 for a region, got {cell[:20]!r}"
        raise ValueError(message)
    return cell.lower() in _TRUE


def _whole(cell: str, highest: int, expected: str) -> int:
    try:
        value = float(cell)
    except ValueError:
        value = -1.0
    if not 0 <= value <= highest or value != int(value):
        message = f"expected {expected}, got {cell[:20]!r}"
        raise ValueError(message)
    return int(value)


def _volume(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        message = f"expected a volume in mL, got {cell[:20]!r}"
        raise ValueError(message)
    return value


def _truth_of(folder: Path) -> Reader:
    readings = {}
    for path in sorted(folder.glob(f"*/{TRUTH_FILE}")):
        try:
            truth = json.loads(path.read_text(encoding="utf-8"))
            affected = tuple(bool(region["affected"]) for region in truth["regions"])
            volume = truth["infarct"]["volume_ml"] if truth["infarct"] else 0.0
            reading = Reading(affected, int(truth["aspects"]["score"]), volume_ml=float(volume))
        except (ValueError, KeyError, TypeError) as error:
            message = f"{path.parent.name}: expected a {TRUTH_FILE} of `aspects synthesize`"
            raise FileRefusedError(ErrorCode.COHORT_INVALID, message) from error
        readings[path.parent.name] = reading
    if not readings:
        message = (
            f"expected a table of readers, or a folder of `aspects synthesize`, got {folder.name}"
        )
        raise FileRefusedError(ErrorCode.COHORT_INVALID, message)
    return Reader("truth", readings)


def _invalid(path: Path, problem: str) -> FileRefusedError:
    return FileRefusedError(ErrorCode.COHORT_INVALID, f"{path.name}: {problem}")
