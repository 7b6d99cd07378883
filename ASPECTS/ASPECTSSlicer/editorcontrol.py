"""Slicer's Segment Editor on the regions and on the infarct, and the news of an edit that has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer

from ASPECTSLib.atlas.regions import Region
from ASPECTSSlicer.overrides import INFARCT_EDIT, REGIONS_EDIT
from ASPECTSSlicer.results import ResultNodes
from ASPECTSSlicer.segmentations import INFARCT_ID, segmentId

_EDITOR_TAG = "ASPECTS"
_UNDO_STATES = 10
_EVENTS = (
    slicer.vtkSegmentation.SourceRepresentationModified,
    slicer.vtkSegmentation.SegmentAdded,
    slicer.vtkSegmentation.SegmentRemoved,
    slicer.vtkSegmentation.SegmentModified,  # all that undo and redo tell
)


class EditorControl:
    """Lends the Segment Editor to one segmentation at a time and watches both.

    Parameters
    ----------
    scene
        The application's scene.
    editor
        The `qMRMLSegmentEditorWidget` of the panel.
    onEdited
        Called once after each edit, with what was edited and the segment that the editor was on.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        editor: Any,
        onEdited: Callable[[str, str], None],
    ) -> None:
        self._scene, self._editor, self._onEdited = scene, editor, onEdited
        self._nodes: ResultNodes | None = None
        self._observed: list[tuple[slicer.vtkSegmentation, int]] = []
        self._edited: list[str] = []
        # Editing one segment changes others: all changes of one edit are news once.
        self._timer = qt.QTimer(editor)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._tell)
        editor.setMaximumNumberOfUndoStates(_UNDO_STATES)

    def enter(self) -> None:
        """Let the editor work in the views."""
        self._editor.setMRMLScene(self._scene)
        self._editor.setMRMLSegmentEditorNode(self._editorNode())

    def exit(self) -> None:
        """Put the tools down and leave the views alone."""
        self._editor.setActiveEffectByName("")
        self._editor.removeViewObservations()

    def putToolsDown(self) -> None:
        """End the effect that the mouse draws with."""
        self._editor.setActiveEffectByName("")

    def release(self) -> None:
        """Forget the result and the scene's nodes: the scene or the module is about to go."""
        self._editor.setActiveEffectByName("")
        self.setResult(None)
        self._editor.removeViewObservations()
        self._editor.setMRMLSegmentEditorNode(None)

    def setResult(self, nodes: ResultNodes | None) -> None:
        """Watch the segmentations of a result, or none."""
        self._timer.stop()
        self._edited.clear()
        for segmentation, tag in self._observed:
            segmentation.RemoveObserver(tag)
        self._observed = []
        isOther = nodes is None or self._nodes is None or nodes.regions is not self._nodes.regions
        self._nodes = nodes
        if isOther:  # strokes on a segmentation that nobody watches would go unscored
            self._editor.setSegmentationNode(nodes.regions if nodes is not None else None)
        if nodes is None:
            return
        for what, node in ((REGIONS_EDIT, nodes.regions), (INFARCT_EDIT, nodes.infarct)):
            if node is not None:
                self._observe(node.GetSegmentation(), what)

    def edit(self, what: str, region: Region | None = None) -> bool:
        """Open the editor on a region or on the infarct; False if it is not in the scene."""
        nodes = self._nodes
        node = None
        if nodes is not None:
            node = nodes.regions if what == REGIONS_EDIT else nodes.infarct
        if node is None:
            return False
        self._editorNode().SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments)
        self._editor.setSegmentationNode(node)
        if nodes.scan is not None:
            self._editor.setSourceVolumeNode(nodes.scan)
        identifier = segmentId(region) if region is not None else INFARCT_ID
        if node.GetSegmentation().GetSegment(identifier) is not None:
            self._editor.setCurrentSegmentID(identifier)
        return True

    def ignoring(self, change: Callable[[], None]) -> None:
        """Make a change of the segmentations that is no edit of the user's; those before it stay noted."""
        pending = list(self._edited)
        change()
        self._edited[:] = pending
        if not pending:
            self._timer.stop()

    def _observe(self, segmentation: slicer.vtkSegmentation, what: str) -> None:
        def note(_caller: object, _event: str) -> None:
            if what not in self._edited:
                self._edited.append(what)
            self._timer.start()

        self._observed += [(segmentation, segmentation.AddObserver(e, note)) for e in _EVENTS]

    def _tell(self) -> None:
        edited, self._edited = self._edited, []
        segment = self._editor.currentSegmentID() or ""
        for what in edited:
            self._onEdited(what, segment)

    def _editorNode(self) -> slicer.vtkMRMLSegmentEditorNode:
        node = self._scene.GetSingletonNode(_EDITOR_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = self._scene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)
            node.SetSingletonTag(_EDITOR_TAG)
            node = self._scene.AddNode(node)
        return node
