from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import head_hu

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.atlas.rules import grid_points
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.inference.inputs import REGION_SHAPE, REST_OF_BRAIN, RegionPrior
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.training.labelled import Labelled
from ASPECTSLib.training.views import VIEWS

TASKS = ("brain", "regions-coarse", "regions-fine")  # those that any modality shows
SCAN_SHAPE, SPACING_MM = (38, 55, 45), np.array([4.0, 4.0, 5.0])
BRAIN_AXES_MM = (60.0, 78.0, 69.0)
RIGHT, LEFT = 6, 16  # M2
REGION_X_MM = (20.0, 50.0)
SEEDS = range(6)
DENSER_HU = 25.0  # of the right half


def brain_on(grid):
    points = grid_points(grid.array.shape, grid.affine)
    return ((points / BRAIN_AXES_MM) ** 2).sum(axis=-1) < 1.0


def regions_on(grid):
    x = grid_points(grid.array.shape, grid.affine)[..., 0]
    lateral = (np.abs(x) > REGION_X_MM[0]) & (np.abs(x) < REGION_X_MM[1]) & brain_on(grid)
    return np.where(lateral, np.where(x > 0, RIGHT, LEFT), 0).astype(np.uint8)


class KnownCentres(Labelled):
    """A scan of which the centres of all regions are said to be known: it shows two."""

    centres_mm = property(lambda _self: centres())
    volumes_ml = property(lambda _self: np.ones(len(REGIONS)))


@pytest.fixture(scope="module")
def scan():
    """Return a head whose right half is denser, with one region on each side."""
    affine = centred_affine(SCAN_SHAPE, SPACING_MM)
    points = grid_points(SCAN_SHAPE, affine)
    hu = head_hu(points) + DENSER_HU * (
        (points[..., 0] > 0) & brain_on(Volume(np.zeros(SCAN_SHAPE), affine))
    )
    return KnownCentres(
        image=Volume(hu.astype(np.float32), affine),
        modality=Modality.NCCT,
        regions_on=regions_on,
        brain_on=brain_on,
    )


@pytest.fixture(scope="module")
def prior(atlas):
    """Return a prior that knows nothing but where the regions' centres are: where the scan has them."""
    return RegionPrior(
        log_probability=np.zeros((len(REGIONS) + 1, *REGION_SHAPE), np.float32),
        centres_mm=centres(),
        volumes_ml=np.ones(len(REGIONS)),
        atlas=atlas,
    )


def centres():
    return np.random.default_rng(0).normal(scale=(40.0, 35.0, 20.0), size=(len(REGIONS), 3))


@pytest.fixture(scope="module", params=TASKS)
def looks(request, scan, prior):
    """Return view, images and labels of some looks of a task."""
    view = VIEWS[request.param]
    pairs = [view.look(scan, prior, Draw((seed,))) for seed in SEEDS]
    return view, *zip(*pairs, strict=True)


def is_mirrored(image, inside):
    """Tell whether the denser half is on the left of an image."""
    columns = np.argwhere(inside)[:, 2]
    middle = np.median(columns)
    values = image[0][inside]
    return np.median(values[columns < middle]) > np.median(values[columns > middle])


def test_images_and_labels_are_what_the_network_takes(looks):
    view, images, labels = looks
    for image, label in zip(images, labels, strict=True):
        assert image.shape == (view.channels, *label.shape)
        assert (image.dtype, label.dtype) == (np.float32, np.uint8)
        assert image[0].min() >= 0.0
        assert image[0].max() <= 1.0
        assert label.max() < view.classes
        assert label.any()


def test_labels_move_with_the_image(looks):
    _, images, labels = looks
    for image, label in zip(images, labels, strict=True):
        bone = image[0] > 0.99
        assert (bone & (label > 0)).sum() < 0.02 * (label > 0).sum()
        assert 0.2 < np.median(image[0][label > 0]) < 0.9


def test_one_look_in_two_is_mirrored(looks):
    _, images, labels = looks
    seen = {is_mirrored(i, label > 0) for i, label in zip(images, labels, strict=True)}
    assert seen == {True, False}


def test_right_is_always_on_the_right(scan, prior):
    for task in ("regions-coarse", "regions-fine"):
        for seed in SEEDS:
            image, labels = VIEWS[task].look(scan, prior, Draw((seed,)))
            assert set(np.unique(labels)) <= {0, RIGHT, LEFT, REST_OF_BRAIN}
            columns = {n: np.argwhere(labels == n)[:, 2] for n in (RIGHT, LEFT)}
            assert columns[RIGHT].min() > columns[LEFT].max()
            assert image[1][labels == RIGHT].mean() > image[1][labels == LEFT].mean()


def test_brain_beside_the_regions_is_a_class_of_the_coarse_network(scan, prior):
    _, labels = VIEWS["regions-coarse"].look(scan, prior, Draw((1,)))
    voxel_ml = 4.0**3 / 1000.0
    brain_ml = 4 / 3 * np.pi * np.prod(BRAIN_AXES_MM) / 1000.0
    assert (labels > 0).sum() * voxel_ml == pytest.approx(brain_ml, rel=0.1)
    assert (labels == REST_OF_BRAIN).sum() > 1000


def test_the_same_draw_looks_the_same_and_leaves_the_scan_as_it_is(scan, prior):
    before = scan.image.array.copy()
    for view in (VIEWS[task] for task in TASKS):
        first, second = (view.look(scan, prior, Draw((3,))) for _ in range(2))
        np.testing.assert_array_equal(first[0], second[0])
        np.testing.assert_array_equal(first[1], second[1])
    np.testing.assert_array_equal(scan.image.array, before)


def test_the_grid_is_shifted_as_heads_are_found_in_practice(scan, prior):
    middles = []
    for seed in range(10, 16):
        _, labels = VIEWS["regions-coarse"].look(scan, prior, Draw((seed,)))
        middles.append(np.argwhere(labels > 0).mean(axis=0))
    spread_mm = 4.0 * np.std(middles, axis=0)
    assert (spread_mm > 1.0).all()
    assert (spread_mm < 10.0).all()


def test_the_fine_grid_lies_where_the_coarse_network_would_find_it(scan, prior):
    middles = []
    for seed in SEEDS:
        _, labels = VIEWS["regions-fine"].look(scan, prior, Draw((seed,)))
        right, left = (np.argwhere(labels == n)[:, 2].mean() for n in (RIGHT, LEFT))
        middles.append((right + left) / 2)
        assert 1.5 * (right - left) == pytest.approx(sum(REGION_X_MM), rel=0.15)
    assert np.mean(middles) == pytest.approx((REGION_SHAPE[2] - 1) / 2, abs=3.0)
    assert np.std(middles) > 0.1


class InPlace:
    """An atlas whose regions a registration has where they are."""

    @staticmethod
    def shares_on(grid):
        labels = np.arange(len(REGIONS) + 1)[:, None, None, None]
        return (regions_on(grid) == labels).astype(np.float32)


def test_a_share_of_the_fine_looks_begins_with_the_deformed_atlas(scan, prior, monkeypatch):
    monkeypatch.setattr("ASPECTSLib.training.views.registered_atlas", lambda *_: InPlace())
    view = VIEWS["regions-fine"].registering(0.5)
    begun, mirrored = [], set()
    for seed in range(12):
        image, labels = view.look(scan, prior, Draw((seed,)))
        known = image[4:]
        begun.append(bool(known.any()))
        if begun[-1]:
            right = (known.argmax(axis=0) == labels)[labels > 0]
            assert right.mean() > 0.9
            mirrored.add(is_mirrored(image, labels > 0))
    assert 3 <= sum(begun) <= 9
    assert mirrored == {True, False}


def test_other_tasks_begin_with_no_deformed_atlas():
    assert VIEWS["brain"].registering(1.0) is VIEWS["brain"]
