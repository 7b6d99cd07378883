"""The panel: it brings together scan, run, result, review, views and export, and says what is going on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from ASPECTSLib.atlas.regions import Region
from ASPECTSLib.errors import ErrorCode
from ASPECTSSlicer.dependencies import hasNetworks, hasPictures, installNetworks, installPictures
from ASPECTSSlicer.displaycontrol import DisplayControl
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
        self._arrived: list[slicer.vtkMRMLScalarVolumeNode] = []
        self._shown: slicer.vtkMRMLScalarVolumeNode | None = None
        self._runs = RunControl(
            widget, scene, startRun, self.onProgress, self.onResult, self.onFailure
        )
        self._views = ViewControl(widget, scene, layoutManager, self.onHover)
        self._display = DisplayControl(ui, self._views)
        self._headline = Headline(ui)
        self.review = ReviewControl(ui, scene, self._views, self._headline, user, self)
        self._inputs = Inputs(ui, scene)
        self._export = ExportControl(ui, self._views)
        self._arrivals = qt.QTimer(widget)
        self._arrivals.setSingleShot(True)
        self._arrivals.connect("timeout()", self.onScansArrived)
        self._connectWidgets()
        addShortcuts(widget, ui.regionTable, self._display.keys(), self.review.tableKeys())
        for event, handler in (
            (scene.StartCloseEvent, self.onSceneStartClose),
            (scene.NodeAddedEvent, self.onNodeAdded),
            (scene.NodeAboutToBeRemovedEvent, self.onNodeGoes),
            (scene.NodeRemovedEvent, self.onNodeRemoved),
            (scene.EndBatchProcessEvent, self.onNodesChanged),
        ):
            self.addObserver(scene, event, handler)
        self._showResult(None)

    def enter(self, parameters: ASPECTSParameters) -> None:
        """Take up the scene when the module is opened."""
        self._isEntered = True
        self.ui.installPictureButton.setEnabled(not hasPictures())
        self.ui.installTorchButton.setEnabled(not hasNetworks())
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
        self._display.setParameters(parameters)
        if parameters is not None:
            self._inputs.adopt(parameters)
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
        parameters = self._parameters
        isShown = parameters is not None and nodes.scan is self._inputs.scan(parameters)
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
        self._install(installNetworks, _("PyTorch could not be installed."))

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
            self._arrived.append(node)
            self._arrivals.start()

    def onScansArrived(self) -> None:
        """Propose what was loaded."""
        arrived = [node for node in self._arrived if node.GetScene() is self._scene]
        self._arrived.clear()
        if self._parameters is not None and not self._runs.isRunning:
            self._inputs.propose(self._parameters, arrived)
            self._refresh()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeGoes(self, _caller: object, _event: str, node: slicer.vtkMRMLNode) -> None:
        """Choose no other scan in place of one that goes."""
        if self._parameters is not None and node.IsA("vtkMRMLScalarVolumeNode"):
            self._inputs.release(self._parameters, node)

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
        scan, former = self._inputs.scan(parameters), self._shown
        isOther = scan is not former
        if isOther:
            if former is not None and former.GetScene() is not None:
                self._headline.clearMessage()  # of that scan; that one was removed is worth a word
            isSamePatient = former is None or self._inputs.isChosen(parameters, former)
            self._inputs.readAge(parameters, isNewPatient=not isSamePatient)
        if isForced or isOther:
            self._shown = scan
            self._showResult(_findResultOf(self._scene, scan))
        self._display.apply()
        self._updateButtons()

    def _showResult(self, nodes: ResultNodes | None) -> None:
        self.review.show(nodes)
        if self.review.nodes is None:
            if self._parameters is not None and self._shown is not None:
                self._views.showScan(self._shown, self._inputs.modality(self._parameters))
            else:
                self._views.clear()
        self._display.explain()
        self._display.apply()

    def onHover(self, region: Region | None) -> None:
        """Say which region is under the mouse."""
        self.review.onHover(region)

    def onReviewChanged(self) -> None:
        """Offer what can be done with the result as it is now."""
        self._updateButtons()

    def onEditing(self) -> None:
        """Show the map of compared voxels again, which the Segment Editor takes away."""
        self._display.apply()

    def _updateButtons(self) -> None:
        running, nodes = self._runs.isRunning, self.review.nodes
        request = self._inputs.request(self._parameters) if self._parameters else None
        ui = self.ui
        ui.scoreButton.setEnabled(not running and request is not None)
        ui.cancelButton.setEnabled(running)
        ui.progressBar.setVisible(running)
        failure = self._headline.failure
        ui.copyButton.setVisible(failure is not None)
        isCurable = failure is not None and failure.code == ErrorCode.TORCH_MISSING
        ui.failureTorchButton.setVisible(isCurable)
        self.review.lock(isLocked=running and self._runs.scan is self._shown)
        self.review.updateButtons()
        self._export.setResult(nodes)
        if not running and nodes is None and not self._headline.hasMessage:
            todo = self._inputs.whatToDo(self._parameters) if self._parameters else ""
            self._headline.hint(todo)

    def _letGo(self) -> None:
        self.review.editor.release()
        self.setParameters(None)
        self._shown = None
        self._arrived.clear()
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
            (ui.failureTorchButton, self.onInstallTorch),
            (ui.previousSliceButton, lambda _checked=False: self._views.stepSlices(-1)),
            (ui.nextSliceButton, lambda _checked=False: self._views.stepSlices(1)),
            (ui.keySlicesButton, lambda _checked=False: self._views.goToKeySlices()),
            (ui.layoutButton, lambda _checked=False: self._views.enter()),
        ):
            button.connect("clicked(bool)", slot)


def _findResultOf(
    scene: slicer.vtkMRMLScene, scan: slicer.vtkMRMLScalarVolumeNode | None
) -> ResultNodes | None:
    """Return the result of the scan that is chosen, if one is chosen and has a result."""
    return findResult(scene, scan) if scan is not None and scan.GetScene() is scene else None
