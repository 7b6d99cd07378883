"""Regions and infarct as segmentations of the scene: their segments, and how they look."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import slicer

from ASPECTSLib.atlas.regions import (
    INFARCT_COLOUR,
    LATERALITY,
    REGIONS,
    Region,
    Terminology,
)
from ASPECTSLib.geometry import Volume
from ASPECTSLib.report.result import StudyResult
from ASPECTSSlicer.grids import orientedImage

INFARCT_ID = "infarct"

AFFECTED_FILL = 0.4
_OUTLINE_OPACITY = 1.0
_UNDECIDED_OUTLINE_OPACITY = 0.35
_INFARCT_FILL = 0.25  # so that names of regions and the scan are seen through both
_LINE_WIDTH_PX, _INFARCT_LINE_WIDTH_PX = 1, 3

BINARY_LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
_GEOMETRY = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
_TYPE_LIST = "Segmentation category and type - DICOM master list"
_ANATOMY_LIST = "Anatomic codes - DICOM master list"
_ANATOMICAL_STRUCTURE = Terminology("SCT", "123037004", "Anatomical Structure")
_ALTERED_STRUCTURE = Terminology("SCT", "49755003", "Morphologically Altered Structure")
_INFARCT = Terminology("SCT", "55641003", "Infarct")
_BRAIN = Terminology("SCT", "12738006", "Brain")


def segmentId(region: Region) -> str:
    """Return the ID of a region's segment, which stays the same when a user renames it."""
    return _identifier(region.code, region.side)


def callsById(study: StudyResult) -> dict[str, bool | None]:
    """Return the call that counts of each region, by the ID of its segment."""
    return {_identifier(info.region, info.side): info.final_call for info in study.regions}


def createRegions(
    scene: slicer.vtkMRMLScene, labels: Volume, name: str
) -> slicer.vtkMRMLSegmentationNode:
    """Add regions to the scene: 20 segments on one image, those that do not occur empty.

    Parameters
    ----------
    scene
        The scene that gets the segmentation and its display node.
    labels
        uint8 label map in world space; labels as in `ASPECTSLib.atlas.regions`.
    name
        Name of the node.
    """
    segments = {segmentId(region): _regionSegment(region) for region in REGIONS}
    return _addSegmentation(scene, labels, name, segments)


def createInfarct(
    scene: slicer.vtkMRMLScene, mask: Volume, name: str
) -> slicer.vtkMRMLSegmentationNode:
    """Add the infarct to the scene: one segment, empty where the mask is.

    Parameters
    ----------
    scene
        The scene that gets the segmentation and its display node.
    mask
        Infarct, not 0, in world space.
    name
        Name of the node.
    """
    entry = _terminologyEntry(_ALTERED_STRUCTURE, _INFARCT, None, _BRAIN)
    segment = _segment("infarct", INFARCT_COLOUR, entry, 1)
    binary = Volume((mask.array != 0).astype(np.uint8), mask.affine)
    return _addSegmentation(scene, binary, name, {INFARCT_ID: segment})


def styleRegions(node: slicer.vtkMRMLSegmentationNode, calls: Mapping[str, bool | None]) -> None:
    """Fill the affected regions, and draw the others as outlines; colours stay as they are.

    Parameters
    ----------
    node
        The regions.
    calls
        Whether a region is affected, by segment ID; None, which draws a faint outline, where there
        is no call. Segments that are not named stay as they are.
    """
    display = node.GetDisplayNode()
    modified = display.StartModify()
    display.SetSliceIntersectionThickness(_LINE_WIDTH_PX)
    display.SetOpacity2DFill(1.0)  # multiplies that of the segments; Slicer's default is a half
    display.SetOpacity2DOutline(1.0)
    for identifier, affected in calls.items():
        outline = _UNDECIDED_OUTLINE_OPACITY if affected is None else _OUTLINE_OPACITY
        display.SetSegmentOpacity2DFill(identifier, AFFECTED_FILL if affected else 0.0)
        display.SetSegmentOpacity2DOutline(identifier, outline)
    display.EndModify(modified)


def styleInfarct(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Draw a thick outline around the infarct, as in the report, and fill it faintly."""
    display = node.GetDisplayNode()
    modified = display.StartModify()
    display.SetSliceIntersectionThickness(_INFARCT_LINE_WIDTH_PX)
    display.SetOpacity2DFill(_INFARCT_FILL)
    display.SetOpacity2DOutline(_OUTLINE_OPACITY)
    display.EndModify(modified)


def setOutlinesVisible(node: slicer.vtkMRMLSegmentationNode, visible: bool) -> None:
    """Show or hide the outlines of all segments; fills stay as they are."""
    node.GetDisplayNode().SetVisibility2DOutline(visible)


def _identifier(code: str, side: str) -> str:
    return f"{code}_{side}"


def _regionSegment(region: Region) -> slicer.vtkSegment:
    entry = _terminologyEntry(
        _ANATOMICAL_STRUCTURE, region.terminology, LATERALITY[region.side], None
    )
    return _segment(f"{region.code} {region.side}", region.colour, entry, region.label)


def _segment(
    name: str, colour: tuple[int, int, int], terminology: str, value: int
) -> slicer.vtkSegment:
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.SetColor(*(channel / 255 for channel in colour))
    segment.SetNameAutoGenerated(False)  # or choosing a terminology entry would rename it
    segment.SetColorAutoGenerated(False)
    segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), terminology)
    segment.SetLabelValue(value)
    return segment


def _terminologyEntry(
    category: Terminology, kind: Terminology, modifier: Terminology | None, site: Terminology | None
) -> str:
    """Write an entry as Slicer's Terminologies module serialises it."""
    fields = (_TYPE_LIST, category, kind, modifier, _ANATOMY_LIST, site, None)
    return "~".join(one if isinstance(one, str) else _triplet(one) for one in fields)


def _triplet(concept: Terminology | None) -> str:
    return f"{concept.scheme}^{concept.value}^{concept.meaning}" if concept else "^^"


def _addSegmentation(
    scene: slicer.vtkMRMLScene,
    labels: Volume,
    name: str,
    segments: Mapping[str, slicer.vtkSegment],
) -> slicer.vtkMRMLSegmentationNode:
    image = orientedImage(labels.array, labels.affine, (0, 0, 0))
    node = slicer.vtkMRMLSegmentationNode()
    node.SetName(name)
    segmentation = node.GetSegmentation()
    segmentation.SetSourceRepresentationName(BINARY_LABELMAP)
    geometry = slicer.vtkSegmentationConverter.SerializeImageGeometry(image)
    segmentation.SetConversionParameter(_GEOMETRY, geometry)
    for identifier, segment in segments.items():
        segment.AddRepresentation(BINARY_LABELMAP, image)
        segmentation.AddSegment(segment, identifier)
    scene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    return node
