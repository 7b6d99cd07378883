"""How much of each region an infarct covers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS, Region

AFFECTED_FRACTION = 0.10
"""A region is affected when more than this share of it is infarcted (Cao et al., Hum Brain
Mapp 2022, who set it for cores measured by CT perfusion)."""


def infarct_fractions(
    labels: NDArray[np.uint8], infarct: NDArray[np.bool_]
) -> dict[Region, float | None]:
    """Return the share of each region that is infarcted, 0 to 1; None where the region is empty.

    Parameters
    ----------
    labels
        Region label map, 0 to 20.
    infarct
        Infarct mask on the same grid.
    """
    count = len(REGIONS) + 1
    total = np.bincount(labels.ravel(), minlength=count)
    infarcted = np.bincount(labels[infarct], minlength=count)
    return {
        region: float(infarcted[region.label] / total[region.label])
        if total[region.label]
        else None
        for region in REGIONS
    }
