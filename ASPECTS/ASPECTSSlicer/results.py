"""Results of scored volumes in the scene: loaded whole or not at all, found, changed and removed.

The nodes of a result hang together by references from its text node, which holds `result.json`.
They lie in world space, whatever transform the scored volume is under.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import slicer
from numpy.typing import NDArray

from ASPECTSLib.errors import ErrorCode, GeometryRefusedError
from ASPECTSLib.geometry import Volume, apply_affine, canonicalize
from ASPECTSLib.report.result import KeySlicesInfo, StudyResult
from ASPECTSSlicer.appearance import colourCompared, colourHeatmap
from ASPECTSSlicer.drawing import Drawing, digestOf, readDrawing
from ASPECTSSlicer.grids import fillVolume, nodeAffine, readVolume
from ASPECTSSlicer.resultfiles import ResultFiles, readFolder
from ASPECTSSlicer.segmentations import (
    callsById,
    createInfarct,
    createRegions,
    styleInfarct,
    styleRegions,
)
from ASPECTSSlicer.tables import fillTable
from ASPECTSSlicer.volumes import ROLE_ATTRIBUTE, nodesOfClass
from ASPECTSSlicer.worldspace import worldVolume

RESULT_ATTRIBUTE = "ASPECTS.result"
_MATRIX_ATTRIBUTE = "ASPECTS.ijkToRas"  # of the heat map, when the text was written
_REFERENCE_PREFIX = "ASPECTS."
_DRAWING_ATTRIBUTE = "ASPECTS.drawing"  # digest of regions and infarct as they were scored
_SAME_PLACE_MM = 1e-3


@dataclass(frozen=True, eq=False)
class ResultNodes:
    """The nodes of one result; those that a user deleted are None.

    Parameters
    ----------
    text
        Holds the result as JSON, and the references to all others.
    scan
        The volume that was scored.
    regions, infarct
        Segmentations of 20 segments, and of one.
    heatmap
        Difference from the other side, or probability of infarct; its grid is the one that was scored.
    compared
        Label map: 1 where voxels were compared or searched for infarct, 2 where brain was left out.
    table
        The regions in words and numbers.
    """

    text: slicer.vtkMRMLTextNode
    scan: slicer.vtkMRMLScalarVolumeNode | None = None
    regions: slicer.vtkMRMLSegmentationNode | None = None
    infarct: slicer.vtkMRMLSegmentationNode | None = None
    heatmap: slicer.vtkMRMLScalarVolumeNode | None = None
    compared: slicer.vtkMRMLLabelMapVolumeNode | None = None
    table: slicer.vtkMRMLTableNode | None = None


def loadResult(
    scene: slicer.vtkMRMLScene, folder: Path, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> ResultNodes:
    """Bring a folder of results into the scene, in place of what the volume had before.

    Parameters
    ----------
    scene
        The scene of the volume. It stays exactly as it was if anything fails.
    folder
        What `aspects score` wrote.
    volumeNode
        The volume that was scored.

    Raises
    ------
    FileRefusedError
        If a file is missing or unreadable.
    GeometryRefusedError
        If the images are not on one grid.
    """
    files = readFolder(folder, volumeNode)
    previous = findResult(scene, volumeNode)
    with _batchProcessing(scene):
        with ExitStack() as undo:
            undo.callback(_removeNodesBut, scene, _nodeIds(scene))
            nodes = _addNodes(scene, files, volumeNode)
            undo.pop_all()
        if previous is not None:
            removeResult(scene, previous)
    return nodes


def findResult(
    scene: slicer.vtkMRMLScene, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> ResultNodes | None:
    """Return the result of a volume, or None if it has none."""
    found = [nodes for nodes in allResults(scene) if nodes.scan is volumeNode]
    return found[-1] if found else None


def allResults(scene: slicer.vtkMRMLScene) -> list[ResultNodes]:
    """Return the results in the scene, the oldest first."""
    texts = nodesOfClass(scene, "vtkMRMLTextNode")
    return [_nodesOf(text) for text in texts if text.GetAttribute(RESULT_ATTRIBUTE) == "1"]


def removeResult(scene: slicer.vtkMRMLScene, nodes: ResultNodes) -> None:
    """Remove a result from the scene, with what shows and stores it; the scan stays."""
    with _batchProcessing(scene):
        for role, node in _roles(nodes):
            if node is not None and role != "scan":
                _removeWithCompanions(scene, node)


def readStudy(nodes: ResultNodes) -> StudyResult:
    """Return the result as a value; its key slices are counted as those of the heat map are now.

    Raises
    ------
    FileRefusedError
        If somebody changed the text so that it is no result any more.
    """
    study = StudyResult.from_json(nodes.text.GetText())
    matrix = nodes.text.GetAttribute(_MATRIX_ATTRIBUTE)
    if nodes.heatmap is None or study.key_slices is None or not matrix:
        return study
    former = np.array(matrix.split(), np.float64).reshape(4, 4)
    toPresent = np.linalg.inv(nodeAffine(nodes.heatmap)) @ former
    return replace(study, key_slices=_movedSlices(study.key_slices, toPresent))


def storeStudy(nodes: ResultNodes, study: StudyResult) -> None:
    """Replace the result in its text and its table."""
    modified = nodes.text.StartModify()  # who watches the text hears of both changes at once
    if nodes.heatmap is not None:
        matrix = " ".join(repr(float(value)) for value in nodeAffine(nodes.heatmap).ravel())
        nodes.text.SetAttribute(_MATRIX_ATTRIBUTE, matrix)
    nodes.text.SetText(study.to_json())
    nodes.text.EndModify(modified)
    if nodes.table is not None:
        fillTable(nodes.table, study)


def _movedSlices(slices: KeySlicesInfo, toPresent: NDArray[np.float64]) -> KeySlicesInfo:
    """Find the key slices on a grid whose axes have another order or direction.

    Slicer reverses the slices of a left-handed volume when it loads one from a file.
    """
    axis = int(np.argmax(np.abs(toPresent[:3, slices.axis])))
    step, start = toPresent[axis, slices.axis], toPresent[axis, 3]
    ganglionic, supraganglionic = (
        round(step * index + start) for index in (slices.ganglionic, slices.supraganglionic)
    )
    return KeySlicesInfo(axis, ganglionic, supraganglionic)


def scoredScan(nodes: ResultNodes) -> Volume:
    """Return the scan of a result as it was scored, in world space.

    Raises
    ------
    GeometryRefusedError
        GEOMETRY_INVALID if the scan was moved, turned or replaced since.
    """
    scan, grid = worldVolume(nodes.scan), readVolume(nodes.heatmap)
    if not _fillSameSpace(scan, grid):
        message = "the scan was moved or replaced since it was scored; score it again"
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    # Slicer may have reversed the axes of one of them when it loaded the scene.
    ordered = canonicalize(grid).restore(canonicalize(scan).volume.array)
    return grid.with_array(ordered.array)


def _fillSameSpace(first: Volume, second: Volume) -> bool:
    """Return whether two volumes have the same voxels in the world, whatever the order of their axes."""
    if sorted(first.array.shape) != sorted(second.array.shape):
        return False
    corners = [_corners(volume) for volume in (first, second)]
    distances = np.linalg.norm(corners[0][:, np.newaxis] - corners[1], axis=-1)
    return bool(distances.min(axis=0).max() < _SAME_PLACE_MM)


def _corners(volume: Volume) -> NDArray[np.float64]:
    ends = np.stack(np.meshgrid(*((0, n - 1) for n in volume.size)), axis=-1).reshape(-1, 3)
    return apply_affine(volume.affine, ends.astype(np.float64))


def drawingOf(nodes: ResultNodes) -> Drawing:
    """Read regions and infarct as they are drawn now."""
    return readDrawing(nodes.regions, nodes.infarct, nodes.heatmap)


def noteDrawing(nodes: ResultNodes, drawing: Drawing) -> None:
    """Note what was drawn when the result was scored."""
    digest = digestOf(drawing, nodes.heatmap)
    if digest:
        nodes.text.SetAttribute(_DRAWING_ATTRIBUTE, digest)


def isDrawnAnew(nodes: ResultNodes, drawing: Drawing) -> bool:
    """Return whether something else is drawn now than was when the result was scored."""
    noted, digest = nodes.text.GetAttribute(_DRAWING_ATTRIBUTE), digestOf(drawing, nodes.heatmap)
    return bool(noted) and bool(digest) and noted != digest


def _addNodes(
    scene: slicer.vtkMRMLScene, files: ResultFiles, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> ResultNodes:
    name = f"{volumeNode.GetName()} ASPECTS"
    heatmap = _addVolume(scene, "vtkMRMLScalarVolumeNode", f"{name} heat map", files.heatmap)
    colourHeatmap(heatmap, files.study.method.heatmap)
    compared = None
    if files.compared is not None:
        compared = _addVolume(
            scene, "vtkMRMLLabelMapVolumeNode", f"{name} compared voxels", files.compared
        )
        colourCompared(compared)
    nodes = ResultNodes(
        text=scene.AddNewNodeByClass("vtkMRMLTextNode", f"{name} result"),
        scan=volumeNode,
        regions=createRegions(scene, files.regions, f"{name} regions"),
        infarct=createInfarct(scene, files.infarct, f"{name} infarct"),
        heatmap=heatmap,
        compared=compared,
        table=scene.AddNewNodeByClass("vtkMRMLTableNode", f"{name} table"),
    )
    _connect(nodes)
    storeStudy(nodes, files.study)
    styleRegions(nodes.regions, callsById(files.study))
    styleInfarct(nodes.infarct)
    noteDrawing(nodes, Drawing(files.regions.array, files.infarct.array > 0))
    _fileBesideScan(nodes)
    return nodes


def _addVolume(
    scene: slicer.vtkMRMLScene, className: str, name: str, volume: Volume
) -> slicer.vtkMRMLScalarVolumeNode:
    node = scene.CreateNodeByClass(className)
    node.UnRegister(None)
    node.SetName(name)
    fillVolume(node, volume)
    scene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    return node


def _connect(nodes: ResultNodes) -> None:
    """Mark the nodes as parts of a result, and let the text node refer to them."""
    nodes.text.SetAttribute(RESULT_ATTRIBUTE, "1")
    sourceRole = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    for segmentation in (nodes.regions, nodes.infarct):  # for the Segment Editor to draw on
        segmentation.SetNodeReferenceID(sourceRole, nodes.scan.GetID())
    for role, node in _roles(nodes):
        if node is None:
            continue
        if role != "scan":
            node.SetAttribute(ROLE_ATTRIBUTE, role)
        if role != "text":
            nodes.text.SetNodeReferenceID(_REFERENCE_PREFIX + role, node.GetID())


def _nodesOf(text: slicer.vtkMRMLTextNode) -> ResultNodes:
    roles = [field.name for field in fields(ResultNodes) if field.name != "text"]
    return ResultNodes(text, *(text.GetNodeReference(_REFERENCE_PREFIX + role) for role in roles))


def _roles(nodes: ResultNodes) -> Iterator[tuple[str, slicer.vtkMRMLNode | None]]:
    for field in fields(nodes):
        yield field.name, getattr(nodes, field.name)


def _fileBesideScan(nodes: ResultNodes) -> None:
    """Put the nodes where the scan is in the subject hierarchy: in the study of its patient."""
    hierarchy = nodes.scan.GetScene().GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")
    item = hierarchy.GetItemByDataNode(nodes.scan) if hierarchy else 0
    if not item:
        return
    for role, node in _roles(nodes):
        if node is not None and role != "scan":
            hierarchy.CreateItem(hierarchy.GetItemParent(item), node)


def _removeWithCompanions(scene: slicer.vtkMRMLScene, node: slicer.vtkMRMLNode) -> None:
    companions = []
    if node.IsA("vtkMRMLDisplayableNode"):
        companions += [node.GetNthDisplayNode(i) for i in range(node.GetNumberOfDisplayNodes())]
    if node.IsA("vtkMRMLStorableNode"):
        companions += [node.GetNthStorageNode(i) for i in range(node.GetNumberOfStorageNodes())]
    scene.RemoveNode(node)
    for companion in companions:
        if companion is not None and companion.GetScene() is scene:
            scene.RemoveNode(companion)


def _nodeIds(scene: slicer.vtkMRMLScene) -> set[str]:
    return {node.GetID() for node in nodesOfClass(scene, "vtkMRMLNode")}


def _removeNodesBut(scene: slicer.vtkMRMLScene, kept: set[str]) -> None:
    for node in reversed(nodesOfClass(scene, "vtkMRMLNode")):
        if node.GetID() not in kept:
            scene.RemoveNode(node)


@contextmanager
def _batchProcessing(scene: slicer.vtkMRMLScene) -> Iterator[None]:
    """Let views and panels wait with their updates until all nodes are there."""
    scene.StartState(slicer.vtkMRMLScene.BatchProcessState)
    try:
        yield
    finally:
        scene.EndState(slicer.vtkMRMLScene.BatchProcessState)
