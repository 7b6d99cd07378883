from __future__ import annotations

import io

import pytest

from ASPECTSLib.report.reliability_figure import ReliabilityPoint, reliability_png

image = pytest.importorskip("matplotlib.image")

GOOD = [ReliabilityPoint(x / 10, x / 10, x / 10 - 0.05, x / 10 + 0.05, 50) for x in (1, 5, 9)]
BAD = [ReliabilityPoint(x / 10, x / 20, x / 20 - 0.02, x / 20 + 0.02, 50) for x in (1, 5, 9)]


def drawn(said):
    return image.imread(io.BytesIO(reliability_png(said)))


def test_a_diagram_is_drawn_and_shows_who_said_what():
    one, two = drawn({"classical": GOOD}), drawn({"classical": GOOD, "ncct-danet": BAD})
    assert one.shape == two.shape
    assert one.shape[0] > 800
    assert (one != two).any(axis=-1).mean() > 0.002
    assert (drawn({"classical": GOOD}) == one).all()


def test_an_interval_that_does_not_hold_its_share_by_a_rounding_is_drawn():
    assert drawn({"a": [ReliabilityPoint(0.5, 1.0, 0.8, 1.0 - 1e-16, 3)]}).any()
