"""A spatial mapping from a scan to the atlas, and warping through it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.rules import grid_points
from ASPECTSLib.geometry import LPS_FROM_RAS, Volume, bounding_box, crop, paste, resample
from ASPECTSLib.io.images import to_sitk

_VECTOR_LPS_FROM_RAS = np.array([-1.0, -1.0, 1.0])
_INVERSION_ITERATIONS = 15


@dataclass(frozen=True, eq=False)
class Mapping:
    """Takes points of the fixed image (scan) to points of the moving image (atlas): matrix @ (p + displacement(p)).

    Parameters
    ----------
    matrix
        4x4 matrix in RAS mm.
    displacement_mm
        RAS displacement in mm at the voxels of `grid`, shape (k, j, i, 3); None for an affine
        mapping. Zero outside.
    grid
        Volume that gives the grid of the displacement field.
    """

    matrix: NDArray[np.float64]
    displacement_mm: NDArray[np.float64] | None = None
    grid: Volume | None = None

    def to_sitk(self) -> sitk.Transform:
        """Return the mapping as a SimpleITK transform, in LPS."""
        affine = affine_to_sitk(self.matrix)
        if self.displacement_mm is None or self.grid is None:
            return affine
        field = sitk.GetImageFromArray(self.displacement_mm * _VECTOR_LPS_FROM_RAS, isVector=True)
        field.CopyInformation(to_sitk(self.grid))
        return sitk.CompositeTransform([affine, sitk.DisplacementFieldTransform(field)])


def points_in_atlas(mapping: Mapping, grid: Volume) -> NDArray[np.float64]:
    """Return where the voxels of a grid lie in the atlas.

    Parameters
    ----------
    mapping
        From points of the scan to points of the atlas.
    grid
        Any grid in the scan's frame; its values do not matter.

    Returns
    -------
    numpy.ndarray
        RAS mm, shape (k, j, i, 3). Beyond the displacement field the mapping is affine.
    """
    like = to_sitk(grid)
    field = sitk.TransformToDisplacementField(
        mapping.to_sitk(),
        sitk.sitkVectorFloat64,
        like.GetSize(),
        like.GetOrigin(),
        like.GetSpacing(),
        like.GetDirection(),
    )
    return grid_points(grid.array.shape, grid.affine) + displacement_from_sitk(field)


def invert_mapping(mapping: Mapping, like: Volume) -> Mapping:
    """Return the way back, from points of the atlas to points of the scan.

    Parameters
    ----------
    mapping
        Without folds, from points of the scan to points of the atlas.
    like
        Gives the grid of the field of the inverse, in atlas space.

    Notes
    -----
    The field is inverted on its own grid by fixed-point iteration (doi:10.1118/1.2816107), and carried to the
    atlas: the inverse takes y to inverse_matrix @ (y + matrix @ back(inverse_matrix @ y)), without the shift.
    """
    inverse_matrix = np.linalg.inv(mapping.matrix)
    if mapping.displacement_mm is None or mapping.grid is None:
        return Mapping(inverse_matrix)
    back_mm = _invert_field(mapping.displacement_mm, mapping.grid)
    at_atlas = np.stack(
        [
            resample(mapping.grid.with_array(back_mm[..., axis]), like, inverse_matrix).array
            for axis in range(3)
        ],
        axis=-1,
    )
    return Mapping(inverse_matrix, at_atlas @ mapping.matrix[:3, :3].T, like)


def _invert_field(displacement_mm: NDArray[np.float64], grid: Volume) -> NDArray[np.float64]:
    indices = np.indices(grid.array.shape, np.float64)
    to_voxels = np.linalg.inv(grid.affine[:3, :3])
    inverse_mm = -displacement_mm
    for _ in range(_INVERSION_ITERATIONS):
        moved = indices + np.moveaxis((inverse_mm @ to_voxels.T)[..., ::-1], -1, 0)
        inverse_mm = -np.stack(
            [
                ndimage.map_coordinates(displacement_mm[..., axis], moved, order=1, mode="nearest")
                for axis in range(3)
            ],
            axis=-1,
        )
    return inverse_mm


def affine_to_sitk(matrix: NDArray[np.float64]) -> sitk.AffineTransform:
    """Convert a 4x4 RAS matrix to a SimpleITK affine transform (LPS)."""
    lps = LPS_FROM_RAS @ matrix @ LPS_FROM_RAS
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(lps[:3, :3].ravel())
    transform.SetTranslation(lps[:3, 3])
    return transform


def affine_from_sitk(transform: sitk.AffineTransform) -> NDArray[np.float64]:
    """Convert a SimpleITK affine transform (LPS, any centre) to a 4x4 RAS matrix."""
    lps = np.eye(4)
    lps[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    lps[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    return LPS_FROM_RAS @ lps @ LPS_FROM_RAS


def displacement_from_sitk(field: sitk.Image) -> NDArray[np.float64]:
    """Return the RAS displacements in mm of a SimpleITK displacement field (LPS), shape (k, j, i, 3)."""
    return sitk.GetArrayFromImage(field) * _VECTOR_LPS_FROM_RAS


def warp(
    moving: Volume, mapping: Mapping, like: Volume, *, labels: bool = False, fill: float = 0.0
) -> Volume:
    """Carry an atlas volume to the grid of a scan.

    Parameters
    ----------
    moving
        Volume in atlas space.
    mapping
        From points of the scan to points of the atlas.
    like
        Gives the grid of the result.
    labels
        False interpolates linearly; True takes the label with the largest share around each voxel,
        not the nearest voxel's: a slice that runs almost along a border would show that one's
        staircase as stripes.
    fill
        Value outside of the moving volume.
    """
    interpolator = sitk.sitkLabelLinear if labels else sitk.sitkLinear
    warped = sitk.Resample(to_sitk(moving), to_sitk(like), mapping.to_sitk(), interpolator, fill)
    return like.with_array(sitk.GetArrayFromImage(warped))


def warp_labels(labels: Volume, mapping: Mapping, mask: Volume) -> Volume:
    """Carry a label map to a scan, within a mask; only the mask's bounding box is worked on.

    Parameters
    ----------
    labels
        Label map in atlas space.
    mapping
        From points of the scan to points of the atlas.
    mask
        bool, on the scan's grid; labels outside of it are dropped.

    Returns
    -------
    Volume
        uint8 label map on the scan's grid.
    """
    box = bounding_box(mask.array)
    part = crop(mask, box)
    warped = warp(labels, mapping, part.with_array(part.array.astype(np.uint8)), labels=True)
    return paste(np.where(part.array, warped.array, 0).astype(np.uint8), box, mask)
