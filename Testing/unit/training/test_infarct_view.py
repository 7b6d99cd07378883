"""What the infarct network sees: a bright body on a head, with ADC and without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from ASPECTSLib.atlas.rules import grid_points
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.inference.infarct_inputs import INFARCT_CHANNELS
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.training import infarct_view
from ASPECTSLib.training.infarct_view import WHOLE_SHAPE, look_at_infarct
from ASPECTSLib.training.labelled import Labelled
from ASPECTSLib.training.views import VIEWS

SHAPE, SPACING_MM = (40, 64, 56), np.array([3.5, 3.5, 4.0])
CENTRE_MM, RADIUS_MM = np.array([35.0, 10.0, 20.0]), 14.0
SIGNAL, BRIGHT = 200.0, 3.0
ADC, LOW = 800.0, 500.0


def brain_on(grid):
    points = grid_points(grid.array.shape, grid.affine)
    return ((points / (65.0, 82.0, 68.0)) ** 2).sum(axis=-1) < 1.0


def infarct_on(grid):
    points = grid_points(grid.array.shape, grid.affine)
    return ((points - CENTRE_MM) ** 2).sum(axis=-1) < RADIUS_MM**2


@pytest.fixture(scope="module")
def scan():
    grid = Volume(np.zeros(SHAPE, np.uint8), centred_affine(SHAPE, SPACING_MM))
    brain, infarct = brain_on(grid), infarct_on(grid)
    dwi = np.where(brain, SIGNAL, 0.0) * np.where(infarct, BRIGHT, 1.0)
    adc = np.where(brain, np.where(infarct, LOW, ADC), 0.0)
    return Labelled(
        image=grid.with_array(dwi.astype(np.float32)),
        modality=Modality.DWI,
        regions_on=lambda g: np.zeros(g.array.shape, np.uint8),
        brain_on=brain_on,
        infarct_on=infarct_on,
        adc=grid.with_array(adc.astype(np.float32)),
    )


@pytest.fixture(scope="module")
def looks(scan):
    return [look_at_infarct(scan, None, Draw((seed,))) for seed in range(16)]


def test_samples_have_the_shape_that_the_network_takes(looks):
    assert VIEWS["infarct"].channels == INFARCT_CHANNELS
    for image, labels in looks:
        assert image.shape == (INFARCT_CHANNELS, *WHOLE_SHAPE)
        assert labels.shape == WHOLE_SHAPE
        assert (image.dtype, labels.dtype) == (np.float32, np.uint8)
        assert np.isfinite(image).all()


def test_every_sample_shows_the_whole_infarct(looks):
    voxels = 4 / 3 * np.pi * (RADIUS_MM / 2) ** 3
    assert [labels.sum() for _, labels in looks] == pytest.approx([voxels] * len(looks), rel=0.1)


def test_labels_lie_on_what_is_bright(looks):
    for image, labels in looks:
        inside = labels > 0
        if inside.sum() > 50:
            assert np.median(image[0][inside]) > 1.5 * np.median(image[0][image[0] > 0.2])


def test_some_come_without_adc_and_say_so(looks):
    given = {float(image[2].max()) for image, _ in looks}
    assert given == {0.0, 1.0}
    for image, _ in looks:
        assert image[2].min() == image[2].max()
        assert image[1].any() == bool(image[2].max())


def test_adc_is_low_where_the_label_is(looks):
    for image, labels in looks:
        inside = labels > 0
        if image[2].any() and inside.sum() > 50:
            brain = (image[1] > 0.3) & ~inside
            assert np.median(image[1][inside]) < 0.8 * np.median(image[1][brain])


def test_infarcts_are_seen_on_both_sides(looks):
    """One look in two is mirrored; an infarct of the right side then lies on the left."""
    columns = [np.argwhere(labels)[:, 2].mean() for _, labels in looks if labels.sum() > 50]
    middle = WHOLE_SHAPE[2] / 2
    assert min(columns) < middle < max(columns)


def test_healthy_tissue_differs_from_place_to_place_in_signal_more_than_in_adc(looks):
    spreads = []
    for image, labels in looks:
        if image[2].any():
            inside = ndimage.binary_erosion(image[1] > 0.4, iterations=6) & (labels == 0)
            signal, adc = (ndimage.gaussian_filter(image[n], 1.0)[inside] for n in (0, 1))
            spreads.append((signal.std() / signal.mean(), adc.std() / adc.mean()))
    signal, adc = np.median(spreads, axis=0)
    assert signal > 0.04
    assert adc < signal


def test_texture_is_of_all_sizes_and_has_no_preference():
    factors = [infarct_view._texture((40, 48, 44), Draw((seed,))) for seed in range(12)]
    assert np.mean(np.log(factors)) == pytest.approx(0.0, abs=0.01)
    for sigma in (1.0, 3.0):
        spread = [ndimage.gaussian_filter(np.log(f), sigma).std() for f in factors]
        assert 0.015 < np.mean(spread) < 0.1
    assert max(np.abs(np.log(f)).max() for f in factors) < 0.6


def test_cortex_is_brightened_in_places_more_than_other_tissue_and_fluid_is_not():
    adc = np.ones((40, 48, 44), np.float32)
    adc[:, :, :6], adc[:, :, 20:] = 1.15, 3.0
    for seed in range(8):
        factor = infarct_view._bright_cortex(adc, Draw((seed,)))
        cortex, tissue, fluid = factor[:, :, :6], factor[:, :, 6:20], factor[:, :, 20:]
        assert factor.min() == 1.0
        assert fluid.max() < 1.001
        assert (cortex.mean() - 1.0) > 1.2 * (tissue.mean() - 1.0)


def test_the_same_draw_gives_the_same_sample(scan, looks):
    again, labels = look_at_infarct(scan, None, Draw((0,)))
    np.testing.assert_array_equal(again, looks[0][0])
    np.testing.assert_array_equal(labels, looks[0][1])


def test_scans_without_infarct_masks_are_refused(scan):
    with pytest.raises(UsageError, match="infarct masks") as refused:
        look_at_infarct(replace(scan, infarct_on=None), None, Draw((0,)))
    assert refused.value.code is ErrorCode.RECIPE_INVALID


def test_a_patient_without_infarct_gives_empty_labels(scan):
    healthy = replace(scan, infarct_on=lambda grid: np.zeros(grid.array.shape, bool))
    _, labels = look_at_infarct(healthy, None, Draw((0,)))
    assert not labels.any()
