"""Label maps of the twenty regions as boxes at about the right places, made in code."""

from __future__ import annotations

import numpy as np

from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.geometry import Volume, centred_affine

SPACING_MM = (3.0, 3.0, 5.0)
BOXES_MM = {  # middle of the right one (right, front, top), and half of its size
    "C": ((14, 14, -7), (3, 6, 6)),
    "L": ((26, -2, -7), (4, 12, 6)),
    "IC": ((19, -4, -7), (3, 10, 6)),
    "I": ((36, -2, -7), (4, 15, 6)),
    "M1": ((42, 30, -7), (9, 12, 6)),
    "M2": ((54, -6, -7), (9, 21, 6)),
    "M3": ((48, -46, -7), (9, 15, 6)),
    "M4": ((39, 30, 18), (12, 12, 8)),
    "M5": ((45, -6, 18), (12, 21, 8)),
    "M6": ((45, -44, 18), (12, 15, 8)),
}


def box_regions(
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    spacing_mm: tuple[float, float, float] = SPACING_MM,
) -> Volume:
    """Return all twenty regions, uint8, moved by a shift.

    Parameters
    ----------
    shift_mm
        To the right, to the front and up.
    spacing_mm
        Along i, j and k.
    """
    size = np.ceil(np.array([150, 150, 70]) / spacing_mm).astype(int)
    affine = centred_affine(tuple(size[::-1]), np.array(spacing_mm))
    k, j, i = np.indices(size[::-1])
    points = [affine[a, 3] + affine[a, a] * index for a, index in enumerate((i, j, k))]
    labels = np.zeros(size[::-1], np.uint8)
    for code, (middle, half) in BOXES_MM.items():
        for side, sign in ((Side.RIGHT, 1), (Side.LEFT, -1)):
            place = np.array(middle) * (sign, 1, 1) + shift_mm
            inside = [np.abs(points[a] - place[a]) < half[a] for a in range(3)]
            labels[np.logical_and.reduce(inside)] = region_of(RegionCode(code), side).label
    return Volume(labels, affine)
