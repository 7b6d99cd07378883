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
from ASPECTSLib.errors import ASPECTSError
from ASPECTSSlicer.dependencies import hasPictures, hasTorch, installPictures, installTorch
from ASPECTSSlicer.editorcontrol import EditorControl
from ASPECTSSlicer.exportcontrol import ExportControl
from ASPECTSSlicer.headline import Headline
from ASPECTSSlicer.inputs import Inputs
from ASPECTSSlicer.overrides import INFARCT_EDIT, REGIONS_EDIT, Review
from ASPECTSSlicer.parameters import ASPECTSParameters
from ASPECTSSlicer.process import Failure, Progress
from ASPECTSSlicer.regiontable import RegionTable
from ASPECTSSlicer.results import ResultNodes, findResult
from ASPECTSSlicer.runcontrol import RunControl
from ASPECTSSlicer.runs import INPUT_GONE, Request, ScoringRun
from ASPECTSSlicer.shortcuts import addShortcuts
from ASPECTSSlicer.viewcontrol import ViewControl

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
        self.ui, self._scene, self._user = ui, scene, user
        self._parameters: ASPECTSParameters | None = None
        self._guiTag: int | None = None
        self._review: Review | None = None
        self._failureDetails, self._isEntered = "", False
        self._shown: slicer.vtkMRMLScalarVolumeNode | None = None
        self._runs = RunControl(
            widget, scene, startRun, self.onProgress, self.onResult, self.onFailure
        )
        self._views = ViewControl(widget, scene, layoutManager, self.onHover)
        self._editor = EditorControl(scene, ui.segmentEditor, self.onEdited)
        self._table = RegionTable(ui.regionTable, self.onRegionSelected, self.switchRegion)
        self._headline = Headline(ui)
        self._inputs = Inputs(ui, scene)
        self._export = ExportControl(ui, self._views)
        self._arrivals = qt.QTimer(widget)
        self._arrivals.setSingleShot(True)
        self._arrivals.connect("timeout()", self.onScansArrived)
        self._connectWidgets()
        addShortcuts(widget, ui.regionTable, self._keys(), self._tableKeys())
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
        self._editor.enter()
        self.setParameters(parameters)
        self._inputs.propose(parameters)
        self._refresh(isForced=True)

    def exit(self) -> None:
        """Leave everything outside the panel as it was before; a run goes on."""
        self._isEntered = False
        self._editor.exit()
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
        if self._review is None or not self._review.study.is_edited:
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
            self._updateButtons()
            return
        self._showResult(nodes)

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
        if self._runs.isRunning and node.GetID() == self._runs.scanId:
            self._runs.cancel()
            self.onFailure(INPUT_GONE, "")
        if not self._scene.IsBatchProcessing():
            self.onNodesChanged()

    def onNodesChanged(self, _caller: object = None, _event: str = "") -> None:
        """Look again at a result of which the user deleted something."""
        parts = vars(self._review.nodes).values() if self._review else ()
        if any(part is not None and part.GetScene() is not self._scene for part in parts):
            self._refresh(isForced=True)

    def onParametersModified(self, _caller: object = None, _event: str = "") -> None:
        """Follow what was chosen."""
        self._refresh()

    # Review

    def onRegionSelected(self, region: Region) -> None:
        """Show the evidence of a region, and go there."""
        self._describe(region)
        self._showReason(region)
        self._views.jumpTo(region)

    def onHover(self, region: Region | None) -> None:
        """Say which region is under the mouse."""
        self._describe(region or self._table.selectedRegion())

    def switchRegion(self, region: Region) -> None:
        """Turn the call of a region over."""
        reason = self.ui.reasonEdit.text.strip() if self.ui.reasonEdit.modified else ""
        self._change(lambda review: review.switchRegion(region, reason))
        self.ui.reasonEdit.modified = False
        self._describe(region)
        self._showReason(region)

    def onReason(self) -> None:
        """Note the reason of the selected region's switch."""
        region = self._table.selectedRegion()
        if region is not None and self.ui.reasonEdit.modified:
            reason = self.ui.reasonEdit.text.strip()
            self._change(lambda review: review.giveReason(region, reason))
            if self._review is not None and self._review.info(region).override is not None:
                self.ui.reasonEdit.modified = False  # taken; otherwise it waits for a switch

    def onUndo(self, _checked: bool = False) -> None:
        """Undo the last switch."""
        self._change(lambda review: review.undo())

    def onBackToAutomatic(self, _checked: bool = False) -> None:
        """Take back all switches."""
        self._change(lambda review: review.backToAutomatic())

    def onEdited(self, what: str, segmentId: str) -> None:
        """Score again after an edit of borders."""
        self._change(lambda review: review.rescore(what, segmentId))
        self._views.regionsChanged()

    def editRegions(self, _checked: bool = False) -> None:
        """Open the Segment Editor on the selected region."""
        self._edit(REGIONS_EDIT, self._table.selectedRegion())

    def editInfarct(self, _checked: bool = False) -> None:
        """Open the Segment Editor on the infarct."""
        self._edit(INFARCT_EDIT, None)

    def _edit(self, what: str, region: Region | None) -> None:
        if self._review is None or not self._editor.edit(what, region):
            return
        self._applyDisplay(self._parameters)  # the editor takes the map of compared voxels away
        self.ui.editSection.collapsed = False
        self.ui.editRegionsButton.setChecked(what == REGIONS_EDIT)
        self.ui.editInfarctButton.setChecked(what == INFARCT_EDIT)
        self._try(self._review.prepare)

    def _change(self, change: Callable[[Review], None]) -> None:
        """Change the result, and show what became of it."""
        review = self._review
        if review is None:
            return
        self._views.stopFlash()
        self._editor.ignoring(lambda: self._try(lambda: change(review)))
        self._showStudy()

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except ASPECTSError as error:
            self.onFailure(Failure(str(error.code), error.message), "")

    # Showing

    def _refresh(self, *, isForced: bool = False) -> None:
        """Show the scan that is chosen, with its result if it has one."""
        parameters = self._parameters
        if parameters is None:
            return
        self._inputs.update(parameters)
        scan = parameters.ncct
        if (
            scan is not self._shown
            and self._shown is not None
            and self._shown.GetScene() is not None
        ):
            self._headline.clearMessage()  # it spoke of that scan; one that was removed is still worth a word
        if scan is not self._shown:
            self._inputs.readAge(parameters, isNewPatient=self._shown is not None)
        if isForced or scan is not self._shown:
            self._shown = scan
            self._showResult(findResult(self._scene, scan) if scan is not None else None)
        self._applyDisplay(parameters)
        self._updateButtons()

    def _showResult(self, nodes: ResultNodes | None) -> None:
        previous, self._review = self._review, None
        if nodes is not None:
            self._try(lambda: self._beginReview(nodes, previous))
        review = self._review
        self._editor.setResult(review.nodes if review else None)
        if review is not None:
            self._editor.ignoring(lambda: self._views.showResult(review.nodes, review.study))
        elif self._shown is not None:
            self._views.showScan(self._shown)
        else:
            self._views.clear()
        if self._parameters is not None:
            self._applyDisplay(self._parameters)
        self._showStudy()

    def _beginReview(self, nodes: ResultNodes, previous: Review | None) -> None:
        """Review a result; one that was left and is taken up again keeps what can be undone."""
        review = Review(nodes, self._user)
        if previous is not None:
            review.continueFrom(previous)
        self._review = review

    def _showStudy(self) -> None:
        study = self._review.study if self._review else None
        self._table.show(study)
        self._headline.show(study)
        self._describe(self._table.selectedRegion())
        self._updateButtons()

    def _describe(self, region: Region | None) -> None:
        self._headline.describe(self._review.info(region) if self._review and region else None)

    def _showReason(self, region: Region) -> None:
        """Show why a region was switched; what is being typed for one that was not stays."""
        if self._review is None:
            return
        override = self._review.info(region).override
        if override is not None:
            self.ui.reasonEdit.setText(override.reason)
        elif not self.ui.reasonEdit.modified:
            self.ui.reasonEdit.clear()

    def _applyDisplay(self, parameters: ASPECTSParameters) -> None:
        self._views.setHeatmapOpacity(parameters.heatmapOpacity)
        self._views.setOutlinesVisible(parameters.showOutlines)
        self._views.setComparedVisible(parameters.showCompared)

    def _updateButtons(self) -> None:
        running, review = self._runs.isRunning, self._review
        request = self._inputs.request(self._parameters) if self._parameters else None
        ui = self.ui
        ui.scoreButton.setEnabled(not running and request is not None)
        ui.cancelButton.setEnabled(running)
        ui.progressBar.setVisible(running)
        ui.undoButton.setEnabled(review is not None and review.canUndo)
        isOverridden = review is not None and any(i.override for i in review.study.regions)
        ui.automaticButton.setEnabled(isOverridden)
        for widget in (ui.reasonEdit, ui.editSection, ui.displaySection, ui.exportSection):
            widget.setEnabled(review is not None)
        ui.resultFrame.setVisible(review is not None)
        ui.copyButton.setVisible(self._headline.isComplaint)
        self._export.setResult(review.nodes if review else None)
        if not running and review is None and not self._headline.hasMessage:
            self._headline.hint(_(_READY) if request else self._inputs.whatIsMissing())

    def _letGo(self) -> None:
        self._editor.release()
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
            (ui.undoButton, self.onUndo),
            (ui.automaticButton, self.onBackToAutomatic),
            (ui.editRegionsButton, self.editRegions),
            (ui.editInfarctButton, self.editInfarct),
            (ui.installPictureButton, self.onInstallPictures),
            (ui.installTorchButton, self.onInstallTorch),
            (ui.previousSliceButton, lambda _checked=False: self._views.stepSlices(-1)),
            (ui.nextSliceButton, lambda _checked=False: self._views.stepSlices(1)),
            (ui.keySlicesButton, lambda _checked=False: self._views.goToKeySlices()),
            (ui.layoutButton, lambda _checked=False: self._views.enter()),
        ):
            button.connect("clicked(bool)", slot)
        ui.reasonEdit.connect("editingFinished()", self.onReason)
        ui.windowSelector.addItems(self._views.windowNames())
        ui.windowSelector.connect("activated(int)", lambda index: self._views.setWindow(index + 1))

    def _keys(self) -> Mapping[str, Callable[[], None]]:
        windows = {str(key): lambda key=key: self._setWindow(key) for key in self._views.windowKeys}
        return {"H": self._toggleHeatmap, "O": self._toggleOutlines, **windows}

    def _tableKeys(self) -> Mapping[str, Callable[[], None]]:
        return {"Space": self._switchSelected, "E": self.editRegions, "Ctrl+Z": self.onUndo}

    def _switchSelected(self) -> None:
        region = self._table.selectedRegion()
        if region is not None:
            self.switchRegion(region)

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


_READY = "Press Score."
