"""A head under the transforms that volumes are under in Slicer, tilted gantries among them."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from scipy.spatial.transform import Rotation
from vtk.util.numpy_support import numpy_to_vtk

from ASPECTSLib.geometry import Volume, apply_affine, centred_affine
from ASPECTSSlicer.grids import nodeAffine, vtkMatrix

HEAD_SHAPE = (16, 40, 36)
TILT = np.deg2rad(20.0)


def head() -> Volume:
    """Return an ellipsoid of tissue in air, off centre so that no mirror image passes for it."""
    k, j, i = np.indices(HEAD_SHAPE)
    inside = ((i - 16) / 12) ** 2 + ((j - 22) / 14) ** 2 + ((k - 8) / 6) ** 2 < 1
    affine = centred_affine(HEAD_SHAPE, np.array([4.0, 4.0, 5.0]))
    return Volume(np.where(inside, 40, -1000).astype(np.int16), affine)


def smooth() -> Volume:
    k, j, i = np.indices(HEAD_SHAPE)
    waves = 500 * np.sin(i / 9) * np.cos(j / 11) * np.cos(k / 7)
    return head().with_array(waves.astype(np.float32))


def tissue_points(volume: Volume) -> np.ndarray:
    voxels = np.argwhere(volume.array > -480)[:, ::-1]  # half way between tissue and air
    return apply_affine(volume.affine, voxels)


def tissue_centre(volume: Volume) -> np.ndarray:
    weights = (volume.array.astype(float) + 1000) / 1040
    k, j, i = np.indices(volume.array.shape)
    centre = [np.average(index, weights=weights) for index in (i, j, k)]
    return volume.affine[:3, :3] @ centre + volume.affine[:3, 3]


def tissue_ml(volume: Volume) -> float:
    return float(((volume.array.astype(float) + 1000) / 1040).sum()) * volume.voxel_volume_ml


def rigid_matrix() -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("zx", [25, -10], degrees=True).as_matrix()
    matrix[:3, 3] = (3.3, -2.2, 10.1)
    return matrix


def add_linear_transform(scene, node, matrix):
    transform_node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform_node.SetMatrixTransformToParent(vtkMatrix(matrix))
    node.SetAndObserveTransformNodeID(transform_node.GetID())
    return transform_node


def tilted(point_ras, tilt_rad=TILT):
    """Return where the tilt puts a point: slices shifted to the front, at their distance along the normal."""
    _, _, height = point_ras
    origin = head().affine[2, 3]
    shift = (height - origin) * np.array([0.0, np.sin(tilt_rad), np.cos(tilt_rad) - 1])
    return np.asarray(point_ras) + shift


def add_acquisition_transform(scene, node, slice_axis, tilt_rad=TILT):
    """Put a volume under a grid transform with a vector at the corners of each slice."""
    affine, size = nodeAffine(node), node.GetImageData().GetDimensions()
    counts = [size[axis] if axis == slice_axis else 2 for axis in range(3)]
    steps = [1 if axis == slice_axis else size[axis] for axis in range(3)]
    spans = [np.arange(count) * step for count, step in zip(counts, steps, strict=True)]
    voxels = np.stack(np.meshgrid(*spans[::-1], indexing="ij")[::-1], axis=-1).reshape(-1, 3)
    corners = apply_affine(affine, voxels)
    vectors = np.array([tilted(corner, tilt_rad) - corner for corner in corners])
    image = vtk.vtkImageData()
    image.SetDimensions(*counts)
    image.SetOrigin(*node.GetOrigin())
    image.SetSpacing(*(s * step for s, step in zip(node.GetSpacing(), steps, strict=True)))
    image.GetPointData().SetScalars(numpy_to_vtk(vectors, deep=True))
    transform, directions = slicer.vtkOrientedGridTransform(), vtk.vtkMatrix4x4()
    node.GetIJKToRASDirectionMatrix(directions)
    transform.SetGridDirectionMatrix(directions)
    transform.SetDisplacementGridData(image)
    transform_node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    transform_node.SetAndObserveTransformToParent(transform)
    node.SetAndObserveTransformNodeID(transform_node.GetID())


def add_warp(scene, node, amplitude_mm=12.0):
    """Put a volume under a smooth warp and return it as a function of points, to first order in space."""
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for point in np.stack(np.meshgrid(*[[-60.0, 0.0, 60.0]] * 3), axis=-1).reshape(-1, 3):
        source.InsertNextPoint(point)
        shift = amplitude_mm * np.sin(point / 40.0)[[1, 2, 0]]
        target.InsertNextPoint(point + shift)
    transform = vtk.vtkThinPlateSplineTransform()
    transform.SetBasisToR()
    transform.SetSourceLandmarks(source)
    transform.SetTargetLandmarks(target)
    transform_node = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform_node.SetAndObserveTransformToParent(transform)
    node.SetAndObserveTransformNodeID(transform_node.GetID())
    return lambda points: np.array([transform.TransformPoint(point) for point in points])


def add_crumple(scene, node):
    """Put a volume under a transform that sends neighbours to places far from one another."""
    image = vtk.vtkImageData()
    image.SetDimensions(8, 8, 8)
    image.SetOrigin(-70, -80, -40)
    image.SetSpacing(20, 20, 10)
    vectors = np.random.default_rng(0).normal(0, 40, (8**3, 3))
    image.GetPointData().SetScalars(numpy_to_vtk(vectors, deep=True))
    transform = vtk.vtkGridTransform()
    transform.SetDisplacementGridData(image)
    transform_node = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform_node.SetAndObserveTransformToParent(transform)
    node.SetAndObserveTransformNodeID(transform_node.GetID())
