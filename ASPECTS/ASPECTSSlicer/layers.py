"""The voxels of segmentations: as arrays on the grid of a volume, kept apart, and found by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import slicer
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS, Region
from ASPECTSLib.geometry import apply_affine
from ASPECTSSlicer.grids import areSameGrid, imageAffine, imageArray, nodeAffine, orientedImage
from ASPECTSSlicer.segmentations import BINARY_LABELMAP, segmentId

_LABEL_OF_ID: Mapping[str, int] = {segmentId(region): region.label for region in REGIONS}


@dataclass(frozen=True, eq=False)
class _Layer:
    """An image that segments share, and the value that each has in it."""

    image: slicer.vtkOrientedImageData
    valueOfId: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class _Box:
    """An array [k, j, i] that begins at voxel `first` (i, j, k) of a grid with this affine."""

    array: NDArray[np.uint8]
    affine: NDArray[np.float64]
    first: tuple[int, int, int]


def regionLabels(
    node: slicer.vtkMRMLSegmentationNode, gridNode: slicer.vtkMRMLScalarVolumeNode
) -> NDArray[np.uint8]:
    """Return the regions as a label map on the grid of a volume.

    Segments are known by their IDs. Those that a user deleted are missing from the label map, those
    that a user added are not in it. Where regions overlap, later layers win: see `separateRegions`.

    Parameters
    ----------
    node
        The regions; a transform of its own is not applied.
    gridNode
        A volume in world space, on whose grid the label map lies.

    Returns
    -------
    NDArray
        [k, j, i], labels as in `ASPECTSLib.atlas.regions`; a new array.
    """
    return _onGrid(gridNode, _layers(node), _LABEL_OF_ID)


def infarctMask(
    node: slicer.vtkMRMLSegmentationNode, gridNode: slicer.vtkMRMLScalarVolumeNode
) -> NDArray[np.bool_]:
    """Return all segments of the infarct's segmentation, visible or not, as one mask [k, j, i]."""
    identifiers = node.GetSegmentation().GetSegmentIDs()
    return _onGrid(gridNode, _layers(node), dict.fromkeys(identifiers, 1)).view(bool)


def separateRegions(
    node: slicer.vtkMRMLSegmentationNode, onTopSegmentId: str | None = None
) -> bool:
    """Give every voxel to one region at most, and all regions one image again, as after loading.

    Segments that a user added may overlap with regions, and keep their voxels.

    Parameters
    ----------
    node
        The regions.
    onTopSegmentId
        The region that wins where it overlaps with others; elsewhere the later layer wins.

    Returns
    -------
    bool
        Whether regions had several images. If not, nothing was changed, and the call is cheap.
    """
    if len(_regionLayers(node)) < 2:
        return False
    _detachAddedSegments(node)
    layers = _regionLayers(node)
    box = _emptyBox(layers)
    onTop = {onTopSegmentId: _LABEL_OF_ID.get(onTopSegmentId, 0)}
    for labelOfId in (_LABEL_OF_ID, onTop):
        for layer in layers:
            _paint(box, layer, labelOfId)
    _shareImage(node.GetSegmentation(), orientedImage(box.array, box.affine, box.first))
    return True


def regionCentre(
    node: slicer.vtkMRMLSegmentationNode, identifier: str, sliceAxis: int = 2
) -> tuple[float, float, float] | None:
    """Return where to look at a segment: a voxel of it, central in the slice that shows most of it.

    Parameters
    ----------
    node
        The segmentation.
    identifier
        ID of the segment.
    sliceAxis
        Index axis along which the slices lie, 0 for i to 2 for k.

    Returns
    -------
    tuple or None
        RAS mm; None if the segment is empty or was deleted.
    """
    for layer in _layers(node):
        mask = imageArray(layer.image) == layer.valueOfId.get(identifier, -1)
        if mask.any():
            return _centralVoxel(mask, layer.image, 2 - sliceAxis)
    return None


def regionAt(
    labels: NDArray[np.uint8],
    gridNode: slicer.vtkMRMLScalarVolumeNode,
    ras: Sequence[float],
) -> Region | None:
    """Return the region at a place in RAS mm, from labels on the grid of a volume; None outside."""
    toVoxel = np.linalg.inv(nodeAffine(gridNode))
    index = np.rint(apply_affine(toVoxel, np.asarray(ras, np.float64))).astype(int)[::-1]
    if np.any(index < 0) or np.any(index >= labels.shape):
        return None
    label = int(labels[tuple(index)])
    return REGIONS[label - 1] if label else None


def _layers(node: slicer.vtkMRMLSegmentationNode) -> list[_Layer]:
    segmentation = node.GetSegmentation()
    layers = []
    for index in range(segmentation.GetNumberOfLayers(BINARY_LABELMAP)):
        identifiers = segmentation.GetSegmentIDsForLayer(index, BINARY_LABELMAP)
        values = {one: segmentation.GetSegment(one).GetLabelValue() for one in identifiers}
        layers.append(_Layer(segmentation.GetLayerDataObject(index, BINARY_LABELMAP), values))
    return layers


def _regionLayers(node: slicer.vtkMRMLSegmentationNode) -> list[_Layer]:
    return [layer for layer in _layers(node) if _LABEL_OF_ID.keys() & layer.valueOfId.keys()]


def _onGrid(
    gridNode: slicer.vtkMRMLScalarVolumeNode,
    layers: Sequence[_Layer],
    labelOfId: Mapping[str, int],
) -> NDArray[np.uint8]:
    shape = gridNode.GetImageData().GetDimensions()[::-1]
    box = _Box(np.zeros(shape, np.uint8), nodeAffine(gridNode), (0, 0, 0))
    for layer in layers:
        _paint(box, layer, labelOfId)
    return box.array


def _paint(box: _Box, layer: _Layer, labelOfId: Mapping[str, int]) -> None:
    """Write the labels of some segments over a box, wherever the segments are."""
    if imageArray(layer.image).size == 0:
        return
    source = _onGridOf(layer.image, box)
    table = np.zeros(int(source.array.max()) + 1, np.uint8)
    for identifier, value in layer.valueOfId.items():
        if value < len(table):
            table[value] = labelOfId.get(identifier, 0)
    target, part = _common(box, source)
    found = table[part]
    np.copyto(target, found, where=found != 0)


def _onGridOf(image: slicer.vtkOrientedImageData, box: _Box) -> _Box:
    """Return the voxels of an image at whole voxels of a box, resampled only if they lie elsewhere."""
    affine, extent = imageAffine(image), image.GetExtent()
    shift = np.rint(apply_affine(np.linalg.inv(box.affine), affine[:3, 3]))
    shifted = box.affine.copy()
    shifted[:3, 3] = apply_affine(box.affine, shift)
    if not areSameGrid(affine, shifted, (extent[1] + 1, extent[3] + 1, extent[5] + 1)):
        return _Box(imageArray(_resampled(image, box)), box.affine, box.first)
    first = np.array(extent[::2]) + shift.astype(int)
    return _Box(imageArray(image), box.affine, tuple(first.tolist()))


def _resampled(image: slicer.vtkOrientedImageData, box: _Box) -> slicer.vtkOrientedImageData:
    reference = orientedImage(box.array, box.affine, box.first)
    resampled = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        image, reference, resampled
    )
    return resampled


def _common(box: _Box, source: _Box) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
    """Return views of the voxels that two boxes of one grid share."""
    inBox, inSource = [], []
    for axis in range(3):
        start, sourceStart = box.first[2 - axis], source.first[2 - axis]
        low = max(start, sourceStart)
        high = min(start + box.array.shape[axis], sourceStart + source.array.shape[axis])
        inBox.append(slice(low - start, max(high, low) - start))
        inSource.append(slice(low - sourceStart, max(high, low) - sourceStart))
    return box.array[tuple(inBox)], source.array[tuple(inSource)]


def _emptyBox(layers: Sequence[_Layer]) -> _Box:
    """Return a box on the grid of the first layer that has voxels, around all layers."""
    images = [layer.image for layer in layers if imageArray(layer.image).size] or [layers[0].image]
    affine = imageAffine(images[0])
    corners = np.concatenate([_cornerVoxels(image, affine) for image in images])
    first, last = np.floor(corners.min(axis=0) + 0.5), np.ceil(corners.max(axis=0) - 0.5)
    shape = np.maximum(last - first + 1, 0).astype(int)[::-1]
    return _Box(np.zeros(shape, np.uint8), affine, tuple(first.astype(int).tolist()))


def _cornerVoxels(
    image: slicer.vtkOrientedImageData, affine: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the centres of an image's corner voxels in voxels (i, j, k) of another grid."""
    extent = np.array(image.GetExtent()).reshape(3, 2)
    corners = np.stack(np.meshgrid(*extent), axis=-1).reshape(-1, 3)
    return apply_affine(np.linalg.inv(affine) @ imageAffine(image), corners)


def _detachAddedSegments(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Give segments that a user added images of their own."""
    for layer in _regionLayers(node):
        for identifier in layer.valueOfId.keys() - _LABEL_OF_ID.keys():
            node.GetSegmentation().SeparateSegmentLabelmap(identifier)


def _shareImage(segmentation: slicer.vtkSegmentation, image: slicer.vtkOrientedImageData) -> None:
    for identifier, label in _LABEL_OF_ID.items():
        segment = segmentation.GetSegment(identifier)
        if segment is not None:
            segment.SetLabelValue(label)
            segment.AddRepresentation(BINARY_LABELMAP, image)
    image.Modified()  # as Slicer's own merging ends


def _centralVoxel(
    mask: NDArray[np.bool_], image: slicer.vtkOrientedImageData, arrayAxis: int
) -> tuple[float, float, float]:
    others = tuple(axis for axis in range(3) if axis != arrayAxis)
    largest = int(np.argmax(mask.sum(axis=others)))
    places = np.argwhere(mask.take(largest, axis=arrayAxis))
    places = np.insert(places, arrayAxis, largest, axis=1)[:, ::-1]
    ras = apply_affine(imageAffine(image), places + np.array(image.GetExtent()[::2]))
    nearest = np.argmin(((ras - ras.mean(axis=0)) ** 2).sum(axis=1))
    return tuple(ras[nearest].tolist())
