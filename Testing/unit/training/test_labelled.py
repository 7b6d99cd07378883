"""A scan that tells its truth: what is measured on it is measured once."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ASPECTSLib.atlas.rules import grid_points
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.training.labelled import Labelled

SHAPE, SPACING_MM = (30, 44, 40), np.array([4.0, 4.0, 5.0])
CENTRES_MM = np.array([[x, y, 10.0] for x in (45.0, -45.0) for y in range(-72, 73, 16)])
RADIUS_MM = 7.0
SIGNAL = 150.0


def regions_on(grid):
    points = grid_points(grid.array.shape, grid.affine)
    labels = np.zeros(grid.array.shape, np.uint8)
    for number, centre_mm in enumerate(CENTRES_MM):
        labels[((points - centre_mm) ** 2).sum(axis=-1) < RADIUS_MM**2] = number + 1
    return labels


def brain_on(grid):
    points = grid_points(grid.array.shape, grid.affine)
    return (points**2).sum(axis=-1) < 60.0**2


@pytest.fixture
def asked():
    """Return how often each truth was asked for."""
    return SimpleNamespace(regions=0, brain=0, infarct=0)


@pytest.fixture
def scan(asked):
    def counted(name, function):
        def tell(grid):
            setattr(asked, name, getattr(asked, name) + 1)
            return function(grid)

        return tell

    grid = Volume(np.zeros(SHAPE, np.uint8), centred_affine(SHAPE, SPACING_MM))
    image = np.where(brain_on(grid), SIGNAL, 3 * SIGNAL)
    image[0] = 0.0
    return Labelled(
        image=grid.with_array(image.astype(np.float32)),
        modality=Modality.DWI,
        regions_on=counted("regions", regions_on),
        brain_on=counted("brain", brain_on),
        infarct_on=counted("infarct", lambda g: regions_on(g) == 14),
    )


def test_centres_and_volumes_of_the_regions_are_known(scan):
    np.testing.assert_allclose(scan.centres_mm, CENTRES_MM, atol=0.8)
    ball_ml = 4.0 / 3.0 * np.pi * RADIUS_MM**3 / 1000.0
    np.testing.assert_allclose(scan.volumes_ml, ball_ml, rtol=0.15)


def test_the_typical_signal_is_that_of_the_brain(scan):
    assert scan.typical.signal == SIGNAL


def test_it_is_measured_where_it_is_said_to_be(scan, asked):
    elsewhere = Labelled(
        scan.image,
        scan.modality,
        scan.regions_on,
        scan.brain_on,
        measured_in=lambda: ~brain_on(scan.image),
    )
    assert elsewhere.typical.signal == 3 * SIGNAL
    assert asked.brain == 0


def test_what_is_measured_is_measured_once(scan, asked):
    for _ in range(3):
        assert scan.typical.signal == SIGNAL
        assert scan.centres_mm.shape == (20, 3)
        assert scan.volumes_ml.shape == (20,)
    assert (asked.regions, asked.brain) == (1, 1)


def test_nothing_is_measured_before_it_is_asked_for(scan, asked):
    assert scan.adc is None
    assert (asked.regions, asked.brain, asked.infarct) == (0, 0, 0)
