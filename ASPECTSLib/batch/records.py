"""What came of each case, as its folder says: a result, or why there is none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ASPECTSLib.batch.cases import Case, Refusal
from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.report.staging import publish, staging_folder
from ASPECTSLib.report.writer import RESULT_FILE

CASES_FOLDER = "cases"
REFUSAL_FILE = "refused.json"
SCHEMA_VERSION = 1


class Status(StrEnum):
    """What came of a case."""

    SCORED = "scored"
    ABSTAINED = "abstained"
    REFUSED = "refused"


@dataclass(frozen=True, eq=False)
class Record:
    """A finished case: its result, or why it has none.

    Parameters
    ----------
    case
        Of the cohort.
    result
        None where it was refused.
    refusal
        None where there is a result.
    """

    case: Case
    result: StudyResult | None = None
    refusal: Refusal | None = None

    @property
    def status(self) -> Status:
        """What came of it."""
        if self.result is None:
            return Status.REFUSED
        return Status.ABSTAINED if self.result.quality.abstained else Status.SCORED


def folder_of(case: Case, output: Path) -> Path:
    """Return where the result of a case lies within the folder of a cohort's results."""
    return output / CASES_FOLDER / case.folder


def read_record(case: Case, output: Path) -> Record | None:
    """Return what came of a case; None if it is not finished.

    A folder of which the files are damaged or gone is that of a case refused for it.
    """
    folder = folder_of(case, output)
    if not folder.is_dir():
        return None
    try:
        result, refusal = _text(folder / RESULT_FILE), _text(folder / REFUSAL_FILE)
        if result is not None:
            return Record(case, StudyResult.from_json(result))
        return Record(case, refusal=_refusal(refusal))
    except (OSError, ValueError, FileRefusedError):
        message = (
            f"expected {RESULT_FILE} or {REFUSAL_FILE} in {folder.name}, got none that can be read"
        )
        return Record(case, refusal=Refusal(ErrorCode.FILE_UNREADABLE, message))


def write_refusal(case: Case, refusal: Refusal, output: Path) -> None:
    """Write why a case has no result; its folder appears whole.

    Raises
    ------
    UsageError
        OUTPUT_EXISTS if the case is finished.
    OutputError
        OUTPUT_NOT_WRITABLE if it cannot be written.
    """
    folder = folder_of(case, output)
    content = {
        "schema_version": SCHEMA_VERSION,
        "case": case.name,
        "error": {"code": str(refusal.code), "message": refusal.message},
    }
    with staging_folder(folder) as staging:
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (staging / REFUSAL_FILE).write_text(text, encoding="utf-8")
        publish(staging, folder)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _refusal(text: str | None) -> Refusal:
    try:
        error = json.loads(text or "")["error"]
        return Refusal(str(error["code"]), str(error["message"]))
    except (KeyError, TypeError) as error:
        message = "expected a code and a message"
        raise ValueError(message) from error
