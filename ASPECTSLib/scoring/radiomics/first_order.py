"""Features of the distribution of a region's values.

Definitions of Zwanenburg et al. 2020, doi:10.1148/radiol.2020191145 (IBSI), with the names, the kurtosis without offset
and the discretised entropy of pyradiomics.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.scoring.radiomics.region import TINY, Region


def first_order_features(region: Region) -> dict[str, float]:
    """Return the eighteen features of first order by name."""
    values = region.values
    tenth, lower, upper, ninetieth = np.percentile(values, (10, 25, 75, 90))
    robust = values[(values >= tenth) & (values <= ninetieth)]
    second, third, fourth = (_moment(values, order) for order in (2, 3, 4))
    shares = np.bincount(region.levels)[1:] / len(values)
    shares = shares[shares > 0]
    energy = float(np.square(values).sum())
    is_flat = second == 0
    return {
        "Energy": energy,
        "TotalEnergy": energy * float(np.prod(region.spacing_mm)),
        "Entropy": float(-(shares * np.log2(shares + TINY)).sum()),
        "Minimum": float(values.min()),
        "10Percentile": float(tenth),
        "90Percentile": float(ninetieth),
        "Maximum": float(values.max()),
        "Mean": float(values.mean()),
        "Median": float(np.median(values)),
        "InterquartileRange": float(upper - lower),
        "Range": float(values.max() - values.min()),
        "MeanAbsoluteDeviation": _deviation(values),
        "RobustMeanAbsoluteDeviation": _deviation(robust),
        "RootMeanSquared": float(np.sqrt(energy / len(values))),
        "Skewness": 0.0 if is_flat else third / second**1.5,
        "Kurtosis": 0.0 if is_flat else fourth / second**2,
        "Variance": second,
        "Uniformity": float(np.square(shares).sum()),
    }


def _moment(values: NDArray[np.float64], order: int) -> float:
    return float(np.mean((values - values.mean()) ** order))


def _deviation(values: NDArray[np.float64]) -> float:
    return float(np.abs(values - values.mean()).mean())
