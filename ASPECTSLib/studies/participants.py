"""The table of participants: what is known of each patient beside the images."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.io.tables import is_unknown, read_text

ID_COLUMN = "participant_id"
NIHSS_COLUMN = "nihss"
MRS_COLUMN = "gs_rankin_6isdeath"

MAX_NIHSS = 42
MAX_MRS = 6


@dataclass(frozen=True)
class Participant:
    """NIHSS (0 to 42) and modified Rankin scale (0 to 6, 6 is death) of a patient; None where unknown."""

    nihss: int | None
    mrs: int | None


def read_participants(path: Path) -> dict[str, Participant]:
    """Read a tab-separated table with a row for each patient, as BIDS has them.

    Parameters
    ----------
    path
        With the columns `participant_id` and `nihss`, and optionally `gs_rankin_6isdeath`; other columns are not
        looked at. Unknown values are n/a or empty.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND, FILE_EMPTY or FILE_UNREADABLE if there is no text file; COHORT_INVALID, with the line, for a
        column that is missing, a value out of range, or a participant that stands there twice.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), delimiter="\t")
    missing = [name for name in (ID_COLUMN, NIHSS_COLUMN) if name not in (reader.fieldnames or ())]
    if missing:
        expected = f"the tab-separated columns {ID_COLUMN} and {NIHSS_COLUMN}"
        raise _invalid(path, f"expected {expected}, found no {missing[0]}")
    participants: dict[str, Participant] = {}
    for row in reader:
        _add(row, participants, path, reader.line_num)
    if not participants:
        raise _invalid(path, "expected a row for each participant, got none")
    return participants


def _add(
    row: dict[str, str | None], participants: dict[str, Participant], path: Path, line: int
) -> None:
    name = (row[ID_COLUMN] or "").strip()
    if not name or name in participants:
        problem = "one that stands there before" if name else "none"
        raise _invalid(path, f"expected a new {ID_COLUMN} in line {line}, got {problem}")
    scores = []
    for column, highest in ((NIHSS_COLUMN, MAX_NIHSS), (MRS_COLUMN, MAX_MRS)):
        cell = (row.get(column) or "").strip()
        score = _score(cell, highest)
        if score is None and not is_unknown(cell):
            expected = f"a whole number of 0 to {highest} or n/a as {column} in line {line}"
            raise _invalid(path, f"expected {expected}, got {cell[:20]!r}")
        scores.append(score)
    participants[name] = Participant(*scores)


def _score(cell: str, highest: int) -> int | None:
    """Return a whole number of 0 to the highest, which may be written as 5.0; None for anything else."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return int(value) if 0 <= value <= highest and value == int(value) else None


def _invalid(path: Path, problem: str) -> FileRefusedError:
    return FileRefusedError(ErrorCode.COHORT_INVALID, f"{path.name}: {problem}")
