"""Tables as text files: read as UTF-8, written as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.io.images import check_is_file

_UNKNOWN = frozenset({"", "n/a"})  # BIDS writes n/a


def read_text(path: Path) -> str:
    """Return a text file, without a byte order mark.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND, FILE_EMPTY or FILE_UNREADABLE if there is no text file.
    """
    check_is_file(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"expected a text file in UTF-8, got {path.name}"
        raise FileRefusedError(ErrorCode.FILE_UNREADABLE, message) from error


def is_unknown(cell: str) -> bool:
    """Tell whether a cell holds no value."""
    return cell.lower() in _UNKNOWN


def csv_text(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table as CSV; None is an empty cell. Same table, same text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
