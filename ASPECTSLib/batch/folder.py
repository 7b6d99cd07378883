"""The folder of a cohort's results: who works in it, and what was asked for."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ASPECTSLib import __version__
from ASPECTSLib.batch.cases import Case
from ASPECTSLib.batch.records import CASES_FOLDER
from ASPECTSLib.errors import ErrorCode, FileRefusedError, OutputError, UsageError
from ASPECTSLib.report.staging import STAGING_PREFIX, replace_file

COHORT_FILE = "cohort.json"
SCHEMA_VERSION = 1

_LOCK_FILE = ".lock"


@contextmanager
def working_in(output: Path) -> Iterator[None]:
    """Make the folder of a cohort's results, and keep other runs out of it; what a killed run left goes.

    Raises
    ------
    UsageError
        FOLDER_IN_USE if another run works there.
    OutputError
        OUTPUT_NOT_WRITABLE if it cannot be made.
    """
    cases = output / CASES_FOLDER
    try:
        cases.mkdir(parents=True, exist_ok=True)
        lock = (output / _LOCK_FILE).open("a+b")
    except OSError as error:
        message = f"the output folder {output.name} cannot be written: {error.strerror}"
        raise OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, message) from error
    with lock:
        if not _locked(lock.fileno()):
            message = (
                f"another run works in {output.name}; wait for its end, or name another folder"
            )
            raise UsageError(ErrorCode.FOLDER_IN_USE, message)
        for left in cases.glob(f"{STAGING_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def check_folder(output: Path, options: Mapping[str, Any], *, resume: bool) -> None:
    """Refuse a folder before anything is done in it.

    Parameters
    ----------
    output
        Of the cohort's results.
    options
        Of the run that is to come.
    resume
        Whether a run in the folder is gone on with.

    Raises
    ------
    UsageError
        OUTPUT_EXISTS if the folder is there and is not to be gone on with, or is no cohort's; USAGE if it was made
        with other options or another version.
    FileRefusedError
        FILE_UNREADABLE if what it says of itself is damaged.
    """
    if not output.exists() or _is_fresh(output):
        return
    if not resume:
        message = (
            f"the output folder {output.name} exists; name a new one, or go on with it by --resume"
        )
        raise UsageError(ErrorCode.OUTPUT_EXISTS, message)
    if not output.is_dir() or not (output / COHORT_FILE).is_file():
        message = f"expected the results of a cohort in {output.name}, found no {COHORT_FILE}"
        raise UsageError(ErrorCode.OUTPUT_EXISTS, message)
    before = read_manifest(output)
    for key, value in {"version": __version__, **options}.items():
        former = {"version": before["version"], **before["options"]}.get(key)
        if former != value:
            message = f"{output.name} was made with {key} {former}, not {value}; results of both would be mixed"
            raise UsageError(ErrorCode.USAGE, message)


def write_manifest(
    output: Path, source: str, options: Mapping[str, Any], cases: Sequence[Case]
) -> None:
    """Write which cases there are, and how they are scored; paths stay out."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "source": source,
        "options": dict(options),
        "cases": [{"case": case.name, "folder": case.folder} for case in cases],
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    replace_file(output / COHORT_FILE, text.encode())


def read_manifest(output: Path) -> dict[str, Any]:
    """Return what `write_manifest` wrote.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND if there is none, FILE_UNREADABLE if it is damaged.
    """
    path = output / COHORT_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cases = [Case(str(one["case"]), folder=str(one["folder"])) for one in content["cases"]]
        return {
            **content,
            "version": str(content["version"]),
            "options": dict(content["options"]),
            "cases": cases,
        }
    except FileNotFoundError as error:
        message = f"expected results of `aspects batch` in {output.name}, found no {COHORT_FILE}"
        raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, message) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"expected a {COHORT_FILE} of `aspects batch` in {output.name}, got a damaged one"
        raise FileRefusedError(ErrorCode.FILE_UNREADABLE, message) from error


def _is_fresh(output: Path) -> bool:
    """Tell whether a folder holds nothing yet, but perhaps what `working_in` makes first."""
    if not output.is_dir() or {path.name for path in output.iterdir()} - {_LOCK_FILE, CASES_FOLDER}:
        return False
    return not any((output / CASES_FOLDER).glob("[!.]*"))


def _locked(descriptor: int) -> bool:
    """Lock an open file until it is closed, at the latest when the process ends; False if another one has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
