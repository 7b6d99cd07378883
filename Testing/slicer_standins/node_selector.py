"""qMRMLNodeComboBox: a Qt widget on the real scene of slicer-core."""

# ruff: noqa: N801, N802, N815
from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from slicer_standins.mrml_widgets import Observations
from slicer_standins.python_qt import native

Property, Signal = QtCore.Property, QtCore.Signal

_SCENE_EVENTS = (
    slicer.vtkMRMLScene.NodeAddedEvent,
    slicer.vtkMRMLScene.NodeRemovedEvent,
    slicer.vtkMRMLScene.EndCloseEvent,
    slicer.vtkMRMLScene.EndBatchProcessEvent,
)
_ACTION = "action"  # the item data of "Create new ..." and "Delete current ..."


def _switch(name: str, changed: str = "_synchronise") -> Property:
    """Return a property of type bool that is kept under its name with an underscore."""

    def set_value(self: Any, value: bool) -> None:
        setattr(self, f"_{name}", bool(value))
        getattr(self, changed)()

    return Property(bool, lambda self: getattr(self, f"_{name}"), set_value)


@native
class qMRMLNodeComboBox(QtWidgets.QWidget):
    """Chooses a node of the scene.

    The items are inserted into and removed from a real QComboBox one by one, so that what gets selected when a node
    comes or goes is Qt's decision here as in Slicer: without "None", a scene that is set selects its first node, and
    the first node to come is selected if the list has no action items; when the current node goes, the item before
    it is selected.
    """

    nodeChanged = Signal(object)
    nodeValidityChanged = Signal(bool)
    currentNodeIDChanged = Signal(str)
    MRML_SIGNALS = {  # noqa: RUF012
        "currentNodeChanged(vtkMRMLNode*)": "nodeChanged",
        "currentNodeChanged(bool)": "nodeValidityChanged",
    }

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = None
        self._requested_id = ""
        self._announced_id = ""
        self._nodeTypes: list[str] = []
        self._attributes: list[tuple[str, str, str | None]] = []
        self._noneDisplay = "None"
        self._baseName = ""
        self._noneEnabled = self._showHidden = self._renameEnabled = self._editEnabled = False
        self._addEnabled = self._removeEnabled = self._showChildNodeTypes = True
        self._selectNodeUponCreation = True
        self._of_scene, self._of_nodes = Observations(), Observations()
        self._observed_nodes: list[slicer.vtkMRMLNode] = []
        self._box = QtWidgets.QComboBox()
        QtWidgets.QHBoxLayout(self).addWidget(self._box)
        self._box.currentIndexChanged.connect(self._announce)
        self._box.activated.connect(self._act)
        self.destroyed.connect(lambda *_, ends=(self._of_scene, self._of_nodes): _end_all(ends))
        self.setEnabled(False)

    @property
    def currentNodeChanged(self) -> QtCore.SignalInstance:
        """Return the signal that carries the node."""
        return self.nodeChanged

    # The scene

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        """Return the scene."""
        return self._scene

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Show the nodes of a scene; the widget is disabled without one."""
        if scene is self._scene:
            return
        self._of_scene.end()
        had_nodes, old_id = self.nodeCount() > 0, self.currentNodeID
        self._scene = scene
        blocker = QtCore.QSignalBlocker(self._box)
        self._synchronise()
        blocker.unblock()
        if scene is not None:
            for event in _SCENE_EVENTS:
                self._of_scene.add(scene, event, self._synchronise)
        self.setCurrentNodeID(old_id if had_nodes else self._requested_id or self._first_id())
        self._requested_id = ""
        self._announce()
        self.setEnabled(scene is not None)

    def _first_id(self) -> str:
        nodes = self.nodes()
        return nodes[0].GetID() if nodes and not self._noneEnabled else ""

    def _synchronise(self) -> None:
        """Insert and remove items until they are those of the scene."""
        wanted = self._wanted_items()
        for row in reversed(range(self._box.count)):
            if self._box.itemData(row) not in [key for key, _ in wanted]:
                self._box.removeItem(row)
        for row, (key, text) in enumerate(wanted):
            if self._box.itemData(row) != key:
                self._box.insertItem(row, text, key)
            self._box.setItemText(row, text)
        self._observe_nodes()

    def _observe_nodes(self) -> None:
        """Follow names and attributes; not observed anew at each event, which may come from a node."""
        nodes = self._nodes_of_type()
        if nodes == self._observed_nodes:
            return
        self._observed_nodes = nodes
        self._of_nodes.end()
        for node in nodes:
            self._of_nodes.add(node, vtk.vtkCommand.ModifiedEvent, self._synchronise)

    def _wanted_items(self) -> list[tuple[str, str]]:
        nodes = [(node.GetID(), node.GetName() or "") for node in self.nodes()]
        none = [("", self._noneDisplay)] if self._noneEnabled else []
        actions = []
        if self._scene is not None and self._addEnabled:
            actions += [(f"{_ACTION} add", f"Create new {kind}") for kind in self._nodeTypes[:1]]
        if self._scene is not None and self._removeEnabled:
            actions.append((f"{_ACTION} remove", "Delete current"))
        return none + nodes + actions

    # The nodes

    def nodes(self) -> list[slicer.vtkMRMLNode]:
        """Return the nodes to choose from, in the order of the scene."""
        return [node for node in self._nodes_of_type() if self._is_offered(node)]

    def nodeCount(self) -> int:
        """Return the number of nodes to choose from."""
        return len(self.nodes())

    def _nodes_of_type(self) -> list[slicer.vtkMRMLNode]:
        if self._scene is None:
            return []
        found = self._scene.GetNodes()
        nodes = map(found.GetItemAsObject, range(found.GetNumberOfItems()))
        return [node for node in nodes if self._has_type(node)]

    def _has_type(self, node: slicer.vtkMRMLNode) -> bool:
        if self._showChildNodeTypes:
            return any(node.IsA(kind) for kind in self._nodeTypes)
        return node.GetClassName() in self._nodeTypes

    def _is_offered(self, node: slicer.vtkMRMLNode) -> bool:
        if node.GetHideFromEditors() and not self._showHidden:
            return False
        for kind, name, value in self._attributes:
            present = node.GetAttribute(name)
            if node.IsA(kind) and (present is None or value not in (None, present)):
                return False
        return True

    def addAttribute(self, nodeType: str, name: str, value: object = None) -> None:  # noqa: N803
        """Show nodes of a type only if they have the attribute, with the value if one is given."""
        self._attributes.append((nodeType, name, None if value is None else str(value)))
        self._synchronise()

    # The current node

    def currentNode(self) -> slicer.vtkMRMLNode | None:
        """Return the chosen node."""
        node_id = self._box.itemData(self._box.currentIndex)
        return self._scene.GetNodeByID(node_id) if self._scene is not None and node_id else None

    def setCurrentNode(self, node: slicer.vtkMRMLNode | None) -> None:
        """Choose a node; one that the list does not have leaves nothing chosen."""
        if node is not None and not isinstance(node, slicer.vtkMRMLNode):
            message = f"expected a node, got {node!r}"
            raise TypeError(message)
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, node_id: str) -> None:
        """Choose a node by its id; without a scene, the choice is kept until there is one."""
        if self._scene is None:
            self._requested_id = node_id
        row = self._box.findData(node_id) if node_id else -1
        self._box.setCurrentIndex(row if row >= 0 else (0 if self._noneEnabled else -1))

    def _announce(self, _index: int = -1) -> None:
        if str(self._box.itemData(self._box.currentIndex)).startswith(_ACTION):
            return
        node = self.currentNode()
        node_id = node.GetID() if node is not None else ""
        if node_id == self._announced_id:
            return
        self._announced_id = node_id
        self.nodeChanged.emit(node)
        self.nodeValidityChanged.emit(node is not None)
        self.currentNodeIDChanged.emit(node_id)

    # Actions

    def _act(self, row: int) -> None:
        """Do what a chosen action item says."""
        action = self._box.itemData(row)
        if action not in (f"{_ACTION} add", f"{_ACTION} remove"):
            return
        node = self._scene.GetNodeByID(self._announced_id) if self._announced_id else None
        self.setCurrentNode(node)
        if action.endswith("add"):
            self.addNode()
        elif node is not None:
            self._scene.RemoveNode(node)

    def addNode(self) -> slicer.vtkMRMLNode:
        """Add a node of the first type to the scene, and choose it."""
        kind = self._nodeTypes[0]
        name = self._scene.GenerateUniqueName(self._baseName or kind.removeprefix("vtkMRML"))
        node = self._scene.CreateNodeByClass(kind)
        node.UnRegister(None)  # Python owns it now
        node.SetName(name)
        for node_type, attribute, value in self._attributes:
            if node.IsA(node_type):
                node.SetAttribute(attribute, value or "")
        self._scene.AddNode(node)
        if self._selectNodeUponCreation:
            self.setCurrentNode(node)
        return node

    # Properties

    def _set_node_types(self, kinds: list[str]) -> None:
        self._nodeTypes = [kind for kind in kinds if kind]
        self._synchronise()

    def _set_none_display(self, text: str) -> None:
        self._noneDisplay = text
        self._synchronise()

    def _refuse(self) -> None:
        if self._renameEnabled or self._editEnabled:
            message = "the stand-in for qMRMLNodeComboBox neither renames nor edits"
            raise NotImplementedError(message)

    noneEnabled, addEnabled = _switch("noneEnabled"), _switch("addEnabled")
    removeEnabled, showHidden = _switch("removeEnabled"), _switch("showHidden")
    showChildNodeTypes = _switch("showChildNodeTypes")
    selectNodeUponCreation = _switch("selectNodeUponCreation")
    renameEnabled = _switch("renameEnabled", "_refuse")
    editEnabled = _switch("editEnabled", "_refuse")
    nodeTypes = Property("QStringList", lambda self: list(self._nodeTypes), _set_node_types)
    noneDisplay = Property(str, lambda self: self._noneDisplay, _set_none_display)
    baseName = Property(
        str, lambda self: self._baseName, lambda self, name: setattr(self, "_baseName", name)
    )
    currentNodeID = Property(
        str,
        lambda self: node.GetID() if (node := self.currentNode()) is not None else "",
        setCurrentNodeID,
    )


def _end_all(observations: tuple[Observations, ...]) -> None:
    for observation in observations:
        observation.end()
