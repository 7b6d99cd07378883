"""How much of each region an infarct covers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS, Region


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


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the overlap of two masks, 0 to 1 (Dice 1945, doi:10.2307/1932409); 1 for two empty ones."""
    total = int(first.sum()) + int(second.sum())
    return 2.0 * int((first & second).sum()) / total if total else 1.0


def region_dice(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the Dice of each region of two label maps, in the order of the labels; 1 for one that both lack."""
    count = len(REGIONS) + 1
    pairs = np.bincount(first.ravel().astype(np.intp) * count + second.ravel(), minlength=count**2)
    table = pairs.reshape(count, count)
    sums = (table.sum(axis=0) + table.sum(axis=1))[1:]
    both = np.diag(table)[1:]
    return np.where(sums > 0, 2 * both / np.maximum(sums, 1), 1.0)
