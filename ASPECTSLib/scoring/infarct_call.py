"""The call of a region by how much of it an infarct covers, as on diffusion-weighted MRI."""

from __future__ import annotations

import math

from ASPECTSLib.scoring.aspects import RegionCall
from ASPECTSLib.scoring.asymmetry import RegionMeasure

SLOPE = 4.0
"""Steepness of the probability in the logarithm of the share: twice the share at which a region counts is called with
a probability of 0.94, half of it with 0.06. A logistic fit to the measured shares of 29 synthetic patients, true calls
being those above 10 %, gave 4.06, and one half at a share of 0.11; see `Testing/benchmarks/affected_share.py`."""

_LEAST_FRACTION = 1e-4  # one voxel in ten thousand: the logarithm of nothing is not needed


def call_by_infarct(
    measure: RegionMeasure, fraction: float | None, affected_fraction: float
) -> RegionCall:
    """Call one region by its infarcted share.

    Parameters
    ----------
    measure
        Of the region; its medians are shown and decide nothing.
    fraction
        Share of the region that is infarcted, 0 to 1; None where the region is empty.
    affected_fraction
        A region with more than this share infarcted is affected.
    """
    if fraction is None:
        return RegionCall(measure, None, "not called: the region is not in the scan")
    distance = math.log(max(fraction, _LEAST_FRACTION) / affected_fraction)
    probability = 1.0 / (1.0 + math.exp(-SLOPE * distance))
    covered = f"infarct covers {fraction:.0%} of the region" if fraction else "no infarct in it"
    evidence = f"{covered}; affected above {affected_fraction:.0%}"
    return RegionCall(
        measure,
        probability,
        evidence,
        infarct_fraction=fraction,
        affected_fraction=affected_fraction,
        by_infarct=True,
    )
