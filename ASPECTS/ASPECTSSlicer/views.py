"""What the four slice views show: the scan's own slices, a window, the heat map and the regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import slicer
from numpy.typing import NDArray
from slicer.util import arrayFromVTKMatrix

from ASPECTSLib.atlas.regions import Level
from ASPECTSLib.geometry import apply_affine
from ASPECTSLib.report.result import KeySlicesInfo
from ASPECTSSlicer.appearance import colourCompared
from ASPECTSSlicer.layout import VIEW_NAMES, VIEW_PAIRS, levelOf, sliceNodeOf
from ASPECTSSlicer.planes import SliceGrid, cornersOf, sliceGridOf

FIELD_MARGIN_MM = (22.0, 45.0)
"""Left out around the regions, across and along: shows both poles and the skull, as in the report."""

_COMPARED_OPACITY = 0.35


@dataclass(frozen=True)
class ScanViews:
    """The four views of one scan, which `setScan` makes.

    Nothing is remembered here of what the views show, so that what the user does with the mouse
    counts too.

    Parameters
    ----------
    scene
        The scene with the views.
    grid
        The slices of the scan in the world.
    keySlices
        The slices to begin with, by level.
    """

    scene: slicer.vtkMRMLScene
    grid: SliceGrid
    keySlices: dict[Level, int]

    def goToSlice(self, level: Level, index: int) -> None:
        """Show one slice of the scan in both views of a level; the nearest one if there is none.

        The views are turned back to the scan's plane and stay over the same place of the head.
        """
        matrix = self.grid.plane(self.grid.clamp(index))
        for viewName in VIEW_PAIRS[level]:
            node = sliceNodeOf(self.scene, viewName)
            _movePlane(node, matrix, arrayFromVTKMatrix(node.GetSliceToRAS())[:3, 3])

    def goToKeySlices(self) -> None:
        """Show the key slice of each level."""
        for level, index in self.keySlices.items():
            self.goToSlice(level, index)

    def stepSlices(self, steps: int) -> None:
        """Move both levels by the same number of slices, towards the head where it is positive.

        Both stop where one of them reaches the end of the scan, so that their distance stays.
        """
        shown = self.currentSlices()
        wanted = self.grid.indexStepToHead * steps
        allowed = np.clip(wanted, -min(shown.values()), self.grid.count - 1 - max(shown.values()))
        for level, index in shown.items():
            self.goToSlice(level, index + int(allowed))

    def jumpToPoint(self, pointRas: Sequence[float], level: Level) -> None:
        """Show the slice through a point of the world in both views of a level."""
        self.goToSlice(level, self.grid.sliceAt(np.asarray(pointRas)))

    def currentSlices(self) -> dict[Level, int]:
        """Return the index of the slice that is nearest to the plain view of each level."""
        nodes = {level: sliceNodeOf(self.scene, pair.plain) for level, pair in VIEW_PAIRS.items()}
        return {level: self.grid.clamp(self._nearest(node)) for level, node in nodes.items()}

    def title(self, sliceNode: slicer.vtkMRMLSliceNode) -> str:
        """Return what one of the four views shows, in words: "ganglionic, slice 15"."""
        level, index = levelOf(sliceNode), self._nearest(sliceNode)
        if not self.grid.isParallelTo(arrayFromVTKMatrix(sliceNode.GetSliceToRAS())):
            return f"{level}, turned"
        if index != self.grid.clamp(index):
            return f"{level}, outside the scan"
        return f"{level}, slice {index}"

    def fitToScan(self) -> None:
        """Show whole slices, equally large in all four views."""
        edges = np.stack([np.full(3, -0.5), np.array(self.grid.size) - 0.5])
        self._fit(apply_affine(self.grid.affine, cornersOf(edges)), (0.0, 0.0))

    def fitToRegions(self, boundsRas: Sequence[float]) -> None:
        """Show a box of the world with a margin, equally large in all four views.

        Parameters
        ----------
        boundsRas
            Least and greatest R, A and S in mm, in pairs, as `boundsOf` returns them. Where they
            are those of nothing, whole slices are shown.
        """
        bounds = np.reshape(boundsRas, (3, 2)).T
        if np.any(bounds[0] > bounds[1]):
            self.fitToScan()
        else:
            self._fit(cornersOf(bounds), FIELD_MARGIN_MM)

    def _nearest(self, node: slicer.vtkMRMLSliceNode) -> int:
        return self.grid.sliceAt(arrayFromVTKMatrix(node.GetSliceToRAS())[:3, 3])

    def _fit(self, pointsRas: NDArray[np.float64], marginMm: tuple[float, float]) -> None:
        """Show points in all four views at one scale, that of the view which has least room."""
        acrossAndAlong = pointsRas @ self.grid.plane(0)[:3, :2]
        extentMm = np.ptp(acrossAndAlong, axis=0) + 2.0 * np.array(marginMm)
        middle = (pointsRas.min(axis=0) + pointsRas.max(axis=0)) / 2.0
        nodes = [node for level in VIEW_PAIRS for node in _sliceNodes(self.scene, level)]
        sizes = [
            np.maximum(node.GetDimensions(), 1) for node in nodes
        ]  # hidden views may have none
        mmPerPixel = max(np.max(extentMm / size[:2]) for size in sizes)
        for node, size in zip(nodes, sizes, strict=True):
            modifying = node.StartModify()
            _movePlane(node, arrayFromVTKMatrix(node.GetSliceToRAS()), middle)
            node.SetXYZOrigin(0.0, 0.0, 0.0)
            node.SetFieldOfView(*(size * (mmPerPixel, mmPerPixel, self.grid.spacingMm)).tolist())
            node.EndModify(modifying)


def setScan(
    scene: slicer.vtkMRMLScene,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    keySlices: KeySlicesInfo | None = None,
    gridNode: slicer.vtkMRMLVolumeNode | None = None,
) -> ScanViews:
    """Show a scan in the four views, at its key slices and as radiologists look at it.

    Whole slices are fitted into the views, and a heat map that was there is gone. Call it again
    when the transform of the scan changes.

    Parameters
    ----------
    scene
        A scene in which the layout was shown, so that the views exist.
    volumeNode
        The scan, with voxels; its parent transform is heeded.
    keySlices
        The slices to show; the middle one in all views when left out.
    gridNode
        A volume on the grid of which `keySlices` speaks, as the heat map of a result: the scan may
        have been moved since it was scored.

    Raises
    ------
    LookupError
        If the layout was never shown in this scene.
    """
    grid = sliceGridOf(gridNode or volumeNode, keySlices.axis if keySlices else None)
    shown = dict.fromkeys(VIEW_PAIRS, grid.count // 2)
    if keySlices:
        shown = {
            Level.GANGLIONIC: keySlices.ganglionic,
            Level.SUPRAGANGLIONIC: keySlices.supraganglionic,
        }
    for level in VIEW_PAIRS:
        for node in _sliceNodes(scene, level):
            _showBackground(compositeNodeOf(node), volumeNode)
    views = ScanViews(scene, grid, shown)
    views.goToKeySlices()
    views.fitToScan()
    return views


def clearScan(scene: slicer.vtkMRMLScene) -> None:
    """Show nothing in the four views."""
    for level in VIEW_PAIRS:
        for node in _sliceNodes(scene, level):
            _showBackground(compositeNodeOf(node), None)


def compositeNodeOf(sliceNode: slicer.vtkMRMLSliceNode) -> slicer.vtkMRMLSliceCompositeNode:
    """Return the node that says which volumes a slice view shows; made if there is none yet."""
    node = slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(sliceNode)
    if node is None:
        node = slicer.vtkMRMLSliceCompositeNode()
        node.SetLayoutName(sliceNode.GetLayoutName())
        sliceNode.GetScene().AddNode(node)
    return node


def setHeatmap(
    scene: slicer.vtkMRMLScene, heatmapNode: slicer.vtkMRMLScalarVolumeNode, opacity: float
) -> None:
    """Lay a heat map over the scan in the annotated views; opacity from 0 to 1."""
    for composite in _annotatedComposites(scene):
        composite.SetForegroundVolumeID(heatmapNode.GetID())
        composite.SetForegroundOpacity(opacity)


def clearHeatmap(scene: slicer.vtkMRMLScene) -> None:
    """Take the heat map off the annotated views."""
    for composite in _annotatedComposites(scene):
        composite.SetForegroundVolumeID(None)


def setCompared(
    scene: slicer.vtkMRMLScene, comparedNode: slicer.vtkMRMLLabelMapVolumeNode | None
) -> None:
    """Lay the map of the voxels that were compared over the annotated views; None takes it off."""
    if comparedNode:
        colourCompared(comparedNode)
    for composite in _annotatedComposites(scene):
        composite.SetLabelVolumeID(comparedNode.GetID() if comparedNode else None)
        composite.SetLabelOpacity(_COMPARED_OPACITY)


def showOnlyInAnnotated(scene: slicer.vtkMRMLScene, displayNode: slicer.vtkMRMLDisplayNode) -> None:
    """Show something in the annotated ones of our views, and in Slicer's own views as before.

    MRML has no list of views to leave out, so this lists the others that exist now.
    `showEverywhere` ends it.
    """
    _showBut(scene, displayNode, {pair.plain for pair in VIEW_PAIRS.values()})


def hideInOurViews(scene: slicer.vtkMRMLScene, displayNode: slicer.vtkMRMLDisplayNode) -> None:
    """Show something in Slicer's own views only, as before; `showEverywhere` ends it."""
    _showBut(scene, displayNode, set(VIEW_NAMES))


def _showBut(
    scene: slicer.vtkMRMLScene, displayNode: slicer.vtkMRMLDisplayNode, hidden: set[str]
) -> None:
    modifying = displayNode.StartModify()
    displayNode.RemoveAllViewNodeIDs()
    for viewNode in _viewNodes(scene):
        if viewNode.GetLayoutName() not in hidden:
            displayNode.AddViewNodeID(viewNode.GetID())
    displayNode.EndModify(modifying)


def showEverywhere(displayNode: slicer.vtkMRMLDisplayNode) -> None:
    """Show something in every view again."""
    displayNode.RemoveAllViewNodeIDs()


def _viewNodes(scene: slicer.vtkMRMLScene) -> Iterator[slicer.vtkMRMLAbstractViewNode]:
    kind = "vtkMRMLAbstractViewNode"
    return (scene.GetNthNodeByClass(n, kind) for n in range(scene.GetNumberOfNodesByClass(kind)))


def _sliceNodes(scene: slicer.vtkMRMLScene, level: Level) -> Iterator[slicer.vtkMRMLSliceNode]:
    return (sliceNodeOf(scene, viewName) for viewName in VIEW_PAIRS[level])


def _annotatedComposites(
    scene: slicer.vtkMRMLScene,
) -> Iterator[slicer.vtkMRMLSliceCompositeNode]:
    return (compositeNodeOf(sliceNodeOf(scene, p.annotated)) for p in VIEW_PAIRS.values())


def _showBackground(
    composite: slicer.vtkMRMLSliceCompositeNode, volumeNode: slicer.vtkMRMLVolumeNode | None
) -> None:
    modifying = composite.StartModify()
    composite.SetBackgroundVolumeID(volumeNode.GetID() if volumeNode else None)
    composite.SetForegroundVolumeID(None)
    composite.SetLabelVolumeID(None)
    composite.SetLinkedControl(True)
    composite.SetHotLinkedControl(True)
    # A volume that is loaded later is shown in Slicer's own views and leaves these alone.
    composite.SetDoPropagateVolumeSelection(False)
    composite.EndModify(modifying)


def _movePlane(
    node: slicer.vtkMRMLSliceNode, plane: NDArray[np.float64], over: NDArray[np.float64]
) -> None:
    """Give a view a plane, its middle over a point: the origin slides within the plane."""
    matrix = plane.copy()
    normal = plane[:3, 2]
    matrix[:3, 3] = over + ((plane[:3, 3] - over) @ normal) * normal
    node.GetSliceToRAS().DeepCopy(matrix.ravel().tolist())
    node.UpdateMatrices()
