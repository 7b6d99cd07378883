"""Runs of the scoring program: from volumes of the scene to a result in the scene, and from files to folders."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import slicer

from ASPECTSLib.errors import ASPECTSError, ExitCode
from ASPECTSSlicer import LIBRARY_ROOT
from ASPECTSSlicer.process import NOT_STARTED, ChildProcess, Failure, findPython, scoreCommand
from ASPECTSSlicer.results import ResultNodes, loadResult
from ASPECTSSlicer.volumes import writeScan

RESULT_EXIT_CODES = (ExitCode.RESULT, ExitCode.ABSTAINED)  # both leave a result

RESULT_UNREADABLE = "RESULT_UNREADABLE"
_FOLDER_PREFIX = "aspects-"

INPUT_GONE = Failure(
    "INPUT_GONE",
    "The scan was removed from the scene while it was scored. Nothing was added; load it again.",
)


RESULT_EDITED = Failure(
    "RESULT_EDITED",
    "The result of this scan was changed by hand. Say that it may be replaced, or keep it.",
)


def notStarted(error: Exception) -> Failure:
    """Return the failure of a program that never ran."""
    return Failure(NOT_STARTED, f"Scoring could not be started: {error}.")


class ScoringError(RuntimeError):
    """There is no result: `failure` says why, with a code."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


@dataclass(frozen=True)
class Request:
    """What is to be scored, and how.

    Parameters
    ----------
    volumes
        Volumes of the scene by what they show: "ncct", "dwi", "adc" and so on. The first is the one
        that is scored, and that the result belongs to.
    method, ageYears
        As the options of the command line.
    """

    volumes: Mapping[str, slicer.vtkMRMLScalarVolumeNode]
    method: str = "auto"
    ageYears: float | None = None

    @property
    def scan(self) -> slicer.vtkMRMLScalarVolumeNode:
        """The volume that the result belongs to."""
        return next(iter(self.volumes.values()))


class ScoringRun:
    """A study that is being scored: its volumes, its folder and its process.

    Parameters
    ----------
    request
        What to score. The volumes are written to a folder of their own, without names.
    temporaryFolder
        Where to make that folder.
    environment
        Environment variables of the program.

    Raises
    ------
    ScoringError
        NOT_STARTED if a volume cannot be written, or the program not be started.
    """

    def __init__(
        self, request: Request, temporaryFolder: Path, environment: Mapping[str, str]
    ) -> None:
        self.scan = request.scan  # the node itself: another scene may give its ID to another scan
        try:
            self._folder = tempfile.TemporaryDirectory(
                prefix=_FOLDER_PREFIX, dir=temporaryFolder, ignore_cleanup_errors=True
            )
        except OSError as error:
            raise ScoringError(notStarted(error)) from error
        folder = Path(self._folder.name)
        self._resultFolder = folder / "result"
        try:
            scans = {kind: folder / f"{kind}.nrrd" for kind in request.volumes}
            for kind, node in request.volumes.items():
                writeScan(node, scans[kind])
            command = scoreCommand(
                findPython(), scans, self._resultFolder, request.method, request.ageYears
            )
            command.append("--no-picture")  # drawn on export, with what was changed until then
            self.process = ChildProcess(command, LIBRARY_ROOT, environment)
        except (OSError, ASPECTSError) as error:
            self._folder.cleanup()
            raise ScoringError(notStarted(error)) from error
        except BaseException:
            self._folder.cleanup()
            raise

    def finish(self, scene: slicer.vtkMRMLScene) -> ResultNodes:
        """Bring the result of an ended run into the scene.

        Raises
        ------
        ScoringError
            If there is none. The scene is as it was before.
        ASPECTSError
            If its files cannot be read.
        """
        self.process.poll()
        if self.process.exitCode() not in RESULT_EXIT_CODES:
            raise ScoringError(self.process.describeFailure())
        if self.scan.GetScene() is not scene:
            raise ScoringError(INPUT_GONE)
        try:
            return loadResult(scene, self._resultFolder, self.scan)
        except OSError as error:
            failure = Failure(RESULT_UNREADABLE, f"The result cannot be shown: {error}.")
            raise ScoringError(failure) from error

    def close(self) -> None:
        """End the program if it still runs, and remove scan and result from the disk."""
        self.process.cancel()
        self._folder.cleanup()
