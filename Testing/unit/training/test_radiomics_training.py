"""Screening and support vectors on tables whose answer is known; they need scikit-learn, of the extra `training`."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.svm import SVC

from ASPECTSLib.errors import InputRefusedError, UsageError
from ASPECTSLib.scoring.support_vectors import from_dict
from ASPECTSLib.training import support_vectors
from ASPECTSLib.training.feature_screening import screen_features
from ASPECTSLib.training.radiomics_table import FeatureTable
from ASPECTSLib.training.support_vectors import Choice, MachineGrid, train_machine

NAMES = ("telling", "weaker", "noise", "flat")
GRID = MachineGrid(costs=(0.1, 1.0), gammas=(0.1, 0.5))


def table_of(patients=40, regions=10, seed=0):
    """Return a table of which two features tell affected samples from others."""
    rng = np.random.default_rng(seed)
    affected = rng.random(patients * regions) < 0.25
    inputs = rng.normal(size=(len(affected), len(NAMES)))
    inputs[:, 0] += 2.5 * affected
    inputs[:, 1] += 0.8 * affected
    inputs[:, 3] = 1.0
    return FeatureTable(
        NAMES,
        inputs,
        affected,
        np.zeros(len(affected), bool),
        np.repeat(np.arange(patients), regions),
    )


@pytest.fixture(scope="module")
def table():
    return table_of()


@pytest.fixture(scope="module")
def trained(table):
    return train_machine(table.chosen(("telling", "weaker")), GRID)


def test_screening_keeps_what_tells_and_drops_what_does_not(table):
    found = screen_features(table)
    assert found.selected[0] == "telling"
    assert "flat" not in found.differing
    assert "noise" not in found.selected
    assert abs(found.weights[0]) == max(map(abs, found.weights))


def test_a_machine_tells_unseen_samples_apart(trained):
    unseen = table_of(seed=1).chosen(trained.machine.features)
    probability = trained.machine.probability(unseen.inputs)
    assert probability[unseen.affected].mean() > 0.6
    assert probability[~unseen.affected].mean() < 0.2
    assert len(trained.fold_areas) == 5
    assert trained.area.low < trained.area.value < trained.area.high
    assert trained.area.value > 0.93


def test_the_threshold_leaves_few_false_calls(table, trained):
    inputs = table.chosen(trained.machine.features).inputs
    said = trained.machine.probability(inputs) >= trained.machine.threshold
    assert said[~table.affected].mean() < 0.08


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_the_plain_numbers_decide_as_the_library_does(table, kernel):
    choice = Choice(kernel, 3.0, 0.3 if kernel == "rbf" else 0.0)
    machine = support_vectors._exported(table, choice, (-1.0, 0.0, 0.5))
    again = from_dict(json.loads(json.dumps(machine.as_dict())))
    scaled = (table.inputs - np.array(machine.mean)) / np.array(machine.scale)
    gamma = 0.3 if kernel == "rbf" else "scale"
    svm = SVC(kernel=kernel, C=3.0, gamma=gamma, class_weight="balanced")
    expected = svm.fit(scaled, table.affected).decision_function(scaled)
    np.testing.assert_allclose(again.decision(table.inputs), expected, rtol=0, atol=1e-9)


def test_folds_keep_the_samples_of_a_patient_together(table, trained):
    held = support_vectors._held_out(table, GRID)
    assert sorted(np.concatenate(held)) == list(range(len(table.affected)))
    patients = [set(table.patients[part]) for part in held]
    assert sum(map(len, patients)) == len(set(table.patients))
    assert sum(fold.patients for fold in trained.folds) == len(set(table.patients))
    assert sum(fold.affected for fold in trained.folds) == table.affected.sum()


def test_the_best_of_the_grid_is_taken(trained):
    tried = dict(trained.tried)
    assert len(tried) == 2 * (1 + 2)
    assert tried[trained.choice] == max(tried.values()) == trained.area.value
    assert trained.machine.kernel == trained.choice.kernel


def test_the_same_seed_gives_the_same_machine(table, trained):
    again = train_machine(table.chosen(("telling", "weaker")), GRID)
    assert again.machine == trained.machine
    other = MachineGrid(costs=(0.1, 1.0), gammas=(0.1, 0.5), seed=1)
    assert train_machine(table.chosen(("telling", "weaker")), other).folds != trained.folds


def test_patients_that_are_held_out_have_no_say_in_the_choice_of_features(table):
    asked = []

    def choose(part):
        asked.append(set(part.patients))
        return ("telling", "weaker") if len(asked) == 1 else ("telling",)

    trained = train_machine(table, GRID, choose)
    everyone = set(table.patients)
    assert [len(everyone - part) for part in asked[:5]] == [f.patients for f in trained.folds]
    assert asked[5] == everyone
    assert len(asked) == 6
    assert [f.features for f in trained.folds] == [("telling", "weaker"), *[("telling",)] * 4]
    assert trained.machine.features == ("telling",)


def test_noise_tells_nothing_and_so_nothing_is_selected():
    table = table_of()
    rng = np.random.default_rng(5)
    noise = FeatureTable(
        ("a", "b"), rng.normal(size=(400, 2)), table.affected, table.cortical, table.patients
    )
    assert len(screen_features(noise).selected) <= 1
    flat = noise.where(noise.patients >= 0)
    same = FeatureTable(("a",), np.ones((400, 1)), flat.affected, flat.cortical, flat.patients)
    found = screen_features(same)
    assert (found.p_values, found.differing, found.selected) == ((1.0,), (), ())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kernels": ()}, "machine.kernels: expected linear, rbf or both"),
        ({"kernels": ("sigmoid",)}, "machine.kernels"),
        ({"costs": ()}, "machine.costs: expected numbers above 0"),
        ({"gammas": (0.0,)}, "machine.gammas"),
        ({"folds": 1}, "machine.folds: expected 2 or more, got 1"),
        ({"seed": -1}, "machine.seed"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(options, words):
    with pytest.raises(UsageError, match=words):
        MachineGrid(**options)


def test_too_few_patients_or_one_kind_of_sample_are_refused(table):
    with pytest.raises(InputRefusedError, match="at least 5 patients to train a machine, got 3"):
        train_machine(table.where(table.patients < 3))
    with pytest.raises(InputRefusedError, match=r"affected and other regions.*got 0 affected of"):
        train_machine(table.where(~table.affected))
    few = replace(table, affected=table.patients < 3)
    with pytest.raises(InputRefusedError, match="in each fold of patients"):
        train_machine(few)
