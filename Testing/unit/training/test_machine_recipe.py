from __future__ import annotations

import pytest

from ASPECTSLib.cli.train import RECIPES_FOLDER
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.scoring.radiomics.features import PAPER_FEATURES
from ASPECTSLib.training.machine_recipe import (
    MachineRecipe,
    is_of_machines,
    parse_machine_recipe,
)
from ASPECTSLib.training.support_vectors import MachineGrid

SMALLEST = 'name = "mine"\ntask = "cta-radiomics"\n'


def test_the_shipped_recipe_takes_the_features_of_the_paper():
    text = (RECIPES_FOLDER / "cta-radiomics.toml").read_text(encoding="utf-8")
    assert is_of_machines(text)
    recipe = parse_machine_recipe(text)
    assert recipe == MachineRecipe("cta-svm", PAPER_FEATURES, True, MachineGrid())


def test_what_a_recipe_does_not_say_is_as_it_ships_and_the_screening_chooses():
    recipe = parse_machine_recipe(SMALLEST)
    assert recipe == MachineRecipe("mine", (), True, MachineGrid())
    assert recipe.is_screened
    quiet = parse_machine_recipe(f"{SMALLEST}[features]\nscreening = false\n")
    assert quiet.is_screened  # or there would be no features
    named = f'{SMALLEST}[features]\nscreening = false\nnames = ["firstorder_Mean"]\n'
    assert not parse_machine_recipe(named).is_screened


def test_the_grid_is_read():
    text = f"{SMALLEST}[machine]\nkernels = ['rbf']\ncosts = [1, 2.5]\ngammas = [0.5]\nfolds = 3\n"
    grid = parse_machine_recipe(text).grid
    assert grid == MachineGrid(("rbf",), (1.0, 2.5), (0.5,), 3)
    assert [(c.kernel, c.cost, c.gamma) for c in grid.choices()] == [
        ("rbf", 1.0, 0.5),
        ("rbf", 2.5, 0.5),
    ]


def test_its_record_is_plain():
    record = parse_machine_recipe(SMALLEST).record()
    assert record["task"] == "cta-radiomics"
    assert record["machine"]["folds"] == 5


def test_a_recipe_of_a_network_is_none_of_these():
    assert not is_of_machines('task = "brain"')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "a"\n', "task: expected a value"),
        ('name = "a"\ntask = "brain"\n', "task: expected cta-radiomics, got brain"),
        (f"{SMALLEST}[network]\n", "network: expected a key of name, task, features, machine"),
        (f"{SMALLEST}features = 3\n", "features: expected a table"),
        (f'{SMALLEST}[features]\nnames = ["mean"]\n', "expected features out of firstorder_Energy"),
        (
            f'{SMALLEST}[features]\nnames = ["firstorder_Mean", "firstorder_Mean"]\n',
            "each feature once",
        ),
        (f"{SMALLEST}[features]\nnames = 3\n", "features.names: expected a list"),
        (f"{SMALLEST}[features]\nscreening = 1\n", "features.screening: expected true or false"),
        (f"{SMALLEST}[machine]\ndepth = 3\n", "machine.depth: expected a key of kernels"),
        (f"{SMALLEST}[machine]\ncosts = ['a']\n", "machine.costs: expected a number"),
        (f"{SMALLEST}[machine]\nfolds = 1.5\n", "machine.folds: expected a whole number"),
        ("name = ", "expected a recipe in TOML"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(text, words):
    with pytest.raises(UsageError, match=words) as caught:
        parse_machine_recipe(text)
    assert caught.value.code is ErrorCode.RECIPE_INVALID
