"""A segment that blinks, so that it is seen where a click in the table leads."""

from __future__ import annotations

from typing import Any

import qt
import slicer

_FLASHES, _FLASH_MS = 3, 180
_FLASH_OPACITY = 0.9


class Flash:
    """Lets a segment blink a few times, and leaves it as it was.

    Parameters
    ----------
    widget
        The panel, to which the timer belongs.
    """

    def __init__(self, widget: Any) -> None:
        self._timer = qt.QTimer(widget)
        self._timer.setInterval(_FLASH_MS)
        self._timer.connect("timeout()", self._toggle)
        self._display: slicer.vtkMRMLSegmentationDisplayNode | None = None
        self._segmentId, self._opacity, self._remaining = "", 0.0, 0

    def start(self, display: slicer.vtkMRMLSegmentationDisplayNode, identifier: str) -> None:
        """Blink; a segment that blinks already is as it was before."""
        self.stop()
        self._display, self._segmentId = display, identifier
        self._opacity, self._remaining = display.GetSegmentOpacity2DFill(identifier), 2 * _FLASHES
        self._toggle()
        self._timer.start()

    def stop(self) -> None:
        """Stop at once, with the segment as it was before."""
        self._timer.stop()
        display, self._display = self._display, None
        if display is not None and display.GetScene() is not None:
            display.SetSegmentOpacity2DFill(self._segmentId, self._opacity)

    def _toggle(self) -> None:
        if self._display is None or self._remaining == 0:
            self.stop()
            return
        isOn = self._remaining % 2 == 0
        self._display.SetSegmentOpacity2DFill(
            self._segmentId, _FLASH_OPACITY if isOn else self._opacity
        )
        self._remaining -= 1
