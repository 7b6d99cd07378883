"""What slice networks learn from: a head with a dark ball and box-shaped regions, nearly in its symmetric pose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cohort_phantoms import small_anatomy
from head_phantoms import BRAIN_AXES_MM, ellipsoid, grid_points, pose_matrix

from ASPECTSLib.atlas.regions import REGIONS_PER_SIDE, RegionCode, Side, region_of
from ASPECTSLib.cli.train import RECIPES_FOLDER
from ASPECTSLib.errors import ErrorCode, InputRefusedError, UsageError
from ASPECTSLib.geometry import Volume, apply_affine, centred_affine
from ASPECTSLib.inference.registry import load_network
from ASPECTSLib.inference.slice_inputs import (
    ANATOMY_PIXELS,
    ANATOMY_SLICE_CHANNELS,
    INFARCT_PIXELS,
    INFARCT_SLICE_CHANNELS,
    Pixels,
    pixels_of,
)
from ASPECTSLib.inference.slices import CODES
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis.cohort import Material
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.training.labelled import Labelled
from ASPECTSLib.training.launch import train
from ASPECTSLib.training.lessons import synthetic_lesson
from ASPECTSLib.training.losses import focal_boundary_dice
from ASPECTSLib.training.recipe import parse_recipe, read_recipe
from ASPECTSLib.training.slice_views import (
    look_at_infarct_slices,
    look_at_region_slices,
    usual_grid,
)
from ASPECTSLib.training.tasks import parse_data, view_of
from ASPECTSLib.training.views import VIEWS

SLICES_SHAPE, REGION_SLICES_SHAPE = (usual_grid(p)[1] for p in (INFARCT_PIXELS, ANATOMY_PIXELS))
SHAPE, SPACING_MM = (28, 74, 62), np.array([3.0, 3.0, 6.0])
TO_HEAD = pose_matrix(14.0, -8.0, (5.0, -6.0, 3.0))
CENTRE_MM, RADIUS_MM = (32.0, 15.0, 20.0), 15.0
BRAIN_HU, DARK_HU = 32.0, 12.0
DARKER = 0.2  # of the stroke window: half of what it is where slices are full of it
MANY = 2000  # pixels of the ball, which has some 3000: at its ends it is faint
BOXES = {RegionCode.M2: (45.0, 10.0, 10.0), RegionCode.M5: (45.0, 10.0, 40.0)}
HALF_MM = (9.0, 14.0, 12.0)

RECIPE = """
name = "slices-tiny"
task = "{task}"
[network]
architecture = "slice-linknet"
width = 8
[data]
modalities = ["NCCT"]
looks = 2
pixel_mm = 3.0
in_plane_mm = [3.0, 4.0]
slice_mm = [5.0, 6.0]
healthy = 0.0
validation_cases = 1
[loss]
name = "focal_boundary_dice"
[optimisation]
steps = 2
batch = 1
channels_last = true
device = "cpu"
"""


def in_head(grid):
    return apply_affine(TO_HEAD, grid_points(grid.affine, grid.array.shape))


def brain_on(grid):
    return ellipsoid(in_head(grid), BRAIN_AXES_MM)


def infarct_on(grid):
    return ellipsoid(in_head(grid), (RADIUS_MM,) * 3, CENTRE_MM)


def regions_on(grid):
    points, labels = in_head(grid), np.zeros(grid.array.shape, np.uint8)
    for code, centre in BOXES.items():
        for side, sign in ((Side.RIGHT, 1.0), (Side.LEFT, -1.0)):
            offset = points - np.array(centre) * (sign, 1.0, 1.0)
            inside = (np.abs(offset) < HALF_MM).all(axis=-1)
            labels[inside] = region_of(code, side).label
    return labels


@pytest.fixture(scope="module")
def scan():
    grid = Volume(np.zeros(SHAPE, np.uint8), centred_affine(SHAPE, SPACING_MM))
    density = np.where(infarct_on(grid), DARK_HU, BRAIN_HU)
    density = np.where(brain_on(grid), density, 60.0).astype(np.float32)
    return Labelled(grid.with_array(density), Modality.NCCT, regions_on, brain_on, infarct_on)


@pytest.fixture(scope="module")
def infarcts(scan):
    return [look_at_infarct_slices(scan, None, Draw((seed,))) for seed in range(12)]


@pytest.fixture(scope="module")
def anatomies(scan):
    return [look_at_region_slices(scan, None, Draw((seed,))) for seed in range(12)]


def test_samples_have_the_shape_that_the_networks_take(infarcts, anatomies):
    for looks, task, channels, shape in (
        (infarcts, "ncct-infarct", INFARCT_SLICE_CHANNELS, SLICES_SHAPE),
        (anatomies, "ncct-anatomy", ANATOMY_SLICE_CHANNELS, REGION_SLICES_SHAPE),
    ):
        assert VIEWS[task].channels == channels
        for image, labels in looks:
            assert (image.shape, labels.shape) == ((channels, *shape), shape)
            assert (image.dtype, labels.dtype) == (np.float32, np.uint8)
            assert np.isfinite(image).all()


def test_a_recipe_may_ask_for_other_pixels(scan):
    view = VIEWS["ncct-infarct"].with_pixels(1.6)
    image, labels = view.look(scan, None, Draw((1,)))
    assert (view.pixels, image.shape[-1], labels.shape[-1]) == (Pixels(1.6, 128), 128, 128)
    assert VIEWS["ncct-infarct"].with_pixels(0.0) is VIEWS["ncct-infarct"]
    assert VIEWS["brain"].with_pixels(1.6) is VIEWS["brain"]


def test_most_samples_show_infarct_which_is_dark(infarcts):
    shown = [(image, labels > 0) for image, labels in infarcts if labels.any()]
    assert len(shown) > 0.7 * len(infarcts)
    for image, inside in (one for one in shown if one[1].sum() > MANY):
        brain = (image[1] > 0) & ~inside
        assert np.median(image[1][inside]) < np.median(image[1][brain]) - DARKER


def test_the_third_channel_is_the_other_side(infarcts):
    for image, labels in infarcts:
        np.testing.assert_array_equal(image[2], image[1][..., ::-1])
        inside = labels > 0
        if inside.sum() > MANY:
            assert np.median(image[2][inside]) > np.median(image[1][inside]) + DARKER


def test_infarcts_are_seen_on_both_sides(infarcts):
    columns = [np.argwhere(labels)[:, 2].mean() for _, labels in infarcts if labels.any()]
    assert min(columns) < SLICES_SHAPE[2] / 2 < max(columns)


def test_the_midsagittal_plane_is_in_the_middle_but_for_some_degrees(anatomies):
    """Regions of either side have one class, and lie alike on both sides."""
    overlaps = []
    for _, labels in anatomies:
        mirrored = labels[..., ::-1]
        both = ((labels > 0) & (labels == mirrored)).sum()
        overlaps.append(both / max((labels > 0).sum(), 1))
    assert 0.5 < np.median(overlaps) < 0.99


def test_classes_of_regions_are_those_of_the_network(anatomies):
    seen = {int(value) for _, labels in anatomies for value in np.unique(labels)}
    assert seen == {0, *(CODES.index(code) + 1 for code in BOXES)}
    assert len(CODES) == REGIONS_PER_SIDE == VIEWS["ncct-anatomy"].classes - 1


def test_places_in_the_brain_tell_the_regions_apart(anatomies):
    for code, (x, y, z) in BOXES.items():
        places = [image[3:, labels == CODES.index(code) + 1] for image, labels in anatomies]
        found = np.concatenate(places, axis=1).mean(axis=1)
        expected = (x / 100, y / 100, (z - BRAIN_AXES_MM[2]) / 100)
        np.testing.assert_allclose(found, expected, atol=0.12)


def test_samples_differ_in_their_grey_values(infarcts):
    greys = [np.median(image[1][(image[1] > 0) & (labels == 0)]) for image, labels in infarcts]
    assert np.ptp(greys) > 0.04  # 2 HU


def test_the_same_draw_gives_the_same_sample(scan, infarcts):
    image, labels = look_at_infarct_slices(scan, None, Draw((0,)))
    np.testing.assert_array_equal(image, infarcts[0][0])
    np.testing.assert_array_equal(labels, infarcts[0][1])


def test_a_scan_without_regions_is_seen_in_the_pose_that_is_found(scan):
    def refused(_grid):
        raise InputRefusedError(ErrorCode.COHORT_INVALID, "expected regions")

    seen = Draw((3,))
    image, labels = look_at_infarct_slices(replace(scan, regions_on=refused), None, seen)
    assert image.shape[1:] == labels.shape == SLICES_SHAPE


def test_a_patient_without_infarct_gives_empty_labels(scan):
    healthy = replace(scan, infarct_on=lambda grid: np.zeros(grid.array.shape, bool))
    assert not look_at_infarct_slices(healthy, None, Draw((0,)))[1].any()


def test_scans_without_infarct_masks_are_refused(scan):
    with pytest.raises(UsageError, match="infarct masks") as refused:
        look_at_infarct_slices(replace(scan, infarct_on=None), None, Draw((0,)))
    assert refused.value.code is ErrorCode.RECIPE_INVALID


def test_a_network_learns_a_sample(infarcts):
    image, labels = next((i, n) for i, n in infarcts if n.any())
    shown = np.unique(np.nonzero(labels)[0])[:1]
    batch, truth = torch.from_numpy(image[:, shown])[None], torch.from_numpy(labels[shown])[None]
    batch, truth = batch[..., 16:208:3, 16:208:3], truth[..., 16:208:3, 16:208:3]
    torch.manual_seed(0)
    options = {"in_channels": INFARCT_SLICE_CHANNELS, "out_channels": 2}
    network = build_network("slice-linknet", options)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = focal_boundary_dice(network(batch), truth)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.85 * losses[0]


@pytest.mark.parametrize("task", ["ncct-infarct", "ncct-anatomy"])
def test_a_recipe_becomes_a_model(atlas, tmp_path, monkeypatch, task):
    monkeypatch.setattr("ASPECTSLib.training.slice_views.SLICES", 3)
    monkeypatch.setattr("ASPECTSLib.training.log._open_events", lambda _folder, _step: None)
    monkeypatch.setattr("ASPECTSLib.training.trainer.draw_curves", lambda _series, _path: ())
    recipe = parse_recipe(RECIPE.format(task=task))
    lesson = synthetic_lesson(recipe, Material(atlas, (small_anatomy(),)))
    trained = train(recipe, lesson, tmp_path, Progress())
    card = trained.model.card
    assert (card.task, card.input["channels"]) == (task, VIEWS[task].channels)
    assert pixels_of(card.input) == Pixels(3.0, 96)
    assert card.input["shape_kji"] == [3, 96, 96]
    assert "mirrored slice" in card.input["normalisation"]
    assert load_network(trained.model).divisor == (1, 32, 32)


@pytest.mark.parametrize("path", sorted(RECIPES_FOLDER.glob("ncct-*.toml")), ids=lambda p: p.stem)
def test_the_recipes_of_slice_networks_look_at_head_ct(path: Path):
    recipe = read_recipe(path)
    assert recipe.task in {"ncct-infarct", "ncct-anatomy"}
    assert view_of(recipe.task).classes == (2 if recipe.task == "ncct-infarct" else 11)
    assert parse_data(recipe.data).modalities == ("NCCT",)
    assert recipe.loss.name == "focal_boundary_dice"
