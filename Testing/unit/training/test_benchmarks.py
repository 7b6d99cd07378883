from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
from known_networks import SoftTissue
from synthetic_head_phantoms import LARGE_SHAPE, phantom_anatomy
from work_in_parts import parts_as_sent

from ASPECTSLib.errors import (
    CancelledError,
    ContentRefusedError,
    ErrorCode,
    FileRefusedError,
    UsageError,
)
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.inference.card import Metric
from ASPECTSLib.inference.regions import PredictedRegions
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis import generator
from ASPECTSLib.synthesis.acquisition import AcquisitionRange
from ASPECTSLib.synthesis.scanners import SCANNERS
from ASPECTSLib.training import benchmarks, unseen
from ASPECTSLib.training.benchmarks import BENCHMARKS
from ASPECTSLib.training.call_benchmarks import CALL_BENCHMARKS
from ASPECTSLib.training.infarct_benchmarks import INFARCT_BENCHMARKS
from ASPECTSLib.training.reference_scans import ReferenceScan
from ASPECTSLib.training.slice_benchmarks import SLICE_BENCHMARKS

BRAIN, REGIONS = "brain, Dice", "twenty regions, mean Dice"
SCANS = AcquisitionRange((2.0, 2.0), (3.0, 3.0), (104.0, 104.0), (84.0, 84.0), (0.8, 0.8))
SHAPE = (6, 8, 10)
FOLDER = Path("anywhere")


def run(name, models, data, progress=None, workers=1):
    return BENCHMARKS[name](name, models, data, progress or Progress(), workers)


@pytest.fixture(autouse=True)
def models(monkeypatch):
    """Know models that are named after their tasks."""

    def find(name):
        return SimpleNamespace(card=SimpleNamespace(task=name, input={}))

    def seen(volume, mask, modality, _atlas):
        return SimpleNamespace(
            prepared=SimpleNamespace(volume=volume), modality=modality, mask=mask
        )

    monkeypatch.setattr(benchmarks, "find_model", find)
    monkeypatch.setattr(benchmarks, "find_optional_model", find)
    monkeypatch.setattr(benchmarks, "seen_as_in_use", seen)
    monkeypatch.setattr(benchmarks, "register", lambda *_: SimpleNamespace(mapping="mapping"))
    monkeypatch.setattr(benchmarks, "load_network", lambda file: f"network of {file.card.task}")
    monkeypatch.setattr(benchmarks, "region_prior", lambda _atlas: "prior")
    monkeypatch.setattr(benchmarks, "load_atlas", lambda: SimpleNamespace(regions="regions"))


@pytest.fixture
def real(monkeypatch):
    """Return what the real scans and the networks' answers are; both can be changed."""
    regions = np.random.default_rng(0).integers(0, 21, SHAPE).astype(np.uint8)
    grid = Volume(regions, centred_affine(SHAPE, np.ones(3)))
    brain = grid.with_array(regions > 4)
    state = SimpleNamespace(brain=brain.array, labels=regions, asked=[], scans=[])
    for name in ("one", "two"):
        scan = ReferenceScan(name, Modality.NCCT, grid.with_array(regions * 1.0), brain, grid)
        state.scans.append(scan)

    def predict_brain(network, volume, modality):
        state.asked.append((network, modality))
        if state.brain is None:
            raise ContentRefusedError(ErrorCode.NO_BRAIN, "none")
        return volume.with_array(state.brain)

    def predict_regions(networks, volume, modality, prior, mask, registered):
        assert (prior, registered.regions, registered.mapping) == ("prior", "regions", "mapping")
        assert mask.array.dtype == bool
        state.asked.append((networks.coarse, networks.fine, modality))
        if state.labels is None:
            raise ContentRefusedError(ErrorCode.NO_BRAIN, "none")
        labels = volume.with_array(state.labels)
        return PredictedRegions(labels, np.eye(4), 1.0, state.labels, state.labels)

    monkeypatch.setattr(benchmarks, "predict_brain", predict_brain)
    monkeypatch.setattr(benchmarks, "predict_regions", predict_regions)
    real_cases = replace(
        benchmarks._DEFINITIONS["real-ct"],
        cases=lambda data, atlas, part, progress: benchmarks._real(
            lambda _folder: state.scans, data, atlas, part, progress
        ),
    )
    monkeypatch.setattr(
        benchmarks,
        "_DEFINITIONS",
        MappingProxyType({**benchmarks._DEFINITIONS, "real-ct": real_cases}),
    )
    return state


@pytest.fixture
def synthetic(monkeypatch):
    """Make three small patients of the last of five phantoms."""
    phantom = phantom_anatomy(LARGE_SHAPE)
    anatomies = [replace(phantom, name=f"head {n}") for n in range(5)]
    state = SimpleNamespace(anatomies=anatomies, drawn=[])
    scanners = {m: replace(s, scans=SCANS) for m, s in SCANNERS.items()}

    def draw(sources, seed, patients):
        state.drawn.append((seed, [a.name for a in sources.anatomies]))
        return generator.draw_patient(sources, seed, patients)

    monkeypatch.setattr(benchmarks, "SYNTHETIC_PATIENTS", 3)
    monkeypatch.setattr(unseen, "SCANNERS", scanners)
    monkeypatch.setattr(unseen, "load_anatomies", lambda *_: tuple(state.anatomies))
    monkeypatch.setattr(unseen, "load_shapes", lambda *_: None)
    monkeypatch.setattr(benchmarks, "draw_patient", draw)
    return state


def test_perfect_answers_score_one(real, tmp_path):
    metrics = run("real-ct", ["brain", "regions-coarse", "regions-fine"], tmp_path)
    assert metrics == [
        Metric("real-ct", name, 1.0, (1.0, 1.0), 2, "NCCT of two people with acute stroke", False)
        for name in (BRAIN, REGIONS)
    ]
    assert real.asked[0] == ("network of brain", Modality.NCCT)
    assert real.asked[1] == (
        "network of regions-coarse",
        "network of regions-fine",
        Modality.NCCT,
    )


def test_values_are_means_of_dice_and_intervals_their_range(real, tmp_path):
    half = real.brain.copy()
    half[:3] = False
    real.scans[0] = replace(real.scans[0], brain=real.scans[0].brain.with_array(half))
    (metric,) = run("real-ct", ["brain"], tmp_path)
    shared, total = half.sum(), half.sum() + real.brain.sum()
    low = 2 * shared / total
    assert metric.value == pytest.approx((low + 1) / 2, abs=1e-4)
    assert metric.interval == (pytest.approx(low, abs=1e-4), 1.0)


@pytest.mark.parametrize("given", ["regions-coarse", "regions-fine"])
def test_the_other_half_of_the_cascade_is_found_by_its_task(real, tmp_path, given):
    (metric,) = run("real-ct", [given], tmp_path)
    assert metric.metric == REGIONS
    asked = next(entry for entry in real.asked if len(entry) > 2)
    assert asked[:2] == ("network of regions-coarse", "network of regions-fine")


def test_a_refused_answer_counts_as_nothing_found(real, tmp_path):
    real.brain = real.labels = None
    metrics = run("real-ct", ["brain", "regions-fine"], tmp_path)
    assert [(m.metric, m.value, m.n) for m in metrics] == [(BRAIN, 0.0, 2), (REGIONS, 0.0, 2)]


def test_scans_without_regions_measure_the_brain_only(real, tmp_path):
    real.scans = [replace(scan, regions=None) for scan in real.scans]
    assert [m.metric for m in run("real-ct", ["brain", "regions-fine"], tmp_path)] == [BRAIN]
    with pytest.raises(UsageError, match="models that the benchmark real-ct can measure"):
        run("real-ct", ["regions-fine"], tmp_path)


@pytest.mark.parametrize("models_", [[], ["infarct-dwi"]])
def test_models_that_nothing_is_known_of_are_refused(models_, tmp_path):
    with pytest.raises(UsageError, match="a model of the tasks brain or regions") as refused:
        run("real-ct", models_, tmp_path)
    assert refused.value.code is ErrorCode.USAGE


@pytest.mark.parametrize(
    "name",
    sorted(
        BENCHMARKS.keys()
        - INFARCT_BENCHMARKS.keys()
        - CALL_BENCHMARKS.keys()
        - SLICE_BENCHMARKS.keys()
    ),
)
def test_without_data_a_benchmark_says_so(name, tmp_path):
    with pytest.raises(UsageError, match=f"expected --data DIR for the benchmark {name}"):
        run(name, ["brain"], None)
    with pytest.raises(FileRefusedError, match="expected a folder"):
        run(name, ["brain"], tmp_path)


def test_patients_are_of_anatomies_and_seeds_that_nobody_trains_on(synthetic, monkeypatch):
    seen = []

    def predict(_network, volume, modality):
        seen.append((volume, modality))
        return volume.with_array(np.ones(volume.array.shape, bool))

    monkeypatch.setattr(benchmarks, "predict_brain", predict)
    (metric,) = run("synthetic-ncct", ["brain"], FOLDER)
    assert [names for _, names in synthetic.drawn] == [["head 4"]] * 3
    assert [seed for seed, _ in synthetic.drawn] == [(2, 2026, n) for n in range(3)]
    assert {modality for _, modality in seen} == {Modality.NCCT}
    assert (metric.n, metric.synthetic) == (3, True)
    assert metric.data == "NCCT of synthetic patients of anatomies that were not trained on"
    assert 0.0 < metric.interval[0] <= metric.value <= metric.interval[1] < 1.0


def test_processes_share_the_patients(synthetic, monkeypatch):
    def predict(_network, volume, _modality):
        return volume.with_array(volume.array > np.percentile(volume.array, 60))

    monkeypatch.setattr(benchmarks, "predict_brain", predict)
    alone = run("synthetic-ncct", ["brain"], FOLDER)
    synthetic.drawn.clear()
    monkeypatch.setattr(benchmarks, "in_parts", parts_as_sent)
    assert run("synthetic-ncct", ["brain"], FOLDER, workers=2) == alone
    assert [seed[-1] for seed, _ in synthetic.drawn] == [0, 2, 1]


def test_processes_share_the_real_scans(real, monkeypatch):
    alone = run("real-ct", ["brain", "regions-coarse", "regions-fine"], FOLDER)
    monkeypatch.setattr(benchmarks, "in_parts", parts_as_sent)
    assert run("real-ct", ["brain", "regions-coarse", "regions-fine"], FOLDER, workers=3) == alone
    assert len(real.asked) == 8


def test_a_network_that_sees_the_brain_is_told_from_one_that_does_not(synthetic, monkeypatch):
    monkeypatch.setattr(benchmarks, "SYNTHETIC_PATIENTS", 2)
    values = []
    for network in (SoftTissue(), SoftTissue(low=0.95, high=2.0)):
        monkeypatch.setattr(benchmarks, "load_network", lambda _file, made=network: made)
        (metric,) = run("synthetic-ncct", ["brain"], FOLDER)
        values.append(metric.value)
    assert values[0] > 0.6
    assert values[1] < 0.3
    assert len(synthetic.drawn) == 4


def test_with_too_few_anatomies_none_can_be_held_out(synthetic):
    synthetic.anatomies = synthetic.anatomies[:4]
    with pytest.raises(UsageError, match=r"at least 5 anatomies, .* got 4"):
        run("synthetic-cta", ["brain"], FOLDER)


def test_progress_is_told_and_can_stop_it(synthetic, monkeypatch):
    monkeypatch.setattr(benchmarks, "predict_brain", lambda _n, v, _m: v.with_array(v.array > 1000))
    told = []
    progress = Progress(
        sink=lambda stage, share: told.append((stage, share)),
        is_cancelled=lambda: len(told) == 2,
    )
    with pytest.raises(CancelledError):
        run("synthetic-ncct", ["brain"], FOLDER, progress)
    assert told == [("synthetic-ncct: case 1", 0.0), ("synthetic-ncct: case 2", 1 / 3)]
    assert len(synthetic.drawn) == 2


def test_pixels_are_no_finer_than_the_networks_see():
    for scanner in unseen.measured_scanners().values():
        low, high = scanner.scans.in_plane_mm
        assert 0.8 <= low <= high
