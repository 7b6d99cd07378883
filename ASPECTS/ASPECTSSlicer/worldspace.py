"""Volumes in world space: under a parent transform the voxels stay where that is enough, or are resampled.

Slicer's own hardening is not used, for three reasons. It keeps the axes and the spacing of the
untransformed grid, so that every slice of a tilted stack is mixed from two. It fills with the median
of the corner voxels, which is tissue where a head is cropped closely. And under a linear transform
it leaves a sheared grid sheared, which the library takes for an orthogonal one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from slicer.util import arrayFromVTKMatrix
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ASPECTSLib.geometry import Volume, apply_affine
from ASPECTSSlicer.grids import imageArray, imageOf, nodeAffine, readVolume

AIR_HU = -1000.0
"""Fills what the scan does not cover; volumes that never go so low are filled with their lowest value."""

RIGHT_ANGLE_TOLERANCE = 1e-3
"""Cosine: 100 mm from the centre, axes that lean by this move a voxel by 0.1 mm."""

_SAMPLES_PER_AXIS = 17  # on which a moved grid is measured; Slicer takes 8
_NODE_DISTANCE_MM = 5.0  # between the points at which a non-linear transform is inverted
_INVERSION_TOLERANCE_MM = 0.1  # VTK stops its search at 0.001
_SMALLEST_VOXEL_ML = 1e-9

Points = NDArray[np.float64]
"""Shape (..., 3), mm or voxels."""

_WITHOUT_INVERSE = "expected a transform with an inverse over the volume"


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the voxels of a volume lie: affine from (i, j, k) to RAS mm, and size along i, j, k."""

    affine: NDArray[np.float64]
    size: tuple[int, int, int]


def worldGrid(volumeNode: slicer.vtkMRMLVolumeNode) -> Grid:
    """Return the grid of `worldVolume`, which is cheap to find.

    Raises
    ------
    OSError
        If the volume has no voxels, or is under a transform that flattens it.
    """
    own = Grid(nodeAffine(volumeNode), imageOf(volumeNode).GetDimensions())
    return _movedGrid(volumeNode, own) or _coveringGrid(volumeNode, own)


def worldVolume(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Volume:
    """Return a volume node in world space; the scene is only read.

    Returns
    -------
    Volume
        Under a linear transform that keeps right angles, a view of the node's voxels with another
        affine. Otherwise they are interpolated on a grid at right angles, whose slices are parallel
        to the scan's and which holds all of it.

    Raises
    ------
    OSError
        If the node has no voxels, several values in each, or a transform without an inverse.
    """
    own = readVolume(volumeNode)
    moved = _movedGrid(volumeNode, Grid(own.affine, own.size))
    if moved is None:
        return _resampled(volumeNode, own, worldGrid(volumeNode))
    return Volume(own.array, moved.affine)


def _movedGrid(volumeNode: slicer.vtkMRMLVolumeNode, own: Grid) -> Grid | None:
    """Return the grid of the untouched voxels in world space; None if they must be interpolated."""
    transformNode = volumeNode.GetParentTransformNode()
    matrix = vtk.vtkMatrix4x4()
    if transformNode is not None:
        if not transformNode.IsTransformToWorldLinear():
            return None
        transformNode.GetMatrixTransformToWorld(matrix)
    moved = Grid(arrayFromVTKMatrix(matrix) @ own.affine, own.size)
    return moved if _isRightAngled(moved.affine) else None


def _isRightAngled(affine: NDArray[np.float64]) -> bool:
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    cosines = affine[:3, :3].T @ affine[:3, :3] - np.diag(lengths**2)
    return bool(np.all(np.abs(cosines) < RIGHT_ANGLE_TOLERANCE * np.outer(lengths, lengths)))


def _coveringGrid(volumeNode: slicer.vtkMRMLVolumeNode, own: Grid) -> Grid:
    """Return the grid at right angles that follows a moved grid and holds each of its voxels."""
    voxels = _samples(own.size)
    moved = _move(_toWorld(volumeNode), apply_affine(own.affine, voxels))
    affine = _straightened(_fitAffine(voxels, moved))
    if abs(np.linalg.det(affine[:3, :3])) / 1000 < _SMALLEST_VOXEL_ML:
        raise OSError(_WITHOUT_INVERSE)
    covered = apply_affine(np.linalg.inv(affine), moved)
    # Whole voxels from the first one of the moved scan, so that slices stay slices.
    low, high = np.floor(covered.min(axis=0) + 0.5), np.ceil(covered.max(axis=0) - 0.5)
    affine[:3, 3] = apply_affine(affine, low)
    return Grid(affine, tuple(int(count) for count in high - low + 1))


def _samples(size: tuple[int, int, int]) -> Points:
    """Return voxel centres all over a grid, its corners among them; shape (n, 3), in voxels."""
    axes = [np.linspace(0, max(count - 1, 1), _SAMPLES_PER_AXIS) for count in size]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _toWorld(volumeNode: slicer.vtkMRMLVolumeNode) -> vtk.vtkAbstractTransform:
    transform, transformNode = vtk.vtkGeneralTransform(), volumeNode.GetParentTransformNode()
    if transformNode is not None:
        transformNode.GetTransformToWorld(transform)
    return transform


def _move(transform: vtk.vtkAbstractTransform, points: Points) -> Points:
    given, moved = vtk.vtkPoints(), vtk.vtkPoints()
    given.SetData(numpy_to_vtk(np.ascontiguousarray(points.reshape(-1, 3)), deep=True))
    moved.SetDataTypeToDouble()
    transform.TransformPoints(given, moved)
    return vtk_to_numpy(moved.GetData()).reshape(points.shape).copy()


def _fitAffine(points: Points, moved: Points) -> NDArray[np.float64]:
    homogeneous = np.column_stack([points, np.ones(len(points))])
    affine = np.eye(4)
    affine[:3] = np.linalg.lstsq(homogeneous, moved, rcond=None)[0].T
    return affine


def _straightened(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make the axes perpendicular; the plane of the slices, with the finest spacing, keeps its place.

    Slices that lean, as under a tilted gantry, end up at their distance along the normal.
    """
    order = np.argsort(np.linalg.norm(affine[:3, :3], axis=0), kind="stable")
    directions, steps = np.linalg.qr(affine[:3, order])
    straight = affine.copy()
    straight[:3, order] = directions * np.diag(steps)
    return straight


def _resampled(volumeNode: slicer.vtkMRMLScalarVolumeNode, own: Volume, grid: Grid) -> Volume:
    """Interpolate the voxels of a moved volume linearly on a grid in world space."""
    placed = vtk.vtkImageData()  # the node's voxels, without what the node's image may say of them
    placed.ShallowCopy(volumeNode.GetImageData())
    placed.SetOrigin(0, 0, 0)
    placed.SetSpacing(1, 1, 1)
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(placed)
    reslice.SetResliceTransform(_gridToOwnVoxels(volumeNode, own, grid))
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputSpacing(1, 1, 1)
    reslice.SetOutputExtent(0, grid.size[0] - 1, 0, grid.size[1] - 1, 0, grid.size[2] - 1)
    reslice.SetInterpolationModeToLinear()
    reslice.SetBackgroundLevel(max(float(own.array.min()), AIR_HU))
    reslice.Update()
    return Volume(imageArray(reslice.GetOutput()), grid.affine)


def _gridToOwnVoxels(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, own: Volume, grid: Grid
) -> vtk.vtkGridTransform:
    """Return the way from voxels of a grid in world space to those of the untransformed volume.

    The transform is inverted at some points only, and interpolated between them: inverting it for
    every voxel takes minutes where it is a spline.
    """
    spacing_mm = np.linalg.norm(grid.affine[:3, :3], axis=0)
    # Acquisition transforms have a kink at every slice: slices of 2.6 mm and more get a point each.
    steps = np.maximum(_NODE_DISTANCE_MM // spacing_mm, 1.0)
    counts = [int(np.ceil((n - 1) / step)) + 1 for n, step in zip(grid.size, steps, strict=True)]
    spans = [np.arange(count) * step for count, step in zip(counts, steps, strict=True)]
    voxels = np.stack(np.meshgrid(*spans[::-1], indexing="ij")[::-1], axis=-1)
    ownVoxels = _ownVoxels(volumeNode, own, apply_affine(grid.affine, voxels))
    displacements = vtk.vtkImageData()
    displacements.SetDimensions(*counts)
    displacements.SetSpacing(*steps)
    vectors = np.ascontiguousarray((ownVoxels - voxels).reshape(-1, 3))
    displacements.GetPointData().SetScalars(numpy_to_vtk(vectors, deep=True))
    transform = vtk.vtkGridTransform()
    transform.SetDisplacementGridData(displacements)
    transform.SetInterpolationModeToLinear()
    return transform


def _ownVoxels(volumeNode: slicer.vtkMRMLScalarVolumeNode, own: Volume, world: Points) -> Points:
    """Return which voxels of a volume, (i, j, k), its transform brings to points in world space."""
    transform = _toWorld(volumeNode)
    points = _move(transform.GetInverse(), world)
    voxels = apply_affine(np.linalg.inv(own.affine), points)
    isShown = np.all((voxels > -1) & (voxels < own.size), axis=-1)
    distance = np.linalg.norm(_move(transform, points) - world, axis=-1)
    if np.any(isShown & (distance > _INVERSION_TOLERANCE_MM)):
        raise OSError(_WITHOUT_INVERSE)
    return voxels
