"""Features of the grey level co-occurrence matrix (Haralick et al. 1973, doi:10.1109/TSMC.1973.4309314).

Neighbours at a distance of one voxel in thirteen directions, symmetrical; each feature is the mean over the directions.
Definitions of Zwanenburg et al. 2020, doi:10.1148/radiol.2020191145 (IBSI), with the names of pyradiomics.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.scoring.radiomics.directions import DIRECTIONS
from ASPECTSLib.scoring.radiomics.region import TINY, Region

Array = NDArray[np.float64]

_SAME = 1e-12  # differences of entropies below this are those of the arithmetic


def glcm_features(region: Region) -> dict[str, float]:
    """Return the twenty-four features of co-occurrence by name; not a number where no two voxels touch."""
    matrices = [matrix for step in DIRECTIONS if (matrix := _pairs(region, step)).any()]
    if not matrices:
        return dict.fromkeys(_NAMES, float("nan"))
    levels = np.unique(region.levels).astype(np.float64)
    rows = [_features(matrix / matrix.sum(), levels, region.largest_level) for matrix in matrices]
    return {name: float(np.mean([row[name] for row in rows])) for name in _NAMES}


def _pairs(region: Region, step: tuple[int, int, int]) -> Array:
    """Count pairs of levels that are one step apart, either way round; rows and columns of levels that occur."""
    levels, index = np.unique(region.levels, return_inverse=True)
    shape = region.places.max(axis=0) + 3
    grid = np.full(shape, -1, np.int64)
    inner = region.places + 1
    grid[tuple(inner.T)] = index
    other = grid[tuple((inner + step).T)]
    touching = other >= 0
    count = len(levels)
    flat = np.bincount(index[touching] * count + other[touching], minlength=count**2)
    matrix = flat.reshape(count, count).astype(np.float64)
    return matrix + matrix.T


def _features(p: Array, levels: Array, largest: int) -> dict[str, float]:
    """Return the features of one normalised symmetrical matrix."""
    i, j = levels[:, None], levels[None, :]
    distance = np.abs(i - j)
    mean = float((i * p).sum())
    total = i + j - 2.0 * mean
    variance = float((p * (i - mean) ** 2).sum())
    differences, sums = _along(p, distance), _along(p, i + j)
    return {
        "Autocorrelation": float((p * i * j).sum()),
        "JointAverage": mean,
        "ClusterProminence": float((p * total**4).sum()),
        "ClusterShade": float((p * total**3).sum()),
        "ClusterTendency": float((p * total**2).sum()),
        "Contrast": float((p * distance**2).sum()),
        "Correlation": _correlation(p, i - mean, j - mean, variance),
        "JointEnergy": float((p**2).sum()),
        "JointEntropy": _entropy(p),
        "MCC": _maximal_correlation(p),
        "Idm": float((p / (1.0 + distance**2)).sum()),
        "Idmn": float((p / (1.0 + distance**2 / largest**2)).sum()),
        "Id": float((p / (1.0 + distance)).sum()),
        "Idn": float((p / (1.0 + distance / largest)).sum()),
        "MaximumProbability": float(p.max()),
        "SumSquares": variance,
        **_of_differences(*differences),
        **_of_sums(*sums),
        **_information(p),
    }


def _along(p: Array, key: Array) -> tuple[Array, Array]:
    """Return the values of a key that occur, and the probability of each."""
    keys, index = np.unique(key, return_inverse=True)
    return keys, np.bincount(index.ravel(), weights=p.ravel())


def _correlation(p: Array, rows: Array, columns: Array, variance: float) -> float:
    return float((p * rows * columns).sum() / (variance + TINY)) if variance else 1.0


def _of_differences(differences: Array, p: Array) -> dict[str, float]:
    mean = float((differences * p).sum())
    apart = differences > 0
    return {
        "DifferenceAverage": mean,
        "DifferenceEntropy": _entropy(p),
        "DifferenceVariance": float((p * (differences - mean) ** 2).sum()),
        "InverseVariance": float((p[apart] / differences[apart] ** 2).sum()),
    }


def _of_sums(sums: Array, p: Array) -> dict[str, float]:
    return {"SumAverage": float((sums * p).sum()), "SumEntropy": _entropy(p)}


def _information(p: Array) -> dict[str, float]:
    """Return the two measures of information correlation."""
    marginal = p.sum(axis=1)
    product = marginal[:, None] * marginal[None, :]
    of_one, of_both = _entropy(marginal), _entropy(p)
    first = float(-(p * np.log2(product + TINY)).sum())
    second = _entropy(product)
    gain = max(second - of_both, 0.0)
    return {
        "Imc1": (of_both - first) / of_one if of_one else 0.0,
        "Imc2": float(np.sqrt(1.0 - np.exp(-2.0 * gain))) if gain > _SAME else 0.0,
    }


def _maximal_correlation(p: Array) -> float:
    """Return the root of the second largest eigenvalue of the matrix of transitions; 1 for a single level."""
    if len(p) < 2:
        return 1.0
    marginal = p.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        transitions = np.nan_to_num(p / marginal[:, None])
        back = np.nan_to_num(p / marginal[None, :])
    eigenvalues = np.sort(np.linalg.eigvals(transitions @ back.T).real)
    return float(np.sqrt(max(eigenvalues[-2], 0.0)))


def _entropy(p: Array) -> float:
    return float(-(p * np.log2(p + TINY)).sum())


_NAMES = tuple(_features(np.full((2, 2), 0.25), np.array([1.0, 2.0]), 2))
