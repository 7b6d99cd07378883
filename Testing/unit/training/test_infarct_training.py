"""A run of the task `infarct`, as small as it gets: from a recipe to a model with its card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cohort_phantoms import small_anatomy
from diffusion_cohorts import write_diffusion_scan

from ASPECTSLib.cli.train import RECIPES_FOLDER
from ASPECTSLib.inference.infarct_inputs import INFARCT_CHANNELS
from ASPECTSLib.inference.registry import load_network
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis.cohort import Material
from ASPECTSLib.training.cohort import read_cohort
from ASPECTSLib.training.launch import train
from ASPECTSLib.training.lessons import cohort_lesson, synthetic_lesson
from ASPECTSLib.training.log import read_log
from ASPECTSLib.training.recipe import parse_recipe, read_recipe
from ASPECTSLib.training.tasks import parse_data, view_of

RECIPE = """
name = "infarct-tiny"
task = "infarct"
[network]
architecture = "unet3d"
widths = [4, 8]
convolutions = 1
[data]
modalities = ["DWI"]
looks = 6
in_plane_mm = [3.0, 4.0]
slice_mm = [5.0, 6.0]
healthy = 0.0
validation_cases = 0
validation_share = 0.0
[loss]
name = "dice_ce"
[optimisation]
steps = {steps}
batch = 1
learning_rate = 2e-2
device = "cpu"
"""


@pytest.fixture(autouse=True)
def made_fast(monkeypatch):
    """Show small parts of heads, and leave the slow imports and drawings out."""
    monkeypatch.setattr("ASPECTSLib.training.infarct_view.WHOLE_SHAPE", (48, 64, 64))
    monkeypatch.setattr("ASPECTSLib.training.log._open_events", lambda _folder, _step: None)
    monkeypatch.setattr("ASPECTSLib.training.trainer.draw_curves", lambda _series, _path: ())


def losses(folder):
    return np.array([loss for _, loss in read_log(folder)["loss/training"]])


def test_the_loss_falls_on_synthetic_patients(atlas, tmp_path):
    recipe = parse_recipe(RECIPE.format(steps=8))
    lesson = synthetic_lesson(recipe, Material(atlas, (small_anatomy(),)))
    trained = train(recipe, lesson, tmp_path, Progress())
    loss = losses(tmp_path)
    assert loss[-1] < 0.85 * loss[0]
    assert loss[-3:].mean() < loss[:3].mean()
    card = trained.model.card
    assert (card.task, card.input["channels"]) == ("infarct", INFARCT_CHANNELS)


def test_a_cohort_of_ones_own_is_learned_from(atlas, tmp_path):
    for name in ("one", "two"):
        write_diffusion_scan(tmp_path / "cohort", name, healthy=name == "two")
    recipe = parse_recipe(RECIPE.format(steps=4))
    lesson = cohort_lesson(recipe, read_cohort(tmp_path / "cohort"), Material(atlas))
    trained = train(recipe, lesson, tmp_path / "run", Progress())
    loss = losses(tmp_path / "run")
    assert loss[-1] < loss[0]
    assert load_network(trained.model).divisor == (2, 2, 2)


@pytest.mark.parametrize(
    "path", sorted(RECIPES_FOLDER.glob("infarct-*.toml")), ids=lambda p: p.stem
)
def test_the_recipes_of_infarcts_look_at_diffusion(path: Path):
    recipe = read_recipe(path)
    assert (recipe.task, view_of(recipe.task).channels) == ("infarct", INFARCT_CHANNELS)
    assert parse_data(recipe.data).modalities == ("DWI",)
