"""The export section of the panel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from ASPECTSLib.errors import ASPECTSError, ErrorCode, UsageError
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.report.wording import RESEARCH_ONLY, headline, override_text
from ASPECTSLib.report.writer import Content
from ASPECTSSlicer.dependencies import hasPictures
from ASPECTSSlicer.export import exportResult
from ASPECTSSlicer.parameters import ASPECTSParameters
from ASPECTSSlicer.results import ResultNodes, readStudy
from ASPECTSSlicer.viewcontrol import ViewControl

_UNFIT_FOR_NAMES = re.compile(r"[^\w .-]+")


class ExportControl:
    """Writes the result where the user says.

    Parameters
    ----------
    ui
        The widgets by name.
    views
        For a picture where matplotlib is not installed.
    """

    def __init__(self, ui: Any, views: ViewControl) -> None:
        self._ui, self._views = ui, views
        self._nodes: ResultNodes | None = None
        self._parameters: ASPECTSParameters | None = None
        ui.exportButton.connect("clicked(bool)", self.onExport)

    def setParameters(self, parameters: ASPECTSParameters) -> None:
        """Take folder and contents from these."""
        self._parameters = parameters

    def setResult(self, nodes: ResultNodes | None) -> None:
        """Export this result, or none."""
        self._nodes = nodes
        self._ui.exportLabel.setText("")  # it spoke of the result as it was before

    def onExport(self, _checked: bool = False) -> None:
        """Write the chosen files to a folder of their own."""
        if self._nodes is None or self._parameters is None:
            return
        if not self._ui.exportFolderEdit.currentPath:
            self._ui.exportLabel.setText(_("Choose a folder first."))
            return
        if not self._contents():
            self._ui.exportLabel.setText(_("Choose first what to write."))
            return
        folder = Path(self._ui.exportFolderEdit.currentPath) / _folderName(self._nodes)
        try:
            self._ui.exportLabel.setText(self._write(folder))
            self._ui.exportFolderEdit.addCurrentPathToHistory()
        except (ASPECTSError, OSError) as error:
            code = f" ({error.code})" if isinstance(error, ASPECTSError) else ""
            self._ui.exportLabel.setText(f"✖ {error}{code}")

    def _write(self, folder: Path) -> str:
        contents, picture = self._contents(), self._pictureOfViews()
        try:
            exportResult(self._nodes, folder, contents, picture=picture)
        except UsageError as error:
            if error.code != ErrorCode.OUTPUT_EXISTS or not self._mayReplace(folder):
                raise
            exportResult(self._nodes, folder, contents, picture=picture, replaceExisting=True)
        return _("Written to {folder}").format(folder=folder)

    def _contents(self) -> list[Content]:
        parameters = self._parameters
        chosen = {
            Content.RESULT: parameters.exportResult,
            Content.TABLE: parameters.exportTable,
            Content.SEGMENTS: parameters.exportSegments,
            Content.PICTURE: parameters.exportPicture,
        }
        return [content for content, isChosen in chosen.items() if isChosen]

    def _pictureOfViews(self) -> bytes | None:
        if hasPictures() or not self._parameters.exportPicture or not self._views.canCapture:
            return None
        return self._views.picture(_caption(readStudy(self._nodes)))

    @staticmethod
    def _mayReplace(folder: Path) -> bool:
        question = _("{folder} exists already. Replace the export in it?")
        return slicer.util.confirmOkCancelDisplay(question.format(folder=folder))


def _caption(study: StudyResult) -> str:
    """Return what must be on every picture of a result."""
    changes = [override_text(info) for info in study.regions if info.override]
    return "\n".join([headline(study), *changes, RESEARCH_ONLY])


def _folderName(nodes: ResultNodes) -> str:
    name = nodes.scan.GetName() if nodes.scan is not None else "scan"
    return _UNFIT_FOR_NAMES.sub("_", f"{name} ASPECTS").strip()
