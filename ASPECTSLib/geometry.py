"""Volumes on oriented grids, in RAS millimetres: canonical order of axes, resampling and downsampling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.errors import ErrorCode, GeometryRefusedError

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Converts homogeneous RAS to LPS coordinates, and back: it is its own inverse."""

_SPACING_DECIMALS = (
    6  # mm: headers in single precision differ by less than this between axis orders
)


@dataclass(frozen=True, eq=False)
class Volume:
    """A scalar image or label map on an oriented grid.

    Parameters
    ----------
    array
        Voxels indexed [k, j, i] (slice, row, column).
    affine
        4x4 matrix from homogeneous voxel indices (i, j, k, 1), at voxel centres, to RAS
        millimetres.

    Raises
    ------
    GeometryRefusedError
        If the array is not three-dimensional or the affine is not an invertible 4x4 matrix.
    """

    array: NDArray[Any]
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.array.ndim != 3:
            message = f"expected a three-dimensional volume, got {self.array.ndim} dimensions"
            raise GeometryRefusedError(ErrorCode.NOT_THREE_DIMENSIONAL, message)
        if self.affine.shape != (4, 4) or not np.isfinite(self.affine).all():
            raise GeometryRefusedError(
                ErrorCode.GEOMETRY_INVALID, "expected a finite 4x4 affine matrix"
            )
        if abs(np.linalg.det(self.affine[:3, :3])) < np.finfo(np.float32).tiny:
            raise GeometryRefusedError(
                ErrorCode.GEOMETRY_INVALID, "expected an invertible affine matrix"
            )

    @property
    def size(self) -> tuple[int, int, int]:
        """Number of voxels along i, j and k."""
        return self.array.shape[2], self.array.shape[1], self.array.shape[0]

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """Distance between voxel centres along i, j and k, in mm."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel, in mL."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def with_array(self, array: NDArray[Any]) -> Volume:
        """Return another array of the same shape on this grid."""
        if array.shape != self.array.shape:
            message = f"expected an array of shape {self.array.shape}, got {array.shape}"
            raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
        return Volume(array, self.affine)


@dataclass(frozen=True, eq=False)
class CanonicalVolume:
    """A volume whose i, j, k run to the patient's right-to-left, posterior-to-anterior and foot-to-head order.

    `volume` lies in the *image frame*: its axes are i to the right, j to the front and k to the
    head of the patient, in mm, with the origin at the centre of the grid. Obliqueness of the scan's
    axes is left out on purpose: scanners and radiographers tilt the grid to follow the head, so
    that the image frame is the better start for a symmetric pose. All 48 orders of the axes of one
    scan give the same canonical array and the same affine, bit for bit.

    Parameters
    ----------
    volume
        The reordered volume in the image frame.
    source_affine
        Affine of the volume as it was given, (i, j, k) to RAS mm.
    axis_of
        For each canonical array axis (k, j, i), the axis of the given array.
    flipped
        For each canonical array axis (k, j, i), whether it runs against the given array's axis.
    left_out
        How many slices of the given volume lie below `volume`.
    """

    volume: Volume
    source_affine: NDArray[np.float64]
    axis_of: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    left_out: int = 0

    @property
    def slice_axis(self) -> int:
        """Index axis of the given volume, 0 for i to 2 for k, along which the canonical slices lie."""
        return 2 - self.axis_of[0]

    def restore_slice(self, index: int) -> int:
        """Return the index along `slice_axis` of the given volume of a canonical slice."""
        return self.volume.array.shape[0] - 1 - index if self.flipped[0] else self.left_out + index

    def reorder(self, array: NDArray[Any]) -> NDArray[Any]:
        """Bring an array on the grid as it was given to the canonical order of axes."""
        whole = array.transpose(self.axis_of)[_flips(self.flipped)]
        return np.ascontiguousarray(whole[self.left_out :])

    def restore(self, array: NDArray[Any], fill: float = 0.0) -> Volume:
        """Bring an array on the canonical grid back to the grid as it was given; what is left out of it is filled."""
        padding = ((self.left_out, 0), (0, 0), (0, 0))
        whole = np.pad(array, padding, constant_values=fill) if self.left_out else array
        unflipped = whole[_flips(self.flipped)]
        return Volume(
            np.ascontiguousarray(unflipped.transpose(np.argsort(self.axis_of))), self.source_affine
        )

    def from_slice(self, first: int) -> CanonicalVolume:
        """Return the same without the canonical slices below one."""
        array = np.ascontiguousarray(self.volume.array[first:])
        part = Volume(array, centred_affine(array.shape, self.volume.spacing_mm))
        return replace(self, volume=part, left_out=self.left_out + first)


def canonicalize(volume: Volume) -> CanonicalVolume:
    """Reorder the axes of a volume to run right, anterior and superior, as nearly as whole axes can.

    Returns
    -------
    CanonicalVolume
        The volume in the image frame, and the way back.

    """
    directions = volume.affine[:3, :3] / volume.spacing_mm
    column_for_world = _closest_axes(directions)
    signs = [directions[world, column] for world, column in enumerate(column_for_world)]
    # Array axes are in the reverse order of the affine's columns: column i is array axis 2.
    axis_of = tuple(2 - column for column in reversed(column_for_world))
    flipped = tuple(bool(sign < 0) for sign in reversed(signs))
    array = np.ascontiguousarray(volume.array.transpose(axis_of)[_flips(flipped)])
    spacing_mm = np.round(volume.spacing_mm[list(column_for_world)], _SPACING_DECIMALS)
    return CanonicalVolume(
        Volume(array, centred_affine(array.shape, spacing_mm)), volume.affine, axis_of, flipped
    )


def centred_affine(shape: tuple[int, ...], spacing_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the affine of an axis-aligned grid with its centre at the origin.

    Parameters
    ----------
    shape
        Array shape (k, j, i).
    spacing_mm
        Spacing along i, j, k in mm.
    """
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = -0.5 * (np.array(shape[::-1]) - 1) * spacing_mm
    return affine


def apply_affine(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply a 4x4 matrix to points of shape (..., 3)."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def resample(
    volume: Volume,
    like: Volume,
    matrix: NDArray[np.float64] | None = None,
    *,
    order: int = 1,
    fill: float = 0.0,
) -> Volume:
    """Resample a volume on the grid of another, through an optional affine transform.

    Parameters
    ----------
    volume
        The moving volume.
    like
        Gives the grid of the result; its voxels are not looked at.
    matrix
        4x4 matrix from points of `like`, in mm, to points of `volume`, in mm. Identity when left
        out.
    order
        0 for nearest neighbour (label maps), 1 for linear interpolation.
    fill
        Value outside of the moving volume.
    """
    to_moving = np.eye(4) if matrix is None else matrix
    voxel_map = np.linalg.inv(volume.affine) @ to_moving @ like.affine
    reversed_axes = voxel_map[:3, :3][::-1, ::-1]  # affines speak of (i, j, k), arrays of (k, j, i)
    array = volume.array.astype(np.float32) if order else volume.array
    resampled = ndimage.affine_transform(
        array,
        reversed_axes,
        voxel_map[:3, 3][::-1],
        like.array.shape,
        order=order,
        mode="grid-constant",
        cval=fill,
    )
    return like.with_array(resampled)


Box = tuple[slice, slice, slice]
"""Part of an array, along (k, j, i)."""


def bounding_box(mask: NDArray[np.bool_], margin: tuple[int, int, int] = (0, 0, 0)) -> Box:
    """Return the smallest box around a mask that is not empty, with a margin along (k, j, i)."""
    spans = []
    for axis, extra in enumerate(margin):
        others = tuple(other for other in range(3) if other != axis)
        present = np.flatnonzero(mask.any(axis=others))
        stop = min(int(present[-1]) + 1 + extra, mask.shape[axis])
        spans.append(slice(max(int(present[0]) - extra, 0), stop))
    return spans[0], spans[1], spans[2]


def crop(volume: Volume, box: Box) -> Volume:
    """Cut a box out of a volume; its voxels stay where they are in the world."""
    start_ijk = np.array([span.start for span in reversed(box)], np.float64)
    affine = volume.affine.copy()
    affine[:3, 3] = apply_affine(volume.affine, start_ijk)
    return Volume(volume.array[box], affine)


def paste(part: NDArray[Any], box: Box, like: Volume) -> Volume:
    """Put an array back into its box on the grid that it was cut from, 0 elsewhere."""
    array = np.zeros(like.array.shape, part.dtype)
    array[box] = part
    return like.with_array(array)


def shrink(volume: Volume, factors: tuple[int, int, int]) -> Volume:
    """Average whole blocks of voxels; what does not fill a block at the far end is left out.

    Parameters
    ----------
    volume
        Volume of any scalar type.
    factors
        Block length along i, j and k, in voxels.

    Returns
    -------
    Volume
        float32, whose voxels lie at the centres of the blocks.
    """
    factor_i, factor_j, factor_k = factors
    if factors == (1, 1, 1):
        return volume.with_array(volume.array.astype(np.float32))
    size_k, size_j, size_i = (
        n // f for n, f in zip(volume.array.shape, factors[::-1], strict=True)
    )
    cropped = volume.array[: size_k * factor_k, : size_j * factor_j, : size_i * factor_i]
    blocks = cropped.reshape(size_k, factor_k, size_j, factor_j, size_i, factor_i)
    affine = volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, :3] * np.array(factors)
    affine[:3, 3] = apply_affine(volume.affine, (np.array(factors) - 1) / 2)
    return Volume(blocks.mean(axis=(1, 3, 5), dtype=np.float32), affine)


def expand(array: NDArray[Any], factors: tuple[int, int, int], like: Volume) -> Volume:
    """Undo the size of `shrink` by repeating voxels; what it left out at the far ends is 0.

    Parameters
    ----------
    array
        On the grid that `shrink` made.
    factors
        Block length along i, j and k, in voxels.
    like
        Gives the grid that was shrunk.
    """
    blocks = array
    for axis, factor in enumerate(reversed(factors)):
        blocks = np.repeat(blocks, factor, axis) if factor > 1 else blocks
    expanded = np.zeros(like.array.shape, array.dtype)
    expanded[tuple(slice(0, n) for n in blocks.shape)] = blocks
    return like.with_array(expanded)


def shrink_factors(volume: Volume, spacing_mm: tuple[float, float, float]) -> tuple[int, int, int]:
    """Return the block lengths along i, j, k that bring a grid closest to a wanted spacing, at least 1."""
    wanted = np.array(spacing_mm) / volume.spacing_mm
    factors = np.clip(np.round(wanted).astype(int), 1, volume.size)
    return int(factors[0]), int(factors[1]), int(factors[2])


def disk(radius_mm: float, spacing_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return a disk in the slice plane as a structuring element, shape (1, j, i).

    Parameters
    ----------
    radius_mm
        Voxels whose centres lie no farther from the middle belong to it.
    spacing_mm
        Of the grid, along i, j and k.
    """
    reach = np.floor(radius_mm / spacing_mm[:2]).astype(int)
    i, j = np.ogrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    distance_squared = (i * spacing_mm[0]) ** 2 + (j * spacing_mm[1]) ** 2
    return (distance_squared <= radius_mm**2).T[np.newaxis]


def _closest_axes(directions: NDArray[np.float64]) -> tuple[int, int, int]:
    """Assign to each world axis (R, A, S) the grid column that follows it most closely, each column once."""
    remaining = np.abs(directions)
    column_for_world = [-1, -1, -1]
    for _ in range(3):
        world, column = np.unravel_index(int(np.argmax(remaining)), (3, 3))
        column_for_world[world] = int(column)
        remaining[world, :], remaining[:, column] = -1.0, -1.0
    return tuple(column_for_world)  # type: ignore[return-value]


def _flips(flipped: tuple[bool, bool, bool]) -> tuple[slice, slice, slice]:
    return tuple(slice(None, None, -1 if flip else 1) for flip in flipped)  # type: ignore[return-value]
