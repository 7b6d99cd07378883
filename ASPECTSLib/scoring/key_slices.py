"""The two classic slices of an ASPECTS reading, found from the mapped regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS, Level

_DEEP_CODES = ("C", "L", "IC", "I")
SUPRAGANGLIONIC_DISTANCE_MM = 20.0
"""The supraganglionic slice lies 2 cm above the ganglionic one (doi:10.1038/s41597-024-03973-y)."""


@dataclass(frozen=True)
class KeySlices:
    """Indices of the two key slices along the slice axis of the label map."""

    ganglionic: int
    supraganglionic: int


def find_key_slices(labels: NDArray[np.uint8], slice_spacing_mm: float) -> KeySlices:
    """Find the slices that show most of the ganglionic and of the supraganglionic regions.

    The ganglionic slice is the one with the largest share of all deep regions and of M1 to M3, each
    region counting as much as any other; the supraganglionic one lies 2 cm above, or as near to
    that as M4 to M6 reach.

    Parameters
    ----------
    labels
        Region label map, slices along the first axis, in foot-to-head order.
    slice_spacing_mm
        Distance between slices.
    """
    counts = np.stack([np.bincount(image.ravel(), minlength=len(REGIONS) + 1) for image in labels])
    shares = counts / np.maximum(counts.max(axis=0), 1)
    deep = [r.label for r in REGIONS if r.code.value in _DEEP_CODES]
    lower = [r.label for r in REGIONS if r.level is Level.GANGLIONIC and r.is_cortical]
    upper = [r.label for r in REGIONS if r.level is Level.SUPRAGANGLIONIC]
    ganglionic = int(np.argmax(shares[:, deep].sum(axis=1) + shares[:, lower].sum(axis=1)))
    wanted = ganglionic + SUPRAGANGLIONIC_DISTANCE_MM / slice_spacing_mm
    present = np.flatnonzero(shares[:, upper].mean(axis=1) > 0.5)
    if present.size == 0:
        return KeySlices(ganglionic, min(round(wanted), len(labels) - 1))
    return KeySlices(ganglionic, int(present[np.argmin(np.abs(present - wanted))]))
