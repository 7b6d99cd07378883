"""The panel: it brings together scan, run, result, review, views and export, and says what is going on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from ASPECTSLib.atlas.regions import Region
from ASPECTSSlicer.dependencies import hasPictures, hasTorch, installPictures, installTorch
from ASPECTSSlicer.exportcontrol import ExportControl
from ASPECTSSlicer.headline import Headline
from ASPECTSSlicer.inputs import Inputs
from ASPECTSSlicer.parameters import ASPECTSParameters
from ASPECTSSlicer.process import Failure, Progress
from ASPECTSSlicer.results import ResultNodes, findResult
from ASPECTSSlicer.reviewcontrol import ReviewControl
from ASPECTSSlicer.runcontrol import RunControl
from ASPECTSSlicer.runs import INPUT_GONE, Request, ScoringRun
from ASPECTSSlicer.shortcuts import addShortcuts
from ASPECTSSlicer.viewcontrol import ViewControl
from ASPECTSSlicer.volumes import hasVoxels

_HEATMAP_OPACITY = 0.6  # what the key H switches on


class Panel(VTKObservationMixin):
    """Everything behind the widgets of `ASPECTS.ui`.

    Parameters
    ----------
    ui
        The widgets by name.
    widget
        The panel itself.
    scene
        The application's scene.
    layoutManager
        The application's, or None where there are no views.
    startRun
        Starts scoring.
    user
        Name of the person at the screen, noted with every change.
    """

    def __init__(
        self,
        ui: Any,
        widget: Any,
        scene: slicer.vtkMRMLScene,
        layoutManager: Any,
        startRun: Callable[[Request], ScoringRun],
        user: str,
    ) -> None:
        super().__init__()
        self.ui, self._scene = ui, scene
        self._parameters: ASPECTSParameters | None = None
        self._guiTag: int | None = None
        self._failureDetails, self._isEntered = "", False
        self._shown: slicer.vtkMRMLScalarVolumeNode | None = None
        self._runs = RunControl(
            widget, scene, startRun, self.onProgress, self.onResult, self.onFailure
        )
        self._views = ViewControl(widget, scene, layoutManager, self.onHover)
        self._headline = Headline(ui)
        self.review = ReviewControl(ui, scene, self._views, self._headline, user, self)
        self._inputs = Inputs(ui, scene)
        self._export = ExportControl(ui, self._views)
        self._arrivals = qt.QTimer(widget)
        self._arrivals.setSingleShot(True)
        self._arrivals.connect("timeout()", self.onScansArrived)
        self._connectWidgets()
        addShortcuts(widget, ui.regionTable, self._keys(), self.review.tableKeys())
        for event, handler in (
            (scene.StartCloseEvent, self.onSceneStartClose),
            (scene.NodeAddedEvent, self.onNodeAdded),
            (scene.NodeRemovedEvent, self.onNodeRemoved),
            (scene.EndBatchProcessEvent, self.onNodesChanged),
        ):
            self.addObserver(scene, event, handler)
        self._showResult(None)

    def enter(self, parameters: ASPECTSParameters) -> None:
        """Take up the scene when the module is opened."""
        self._isEntered = True
        self.ui.installPictureButton.setEnabled(not hasPictures())
        self.ui.installTorchButton.setEnabled(not hasTorch())
        self._views.enter()
        self.review.editor.enter()
        self.setParameters(parameters)
        self._inputs.propose(parameters)
        self._refresh(isForced=True)

    def exit(self) -> None:
        """Leave everything outside the panel as it was before; a run goes on."""
        self._isEntered = False
        self.review.editor.exit()
        self._views.exit()

    def cleanup(self) -> None:
        """Leave nothing running and nothing observed."""
        self._arrivals.stop()
        self._runs.cancel()
        self._letGo()
        self._views.exit()
        self.removeObservers()

    def setParameters(self, parameters: ASPECTSParameters | None) -> None:
        """Show other parameters; None before the scene or the module goes."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._guiTag)
            node = self._parameters.parameterNode
            self.removeObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self._parameters = parameters
        if parameters is not None:
            self._guiTag = parameters.connectGui(self.ui)
            node = parameters.parameterNode
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
            self._export.setParameters(parameters)

    # Running

    def onScore(self, _checked: bool = False) -> None:
        """Score what is chosen; asks before a result that a person has edited is replaced."""
        request = self._inputs.request(self._parameters) if self._parameters else None
        if request is None or not self._mayReplaceResult():
            return
        self._headline.clearMessage()
        self._runs.start(request)
        if self._runs.isRunning:
            self.onProgress(Progress(_("starting"), 0.0))
        self._updateButtons()

    def _mayReplaceResult(self) -> bool:
        if not self.review.isEdited:
            return True
        question = _("This result was changed by hand. Score again, and lose these changes?")
        return slicer.util.confirmOkCancelDisplay(question)

    def onCancel(self, _checked: bool = False) -> None:
        """Stop the run; what was there before stays."""
        self._runs.cancel()
        self._headline.say(_("Cancelled; nothing was changed."))
        self._updateButtons()

    def onProgress(self, progress: Progress) -> None:
        """Show how far the run is."""
        self.ui.progressBar.setValue(round(100 * progress.fraction))
        self.ui.progressBar.setFormat(f"{progress.stage} … %p %")

    def onResult(self, nodes: ResultNodes) -> None:
        """Show a new result, unless another scan was chosen meanwhile."""
        self._headline.clearMessage()
        isShown = self._parameters is not None and nodes.scan is self._parameters.ncct
        if not (self._isEntered and isShown):
            self._headline.say(
                _("The result of {scan} is ready.").format(scan=nodes.scan.GetName())
            )
        elif not self._isShown(nodes):
            self._showResult(nodes)
        self._updateButtons()

    def onFailure(self, failure: Failure, details: str) -> None:
        """Say why there is no result; what was there before stays."""
        self._headline.complain(failure)
        self._failureDetails = f"{failure}\n{details}".strip()
        self._updateButtons()

    def onCopyDetails(self, _checked: bool = False) -> None:
        """Put the last error on the clipboard."""
        qt.QApplication.clipboard().setText(self._failureDetails)

    def onInstallPictures(self, _checked: bool = False) -> None:
        """Install matplotlib, after consent."""
        self._install(installPictures, _("matplotlib could not be installed."))

    def onInstallTorch(self, _checked: bool = False) -> None:
        """Install PyTorch, after consent."""
        self._install(installTorch, _("PyTorch could not be installed."))

    def _install(self, install: Callable[[], str], apology: str) -> None:
        with slicer.util.tryWithErrorDisplay(apology):
            self._headline.say(install())
            self._updateButtons()

    # The scene

    def onSceneStartClose(self, _caller: object, _event: str) -> None:
        """Let go of everything in the scene before it goes."""
        wasRunning = self._runs.isRunning
        self._runs.cancel()
        self._letGo()
        if wasRunning:
            self._headline.say(_("The scene was closed, so scoring was stopped; nothing was kept."))
        self._updateButtons()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAdded(self, _caller: object, _event: str, node: slicer.vtkMRMLNode) -> None:
        """Propose a scan that is loaded while the module is open, once its voxels are there."""
        if self._isEntered and node.IsA("vtkMRMLScalarVolumeNode"):
            self._arrivals.start()

    def onScansArrived(self) -> None:
        """Propose what was loaded."""
        if self._parameters is not None and not self._runs.isRunning:
            self._inputs.propose(self._parameters)
            self._refresh()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeRemoved(self, _caller: object, _event: str, node: slicer.vtkMRMLNode) -> None:
        """Stop a run whose scan is gone, and show no result of which parts are gone."""
        if self._runs.isRunning and node is self._runs.scan:
            self._runs.cancel()
            self.onFailure(INPUT_GONE, "")
        if not self._scene.IsBatchProcessing():
            self.onNodesChanged()

    def onNodesChanged(self, _caller: object = None, _event: str = "") -> None:
        """Look again where parts of the shown result are gone, or its scan has got another one."""
        shown, scan = self.review.nodes, self._shown
        parts = vars(shown).values() if shown is not None else ()
        isBroken = any(part is not None and part.GetScene() is not self._scene for part in parts)
        if isBroken or (self._isEntered and not self._isShown(_findResultOf(self._scene, scan))):
            self._refresh(isForced=True)

    def _isShown(self, nodes: ResultNodes | None) -> bool:
        shown = self.review.nodes
        if nodes is None or shown is None:
            return nodes is shown
        return nodes.text is shown.text

    def onParametersModified(self, _caller: object = None, _event: str = "") -> None:
        """Follow what was chosen."""
        self._refresh()

    # Showing

    def _refresh(self, *, isForced: bool = False) -> None:
        """Show the scan that is chosen, with its result if it has one."""
        parameters = self._parameters
        if parameters is None:
            return
        self._inputs.update(parameters)
        scan = parameters.ncct
        isOther = scan is not self._shown
        if isOther:
            if self._shown is not None and self._shown.GetScene() is not None:
                self._headline.clearMessage()  # of that scan; that one was removed is worth a word
            self._inputs.readAge(parameters, isNewPatient=self._shown is not None)
        if isForced or isOther:
            self._shown = scan
            self._showResult(_findResultOf(self._scene, scan))
        self._applyDisplay(parameters)
        self._updateButtons()

    def _showResult(self, nodes: ResultNodes | None) -> None:
        self.review.show(nodes)
        if self.review.nodes is None:
            if self._shown is not None and hasVoxels(self._shown):
                self._views.showScan(self._shown)
            else:
                self._views.clear()
        if self._parameters is not None:
            self._applyDisplay(self._parameters)

    def onHover(self, region: Region | None) -> None:
        """Say which region is under the mouse."""
        self.review.onHover(region)

    def onReviewChanged(self) -> None:
        """Offer what can be done with the result as it is now."""
        self._updateButtons()

    def onEditing(self) -> None:
        """Show the map of compared voxels again, which the Segment Editor takes away."""
        if self._parameters is not None:
            self._applyDisplay(self._parameters)

    def _applyDisplay(self, parameters: ASPECTSParameters) -> None:
        self._views.setHeatmapOpacity(parameters.heatmapOpacity)
        self._views.setOutlinesVisible(parameters.showOutlines)
        self._views.setComparedVisible(parameters.showCompared)

    def _updateButtons(self) -> None:
        running, nodes = self._runs.isRunning, self.review.nodes
        request = self._inputs.request(self._parameters) if self._parameters else None
        ui = self.ui
        ui.scoreButton.setEnabled(not running and request is not None)
        ui.cancelButton.setEnabled(running)
        ui.progressBar.setVisible(running)
        ui.copyButton.setVisible(self._headline.isComplaint)
        self.review.lock(isLocked=running and self._runs.scan is self._shown)
        self.review.updateButtons()
        self._export.setResult(nodes)
        if not running and nodes is None and not self._headline.hasMessage:
            self._headline.hint(_("Press Score.") if request else self._inputs.whatIsMissing())

    def _letGo(self) -> None:
        self.review.editor.release()
        self.setParameters(None)
        self._shown = None
        self._inputs.forget()
        self._showResult(None)

    # Keys and buttons

    def _connectWidgets(self) -> None:
        ui = self.ui
        for button, slot in (
            (ui.scoreButton, self.onScore),
            (ui.cancelButton, self.onCancel),
            (ui.copyButton, self.onCopyDetails),
            (ui.installPictureButton, self.onInstallPictures),
            (ui.installTorchButton, self.onInstallTorch),
            (ui.previousSliceButton, lambda _checked=False: self._views.stepSlices(-1)),
            (ui.nextSliceButton, lambda _checked=False: self._views.stepSlices(1)),
            (ui.keySlicesButton, lambda _checked=False: self._views.goToKeySlices()),
            (ui.layoutButton, lambda _checked=False: self._views.enter()),
        ):
            button.connect("clicked(bool)", slot)
        ui.windowSelector.addItems(self._views.windowNames())
        ui.windowSelector.connect("activated(int)", lambda index: self._views.setWindow(index + 1))

    def _keys(self) -> Mapping[str, Callable[[], None]]:
        windows = {str(key): lambda key=key: self._setWindow(key) for key in self._views.windowKeys}
        return {"H": self._toggleHeatmap, "O": self._toggleOutlines, **windows}

    def _toggleHeatmap(self) -> None:
        if self._parameters is not None:
            isShown = self._parameters.heatmapOpacity > 0
            self._parameters.heatmapOpacity = 0.0 if isShown else _HEATMAP_OPACITY

    def _toggleOutlines(self) -> None:
        if self._parameters is not None:
            self._parameters.showOutlines = not self._parameters.showOutlines

    def _setWindow(self, key: int) -> None:
        self.ui.windowSelector.setCurrentIndex(key - 1)
        self._views.setWindow(key)


def _findResultOf(
    scene: slicer.vtkMRMLScene, scan: slicer.vtkMRMLScalarVolumeNode | None
) -> ResultNodes | None:
    """Return the result of the scan that is chosen, if one is chosen and has a result."""
    return findResult(scene, scan) if scan is not None and scan.GetScene() is scene else None
