"""The four views of the module: what they show, the marks on them, and what lies under the mouse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import qt
import slicer
from numpy.typing import NDArray
from slicer.util import arrayFromVolume

from ASPECTSLib.atlas.regions import Region
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.report.looks import HeatKind
from ASPECTSLib.report.result import StudyResult
from ASPECTSSlicer import appearance, layers, views
from ASPECTSSlicer.capture import viewsPng
from ASPECTSSlicer.flash import Flash
from ASPECTSSlicer.layout import (
    VIEW_NAMES,
    VIEW_PAIRS,
    levelOf,
    registerLayout,
    restoreLayout,
    showLayout,
    sliceNodeOf,
)
from ASPECTSSlicer.marks import Caption, RegionLabels, SideMarks, regionLabels
from ASPECTSSlicer.planes import boundsOf, sliceGridOf
from ASPECTSSlicer.results import ResultNodes, allResults
from ASPECTSSlicer.segmentations import segmentId, setOutlinesVisible
from ASPECTSSlicer.volumes import hasVoxels

_NAMES_DELAY_MS = 400


class _WindowBefore(NamedTuple):
    """The grey window that a scan had before, and what it has been shown as since."""

    window: appearance.Window | None
    modality: str


class ViewControl:
    """Shows scans and results in the module's four views.

    Parameters
    ----------
    widget
        The panel, to which the timers belong.
    scene
        The application's scene.
    layoutManager
        The application's, or None where there are no views.
    onHover
        Called with the region under the mouse, or None.
    """

    def __init__(
        self,
        widget: Any,
        scene: slicer.vtkMRMLScene,
        layoutManager: Any,
        onHover: Callable[[Region | None], None],
    ) -> None:
        self._scene, self._layoutManager, self._onHover = scene, layoutManager, onHover
        self._previousLayout: int | None = None
        self._views: views.ScanViews | None = None
        self._nodes: ResultNodes | None = None
        self._labels: NDArray[np.uint8] | None = None
        self._sideMarks: list[SideMarks] = []
        self._regionLabels: list[RegionLabels] = []
        self._crosshair: tuple[slicer.vtkMRMLCrosshairNode, int] | None = None
        self._hovered: Region | None = None
        self._windowsBefore: dict[str, _WindowBefore] = {}
        self.modality = Modality.NCCT.value
        """What the scan shows that is shown, or was last."""
        self.heatmapKind: str | None = None
        """What its heat map holds, or would hold."""
        self.windows: Mapping[int, appearance.Window] = appearance.WINDOWS
        """The preset grey windows for it, by key."""
        self._flash = Flash(widget)
        # Names take longer than scoring again: they wait for a pause between brush strokes.
        self._namesTimer = qt.QTimer(widget)
        self._namesTimer.setSingleShot(True)
        self._namesTimer.setInterval(_NAMES_DELAY_MS)
        self._namesTimer.connect("timeout()", self._nameRegions)

    @property
    def _layoutNode(self) -> slicer.vtkMRMLLayoutNode:
        return self._layoutManager.layoutLogic().GetLayoutNode()

    def enter(self) -> None:
        """Show the four views, with the marks, and follow the mouse."""
        if self._layoutManager is None:
            return
        registerLayout(self._layoutNode)
        previous = showLayout(self._layoutNode)
        if self._previousLayout is None:
            self._previousLayout = previous
        self._addMarks()
        self._followMouse()
        self._limitToAnnotated()

    def exit(self) -> None:
        """Leave the views as they were before."""
        self._flash.stop()
        self._namesTimer.stop()
        self._removeMarks()
        self._ignoreMouse()
        self._restoreWindows()
        self._showEverywhere()
        if self._layoutManager is not None and self._previousLayout is not None:
            restoreLayout(self._layoutNode, self._previousLayout)
        self._previousLayout = None

    def showScan(self, volumeNode: slicer.vtkMRMLScalarVolumeNode, modality: str) -> None:
        """Show a scan without a result, in the stroke window of its modality."""
        self._forget()
        self._choosePresets(volumeNode, modality)
        isDiffusion = modality == Modality.DWI.value
        self.heatmapKind = HeatKind.PROBABILITY if isDiffusion else HeatKind.DIFFERENCE
        if self._layoutManager is not None:
            self._openStrokeWindow(volumeNode)
            self._views = views.setScan(self._scene, volumeNode)
            self._limitToAnnotated()
            self._updateTitles()

    def showResult(self, nodes: ResultNodes, study: StudyResult) -> None:
        """Show a result at its key slices."""
        self._forget()
        self._nodes = nodes
        self.heatmapKind = study.method.heatmap
        if nodes.scan is not None and hasVoxels(nodes.scan):
            self._choosePresets(nodes.scan, study.input.modality, nodes.compared)
        if nodes.heatmap is None or nodes.regions is None:
            return
        if self._layoutManager is not None and nodes.scan is not None:
            self._openStrokeWindow(nodes.scan)
            appearance.colourHeatmap(nodes.heatmap, self.heatmapKind)
            self._views = views.setScan(self._scene, nodes.scan, study.key_slices, nodes.heatmap)
            self._limitToAnnotated()
        self.regionsChanged()
        self._nameRegions()
        self._updateTitles()
        self.fit()

    def fit(self) -> None:
        """Fill the views with the regions."""
        if self._views is None:
            return
        if self._labels is not None and self._labels.any():
            self._views.fitToRegions(boundsOf(self._labels > 0, self._views.grid))
        else:
            self._views.fitToScan()

    def clear(self) -> None:
        """Show nothing."""
        self._forget()
        if self._layoutManager is not None:
            with suppress(LookupError):  # the scene may have lost its views
                views.clearScan(self._scene)
            self._limitToAnnotated()

    def regionsChanged(self) -> None:
        """Read the regions again, for the mouse; their names in the views follow a moment later."""
        nodes = self._nodes
        if nodes is None or nodes.regions is None or nodes.heatmap is None:
            return
        self._labels = layers.regionLabels(nodes.regions, nodes.heatmap)
        self._namesTimer.start()

    def jumpTo(self, region: Region) -> None:
        """Show the slice in which a region is largest, and let the region flash."""
        if self._views is None or self._nodes is None or self._nodes.regions is None:
            return
        regions, identifier = self._nodes.regions, segmentId(region)
        if regions.GetSegmentation().GetSegment(identifier) is None:
            return
        centre = layers.regionCentre(regions, identifier, self._sliceAxis)
        if centre is not None:
            self._views.jumpToPoint(centre, region.level)
            self._flash.start(regions.GetDisplayNode(), identifier)

    def stopFlash(self) -> None:
        """Leave the segment that flashes as it was, before something else changes it."""
        self._flash.stop()

    def stepSlices(self, steps: int) -> None:
        """Move all views by some slices, towards the head where it is positive."""
        if self._views is not None:
            self._views.stepSlices(steps)

    def goToKeySlices(self) -> None:
        """Show the key slices again."""
        if self._views is not None:
            self._views.goToKeySlices()
            self.fit()

    def setWindow(self, key: int) -> None:
        """Set one of the preset grey windows."""
        if self._views is not None and self._background is not None:
            appearance.setWindow(self._background, self.windows[key])

    def setHeatmapOpacity(self, opacity: float) -> None:
        """Lay the heat map over the annotated views."""
        if self._views is None or self._nodes is None or self._nodes.heatmap is None:
            return
        if opacity > 0:
            views.setHeatmap(self._scene, self._nodes.heatmap, opacity)
        else:
            views.clearHeatmap(self._scene)

    def setOutlinesVisible(self, visible: bool) -> None:
        """Show or hide the outlines of the regions."""
        if self._nodes is not None and self._nodes.regions is not None:
            setOutlinesVisible(self._nodes.regions, visible)

    def setComparedVisible(self, visible: bool) -> None:
        """Show or hide which voxels were compared, in the annotated views."""
        if self._views is None or self._nodes is None or self._nodes.compared is None:
            return
        views.setCompared(self._scene, self._nodes.compared if visible else None)

    def picture(self, caption: str) -> bytes:
        """Return a PNG of the four views at their key slices; an OSError says why there is none."""
        self._flash.stop()
        self.goToKeySlices()
        windows = [self._sliceView(name).renderWindow() for name in VIEW_NAMES]
        captions = Caption(windows[0].GetRenderers().GetFirstRenderer(), caption)
        try:
            return viewsPng(windows)
        finally:
            captions.remove()

    @property
    def canCapture(self) -> bool:
        """Whether the four views are there to be captured."""
        return self._layoutManager is not None and self._views is not None

    @property
    def _background(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        sliceNode = sliceNodeOf(self._scene, VIEW_NAMES[0])
        return self._scene.GetNodeByID(
            views.compositeNodeOf(sliceNode).GetBackgroundVolumeID() or ""
        )

    @property
    def _sliceAxis(self) -> int:
        return self._views.grid.axis if self._views is not None else 2

    def _choosePresets(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        modality: str,
        compared: slicer.vtkMRMLLabelMapVolumeNode | None = None,
    ) -> None:
        """Take the windows for a scan; by its brain, where a result says which voxels that is."""
        scan, brain = arrayFromVolume(volumeNode), None
        if compared is not None and hasVoxels(compared):
            used = arrayFromVolume(compared) > 0
            brain = used if used.shape == scan.shape else None
        self.modality = modality
        self.windows = appearance.presetWindows(modality, scan, brain)

    def _openStrokeWindow(self, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> None:
        """Set the stroke window the first time, and remember the window before."""
        before = self._windowsBefore.get(volumeNode.GetID())
        if before is not None and before.modality == self.modality:
            return
        window = appearance.windowOf(volumeNode) if before is None else before.window
        self._windowsBefore[volumeNode.GetID()] = _WindowBefore(window, self.modality)
        appearance.setWindow(volumeNode, self.windows[1])

    def _restoreWindows(self) -> None:
        for identifier, before in self._windowsBefore.items():
            volumeNode = self._scene.GetNodeByID(identifier)
            if volumeNode is not None:
                appearance.setWindow(volumeNode, before.window)
        self._windowsBefore.clear()

    def _nameRegions(self) -> None:
        """Write the codes of the regions into the annotated views."""
        if self._labels is None or self._nodes is None or not self._regionLabels:
            return
        words = regionLabels(self._labels, sliceGridOf(self._nodes.heatmap, self._sliceAxis))
        for marks in self._regionLabels:
            marks.setLabels(words)

    def _updateTitles(self) -> None:
        for marks in self._sideMarks:
            marks.update()

    def _forget(self) -> None:
        self._flash.stop()
        self._namesTimer.stop()
        self._views = self._nodes = self._labels = None
        for marks in self._regionLabels:
            marks.setLabels([])

    def _sliceView(self, viewName: str) -> Any:
        return self._layoutManager.sliceWidget(viewName).sliceView()

    def _addMarks(self) -> None:
        self._removeMarks()
        for viewName in VIEW_NAMES:
            renderer = self._sliceView(viewName).renderWindow().GetRenderers().GetFirstRenderer()
            sliceNode = sliceNodeOf(self._scene, viewName)
            self._sideMarks.append(SideMarks(renderer, sliceNode, self._title))
            if viewName == VIEW_PAIRS[levelOf(sliceNode)].annotated:
                self._regionLabels.append(RegionLabels(renderer, sliceNode))

    def _title(self, sliceNode: slicer.vtkMRMLSliceNode) -> str:
        return self._views.title(sliceNode) if self._views is not None else ""

    def _removeMarks(self) -> None:
        for marks in (*self._sideMarks, *self._regionLabels):
            marks.remove()
        self._sideMarks, self._regionLabels = [], []

    def _limitToAnnotated(self) -> None:
        """Keep the plain views plain, and ours free of other results; elsewhere all is shown as before."""
        if self._layoutManager is None:
            return
        for nodes in allResults(self._scene):
            isShown = self._nodes is not None and nodes.text is self._nodes.text
            limit = views.showOnlyInAnnotated if isShown else views.hideInOurViews
            for displayNode in _displayNodes(nodes):
                limit(self._scene, displayNode)

    def _showEverywhere(self) -> None:
        for nodes in allResults(self._scene):
            for displayNode in _displayNodes(nodes):
                views.showEverywhere(displayNode)

    def _followMouse(self) -> None:
        self._ignoreMouse()
        crosshair = self._scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if crosshair is not None:
            event = slicer.vtkMRMLCrosshairNode.CursorPositionModifiedEvent
            self._crosshair = (crosshair, crosshair.AddObserver(event, self._onMouseMoved))

    def _ignoreMouse(self) -> None:
        if self._crosshair is not None:
            node, tag = self._crosshair
            node.RemoveObserver(tag)
        self._crosshair = None

    def _onMouseMoved(self, crosshair: slicer.vtkMRMLCrosshairNode, _event: str) -> None:
        region = self._regionUnderMouse(crosshair)
        if region is not self._hovered:
            self._hovered = region
            self._onHover(region)

    def _regionUnderMouse(self, crosshair: slicer.vtkMRMLCrosshairNode) -> Region | None:
        nodes, point = self._nodes, [0.0, 0.0, 0.0]
        if nodes is None or nodes.heatmap is None or self._labels is None:
            return None
        if not crosshair.GetCursorPositionRAS(point):
            return None
        return layers.regionAt(self._labels, nodes.heatmap, point)


def _displayNodes(nodes: ResultNodes) -> list[slicer.vtkMRMLSegmentationDisplayNode]:
    segmentations = [node for node in (nodes.regions, nodes.infarct) if node is not None]
    return [node.GetDisplayNode() for node in segmentations if node.GetDisplayNode() is not None]
