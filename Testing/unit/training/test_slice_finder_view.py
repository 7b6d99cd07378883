"""What the slice finder learns from: a head whose ganglionic level is marked by a bright plate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from slice_phantoms import plated_head, plated_regions

from ASPECTSLib.inference.slice_finder_inputs import WINDOWS_HU
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.networks.slice_finder import NO_SLICE
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.training.labelled import Labelled
from ASPECTSLib.training.losses import IGNORED, cross_entropy
from ASPECTSLib.training.slice_finder_view import STACK_SHAPE, look_at_slices, nearness
from ASPECTSLib.training.views import VIEWS

SHIFT_MM = (6.0, -4.0, 0.0)
LOOKS = 12


def labelled(slice_mm=5.0):
    return Labelled(
        image=plated_head(slice_mm, round(165 / slice_mm), shift_mm=SHIFT_MM),
        modality=Modality.NCCT,
        regions_on=lambda grid: plated_regions(grid, SHIFT_MM),
        brain_on=lambda grid: np.zeros(grid.array.shape, bool),
    )


@pytest.fixture(scope="module")
def scan():
    return labelled()


@pytest.fixture(scope="module")
def looks(scan):
    return [look_at_slices(scan, None, Draw((seed,))) for seed in range(LOOKS)]


def there(labels):
    return labels[:, 0, 0] != IGNORED


def test_samples_have_the_shape_that_network_and_loss_take(looks):
    view = VIEWS["slice-finder"]
    assert (view.channels, view.classes, view.measure) == (len(WINDOWS_HU), 2, nearness)
    for image, labels in looks:
        assert (image.shape, image.dtype) == ((view.channels, *STACK_SHAPE), np.float32)
        assert (labels.shape, labels.dtype) == ((STACK_SHAPE[0], 1, 1), np.uint8)
    image, labels = (torch.from_numpy(part)[None] for part in looks[0])
    small = {"widths": [4, 8], "blocks": [1, 1], "hidden": 4}
    network = build_network("slice-finder", {"in_channels": 3, "out_channels": 2, **small})
    assert cross_entropy(network(image), labels, class_weights=[1.0, 8.0]).isfinite()


def test_what_is_no_slice_is_unknown_and_comes_last(looks):
    for image, labels in looks:
        number = int(there(labels).sum())
        assert there(labels)[:number].all()
        assert (image[:, number:] == NO_SLICE).all()
        assert (image[:, :number].min(), image[:, :number].max() <= 1.0) == (0.0, True)


@pytest.mark.parametrize("slice_mm", [1.25, 3.5, 5.0, 6.5, 9.0])
def test_the_labelled_slices_are_those_of_the_plate(slice_mm):
    head = labelled(slice_mm)
    for seed in range(3):
        image, labels = look_at_slices(head, None, Draw((seed,)))
        bright = np.maximum(image[0] - 0.6, 0).sum(axis=(1, 2))  # beside a holder, alike in all
        assert bright[labels[:, 0, 0] == 1].max() > 0.3 * bright.max()


def test_one_to_three_neighbouring_slices_are_at_the_level(looks):
    for _, labels in looks:
        at_level = np.flatnonzero(labels[:, 0, 0] == 1)
        assert 1 <= len(at_level) <= 3
        assert np.ptp(at_level) == len(at_level) - 1


def test_coverage_varies_around_the_level(looks):
    levels = [np.flatnonzero(labels == 1).mean() for _, labels in looks]
    numbers = [there(labels).sum() for _, labels in looks]
    assert np.ptp(levels) >= 4
    assert np.ptp(numbers) >= 4
    assert all(
        4 <= level <= number - 5 for level, number in zip(levels, numbers, strict=True)
    )  # 2 cm on either side


def test_heads_are_seen_from_both_sides(looks):
    """The right half is denser: it is on one side or on the other."""
    sides = set()
    for image, _ in looks:
        half = image[0, :12, :, : STACK_SHAPE[2] // 2], image[0, :12, :, STACK_SHAPE[2] // 2 :]
        means = [part[(part > 0.2) & (part < 0.7)].mean() for part in half]
        sides.add(bool(means[0] > means[1]))
    assert sides == {True, False}


def test_the_same_draw_gives_the_same_sample_and_another_one_another(scan, looks):
    again, labels = look_at_slices(scan, None, Draw((0,)))
    np.testing.assert_array_equal(again, looks[0][0])
    np.testing.assert_array_equal(labels, looks[0][1])
    assert not np.array_equal(again, looks[1][0])


def test_a_scan_without_regions_teaches_nothing(scan):
    empty = replace(scan, regions_on=lambda grid: np.zeros(grid.array.shape, np.uint8))
    image, labels = look_at_slices(empty, None, Draw((0,)))
    assert (labels == IGNORED).all()
    assert image.max() > 0
    assert nearness(torch.zeros(1, 2, *labels.shape), torch.from_numpy(labels)[None]).isnan().all()


@pytest.mark.parametrize(("found", "value"), [(6, 1.0), (5, 0.5), (7, 0.5), (4, 0.0), (10, 0.0)])
def test_nearness_falls_from_slice_to_slice(found, value):
    labels = torch.zeros(1, 14, 1, 1, dtype=torch.uint8)
    labels[0, 6] = 1
    labels[0, 12:] = IGNORED
    logits = torch.zeros(1, 2, 14, 1, 1)
    logits[0, 1] = -20.0
    logits[0, 1, found] = 20.0
    logits[0, 1, 12:] = 30.0  # of no slice
    measured = nearness(logits, labels)
    assert measured.dtype == torch.float64
    assert measured[0].isnan()
    assert float(measured[1]) == pytest.approx(value, abs=0.01)
