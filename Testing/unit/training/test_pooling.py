"""Weights of measures, found on patients of whom it is known how much each measure tells."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from ASPECTSLib.atlas.regions import REGIONS, RegionCode
from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.scoring.pooled_call import Measures
from ASPECTSLib.statistics.reliability import expected_calibration_error
from ASPECTSLib.training.pooling import RULE, pool_of

PATIENTS = 150


@pytest.fixture(scope="module")
def patients():
    """Return measures that each tell a part, and the truth; density says less than the others."""
    rng = np.random.default_rng(11)
    shape = (PATIENTS, len(REGIONS))
    truth = rng.uniform(size=shape) < 0.15
    drop_hu = rng.normal(0.0, 1.5, shape) + 1.0 * truth
    suspected = np.clip(expit(rng.normal(-4.0, 1.0, shape) + 2.5 * truth), 0, 1)
    asymmetry = expit(rng.normal(-3.0, 1.5, shape) + 3.0 * truth)
    return [Measures(*one) for one in zip(drop_hu, suspected, asymmetry, strict=True)], truth


def probabilities(pool, measured):
    return np.stack([pool.probability(one) for one in measured])


def test_together_they_tell_more_than_each_and_mean_what_they_say(patients):
    measured, truth = patients
    pool = pool_of(measured[:100], truth[:100])
    said = probabilities(pool, measured[100:])

    def order(values):
        return (values[truth[100:]][:, None] > values[~truth[100:]]).mean()

    alone = [order(np.stack([one.inputs[:, n] for one in measured[100:]])) for n in range(3)]
    assert order(said) > max(alone) + 0.02
    assert expected_calibration_error(said.ravel(), truth[100:].ravel()) < 0.04


def test_a_measure_that_tells_nothing_hardly_counts(patients):
    measured, truth = patients
    rng = np.random.default_rng(5)
    blind = [
        Measures(rng.normal(0.0, 1.5, len(REGIONS)), one.suspected, one.asymmetry)
        for one in measured
    ]
    assert pool_of(blind, truth).density < 0.3 * pool_of(measured, truth).density


def test_unaffected_regions_are_seldom_called(patients):
    measured, truth = patients
    pool = pool_of(measured, truth)
    thresholds = np.array([pool.threshold_of(region.code.value) for region in REGIONS])
    called = probabilities(pool, measured) >= thresholds
    assert set(pool.threshold) == {code.value for code in RegionCode}
    assert called[~truth].mean() <= 1.0 - RULE.minimum_specificity + 1e-9
    assert called[truth].mean() > 0.5


def test_regions_that_no_network_saw_are_left_out(patients):
    measured, truth = patients
    holes = [
        Measures(one.drop_hu, one.suspected, np.where(np.arange(20) == 3, np.nan, one.asymmetry))
        for one in measured
    ]
    pool = pool_of(holes, truth)
    assert np.isfinite([pool.density, pool.coverage, pool.asymmetry, pool.offset]).all()


def test_patients_without_any_infarct_teach_nothing(patients):
    measured, truth = patients
    with pytest.raises(InputRefusedError, match="positive and negative"):
        pool_of(measured, np.zeros_like(truth))
