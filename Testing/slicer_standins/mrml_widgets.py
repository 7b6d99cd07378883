"""qMRMLWidget, which hands a scene on, and what widgets on the real scene of slicer-core share."""

# ruff: noqa: N801, N802, N815
from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import slicer
from PySide6 import QtCore, QtWidgets

from slicer_standins.python_qt import native

if TYPE_CHECKING:
    from collections.abc import Callable

Signal = QtCore.Signal


class Observations:
    """Observers of VTK objects that end together, and that do not keep the observer alive."""

    def __init__(self) -> None:
        self._tags: list[tuple[Any, int]] = []

    def add(self, observed: Any, event: int, method: Callable[[], None]) -> None:
        """Call a method, without arguments, at each event."""
        reference = weakref.WeakMethod(method)

        def call(*_arguments: object) -> None:
            if (living := reference()) is not None:
                living()

        self._tags.append((observed, observed.AddObserver(event, call)))

    def end(self) -> None:
        """Remove all observers."""
        for observed, tag in self._tags:
            observed.RemoveObserver(tag)
        self._tags.clear()


@native
class qMRMLWidget(QtWidgets.QWidget):
    """A widget that hands its scene on."""

    sceneChanged = Signal(object)
    MRML_SIGNALS = {"mrmlSceneChanged(vtkMRMLScene*)": "sceneChanged"}  # noqa: RUF012

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = None

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        """Return the scene."""
        return self._scene

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Set the scene, and that of the widgets connected in the form."""
        if scene is not self._scene:
            self._scene = scene
            self.sceneChanged.emit(scene)
