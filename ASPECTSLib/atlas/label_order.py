"""Whether the labels of a region map are where their names say: order and sides are read from the anatomy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine

_FROM_MIDLINE = (
    (RegionCode.C, RegionCode.L),
    (RegionCode.IC, RegionCode.L),
    (RegionCode.L, RegionCode.I),
    (RegionCode.I, RegionCode.M2),
)
"""Pairs of which the first lies nearer to the midline."""

_TO_THE_FRONT = (
    (RegionCode.C, RegionCode.IC),
    (RegionCode.M1, RegionCode.M2),
    (RegionCode.M2, RegionCode.M3),
    (RegionCode.M4, RegionCode.M5),
    (RegionCode.M5, RegionCode.M6),
)
"""Pairs of which the first lies farther to the front."""

_TO_THE_TOP = (
    (RegionCode.M4, RegionCode.M1),
    (RegionCode.M5, RegionCode.M2),
    (RegionCode.M6, RegionCode.M3),
)
"""Pairs of which the first lies higher."""

_Centres = Mapping[tuple[RegionCode, Side], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class _Head:
    """The head's own axes as the labels show them: a point of the midsagittal plane, and two directions."""

    middle: NDArray[np.float64]
    right: NDArray[np.float64]
    front: NDArray[np.float64]

    @property
    def top(self) -> NDArray[np.float64]:
        return np.cross(self.right, self.front)


def check_label_values(labels: NDArray[np.generic]) -> None:
    """Refuse a map whose values are no labels of regions.

    Raises
    ------
    ContentRefusedError
        LABELS_INVALID if there are fractions or values beyond 0 to 20, or no region at all.
    """
    lowest, highest = labels.min(), labels.max()
    if lowest < 0 or highest > len(REGIONS) or (np.rint(labels) != labels).any():
        message = f"expected labels 0 to {len(REGIONS)}, got values from {lowest:g} to {highest:g}"
        raise ContentRefusedError(ErrorCode.LABELS_INVALID, message)
    if highest == 0:
        raise ContentRefusedError(ErrorCode.LABELS_INVALID, "expected regions, got an empty map")


def check_label_order(labels: Volume) -> None:
    """Refuse a map whose labels are in another order, or whose sides are exchanged.

    The caudate nucleus lies before and nearer to the midline than the lentiform nucleus, the capsule between
    them, the insula outside, M1 before M2 before M3, and M4 to M6 above these. Regions that are absent, as in a single
    slice, are not asked for.

    Parameters
    ----------
    labels
        Labels 0 to 20 on any grid, RAS mm; the head may be turned by some 30 degrees.

    Raises
    ------
    ContentRefusedError
        LABELS_INVALID if a region has no counterpart on the other side; LABEL_ORDER if sides or regions are exchanged.
    """
    centres = _centres(labels)
    codes = [code for code in RegionCode if any((code, side) in centres for side in Side)]
    lone = [code for code in codes if any((code, side) not in centres for side in Side)]
    if lone:
        message = f"expected each region on both sides, got {', '.join(lone)} on one side only"
        raise ContentRefusedError(ErrorCode.LABELS_INVALID, message)
    _check_sides(centres, codes)
    head = _head(centres, codes)
    wrong = _misplaced(centres, head)
    if wrong:
        message = f"expected labels in the order {', '.join(RegionCode)}, but {wrong[0]}"
        raise ContentRefusedError(ErrorCode.LABEL_ORDER, message)


def _centres(labels: Volume) -> _Centres:
    """Return the centre of each region that is there, RAS mm."""
    whole = labels.array.astype(np.uint8)
    present = [region for region in REGIONS if (whole == region.label).any()]
    found = ndimage.center_of_mass(whole > 0, whole, [region.label for region in present])
    points = apply_affine(labels.affine, np.array(found).reshape(-1, 3)[:, ::-1])
    return {
        (region.code, region.side): point for region, point in zip(present, points, strict=True)
    }


def _check_sides(centres: _Centres, codes: list[RegionCode]) -> None:
    """Refuse labels of the right that lie left of their counterparts, whatever the pose."""
    exchanged = [c for c in codes if centres[c, Side.RIGHT][0] <= centres[c, Side.LEFT][0]]
    if exchanged:
        message = f"expected right regions on the right, but left and right are exchanged in {', '.join(exchanged)}"
        raise ContentRefusedError(ErrorCode.LABEL_ORDER, message)


def _head(centres: _Centres, codes: list[RegionCode]) -> _Head:
    differences = np.array([centres[c, Side.RIGHT] - centres[c, Side.LEFT] for c in codes])
    right = differences.sum(axis=0)
    right /= np.linalg.norm(right)
    ahead = np.array([0.0, 1.0, 0.0])
    front = ahead - (ahead @ right) * right
    middle = np.mean([centres[c, side] for c in codes for side in Side], axis=0)
    return _Head(middle, right, front / np.linalg.norm(front))


def _misplaced(centres: _Centres, head: _Head) -> list[str]:
    """Return what is where it cannot be, in words."""

    def lateral(point: NDArray[np.float64], side: Side) -> float:
        return float((point - head.middle) @ head.right) * (1 if side is Side.RIGHT else -1)

    def forward(point: NDArray[np.float64], _side: Side) -> float:
        return float(point @ head.front)

    def upward(point: NDArray[np.float64], _side: Side) -> float:
        return float(point @ head.top)

    def wrong(
        pairs: tuple[tuple[RegionCode, RegionCode], ...],
        measure: Callable[[NDArray[np.float64], Side], float],
        words: str,
    ) -> list[str]:
        return [
            f"{side.value} {first} lies {words} {second}"
            for first, second in pairs
            for side in Side
            if (first, side) in centres
            and (second, side) in centres
            and measure(centres[first, side], side) < measure(centres[second, side], side)
        ]

    outward = tuple((second, first) for first, second in _FROM_MIDLINE)
    return [
        *wrong(outward, lateral, "nearer to the midline than"),
        *wrong(_TO_THE_FRONT, forward, "behind"),
        *wrong(_TO_THE_TOP, upward, "below"),
    ]
