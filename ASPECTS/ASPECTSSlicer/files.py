"""Files scored without the scene, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ASPECTSLib.errors import ASPECTSError, ErrorCode
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.report.writer import RESULT_FILE
from ASPECTSSlicer import LIBRARY_ROOT
from ASPECTSSlicer.process import ChildProcess, Failure, findPython, scoreCommand
from ASPECTSSlicer.runs import RESULT_EXIT_CODES, Request, notStarted

_IMAGE_SUFFIXES = (".nii.gz", ".seg.nrrd", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm")


@dataclass(frozen=True)
class FileOutcome:
    """What became of one study: a result in a folder, or a failure.

    Parameters
    ----------
    path
        What was scored; the first of its files or DICOM folders.
    folder
        Where the result is; nothing is there after a failure.
    result
        The result, or None.
    failure
        Why there is none, or None.
    """

    path: Path
    folder: Path
    result: StudyResult | None = None
    failure: Failure | None = None


def scoreFile(
    scans: Mapping[str, Path],
    outputDir: Path,
    request: Request,
    environment: Mapping[str, str],
    keepAlive: Callable[[], object],
) -> FileOutcome:
    """Score the files of one study in a process of its own and wait for its end.

    Parameters
    ----------
    scans
        Files or DICOM folders by what they show, as for `scoreCommand`; at least one.
    outputDir
        Gets a folder with the name of the first file.
    request
        Method and age.
    environment
        Environment variables of the process.
    keepAlive
        Called again and again while waiting.
    """
    path = next(iter(scans.values()))
    folder = outputDir.absolute() / _stem(path)
    if folder.exists():
        message = f"the output folder {folder.name} exists; name a new one, nothing is overwritten"
        return FileOutcome(path, folder, failure=Failure(str(ErrorCode.OUTPUT_EXISTS), message))
    try:
        absolute = {kind: one.absolute() for kind, one in scans.items()}
        command = scoreCommand(findPython(), absolute, folder, request.method, request.ageYears)
        child = ChildProcess(command, LIBRARY_ROOT, environment)
    except OSError as error:
        return FileOutcome(path, folder, failure=notStarted(error))
    try:
        child.waitAlive(keepAlive)
        return _outcome(path, folder, child)
    finally:
        child.cancel()


def _outcome(path: Path, folder: Path, child: ChildProcess) -> FileOutcome:
    child.poll()
    if child.exitCode() not in RESULT_EXIT_CODES:
        return FileOutcome(path, folder, failure=child.describeFailure())
    try:
        text = (folder / RESULT_FILE).read_text(encoding="utf-8")
        return FileOutcome(path, folder, StudyResult.from_json(text))
    except (OSError, ASPECTSError) as error:
        failure = Failure(str(ErrorCode.FILE_UNREADABLE), f"The result cannot be read: {error}.")
        return FileOutcome(path, folder, failure=failure)


def _stem(path: Path) -> str:
    name = path.absolute().name
    for suffix in _IMAGE_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name
