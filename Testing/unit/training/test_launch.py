from __future__ import annotations

import numpy as np
import pytest
from cohort_phantoms import write_labelled_scan

from ASPECTSLib.errors import ErrorCode, OutputError
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis.cohort import Material
from ASPECTSLib.training.cohort import read_cohort
from ASPECTSLib.training.launch import mean_interval, train
from ASPECTSLib.training.lessons import Remembered, cohort_lesson
from ASPECTSLib.training.recipe import parse_recipe

RECIPE = """
name = "small-brain"
task = "brain"
[network]
architecture = "vbnet"
widths = [8, 8]
planar_stages = 0
blocks = [0, 1]
[data]
modalities = ["NCCT"]
validation_share = {share}
[loss]
name = "dice_ce"
[optimisation]
steps = 2
batch = 1
learning_rate = 1e-2
device = "cpu"
"""


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch):
    """Leave the slow imports and drawings out."""
    monkeypatch.setattr("ASPECTSLib.training.log._open_events", lambda _folder, _step: None)
    monkeypatch.setattr("ASPECTSLib.training.trainer.draw_curves", lambda _series, _path: ())


@pytest.fixture
def cohort(tmp_path):
    for case in ("one", "two"):
        write_labelled_scan(tmp_path / "cohort", case)
    return read_cohort(tmp_path / "cohort")


def lesson(cohort, atlas, share):
    recipe = parse_recipe(RECIPE.format(share=share))
    return recipe, cohort_lesson(recipe, cohort, Material(atlas))


@pytest.mark.parametrize(("share", "metrics"), [(0.0, 0), (0.5, 1)])
def test_a_card_has_the_dice_of_a_validation_where_there_was_one(
    cohort, atlas, tmp_path, share, metrics
):
    recipe, learned = lesson(cohort, atlas, share)
    trained = train(recipe, learned, tmp_path / "run", Progress())
    assert len(trained.model.card.metrics) == metrics
    assert trained.model.card.training.details["scans"] == 2
    assert (trained.result.standing.best_step is None) == (metrics == 0)
    for metric in trained.model.card.metrics:
        assert (metric.metric, metric.n) == ("Dice on the network's grid, by scan", 1)


def test_the_same_recipe_gives_the_same_weights(cohort, atlas, tmp_path):
    weights = [
        train(*lesson(cohort, atlas, 0.0), tmp_path / name, Progress()).model.weights_path
        for name in ("once", "again")
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_folder_that_cannot_be_made_is_refused(cohort, atlas, tmp_path):
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written") as refused:
        train(*lesson(cohort, atlas, 0.0), tmp_path / "taken" / "run", Progress())
    assert refused.value.code is ErrorCode.OUTPUT_NOT_WRITABLE


def test_samples_that_are_remembered_are_made_once():
    made = []

    class Samples:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            made.append(index)
            return {"number": index}

    samples = Remembered(Samples())
    assert [samples[n]["number"] for n in (2, 0, 2, 0)] == [2, 0, 2, 0]
    assert (made, len(samples)) == ([2, 0], 3)


def test_the_interval_of_few_values_is_their_range():
    assert mean_interval([0.5, 0.2, 0.9]) == (0.2, 0.9)


def test_the_interval_of_a_mean_holds_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        low, high = mean_interval(list(rng.normal(0.7, 0.1, 40)))
        held += low <= 0.7 <= high
    assert 88 <= held <= 99
