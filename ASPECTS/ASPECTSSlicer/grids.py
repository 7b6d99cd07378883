"""Volume nodes and the library's volumes: one from the other, voxels and matrices alike."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from slicer.util import arrayFromVolume, arrayFromVTKMatrix
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ASPECTSLib.geometry import Volume, apply_affine

SAME_PLACE_MM = 1e-3
"""Grids whose corners are closer than this are one: NIfTI keeps its matrix in single precision."""


def readVolume(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Volume:
    """Return a volume node on its own grid, without its parent transform.

    Returns
    -------
    Volume
        A view of the node's voxels, [k, j, i], which is not to be written to; affine from (i, j, k)
        to RAS mm in double precision.

    Raises
    ------
    OSError
        If the node has no voxels, or several values in each.
    """
    if imageOf(volumeNode).GetNumberOfScalarComponents() != 1:
        message = "expected one value a voxel, got several"
        raise OSError(message)
    return Volume(arrayFromVolume(volumeNode), nodeAffine(volumeNode))


def fillVolume(volumeNode: slicer.vtkMRMLScalarVolumeNode, volume: Volume) -> None:
    """Give a volume node a copy of the voxels, and the grid, of a volume."""
    image = vtk.vtkImageData()
    _copyVoxels(volume.array, image, (0, 0, 0))
    modified = volumeNode.StartModify()
    volumeNode.SetIJKToRASMatrix(vtkMatrix(volume.affine))
    volumeNode.SetAndObserveImageData(image)
    volumeNode.EndModify(modified)


def imageOf(volumeNode: slicer.vtkMRMLVolumeNode) -> vtk.vtkImageData:
    """Return the image of a volume node.

    Raises
    ------
    OSError
        If there is none, or nothing in it.
    """
    image = volumeNode.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        message = "expected a volume with voxels, got none"
        raise OSError(message)
    return image


def nodeAffine(volumeNode: slicer.vtkMRMLVolumeNode) -> NDArray[np.float64]:
    """Return the matrix from (i, j, k) of a volume node to RAS mm, without its parent transform."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return arrayFromVTKMatrix(matrix)


def vtkMatrix(affine: NDArray[np.float64]) -> vtk.vtkMatrix4x4:
    """Return a 4x4 array as a matrix of VTK."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(affine.ravel())
    return matrix


def orientedImage(
    array: NDArray[np.uint8], affine: NDArray[np.float64], firstVoxel: tuple[int, int, int]
) -> slicer.vtkOrientedImageData:
    """Make an image as segmentations hold it.

    Parameters
    ----------
    array
        Voxels [k, j, i], copied.
    affine
        From (i, j, k) of the whole grid to RAS mm.
    firstVoxel
        Where on that grid, (i, j, k), the array begins.
    """
    image = slicer.vtkOrientedImageData()
    _copyVoxels(array, image, firstVoxel)
    image.SetImageToWorldMatrix(vtkMatrix(affine))
    return image


def imageArray(image: vtk.vtkImageData) -> NDArray[np.generic]:
    """Return a view [k, j, i] of an image with one value a voxel; it may have no voxels."""
    shape = tuple(max(size, 0) for size in reversed(image.GetDimensions()))
    scalars = image.GetPointData().GetScalars()
    if scalars is None or 0 in shape:
        return np.zeros((0, 0, 0), np.uint8)
    return vtk_to_numpy(scalars).reshape(shape)


def imageAffine(image: slicer.vtkOrientedImageData) -> NDArray[np.float64]:
    """Return the matrix from (i, j, k) of the image to RAS mm; its extent may begin elsewhere."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return arrayFromVTKMatrix(matrix)


def areSameGrid(
    affine: NDArray[np.float64], other: NDArray[np.float64], size: tuple[int, int, int]
) -> bool:
    """Return whether two matrices put each voxel of a grid of that size (i, j, k) at one place."""
    corners = np.stack(np.meshgrid(*((0, count - 1) for count in size)), axis=-1).reshape(-1, 3)
    distance = apply_affine(affine, corners) - apply_affine(other, corners)
    return bool(np.abs(distance).max() < SAME_PLACE_MM)


def _copyVoxels(
    array: NDArray[np.generic], image: vtk.vtkImageData, firstVoxel: tuple[int, int, int]
) -> None:
    ends = (
        first + count - 1 for first, count in zip(firstVoxel, reversed(array.shape), strict=True)
    )
    first, last = firstVoxel, tuple(ends)
    image.SetExtent(first[0], last[0], first[1], last[1], first[2], last[2])
    scalars = numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True)
    scalars.SetName("ImageScalars")  # as Slicer's own readers name it
    image.GetPointData().SetScalars(scalars)
