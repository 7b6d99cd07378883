"""A stack of slices becomes a volume: order, gaps, gantry tilt and uneven spacing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.errors import ErrorCode, GeometryRefusedError, UsageError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import volume_from_lps
from ASPECTSLib.io.notes import NoteCode, ScanNote

MAX_TILT_DEG = 45.0
"""Gantries tilt by at most 30 degrees; a stack that leans more is not one acquisition."""

MISSING_GAP_RATIO = 1.6
"""A gap so many times as wide as those beside it lacks a slice: 1 is regular, 2 lacks one."""

SAME_POSITION_MM = 0.1
"""Slices closer than this show the same anatomy twice; no scanner reconstructs that densely."""

SAME_GAP_RATIO = 0.1
"""Gaps that differ by less than this fraction belong to one run of regular spacing."""

REGULAR_FRACTION = 0.05
"""Slices within this fraction of the spacing from regular positions are taken to lie on them.

Sequential scanners place slices to within 1 to 2 %; interpolation would blur more than it corrects.
"""

IN_PLANE_TOLERANCE_MM = 0.1
"""Slices that shift less than this across the stack are stacked as they are: a fifth of a pixel."""


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Parallel slices of one size, in any order.

    Parameters
    ----------
    pixels
        Slices [n, row, column].
    positions_lps
        Centres of the first pixel of each slice, shape (n, 3), LPS mm.
    row_direction, column_direction
        Unit vectors in LPS: the way in which columns, and rows, are counted.
    pixel_spacing_mm
        Distance between rows and between columns, as DICOM orders them.
    thickness_mm
        Spacing to assume for a single slice.
    """

    pixels: NDArray[Any]
    positions_lps: NDArray[np.float64]
    row_direction: NDArray[np.float64]
    column_direction: NDArray[np.float64]
    pixel_spacing_mm: tuple[float, float]
    thickness_mm: float = 1.0

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector in LPS along which the slices are stacked."""
        return np.cross(self.row_direction, self.column_direction)

    @property
    def depths_mm(self) -> NDArray[np.float64]:
        """Distance of each slice from the origin, along the normal."""
        return self.positions_lps @ self.normal

    @property
    def in_plane_mm(self) -> NDArray[np.float64]:
        """Shift of each slice against the first: down its rows, along its columns; shape (n, 2)."""
        offsets = self.positions_lps - self.positions_lps[0]
        return np.stack([offsets @ self.column_direction, offsets @ self.row_direction], axis=1)

    def take(self, indices: NDArray[np.intp]) -> SliceStack:
        """Return the slices at some indices, in that order."""
        return replace(self, pixels=self.pixels[indices], positions_lps=self.positions_lps[indices])


@dataclass(frozen=True, eq=False)
class AssembledStack:
    """What became of a stack.

    Parameters
    ----------
    volume
        The slices on an orthogonal grid with uniform spacing.
    tilt_deg
        Angle between the direction of the stack and the normal of its slices.
    notes
        What was removed or resampled.
    """

    volume: Volume
    tilt_deg: float
    notes: tuple[ScanNote, ...]


def assemble(stack: SliceStack, *, frame: int | None = None) -> AssembledStack:
    """Make a volume of parallel slices.

    Slices are sorted along their normal; repeats of a position are left out. A tilted stack is
    straightened by moving each slice within its plane, on a canvas that holds all of them. Uneven
    spacing is resampled to the smallest regular one. Interpolation is linear, and air is the lowest
    value of the stack.

    Parameters
    ----------
    stack
        The slices, those at one position in order of acquisition.
    frame
        Which slice to take of those at each position, from 0, if they show different things.

    Raises
    ------
    GeometryRefusedError
        If slices are missing between others, if the stack leans by more than `MAX_TILT_DEG`, or if
        all positions have several different slices and none was picked.
    UsageError
        If there is no such frame.
    """
    ordered, repeats = _one_per_position(stack, frame)
    if len(ordered.pixels) == 1:
        return AssembledStack(_to_volume(ordered, ordered.thickness_mm), 0.0, ())
    notes = [_duplicates_note(repeats)] if repeats else []
    gaps_mm = np.diff(ordered.depths_mm)
    _refuse_missing_slices(gaps_mm)
    tilt_deg = _tilt_deg(ordered)
    if np.ptp(ordered.in_plane_mm, axis=0).max() > IN_PLANE_TOLERANCE_MM:
        ordered = _straighten(ordered)
        notes.append(_tilt_note(tilt_deg))
    spacing_mm = float(gaps_mm.mean())
    if not _is_regular(ordered.depths_mm):
        spacing_mm = regular_spacing_mm(gaps_mm)
        notes.append(_spacing_note(gaps_mm, spacing_mm))
        ordered = _space_evenly(ordered, spacing_mm)
    return AssembledStack(_to_volume(ordered, spacing_mm), tilt_deg, tuple(notes))


def images_by_position(stack: SliceStack) -> list[NDArray[np.intp]]:
    """Return the indices of the slices at each position, from low to high depth, in order of acquisition."""
    order = np.argsort(stack.depths_mm, kind="stable")
    gaps_mm = np.diff(stack.depths_mm[order])
    return np.split(order, np.flatnonzero(gaps_mm > SAME_POSITION_MM) + 1)


def combine_positions(
    stack: SliceStack, combine: Callable[[Sequence[NDArray[Any]]], NDArray[Any]]
) -> SliceStack:
    """Make one slice of those at each position.

    Parameters
    ----------
    stack
        Slices, several at a position: directions of diffusion, or repeats.
    combine
        Makes one array of several of one shape.
    """
    groups = images_by_position(stack)
    pixels = np.stack([combine([stack.pixels[index] for index in group]) for group in groups])
    first = np.array([group[0] for group in groups])
    return replace(stack, pixels=pixels, positions_lps=stack.positions_lps[first])


def regular_spacing_mm(gaps_mm: NDArray[np.float64]) -> float:
    """Return the smallest gap that occurs at least twice in a row, or else the median gap."""
    runs = [run for run in _runs(gaps_mm) if len(run) > 1]
    return float(min(np.median(run) for run in runs) if runs else np.median(gaps_mm))


def _one_per_position(stack: SliceStack, frame: int | None) -> tuple[SliceStack, int]:
    """Sort slices by depth, and take one where there are several; return how many were left out."""
    order = np.argsort(stack.depths_mm, kind="stable")
    first = np.flatnonzero(np.diff(stack.depths_mm[order], prepend=-np.inf) > SAME_POSITION_MM)
    frames = int(np.diff(first, append=len(order)).min())
    if frames > 1 and _differ(stack, order, first):
        if frame is None:
            message = f"expected one image at each position, got {frames}; frame= picks one, from 0"
            raise GeometryRefusedError(ErrorCode.NOT_THREE_DIMENSIONAL, message)
    else:
        frames = 1
    picked = frame or 0
    if not 0 <= picked < frames:
        message = f"expected a frame from 0 to {frames - 1}, got {picked}"
        raise UsageError(ErrorCode.USAGE, message)
    repeats = len(order) - len(first) if frames == 1 else 0
    return stack.take(order[first + picked]), repeats


def _differ(stack: SliceStack, order: NDArray[np.intp], first: NDArray[np.intp]) -> bool:
    """Return whether the first two slices at some position differ: more than copies, then."""
    pairs = zip(order[first], order[first + 1], strict=True)
    return any(not np.array_equal(stack.pixels[one], stack.pixels[two]) for one, two in pairs)


def _refuse_missing_slices(gaps_mm: NDArray[np.float64]) -> None:
    """Refuse wide gaps between narrow ones; a base scanned more finely than the vertex is fine."""
    runs = _runs(gaps_mm)
    widths_mm = [float(np.median(run)) for run in runs]
    for index, run in enumerate(runs):
        beside_mm = widths_mm[max(index - 1, 0) : index] + widths_mm[index + 1 : index + 2]
        is_at_end = len(beside_mm) < 2
        if not beside_mm or (is_at_end and len(run) > 1):
            continue
        if widths_mm[index] >= MISSING_GAP_RATIO * max(*beside_mm, regular_spacing_mm(gaps_mm)):
            message = (
                f"expected slices {max(beside_mm):.1f} mm apart throughout, "
                f"got a gap of {widths_mm[index]:.1f} mm; slices are missing"
            )
            raise GeometryRefusedError(ErrorCode.MISSING_SLICES, message)


def _runs(gaps_mm: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Split gaps where the spacing changes."""
    change = np.abs(np.diff(gaps_mm)) > SAME_GAP_RATIO * gaps_mm[:-1]
    return np.split(gaps_mm, np.flatnonzero(change) + 1)


def _tilt_deg(stack: SliceStack) -> float:
    """Return how far the straight line through the positions leans from the normal."""
    depths_mm = stack.depths_mm - stack.depths_mm.mean()
    shift_per_mm = depths_mm @ stack.in_plane_mm / (depths_mm @ depths_mm)
    tilt_deg = float(np.degrees(np.arctan(np.hypot(*shift_per_mm))))
    if tilt_deg > MAX_TILT_DEG:
        message = (
            f"expected a stack tilted by at most {MAX_TILT_DEG:.0f} degrees, got {tilt_deg:.1f}"
        )
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    return tilt_deg


def _straighten(stack: SliceStack) -> SliceStack:
    """Move each slice within its plane to where it lay in the patient, on a canvas for all."""
    spacing_mm = np.array(stack.pixel_spacing_mm)
    shifts_mm = stack.in_plane_mm - stack.in_plane_mm.min(axis=0)
    shifts = shifts_mm / spacing_mm
    rows, columns = stack.pixels.shape[1:] + np.ceil(shifts.max(axis=0) - 1e-6).astype(int)
    air = stack.pixels.min()
    straight = np.full((len(stack.pixels), rows, columns), air, dtype=np.float32)
    for canvas, pixels, shift in zip(straight, stack.pixels, shifts, strict=True):
        placed = np.full((rows, columns), air, dtype=np.float32)
        placed[: pixels.shape[0], : pixels.shape[1]] = pixels
        ndimage.shift(placed, shift, output=canvas, order=1, mode="constant", cval=float(air))
    planes = np.stack([stack.column_direction, stack.row_direction])
    return replace(stack, pixels=straight, positions_lps=stack.positions_lps - shifts_mm @ planes)


def _is_regular(depths_mm: NDArray[np.float64]) -> bool:
    even_mm = np.linspace(depths_mm[0], depths_mm[-1], len(depths_mm))
    spacing_mm = even_mm[1] - even_mm[0]
    return bool(np.abs(depths_mm - even_mm).max() <= REGULAR_FRACTION * spacing_mm)


def _space_evenly(stack: SliceStack, spacing_mm: float) -> SliceStack:
    """Interpolate along the normal at uniform depths, one of them that of a finely spaced slice.

    Slices of the part scanned at the target spacing are thereby kept as they are.
    """
    depths_mm = stack.depths_mm
    anchor_mm = depths_mm[int(np.argmin(np.abs(np.diff(depths_mm) - spacing_mm)))]
    before = round((anchor_mm - depths_mm[0]) / spacing_mm)
    after = round((depths_mm[-1] - anchor_mm) / spacing_mm)
    new_depths_mm = anchor_mm + spacing_mm * np.arange(-before, after + 1)
    clamped_mm = np.clip(new_depths_mm, depths_mm[0], depths_mm[-1])
    lower = np.clip(np.searchsorted(depths_mm, clamped_mm, side="right") - 1, 0, len(depths_mm) - 2)
    weight = (clamped_mm - depths_mm[lower]) / (depths_mm[lower + 1] - depths_mm[lower])
    weight = weight.astype(np.float32)[:, None, None]
    pixels = stack.pixels[lower] * (1.0 - weight) + stack.pixels[lower + 1] * weight
    origin_lps = stack.positions_lps[0] + (new_depths_mm[0] - depths_mm[0]) * stack.normal
    positions_lps = origin_lps + (new_depths_mm - new_depths_mm[0])[:, None] * stack.normal
    return replace(stack, pixels=pixels, positions_lps=positions_lps)


def _to_volume(stack: SliceStack, spacing_mm: float) -> Volume:
    row_spacing_mm, column_spacing_mm = stack.pixel_spacing_mm
    affine_lps = np.eye(4)
    # Index i counts columns, which follow one another along a row.
    affine_lps[:3, 0] = stack.row_direction * column_spacing_mm
    affine_lps[:3, 1] = stack.column_direction * row_spacing_mm
    affine_lps[:3, 2] = stack.normal * spacing_mm
    affine_lps[:3, 3] = stack.positions_lps[0]
    return volume_from_lps(stack.pixels, affine_lps)


def _duplicates_note(repeats: int) -> ScanNote:
    message = f"{repeats} slices at a position that another slice has were left out"
    return ScanNote(NoteCode.DUPLICATES_REMOVED, message)


def _tilt_note(tilt_deg: float) -> ScanNote:
    message = f"a stack tilted by {tilt_deg:.1f} degrees was straightened by shifting its slices"
    return ScanNote(NoteCode.RESAMPLED_TILT, message)


def _spacing_note(gaps_mm: NDArray[np.float64], spacing_mm: float) -> ScanNote:
    message = (
        f"slices {gaps_mm.min():.1f} to {gaps_mm.max():.1f} mm apart "
        f"were interpolated to {spacing_mm:.1f} mm"
    )
    return ScanNote(NoteCode.RESAMPLED_SPACING, message)
