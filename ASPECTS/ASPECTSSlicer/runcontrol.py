"""One run at a time: started, followed with a timer, and ended, without ever blocking the interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer

from ASPECTSLib.errors import ASPECTSError
from ASPECTSSlicer.process import Failure, Progress
from ASPECTSSlicer.results import ResultNodes
from ASPECTSSlicer.runs import Request, ScoringError, ScoringRun

POLL_INTERVAL_MS = 100


class RunControl:
    """Starts runs and tells how they go.

    Parameters
    ----------
    widget
        The panel; what has no parent in Qt is never freed.
    scene
        The application's scene, which gets the results.
    startRun
        Starts a run.
    onProgress
        Called with each new stage.
    onResult
        Called with the result in the scene.
    onFailure
        Called with the reason, and with what else the program said.
    """

    def __init__(
        self,
        widget: Any,
        scene: slicer.vtkMRMLScene,
        startRun: Callable[[Request], ScoringRun],
        onProgress: Callable[[Progress], None],
        onResult: Callable[[ResultNodes], None],
        onFailure: Callable[[Failure, str], None],
    ) -> None:
        self._scene, self._startRun = scene, startRun
        self._onProgress, self._onResult, self._onFailure = onProgress, onResult, onFailure
        self._run: ScoringRun | None = None
        self._timer = qt.QTimer(widget)
        self._timer.setInterval(POLL_INTERVAL_MS)
        self._timer.connect("timeout()", self._poll)

    @property
    def isRunning(self) -> bool:
        """Whether a study is being scored."""
        return self._run is not None

    @property
    def scan(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The volume that is being scored."""
        return self._run.scan if self._run is not None else None

    def start(self, request: Request) -> None:
        """Start scoring; a run that cannot be started is a failure like others."""
        self.cancel()
        try:
            self._run = self._startRun(request)
        except ScoringError as error:
            self._onFailure(error.failure, "")
            return
        self._timer.start()

    def cancel(self) -> None:
        """End the run at once, if there is one; nothing of it is kept."""
        self._timer.stop()
        run, self._run = self._run, None
        if run is not None:
            run.close()

    def _poll(self) -> None:
        run = self._run
        if run is None:
            return
        progress = run.process.poll()
        if run.process.exitCode() is None:
            if progress is not None:
                self._onProgress(progress)
            return
        self._timer.stop()
        self._run = None
        try:
            nodes = run.finish(self._scene)
        except ScoringError as error:
            self._onFailure(error.failure, run.process.details())
        except ASPECTSError as error:
            self._onFailure(Failure(str(error.code), error.message), run.process.details())
        else:
            self._onResult(nodes)
        finally:
            run.close()
