from __future__ import annotations

import json
import signal
import sys

import numpy as np
import pytest
import torch
from cohort_phantoms import small_anatomy, write_labelled_scan

from ASPECTSLib.cli.train import RECIPES_FOLDER, find_recipe
from ASPECTSLib.errors import ErrorCode, ExitCode, UsageError
from ASPECTSLib.inference.registry import find_model, load_network
from ASPECTSLib.synthesis.anatomy import atlas_anatomy
from ASPECTSLib.training.learner import Learner
from ASPECTSLib.training.log import read_log
from ASPECTSLib.training.machine_recipe import is_of_machines, parse_machine_recipe
from ASPECTSLib.training.recipe import read_recipe

STEPS = 8
TRAIN = ("train", "regions-tiny", "--steps", STEPS, "--device", "cpu")
JSON = ("--progress", "json")

posix = pytest.mark.skipif(sys.platform == "win32", reason="sends signals as POSIX has them")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Draw small heads instead of whole ones from the atlas, and leave out what is slow to import and to draw."""
    monkeypatch.setattr(
        "ASPECTSLib.training.lessons.atlas_anatomy", lambda _atlas, _rng: small_anatomy()
    )
    monkeypatch.setattr("ASPECTSLib.training.log._open_events", lambda _folder, _step: None)
    monkeypatch.setattr("ASPECTSLib.training.trainer.draw_curves", lambda _series, _path: ())


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "cohort"
    for number in range(4):
        write_labelled_scan(folder, f"case {number}", seed=number)
    (folder / "source.json").write_text('{"name": "phantoms", "licence": "CC0-1.0"}')
    return folder


def interrupt_after(steps, monkeypatch):
    """Send Ctrl-C in the middle of a step."""
    learn = Learner.learn

    def interrupted(self, step, batch):
        if step == steps - 1:
            signal.raise_signal(signal.SIGINT)
        return learn(self, step, batch)

    monkeypatch.setattr(Learner, "learn", interrupted)


@posix
def test_a_cancelled_run_goes_on_as_if_it_had_not_been_and_exports_the_same_model(
    tmp_path, run, monkeypatch
):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    outcome = run(*TRAIN, "-o", whole)
    assert outcome.exit_code == ExitCode.RESULT, outcome.err
    assert "regions-tiny: 8 steps, the weights of step 8 were the best" in outcome.out
    assert "regions, mean Dice on the network's grid, by scan: 0." in outcome.out
    losses = [loss for _, loss in read_log(whole)["loss/training"]]
    assert np.mean(losses[-3:]) < np.mean(losses[:3])

    with monkeypatch.context() as patched:
        interrupt_after(3, patched)
        cancelled = run(*TRAIN, "-o", parts, *JSON)
    assert cancelled.exit_code == ExitCode.CANCELLED
    assert "the same command with --resume goes on" in cancelled.error["message"]
    assert len(read_log(parts)["loss/training"]) == 3
    assert not list(parts.glob("regions-tiny.*"))
    assert run(*TRAIN, "-o", parts, "--resume").exit_code == ExitCode.RESULT
    assert read_log(parts) == read_log(whole)
    name = "regions-tiny.safetensors"
    assert (parts / name).read_bytes() == (whole / name).read_bytes()


def test_the_smallest_recipe_needs_no_data(tmp_path, run, monkeypatch):
    monkeypatch.setattr("ASPECTSLib.training.lessons.atlas_anatomy", atlas_anatomy)
    assert run(*TRAIN, "--steps", 2, "-o", tmp_path / "run").exit_code == ExitCode.RESULT
    card = find_model(tmp_path / "run" / "regions-tiny").card
    assert card.metrics[0].synthetic
    assert "synthetic patients" in card.limits
    assert card.training.details["anatomies"] == 1
    assert all(source.licence for source in card.training.data)


@pytest.fixture(scope="module")
def cohort_run(cohort, tmp_path_factory):
    """Return the folder of a short run on a labelled cohort."""
    from ASPECTSLib.cli.main import main

    folder = tmp_path_factory.mktemp("runs") / "run"
    arguments = ["train", "regions-tiny", "--steps", "2", "--device", "cpu"]
    assert main([*arguments, "--data", str(cohort), "-o", str(folder), *JSON]) == ExitCode.RESULT
    return folder


def test_a_run_on_a_cohort_leaves_a_model_with_a_card(cohort_run, monkeypatch):
    monkeypatch.setenv("ASPECTS_MODELS", str(cohort_run))
    model = find_model("regions-tiny")
    card = model.card
    assert (card.task, card.architecture) == ("regions-coarse", "prior-vbnet")
    assert [(s.name, s.licence) for s in card.training.data] == [("phantoms", "CC0-1.0")]
    assert card.training.recipe["optimisation"]["steps"] == card.training.details["steps"] == 2
    assert card.training.details["cases"] == 4
    assert card.input["modalities"] == ["NCCT"]
    assert card.input["shape_kji"] == [48, 64, 64]
    assert "case 1" not in model.card_path.read_text(encoding="utf-8")
    metric = card.metrics[0]
    assert 0 < metric.value < 1
    assert metric.interval[0] <= metric.value <= metric.interval[1]
    assert not metric.synthetic
    network = load_network(model)
    channels = card.options["in_channels"]
    assert network(torch.zeros(1, channels, 48, 64, 64)).shape[1] == card.options["out_channels"]


def test_a_model_can_be_gone_on_with(cohort, cohort_run, tmp_path, run):
    init = cohort_run / "regions-tiny"
    arguments = (*TRAIN, "--steps", 1, "--data", cohort, "--init", init, "-o", tmp_path / "run")
    assert run(*arguments).exit_code == ExitCode.RESULT
    details = find_model(tmp_path / "run" / "regions-tiny").card.training.details
    assert details["began_with"]["sha256"] == find_model(init).card.sha256
    before, after = (
        read_log(folder)["loss/training"][0][1] for folder in (cohort_run, tmp_path / "run")
    )
    assert after < before


def test_a_model_of_another_network_cannot_be_gone_on_with(cohort, cohort_run, tmp_path, run):
    text = (RECIPES_FOLDER / "regions-tiny.toml").read_text(encoding="utf-8")
    recipe = tmp_path / "wide.toml"
    recipe.write_text(text.replace("[8, 16, 32, 32]", "[8, 16, 32, 40]"), encoding="utf-8")
    init = ("--init", cohort_run / "regions-tiny")
    outcome = run("train", recipe, "--data", cohort, *init, "-o", tmp_path / "run", *JSON)
    assert outcome.exit_code == ExitCode.USAGE
    assert outcome.error["code"] == ErrorCode.MODEL_MISMATCH
    assert "with other tensors" in outcome.error["message"]
    assert not (tmp_path / "run").exists()


def test_a_broken_cohort_is_refused_before_anything_else(tmp_path, run):
    folder = write_labelled_scan(tmp_path / "cohort", "one")
    (folder / "image.nii.gz").unlink()
    outcome = run(*TRAIN, "--data", tmp_path / "cohort", "-o", tmp_path / "run", *JSON)
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.error["code"] == ErrorCode.COHORT_INVALID
    assert "case one, ncct: expected a file image.nii.gz" in outcome.error["message"]
    assert not (tmp_path / "run").exists()


def test_a_complete_run_is_not_resumed(cohort, cohort_run, run):
    arguments = ("--data", cohort, "-o", cohort_run, "--resume", *JSON)
    outcome = run(*TRAIN, "--steps", 2, *arguments)
    assert outcome.error["code"] == ErrorCode.OUTPUT_EXISTS
    assert "is complete: its model is regions-tiny" in outcome.error["message"]


def test_a_folder_with_a_run_is_not_trained_into(cohort, cohort_run, run):
    outcome = run(*TRAIN, "--data", cohort, "-o", cohort_run, *JSON)
    assert outcome.error["code"] == ErrorCode.OUTPUT_EXISTS
    assert "or resume its run with --resume" in outcome.error["message"]


def test_nothing_cannot_be_resumed(tmp_path, run):
    outcome = run(*TRAIN, "-o", tmp_path / "run", "--resume", *JSON)
    assert outcome.error["code"] == ErrorCode.CHECKPOINT_INVALID
    assert "expected a run to resume in the folder run" in outcome.error["message"]


@posix
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("recipe", "loss"), "loss differs"),
        (("recipe", "data"), "data differs"),
        (("data", "cohort"), "its data differs"),
    ],
)
def test_a_run_is_resumed_with_the_same_recipe_and_data_only(
    cohort, cohort_run, tmp_path, run, change, words
):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("run.json", "checkpoint.safetensors", "log.csv"):
        (folder / name).write_bytes((cohort_run / name).read_bytes())
    record = json.loads((folder / "run.json").read_text())
    record[change[0]][change[1]] = "other"
    (folder / "run.json").write_text(json.dumps(record))
    outcome = run(*TRAIN, "--steps", 2, "--data", cohort, "-o", folder, "--resume", *JSON)
    assert outcome.error["code"] == ErrorCode.CHECKPOINT_INVALID
    assert words in outcome.error["message"]


def test_a_run_without_its_record_is_not_resumed(cohort, cohort_run, tmp_path, run):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "checkpoint.safetensors").write_bytes(
        (cohort_run / "checkpoint.safetensors").read_bytes()
    )
    outcome = run(*TRAIN, "--steps", 2, "--data", cohort, "-o", folder, "--resume", *JSON)
    assert "the file run.json of the run to resume" in outcome.error["message"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("regions-tiny", "--data", "x", "--anatomy", "y"), "expected --data, or --anatomy"),
        (("no-such-recipe",), "a recipe of these: "),
        (("none.toml",), "none.toml cannot be read"),
        (("regions-tiny", "--steps", 0), "steps: expected at least 1, got 0"),
        (("regions-tiny", "--device", "abacus"), "device: expected auto or one that is here"),
    ],
)
def test_a_command_that_trains_nothing_is_a_usage_error(tmp_path, run, arguments, words):
    outcome = run("train", *arguments, "-o", tmp_path / "run", *JSON)
    assert outcome.exit_code == ExitCode.USAGE
    assert words in outcome.error["message"]
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_whose_name_names_no_model_is_refused(tmp_path, run):
    text = (RECIPES_FOLDER / "regions-tiny.toml").read_text(encoding="utf-8")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(text.replace('"regions-tiny"', '"Regions 1"'), encoding="utf-8")
    outcome = run("train", recipe, "-o", tmp_path / "run", *JSON)
    assert "name: expected small letters, digits and hyphens" in outcome.error["message"]


@pytest.mark.parametrize("path", sorted(RECIPES_FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_the_recipes_of_the_project_can_be_read(path):
    assert find_recipe(path.stem) == path
    assert find_recipe(str(path)) == path
    text = path.read_text(encoding="utf-8")
    if is_of_machines(text):
        assert parse_machine_recipe(text).grid.folds > 1
    else:
        assert read_recipe(path).optimisation.steps > 0


def test_a_recipe_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match="regions-tiny"):
        find_recipe("regions")
