from __future__ import annotations

import numpy as np
import pytest
from cta_phantoms import small_angiography, with_vessels
from head_phantoms import mirrored

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import canonicalize, shrink
from ASPECTSLib.preprocessing.brain import brain_mask
from ASPECTSLib.preprocessing.contrast_agent import (
    count_vessels,
    refuse_contrast,
    require_contrast,
)


@pytest.fixture(scope="module")
def plain(synthetic_patient):
    return canonicalize(shrink(synthetic_patient.scan, (2, 2, 1))).volume


@pytest.fixture(scope="module")
def brain(plain):
    return brain_mask(plain)


@pytest.fixture(scope="module")
def angiography(synthetic_patient):
    return canonicalize(small_angiography(synthetic_patient)).volume


def test_an_angiography_is_known_by_its_vessels(plain, angiography, brain):
    assert count_vessels(plain, brain) < 5
    assert count_vessels(angiography, brain) > 30
    require_contrast(angiography, brain)
    refuse_contrast(plain, brain)


def test_a_mirrored_scan_has_as_many_vessels(angiography, brain):
    turned = count_vessels(mirrored(angiography), mirrored(brain))
    assert turned == pytest.approx(count_vessels(angiography, brain), abs=2)


def test_each_is_refused_where_the_other_was_expected(plain, angiography, brain):
    with pytest.raises(ContentRefusedError, match="without contrast agent, got one with") as caught:
        refuse_contrast(angiography, brain)
    assert caught.value.code is ErrorCode.WRONG_MODALITY
    with pytest.raises(ContentRefusedError, match="expected a CT angiography") as caught:
        require_contrast(plain, brain)
    assert caught.value.code is ErrorCode.WRONG_MODALITY


def test_calcification_and_streaks_of_metal_in_one_slice_are_no_vessels(plain, brain):
    few = with_vessels(plain, brain, count=2)
    streaks = few.array.copy()
    inside = np.argwhere(brain.array[15])
    for j, i in np.random.default_rng(1).choice(inside, 60, replace=False):
        streaks[15, j, i] = 200.0
    refuse_contrast(few.with_array(streaks), brain)


def test_noise_makes_no_vessels(plain, brain):
    noise = np.random.default_rng(2).normal(0.0, 20.0, plain.array.shape)
    refuse_contrast(plain.with_array((plain.array + noise).astype(np.float32)), brain)


def test_without_a_brain_there_is_no_vessel(angiography, brain):
    tiny = np.zeros_like(brain.array)
    tiny[10, 30:33, 30:33] = True
    assert count_vessels(angiography, brain.with_array(tiny)) == 0
