"""Region maps as segmentations of the scene."""

from __future__ import annotations

from pathlib import Path

import slicer
import vtk

from ASPECTSLib.atlas.regions import REGIONS, Region
from ASPECTSSlicer.volumes import readLabelMap

_BINARY_LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


def loadRegions(
    scene: slicer.vtkMRMLScene,
    path: Path,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> slicer.vtkMRMLSegmentationNode:
    """Add the regions of a volume to the scene: 20 segments, those not in the scan empty.

    Parameters
    ----------
    scene
        The scene that gets the segmentation.
    path
        Label map on the grid of the volume; labels as in `ASPECTSLib.atlas.regions`.
    volumeNode
        The volume that was scored; the segmentation takes its geometry, transform and name.

    Raises
    ------
    OSError
        If the label map cannot be read.
    """
    labelMap = _orientedImage(readLabelMap(path))
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{volumeNode.GetName()} ASPECTS")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    segmentation = node.GetSegmentation()
    segmentation.SetSourceRepresentationName(_BINARY_LABELMAP)
    for region in REGIONS:
        segmentation.AddSegment(_segment(region, labelMap), segmentId(region))
    return node


def segmentId(region: Region) -> str:
    """Return the ID of a region's segment, which stays the same when a user renames it."""
    return f"{region.code}_{region.side}"


def _segment(region: Region, labelMap: slicer.vtkOrientedImageData) -> slicer.vtkSegment:
    segment = slicer.vtkSegment()
    segment.SetName(f"{region.code} {region.side}")
    segment.SetColor(*(channel / 255 for channel in region.colour))
    # Segments that do not overlap share one image, each with its own value in it.
    segment.SetLabelValue(region.label)
    segment.AddRepresentation(_BINARY_LABELMAP, labelMap)
    return segment


def _orientedImage(labelMapNode: slicer.vtkMRMLLabelMapVolumeNode) -> slicer.vtkOrientedImageData:
    image = slicer.vtkOrientedImageData()
    image.ShallowCopy(labelMapNode.GetImageData())
    imageToRas = vtk.vtkMatrix4x4()
    labelMapNode.GetIJKToRASMatrix(imageToRas)
    image.SetImageToWorldMatrix(imageToRas)
    return image
