from __future__ import annotations

import numpy as np

from ASPECTSLib.atlas.regions import Side
from ASPECTSLib.report.advice import advice
from ASPECTSLib.report.cta_warnings import cta_warnings, filling
from ASPECTSLib.scoring.contrast_phase import Phase

LABELS = np.zeros((4, 40, 40), np.uint8)
LABELS[:, :, :20], LABELS[:, :, 20:] = 16, 6


def vessels_of(left, right):
    array = np.zeros(LABELS.shape, bool)
    for columns, count in ((slice(0, 20), left), (slice(20, 40), right)):
        part = np.zeros((4, 40, 20), bool)
        part.flat[:count] = True
        array[:, :, columns] = part
    return array


def codes(left, right):
    return [warning.code for warning in cta_warnings(vessels_of(left, right), LABELS)]


def test_vessels_are_counted_by_side():
    assert filling(vessels_of(120, 300), LABELS) == {Side.LEFT: 120, Side.RIGHT: 300}


def test_a_side_with_few_vessels_is_told():
    assert codes(120, 300) == ["BLOOD_MAY_HIDE", "ONE_SIDED_FILLING"]
    assert codes(300, 120) == ["BLOOD_MAY_HIDE", "ONE_SIDED_FILLING"]
    message = list(cta_warnings(vessels_of(120, 300), LABELS))[1].message
    assert "regions of the left have 40%" in message


def test_like_sides_or_hardly_any_vessels_are_not():
    assert codes(280, 300) == ["BLOOD_MAY_HIDE"]
    assert codes(0, 20) == ["BLOOD_MAY_HIDE"]


def test_an_arterial_phase_is_told_and_others_are_not():
    alike = vessels_of(280, 300)
    (_, warning) = cta_warnings(alike, LABELS, Phase.ARTERIAL)
    assert warning.code == "ARTERIAL_PHASE"
    assert "veins are hardly filled" in warning.message
    assert "perfusion" in advice(warning.code)
    for phase in (Phase.ARTERIOVENOUS, Phase.VENOUS, None):
        assert [w.code for w in cta_warnings(alike, LABELS, phase)] == ["BLOOD_MAY_HIDE"]
