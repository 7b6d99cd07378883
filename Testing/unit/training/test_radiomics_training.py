"""Screening and support vectors on tables whose answer is known; they need scikit-learn, of the extra `training`."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.svm import SVC

from ASPECTSLib.errors import UsageError
from ASPECTSLib.scoring.support_vectors import from_dict
from ASPECTSLib.training import support_vectors
from ASPECTSLib.training.feature_screening import screen_features
from ASPECTSLib.training.radiomics_table import FeatureTable
from ASPECTSLib.training.support_vectors import train_machine

NAMES = ("telling", "weaker", "noise", "flat")


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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(support_vectors, "COSTS", (0.1, 1.0))
        patch.setattr(support_vectors, "GAMMAS", (0.1, 0.5))
        return train_machine(table.chosen(("telling", "weaker")))


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
    options = {"kernel": kernel, "C": 3.0, "gamma": 0.3 if kernel == "rbf" else 0.0}
    machine = support_vectors._exported(table, options, (-1.0, 0.0, 0.5))
    again = from_dict(json.loads(json.dumps(machine.as_dict())))
    scaled = (table.inputs - np.array(machine.mean)) / np.array(machine.scale)
    gamma = 0.3 if kernel == "rbf" else "scale"
    svm = SVC(kernel=kernel, C=3.0, gamma=gamma, class_weight="balanced")
    expected = svm.fit(scaled, table.affected).decision_function(scaled)
    np.testing.assert_allclose(again.decision(table.inputs), expected, rtol=0, atol=1e-9)


def test_folds_keep_the_samples_of_a_patient_together(table):
    for trained_on, held in support_vectors._splits(table, 0):
        assert not set(table.patients[trained_on]) & set(table.patients[held])


def test_the_same_seed_gives_the_same_machine(table, trained, monkeypatch):
    monkeypatch.setattr(support_vectors, "COSTS", (0.1, 1.0))
    monkeypatch.setattr(support_vectors, "GAMMAS", (0.1, 0.5))
    assert train_machine(table.chosen(("telling", "weaker"))).machine == trained.machine


def test_too_few_patients_or_one_kind_of_sample_are_refused(table):
    with pytest.raises(UsageError, match="at least 5 patients, got 3"):
        train_machine(table.where(table.patients < 3))
    with pytest.raises(UsageError, match="affected and other regions"):
        train_machine(table.where(~table.affected))
