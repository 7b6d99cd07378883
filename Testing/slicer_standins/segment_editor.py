"""qMRMLSegmentEditorWidget on Slicer's real editor node and editor logic, without mouse effects.

The effects (Paint, Erase ...) are C++ of the desktop application; `paint` does what Paint does at its end: it hands a
modifier label map to the real logic, which applies masking and the overwrite mode of the editor node.
"""

# ruff: noqa: N801, N802, N815
from __future__ import annotations

from typing import Literal

import numpy as np
import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from vtk.util.numpy_support import vtk_to_numpy

from slicer_standins.mrml_widgets import Observations, qMRMLWidget
from slicer_standins.python_qt import native

Property, Signal = QtCore.Property, QtCore.Signal

# Slicer's effects in the order of their buttons; the keys 1 to 9 and 0 choose the first ten.
EFFECTS = (
    "Threshold",
    "Paint",
    "Draw",
    "Erase",
    "Level tracing",
    "Grow from seeds",
    "Fill between slices",
    "Margin",
    "Hollow",
    "Smoothing",
    "Scissors",
    "Islands",
    "Logical operators",
    "Mask volume",
)
_KEYS_OF_PREVIOUS_SEGMENT = ("Q", "/", ",", ">")
_KEYS_OF_NEXT_SEGMENT = ("W", "*", ".", "<")
_DEFAULT_UNDO_STATES = 10


def _part(name: str) -> Property:
    """Return a property that says whether a part of the editor is visible."""

    def set_visible(self: qMRMLSegmentEditorWidget, visible: bool) -> None:
        change = self._hidden_parts.discard if visible else self._hidden_parts.add
        change(name)

    return Property(bool, lambda self: name not in self._hidden_parts, set_visible)


@native
class qMRMLSegmentEditorWidget(qMRMLWidget):
    """The segment editor as a module embeds it."""

    currentSegmentIDChanged = Signal(str)
    segmentationChanged = Signal(object)
    sourceVolumeChanged = Signal(object)
    MRML_SIGNALS = {  # noqa: RUF012
        **qMRMLWidget.MRML_SIGNALS,
        "segmentationNodeChanged(vtkMRMLSegmentationNode*)": "segmentationChanged",
        "sourceVolumeNodeChanged(vtkMRMLVolumeNode*)": "sourceVolumeChanged",
    }

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = self._segmentation = None
        self._segment_id = ""
        self._of_node = Observations()
        self._shortcuts: list[QtGui.QShortcut] = []
        self._views_observed = False
        self._hidden_parts: set[str] = set()
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self.setMaximumNumberOfUndoStates(_DEFAULT_UNDO_STATES)
        self.destroyed.connect(lambda *_, observations=self._of_node: observations.end())

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Set the scene."""
        super().setMRMLScene(scene)
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._logic.SetMRMLScene(scene)

    # Nodes

    def mrmlSegmentEditorNode(self) -> slicer.vtkMRMLSegmentEditorNode | None:
        """Return the node that keeps the editor's state."""
        return self._node

    def setMRMLSegmentEditorNode(self, node: slicer.vtkMRMLSegmentEditorNode | None) -> None:
        """Set the node that keeps the editor's state."""
        self._of_node.end()
        self._node = node
        self._logic.SetSegmentEditorNode(node)
        if node is not None:
            self._of_node.add(node, vtk.vtkCommand.ModifiedEvent, self._update)
        self._update()

    def segmentationNode(self) -> slicer.vtkMRMLSegmentationNode | None:
        """Return the segmentation that is edited."""
        return self._node.GetSegmentationNode() if self._node is not None else None

    def setSegmentationNode(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        """Edit another segmentation: its first segment is selected, its reference volume becomes the source."""
        if node is self.segmentationNode():
            return
        self._require_node(node)
        self._logic.SetSegmentationNode(node)
        self.setActiveEffectByName("")

    def sourceVolumeNode(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Return the volume that effects look at."""
        return self._logic.GetSourceVolumeNode()

    def setSourceVolumeNode(self, node: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """Set the volume that effects look at."""
        self._require_node(node)
        self._logic.SetSourceVolumeNode(node)

    def currentSegmentID(self) -> str:
        """Return the id of the selected segment."""
        return self._logic.GetCurrentSegmentID() or ""

    def setCurrentSegmentID(self, segment_id: str) -> None:
        """Select a segment."""
        if self._node is not None:
            self._node.SetSelectedSegmentID(segment_id)

    def setActiveEffectByName(self, name: str) -> None:
        """Choose an effect; an empty name ends the present one. Slicer only logs an unknown name."""
        if name and name not in EFFECTS:
            message = f"the segment editor has no effect {name!r}"
            raise ValueError(message)
        if self._node is not None:
            self._node.SetActiveEffectName(name or "")

    def activeEffect(self) -> None:
        """Refuse: effects are objects of the desktop application."""
        message = "effects have no stand-in; ask mrmlSegmentEditorNode().GetActiveEffectName()"
        raise NotImplementedError(message)

    def _require_node(self, set_to: object) -> None:
        if self._node is None and set_to is not None:
            message = "the segment editor needs its editor node first"
            raise RuntimeError(message)

    def _update(self) -> None:
        """Follow the editor node."""
        if self._scene is None or self._scene.IsClosing() or self._scene.IsBatchProcessing():
            return
        if self.segmentationNode() is not self._segmentation:
            self._segmentation = self.segmentationNode()
            self._start_with(self._segmentation)
            self.segmentationChanged.emit(self._segmentation)
        if self.currentSegmentID() != self._segment_id:
            self._segment_id = self.currentSegmentID()
            self.currentSegmentIDChanged.emit(self._segment_id)

    def _start_with(self, segmentation: slicer.vtkMRMLSegmentationNode | None) -> None:
        if segmentation is None:
            return
        role = segmentation.GetReferenceImageGeometryReferenceRole()
        self._logic.SetSourceVolumeNode(segmentation.GetNodeReference(role))
        segmentation.CreateDefaultDisplayNodes()
        if segmentation.GetSegmentation().GetNumberOfSegments() > 0:
            self._logic.SelectFirstSegment(False)

    # Undo, keys, views

    def maximumUndoStates(self) -> int:
        """Return how many steps can be taken back."""
        return self._logic.GetMaximumNumberOfUndoStates()

    def setMaximumNumberOfUndoStates(self, number: int) -> None:
        """Set how many steps can be taken back."""
        self._logic.SetMaximumNumberOfUndoStates(int(number))

    maximumNumberOfUndoStates = Property(int, maximumUndoStates, setMaximumNumberOfUndoStates)

    def undo(self) -> None:
        """Take the last change back."""
        self._logic.Undo()

    def redo(self) -> None:
        """Do what was taken back again."""
        self._logic.Redo()

    def installKeyboardShortcuts(self, parent: QtWidgets.QWidget | None = None) -> None:
        """Claim Slicer's editor keys, 1 to 0, Space, Escape, Z, Y, Q, W and more, in the parent's window."""
        self.uninstallKeyboardShortcuts()
        keys = {str((i + 1) % 10): lambda i=i: self._toggle(EFFECTS[i]) for i in range(10)}
        keys |= {f"Shift+{i + 1}": lambda i=i: self._toggle(EFFECTS[i + 10]) for i in range(4)}
        keys |= {"Escape": lambda: self.setActiveEffectByName(""), "Space": lambda: None}
        keys |= {"Z": self.undo, "Ctrl+Z": self.undo, "Y": self.redo, "Ctrl+Y": self.redo}
        keys |= dict.fromkeys(
            _KEYS_OF_PREVIOUS_SEGMENT, lambda: self._logic.SelectPreviousSegment(False)
        )
        keys |= dict.fromkeys(_KEYS_OF_NEXT_SEGMENT, lambda: self._logic.SelectNextSegment(False))
        keys |= {"I": self._logic.ToggleSourceVolumeIntensityMask}
        for key, function in keys.items():
            shortcut = QtGui.QShortcut(QtGui.QKeySequence(key), parent or slicer.util.mainWindow())
            shortcut.activated.connect(function)
            self._shortcuts.append(shortcut)

    def uninstallKeyboardShortcuts(self) -> None:
        """Give the keys back."""
        for shortcut in self._shortcuts:
            shortcut.delete()
        self._shortcuts.clear()

    def _toggle(self, effect: str) -> None:
        if self._node is not None:
            is_active = self._node.GetActiveEffectName() == effect
            self.setActiveEffectByName("" if is_active else effect)

    def setupViewObservations(self) -> None:
        """Note that the views are observed."""
        self._views_observed = True

    def removeViewObservations(self) -> None:
        """Note that the views are not observed any more."""
        self._views_observed = False

    segmentationNodeSelectorVisible = _part("segmentation selector")
    sourceVolumeNodeSelectorVisible = _part("source volume selector")
    switchToSegmentationsButtonVisible = _part("switch to segmentations")
    addRemoveSegmentButtonsVisible = _part("add and remove")
    show3DButtonVisible = _part("show 3D")
    specifyGeometryButtonVisible = _part("specify geometry")
    maskingSectionVisible = _part("masking")
    autoShowSourceVolumeNode = _part("source volume in the views")


# For tests


def views_are_observed(editor: qMRMLSegmentEditorWidget) -> bool:
    """Return whether the editor listens to the views, as it does while its module is open."""
    return editor._views_observed


def has_keyboard_shortcuts(editor: qMRMLSegmentEditorWidget) -> bool:
    """Return whether the editor has claimed its keys."""
    return bool(editor._shortcuts)


def paint(
    editor: qMRMLSegmentEditorWidget,
    voxels: np.ndarray,
    mode: Literal["add", "remove", "set"] = "add",
) -> None:
    """Change the selected segment as an effect does.

    Parameters
    ----------
    editor
        An editor with node, segmentation and selected segment.
    voxels
        Array [k, j, i] of bool on the grid of the segmentation's reference volume.
    mode
        Paint, erase, or replace the whole segment.
    """
    logic = editor._logic
    logic.SaveStateForUndo()
    if not (logic.UpdateReferenceGeometryImage() and logic.ResetModifierLabelmapToDefault()):
        message = "the segmentation has no reference geometry"
        raise RuntimeError(message)
    modifier = logic.GetModifierLabelmap()
    if voxels.shape != modifier.GetDimensions()[::-1]:
        message = f"expected voxels of shape {modifier.GetDimensions()[::-1]}, got {voxels.shape}"
        raise ValueError(message)
    scalars = vtk_to_numpy(modifier.GetPointData().GetScalars())
    scalars[:] = voxels.astype(np.uint8).ravel()
    modifier.Modified()
    modes = {
        "add": logic.ModificationModeAdd,
        "remove": logic.ModificationModeRemove,
        "set": logic.ModificationModeSet,
    }
    logic.ModifySegmentByLabelmap(
        editor.segmentationNode(), editor.currentSegmentID(), modifier, modes[mode], True, False
    )
