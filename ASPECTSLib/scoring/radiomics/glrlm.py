"""Features of the grey level run length matrix (Galloway 1975, doi:10.1016/S0146-664X(75)80008-6).

Runs along thirteen directions; each feature is the mean over the directions. Definitions of Zwanenburg et al. 2020,
doi:10.1148/radiol.2020191145 (IBSI), with the names of pyradiomics.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.scoring.radiomics.directions import DIRECTIONS
from ASPECTSLib.scoring.radiomics.region import TINY, Region

Array = NDArray[np.float64]


def glrlm_features(region: Region) -> dict[str, float]:
    """Return the sixteen features of runs by name."""
    rows = [_features(*_runs(region, step), len(region.values)) for step in DIRECTIONS]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def high_grey_level_run_emphasis(region: Region) -> float:
    """Return `HighGrayLevelRunEmphasis` alone: the mean over directions of the mean squared level of runs."""
    return float(np.mean([np.mean(_runs(region, step)[0] ** 2.0) for step in DIRECTIONS]))


def _runs(region: Region, step: tuple[int, int, int]) -> tuple[Array, Array]:
    """Return level and length of all runs along a direction, shapes (runs,)."""
    axis = next(axis for axis, change in enumerate(step) if change)
    position = region.places[:, axis] * step[axis]
    # What stays the same along the direction tells the lines apart.
    line = region.places - position[:, None] * np.array(step)
    order = np.lexsort((position, line[:, 0], line[:, 1], line[:, 2]))
    line, position, levels = line[order], position[order], region.levels[order]
    goes_on = (line[1:] == line[:-1]).all(axis=1)
    goes_on &= (position[1:] == position[:-1] + 1) & (levels[1:] == levels[:-1])
    starts = np.flatnonzero(np.concatenate([[True], ~goes_on]))
    lengths = np.diff(np.append(starts, len(levels)))
    return levels[starts].astype(np.float64), lengths.astype(np.float64)


def _features(levels: Array, lengths: Array, voxels: int) -> dict[str, float]:
    """Return the features of the runs along one direction."""
    runs = len(levels)
    by_level, by_length = (np.unique(a, return_counts=True)[1] for a in (levels, lengths))
    both = np.unique(np.stack([levels, lengths]), axis=1, return_counts=True)[1] / runs
    squares, short = levels**2, lengths**2
    return {
        "ShortRunEmphasis": float((1.0 / short).mean()),
        "LongRunEmphasis": float(short.mean()),
        "GrayLevelNonUniformity": float((by_level**2.0).sum() / runs),
        "GrayLevelNonUniformityNormalized": float((by_level**2.0).sum() / runs**2),
        "RunLengthNonUniformity": float((by_length**2.0).sum() / runs),
        "RunLengthNonUniformityNormalized": float((by_length**2.0).sum() / runs**2),
        "RunPercentage": runs / voxels,
        "GrayLevelVariance": float(levels.var()),
        "RunVariance": float(lengths.var()),
        "RunEntropy": float(-(both * np.log2(both + TINY)).sum()),
        "LowGrayLevelRunEmphasis": float((1.0 / squares).mean()),
        "HighGrayLevelRunEmphasis": float(squares.mean()),
        "ShortRunLowGrayLevelEmphasis": float((1.0 / (squares * short)).mean()),
        "ShortRunHighGrayLevelEmphasis": float((squares / short).mean()),
        "LongRunLowGrayLevelEmphasis": float((short / squares).mean()),
        "LongRunHighGrayLevelEmphasis": float((squares * short).mean()),
    }
