"""The call of a region by three measures together: its density, the infarct in it, and a network that compares sides.

Each measure says something that the others do not: medians see a whole region that is a little darker, a segmentation
sees a part of it, and the network sees texture and sulci. Their log odds are averaged (a logarithmic opinion pool:
Genest and Zidek, Stat Sci 1986;1:114-135, doi:10.1214/ss/1177013825).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.scoring.aspects import AFFECTED_PROBABILITY, RegionCall
from ASPECTSLib.scoring.asymmetry import RegionMeasure
from ASPECTSLib.scoring.infarct_call import call_by_infarct
from ASPECTSLib.scoring.network_call import call_by_network

SOURCE = "density, infarct and network together"

_DROP_HU = (-3.0, 6.0)  # what lies beyond says no more: metal, fluid, blood on the other side
_LEAST_SHARE = 0.02  # added to a share before its logarithm is taken
_CERTAIN = 1e-4  # a network's probabilities are kept this far from 0 and 1
_NEVER = 1.0  # no share is above it


@dataclass(frozen=True, eq=False)
class Measures:
    """What is measured of regions, each of shape (regions,).

    Parameters
    ----------
    drop_hu
        How much darker than the other side, HU; NaN where the sides were not compared.
    suspected
        Share that a network suspects to be infarcted, 0 to 1.
    asymmetry
        Probability of being affected by the network that compares the sides; NaN where it could not look.
    """

    drop_hu: NDArray[np.float64]
    suspected: NDArray[np.float64]
    asymmetry: NDArray[np.float64]

    @property
    def inputs(self) -> NDArray[np.float64]:
        """What is weighed, shape (regions, 3): HU, logarithm of the share, log odds; 0 HU where not compared."""
        drop_hu = np.clip(np.nan_to_num(self.drop_hu), *_DROP_HU)
        log_share = np.log(self.suspected + _LEAST_SHARE)
        log_odds = logit(np.clip(self.asymmetry, _CERTAIN, 1.0 - _CERTAIN))
        return np.stack([drop_hu, log_share, log_odds], axis=1)


@dataclass(frozen=True)
class Pool:
    """How much each measure counts.

    Parameters
    ----------
    density, coverage, asymmetry
        Weights of the columns of `Measures.inputs`, not below 0: what speaks for an infarct must not count against it.
    offset
        Added to their sum, which is then the log odds of being affected.
    threshold
        Probability from which on a region is called, by its code, such as `M2`.

    Raises
    ------
    ResourceError
        MODEL_DAMAGED if a number is none or out of its range.
    """

    density: float
    coverage: float
    asymmetry: float
    offset: float
    threshold: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        weights = (self.density, self.coverage, self.asymmetry)
        numbers = all(_is_number(value) for value in (*weights, self.offset))
        if not (numbers and min(weights) >= 0.0 and _are_thresholds(self.threshold)):
            message = "expected weights from 0 on, an offset, and thresholds between 0 and 1"
            raise ResourceError(ErrorCode.MODEL_DAMAGED, message)

    def probability(self, measures: Measures) -> NDArray[np.float64]:
        """Return the probability of being affected, shape (regions,); NaN where the network could not look."""
        weights = np.array([self.density, self.coverage, self.asymmetry])
        return expit(measures.inputs @ weights + self.offset)

    def threshold_of(self, code: str) -> float:
        """Return the probability from which on a region is called."""
        return float(self.threshold.get(code, AFFECTED_PROBABILITY))

    def as_dict(self) -> dict[str, Any]:
        """Return the pool for JSON."""
        return asdict(replace(self, threshold=dict(self.threshold)))


def read_pool(text: str) -> Pool:
    """Return the pool of a file.

    Raises
    ------
    ResourceError
        MODEL_DAMAGED.
    """
    try:
        return Pool(**json.loads(text)["pool"])
    except (ValueError, KeyError, TypeError) as error:
        message = "expected a JSON file with weights of measures"
        raise ResourceError(ErrorCode.MODEL_DAMAGED, message) from error


@dataclass(frozen=True)
class WeighedRegion:
    """What the program made of a region, rounded as the result holds it; kept there for scoring again.

    Parameters
    ----------
    probability
        Of being affected, 0 to 1; None where the region was not in the scan.
    threshold
        Affected from this probability on, between 0 and 1.
    suspected, asymmetry
        Two of the measures that made the probability, see `Measures`; the second is None where there was none.
    covered
        Whether the infarct that is shown covered more of the region than the share at which a drawn one counts.
    """

    probability: float | None
    threshold: float
    suspected: float
    asymmetry: float | None
    covered: bool


def call_by_pool(
    measure: RegionMeasure, weighed: WeighedRegion, share: float | None, affected_fraction: float
) -> RegionCall:
    """Call one region by the probability of a pool, or by an infarct that a person drew there or erased.

    Parameters
    ----------
    measure
        Of the region.
    weighed
        What the program made of it.
    share
        How much of it the infarct covers now, 0 to 1; None where the region is empty.
    affected_fraction
        A region that a person draws infarct into is affected above this share, and not any more once it is erased
        below.
    """
    if share is not None and (share > affected_fraction) != weighed.covered:
        return call_by_infarct(measure, share, affected_fraction)
    seen = None if share is None else weighed.probability
    call = call_by_network(measure, seen, weighed.threshold, SOURCE)
    if seen is None:
        return call
    evidence = (
        f"{call.evidence}; infarct suspected in {weighed.suspected:.0%} of the region, shown in {share:.0%}; "
        f"network that compares the sides: {weighed.asymmetry:.2f}"
    )
    return replace(call, evidence=evidence, infarct_fraction=share, affected_fraction=_NEVER)


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and math.isfinite(value)  # type: ignore[arg-type]


def _are_thresholds(thresholds: object) -> bool:
    return isinstance(thresholds, Mapping) and all(
        isinstance(code, str) and _is_number(value) and 0.0 < value < 1.0
        for code, value in thresholds.items()
    )
