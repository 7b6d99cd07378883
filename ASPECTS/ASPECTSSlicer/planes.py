"""Where the slices of a scan lie in the world, and how a radiologist looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from ASPECTSLib.geometry import apply_affine, bounding_box
from ASPECTSSlicer.worldspace import worldGrid

_PARALLEL = 1e-3
"""Largest difference of two directions that count as one, as where Slicer links views."""


@dataclass(frozen=True, eq=False)
class SliceGrid:
    """The slices of a scan in the world.

    Parameters
    ----------
    affine
        4x4 matrix from voxel indices (i, j, k, 1), at voxel centres, to the world in RAS mm. Its
        axes may have any order and direction, and be sheared as by a tilted gantry.
    size
        Number of voxels along i, j and k.
    axis
        The axis along which the slices are counted: 0 for i to 2 for k.
    """

    affine: NDArray[np.float64]
    size: tuple[int, int, int]
    axis: int

    @property
    def count(self) -> int:
        """Number of slices."""
        return self.size[self.axis]

    @property
    def indexStepToHead(self) -> int:
        """1 where the index grows towards the head, −1 where it grows towards the feet."""
        return 1 if self.affine[:3, self.axis] @ self._directions()[:, 2] > 0 else -1

    @property
    def spacingMm(self) -> float:
        """Distance between the planes of neighbouring slices, in mm."""
        return float(abs(self.affine[:3, self.axis] @ self._directions()[:, 2]))

    def clamp(self, index: int) -> int:
        """Return the slice of the scan that is nearest to an index."""
        return min(max(index, 0), self.count - 1)

    def sliceAt(self, pointRas: NDArray[np.float64]) -> int:
        """Return the index of the slice that is nearest to a point; it may lie outside the scan."""
        ijk = apply_affine(np.linalg.inv(self.affine), np.asarray(pointRas, np.float64))
        return int(np.rint(ijk[self.axis]))

    def plane(self, index: int) -> NDArray[np.float64]:
        """Return the 4x4 matrix from a slice view's axes to RAS mm for one slice of the scan.

        The columns point to the right of the screen, to its top, and from the feet to the head; the
        origin is the middle of the slice, so that the plane runs through its voxel centres. The
        patient's right is on the left of the screen and the front on top, whatever the order of
        the voxels. As in Slicer's own axial views the three columns are left-handed.
        """
        centre = (np.array(self.size) - 1) / 2.0
        centre[self.axis] = index
        matrix = np.eye(4)
        matrix[:3, :3] = self._directions()
        matrix[:3, 3] = apply_affine(self.affine, centre)
        return matrix

    def isParallelTo(self, sliceToRas: NDArray[np.float64]) -> bool:
        """Tell whether a slice view looks straight at the slices of the scan."""
        normal = sliceToRas[:3, 2] / np.linalg.norm(sliceToRas[:3, 2])
        return bool(abs(normal @ self._directions()[:, 2]) > 1.0 - _PARALLEL**2)

    def _directions(self) -> NDArray[np.float64]:
        """Return the directions to the right of the screen, to its top and to the head, as columns."""
        inPlane = [self.affine[:3, column] for column in range(3) if column != self.axis]
        units = [direction / np.linalg.norm(direction) for direction in inPlane]
        across, along = sorted(units, key=lambda direction: -abs(direction[0]))
        toLeft = -np.copysign(1.0, across[0]) * across
        toFront = np.copysign(1.0, along[1]) * along
        toFront = toFront - (toFront @ toLeft) * toLeft  # pixels are square, sheared grids not
        toFront /= np.linalg.norm(toFront)
        return np.column_stack([toLeft, toFront, np.cross(toFront, toLeft)])


def sliceGridOf(volumeNode: slicer.vtkMRMLVolumeNode, axis: int | None = None) -> SliceGrid:
    """Return where the slices of a volume lie in the world: those that are scored, see `worldVolume`.

    Parameters
    ----------
    volumeNode
        A volume with voxels.
    axis
        Axis along which the slices are counted; that which is nearest to the direction from the
        feet to the head when left out.
    """
    grid = worldGrid(volumeNode)
    if axis is None:
        upwards = grid.affine[2, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
        axis = int(np.argmax(np.abs(upwards)))
    return SliceGrid(grid.affine, grid.size, axis)


def boundsOf(mask: NDArray[Any], grid: SliceGrid) -> tuple[float, ...]:
    """Return the box of the world around the voxels of a mask, for `ScanViews.fitToRegions`.

    Unlike the bounds that a segmentation node returns, which are those of its whole image.

    Parameters
    ----------
    mask
        Label map or mask, indexed [k, j, i]; what is not 0 counts.
    grid
        The grid of the mask in the world.

    Returns
    -------
    tuple
        Least and greatest R, A and S in mm, in pairs; each pair the wrong way round, as VTK has it
        for nothing, where the mask is empty.
    """
    if not mask.any():
        return (1.0, -1.0) * 3
    box = bounding_box(mask != 0)[::-1]
    edges = np.array([[span.start - 0.5, span.stop - 0.5] for span in box]).T
    corners = apply_affine(grid.affine, cornersOf(edges))
    return tuple(np.stack([corners.min(axis=0), corners.max(axis=0)], axis=1).ravel().tolist())


def cornersOf(bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the eight corners, shape (8, 3), between least and greatest coordinates, shape (2, 3)."""
    return np.array(np.meshgrid(*bounds.T)).reshape(3, -1).T
