"""Infarcted shares of regions, and the severity group."""

from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.atlas.regions import REGIONS, swap_sides
from ASPECTSLib.scoring.overlap import infarct_fractions
from ASPECTSLib.scoring.severity import Severity, severity_of

SHAPE = (6, 10, 12)


def random_case(seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 20, SHAPE).astype(np.uint8)  # label 20 is nowhere
    return labels, rng.random(SHAPE) < 0.3


def test_shares_are_those_counted_voxel_by_voxel():
    labels, infarct = random_case()
    found = infarct_fractions(labels, infarct)
    for region in REGIONS[:-1]:
        inside = labels == region.label
        assert found[region] == pytest.approx(infarct[inside].mean())


def test_a_region_that_is_not_there_has_no_share():
    assert infarct_fractions(*random_case())[REGIONS[-1]] is None


def test_the_mirror_image_gives_the_shares_of_the_other_side():
    labels, infarct = random_case()
    mirrored = infarct_fractions(swap_sides(labels)[:, :, ::-1], infarct[:, :, ::-1])
    found = infarct_fractions(labels, infarct)
    for right, left in zip(REGIONS[:10], REGIONS[10:], strict=True):
        assert mirrored[left] == found[right]
        assert mirrored[right] == found[left]


@pytest.mark.parametrize(
    ("core_ml", "severity"),
    [(0.0, Severity.MILD), (27.85, Severity.MILD), (27.86, Severity.MODERATE_SEVERE)],
)
def test_strokes_are_moderate_to_severe_from_the_published_volume(core_ml, severity):
    assert severity_of(core_ml) is severity
