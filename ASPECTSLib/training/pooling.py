"""Weights of measures that are called together, found on patients whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS, RegionCode
from ASPECTSLib.scoring.pooled_call import Measures, Pool
from ASPECTSLib.statistics.calibration import fit_logistic
from ASPECTSLib.statistics.thresholds import Aim, ThresholdRule, region_thresholds

RULE = ThresholdRule(Aim.YOUDEN, minimum_specificity=0.96, least_patients=25)
"""Of 0.955, 0.96 and 0.965, the scores of the patients that it is calibrated on are nearest to the true
ones on average. Regions that are affected fewer than 25 times among them take the threshold of all regions: on a dozen
patients, one of their own is chance."""

_DECIMALS = 4


def pool_of(measured: Sequence[Measures], truth: NDArray[np.bool_]) -> Pool:
    """Return the pool of measures in which each has the same say.

    Each measure alone is made into log odds by a logistic curve, these are averaged, and the mean is calibrated by one
    more curve. Weights that were fitted to all three at once would be those of synthetic patients, of whom networks
    know more than of real ones.

    Parameters
    ----------
    measured
        Of each patient: neither trained on nor reported on.
    truth
        Which regions are affected, shape (patients, 20).

    Raises
    ------
    InputRefusedError
        COHORT_INVALID if nothing or everything is affected, or a measure says the same of all.
    """
    inputs = np.stack([one.inputs for one in measured])
    seen = np.isfinite(inputs).all(axis=2)
    values, affected = inputs[seen], truth[seen]
    curves = [fit_logistic(column, affected) for column in values.T]
    mean = np.mean(
        [
            column / curve.temperature + curve.offset
            for column, curve in zip(values.T, curves, strict=True)
        ],
        axis=0,
    )
    last = fit_logistic(mean, affected)
    share = 1.0 / (len(curves) * last.temperature)
    weights = [_rounded(share / curve.temperature) for curve in curves]
    offset = share * sum(curve.offset for curve in curves) + last.offset
    pool = Pool(*weights, _rounded(offset))
    said = np.nan_to_num(np.stack([pool.probability(one) for one in measured]))
    return replace(pool, threshold=thresholds_of(said, truth, tuple(RegionCode), RULE))


def thresholds_of(
    said: NDArray[np.float64],
    truth: NDArray[np.bool_],
    codes: Sequence[RegionCode],
    rule: ThresholdRule,
) -> dict[str, float]:
    """Return the threshold of each region by its code, both sides together, rounded as files hold it.

    Parameters
    ----------
    said
        Probability of being affected, shape (patients, 20).
    truth
        Whether it is, of the same shape.
    codes
        The regions that thresholds are chosen for.
    rule
        How.
    """
    both_sides = [
        np.stack([table[:, [r.code is code for r in REGIONS]].ravel() for code in codes], axis=1)
        for table in (said, truth)
    ]
    found = region_thresholds(*both_sides, rule)
    return {
        code.value: float(np.clip(_rounded(one.cutoff), 1e-4, 1 - 1e-4))
        for code, one in zip(codes, found, strict=True)
    }


def _rounded(value: float) -> float:
    return round(float(value), _DECIMALS)
