"""What the benchmarks of infarcts count: on cases whose infarct is known, with answers that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
from infarct_networks import BrightInfarct
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
from ASPECTSLib.inference.infarct import PredictedInfarct, predict_infarct
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis import generator
from ASPECTSLib.synthesis.acquisition import AcquisitionRange
from ASPECTSLib.synthesis.lesions import SIZE_CLASSES_ML
from ASPECTSLib.synthesis.scanners import SCANNERS
from ASPECTSLib.training import infarct_benchmarks, unseen
from ASPECTSLib.training.infarct_benchmarks import (
    BY_ADC,
    INFARCT_BENCHMARKS,
    WITH_ADC,
    WITHOUT_ADC,
    InfarctCase,
)
from ASPECTSLib.training.reference_scans import ReferenceInfarct, reference_infarcts

WAYS = (WITH_ADC, WITHOUT_ADC, BY_ADC)
SHAPE = (12, 30, 30)
VOXEL_ML = 0.064  # of 4 mm
SCANS = AcquisitionRange((2.0, 2.0), (3.0, 3.0), (104.0, 104.0), (84.0, 84.0), (0.8, 0.8))
DICE, FALSE_ML = "Dice", "mean false volume in the healthy, mL"
MEDIAN_ERROR = "median volume error, mL"
RANKS = "Spearman of volumes"
SHARE_FALSE = "share of the healthy with over 0.5 mL"


def run(name, data=Path("anywhere"), models=("infarct",), progress=None, workers=1):
    found = INFARCT_BENCHMARKS[name](name, list(models), data, progress or Progress(), workers)
    return {metric.metric: metric for metric in found}


def case(voxels):
    """Return a case with an infarct of so many voxels, whose answers are told by its scan."""
    infarct = np.zeros(SHAPE, bool)
    infarct.ravel()[:voxels] = True
    grid = Volume(infarct, centred_affine(SHAPE, np.full(3, 4.0)))
    dwi = grid.with_array(np.where(infarct, 2.0, 1.0).astype(np.float32))
    return InfarctCase(dwi, grid.with_array(np.where(infarct, 400.0, 800.0)), infarct)


def numbers():
    """Return the number of each voxel."""
    return np.arange(np.prod(SHAPE)).reshape(SHAPE)


@pytest.fixture(autouse=True)
def answers(monkeypatch):
    """Know models by their tasks; say what the networks answer, which can be changed."""
    state = SimpleNamespace(infarct=lambda dwi: dwi.array > 1.5, asked=[])

    def find(name):
        return SimpleNamespace(card=SimpleNamespace(task=name))

    def predict_brain(network, volume, modality):
        assert (network, modality) == ("network of brain", Modality.DWI)
        return volume.with_array(np.ones(volume.array.shape, bool))

    def predict(network, dwi, adc, brain):
        assert brain.dtype == bool
        state.asked.append((network, adc is not None))
        mask = dwi.with_array(state.infarct(dwi))
        return PredictedInfarct(mask, mask)

    monkeypatch.setattr(infarct_benchmarks, "find_model", find)
    monkeypatch.setattr(
        infarct_benchmarks, "load_network", lambda file: f"network of {file.card.task}"
    )
    monkeypatch.setattr(infarct_benchmarks, "predict_brain", predict_brain)
    monkeypatch.setattr(infarct_benchmarks, "predict_infarct", predict)
    return state


@pytest.fixture
def cases(monkeypatch):
    """Return the list that the synthetic benchmark takes its cases from."""
    given = [case(n) for n in (20, 120, 500, 1500, 4000, 0, 0)]

    def of_part(_data, part, _progress):
        return iter(part.of(given))

    made = {**infarct_benchmarks._CASES, "synthetic-infarct": of_part}
    monkeypatch.setattr(infarct_benchmarks, "_CASES", MappingProxyType(made))
    return given


@pytest.mark.usefixtures("cases")
def test_perfect_answers_score_one(answers):
    found = run("synthetic-infarct")
    for way in WAYS[:2]:
        metric = found[f"infarct by {way}: {DICE}"]
        assert (metric.value, metric.interval, metric.n) == (1.0, (1.0, 1.0), 5)
        assert metric.synthetic
        assert metric.data == "synthetic patients of anatomies that were not trained on"
        assert found[f"infarct by {way}: {MEDIAN_ERROR}"].value == 0.0
        assert found[f"infarct by {way}: {RANKS}"].value == 1.0
        false = found[f"infarct by {way}: {FALSE_ML}"]
        assert (false.value, false.interval, false.n) == (0.0, (0.0, 0.0), 2)
    assert answers.asked[:2] == [("network of infarct", True), ("network of infarct", False)]


@pytest.mark.usefixtures("cases")
def test_a_threshold_of_adc_is_measured_beside_the_network():
    found = run("synthetic-infarct")
    assert found[f"infarct by {BY_ADC}: {DICE}"].value > 0.9
    assert {name.split(": ")[0] for name in found} == {f"infarct by {way}" for way in WAYS}


@pytest.mark.usefixtures("cases")
def test_false_infarct_in_the_healthy_is_counted(answers):
    def one_corner(dwi):
        mask = dwi.array > 1.5
        mask[-1, -1, -10:] = True
        return mask

    answers.infarct = one_corner
    found = run("synthetic-infarct")
    assert found[f"infarct by {WITH_ADC}: {FALSE_ML}"].value == pytest.approx(10 * VOXEL_ML)
    assert found[f"infarct by {WITH_ADC}: {SHARE_FALSE}"].value == 1.0
    none = found[f"infarct by {BY_ADC}: {SHARE_FALSE}"]
    assert (none.value, none.interval[0], none.n) == (0.0, 0.0, 2)
    assert 0.5 < none.interval[1] < 1.0  # none of two is no certainty
    assert found[f"infarct by {WITH_ADC}: {MEDIAN_ERROR}"].value == pytest.approx(10 * VOXEL_ML)


@pytest.mark.usefixtures("cases")
def test_little_false_infarct_is_in_the_mean_but_not_in_the_share(answers):
    answers.infarct = lambda _dwi: numbers() < 5
    found = run("synthetic-infarct")
    assert found[f"infarct by {WITH_ADC}: {FALSE_ML}"].value == pytest.approx(5 * VOXEL_ML)
    assert found[f"infarct by {WITH_ADC}: {SHARE_FALSE}"].value == 0.0


def test_volumes_fall_into_classes(cases):
    found = run("synthetic-infarct")
    words = ("below 3 mL", "3 to 16 mL", "16 to 66 mL", "from 66 mL")
    assert SIZE_CLASSES_ML == (3.0, 16.0, 66.0)
    assert [found[f"infarct by {WITH_ADC}: Dice, {name}"].n for name in words] == [1, 1, 1, 2]
    cases[:] = [case(20), case(40), case(0)]
    found = run("synthetic-infarct")
    assert found[f"infarct by {WITH_ADC}: Dice, below 3 mL"].n == 2
    assert f"infarct by {WITH_ADC}: Dice, from 66 mL" not in found


def test_the_classes_tell_small_infarcts_that_are_missed(cases, answers):
    """All voxels but the first hundred are found."""
    answers.infarct = lambda dwi: (dwi.array > 1.5) & (numbers() >= 100)
    cases[:] = [case(n) for n in (20, 120, 500, 1500, 0)]
    found = run("synthetic-infarct")
    small, large = (
        found[f"infarct by {WITH_ADC}: Dice, {name}"].value for name in ("below 3 mL", "from 66 mL")
    )
    assert (small, large) == (0.0, pytest.approx(2 * 1400 / 2900, abs=1e-4))
    overlaps = [2 * max(n - 100, 0) / (n + max(n - 100, 0)) for n in (20, 120, 500, 1500)]
    metric = found[f"infarct by {WITH_ADC}: {DICE}"]
    assert metric.value == pytest.approx(np.mean(overlaps), abs=1e-4)
    assert metric.interval == (0.0, pytest.approx(max(overlaps), abs=1e-4))  # of so few, the range
    cases.extend(case(n) for n in (900, 1000, 1100))
    low, high = run("synthetic-infarct")[f"infarct by {WITH_ADC}: {DICE}"].interval
    assert 0.0 < low < high < max(overlaps)


@pytest.mark.usefixtures("cases")
def test_a_network_that_finds_nothing_anywhere_is_measured_all_the_same(answers):
    """There is no correlation with volumes that are all alike."""
    answers.infarct = lambda dwi: np.zeros(dwi.array.shape, bool)
    found = run("synthetic-infarct")
    assert found[f"infarct by {WITH_ADC}: {DICE}"].value == 0.0
    assert f"infarct by {WITH_ADC}: {RANKS}" not in found
    assert found[f"infarct by {BY_ADC}: {RANKS}"].value > 0.8


@pytest.mark.usefixtures("cases")
def test_the_interval_of_the_median_error_holds_it(answers):
    answers.infarct = lambda dwi: (dwi.array > 1.5) & (np.arange(SHAPE[2]) % 2 == 0)
    metric = run("synthetic-infarct")[f"infarct by {WITH_ADC}: {MEDIAN_ERROR}"]
    low, high = metric.interval
    assert low < metric.value < high
    assert metric.value == pytest.approx(np.median([10, 60, 250, 750, 2000]) * VOXEL_ML)


@pytest.mark.usefixtures("cases")
def test_a_refused_answer_counts_as_nothing_found(monkeypatch):
    def refuse(*_):
        raise ContentRefusedError(ErrorCode.NO_BRAIN, "none")

    monkeypatch.setattr(infarct_benchmarks, "predict_brain", refuse)
    found = run("synthetic-infarct")
    for way in WAYS:
        assert found[f"infarct by {way}: {DICE}"].value == 0.0
        assert found[f"infarct by {way}: {FALSE_ML}"].value == 0.0


def test_real_cases_say_their_overlap_and_volume(monkeypatch, answers):
    scans = [ReferenceInfarct("one", c.dwi, c.adc, c.infarct) for c in (case(100), case(50))]
    monkeypatch.setattr(infarct_benchmarks, "reference_infarcts", lambda _data: scans)
    answers.infarct = lambda _dwi: numbers() < 100
    found = run("real-infarct")
    overlap = found[f"infarct by {WITH_ADC}: {DICE}"]
    assert overlap.value == pytest.approx((1.0 + 100 / 150) / 2, abs=1e-4)
    assert overlap.interval == (pytest.approx(100 / 150, abs=1e-4), 1.0)
    assert not overlap.synthetic
    ratio = found[f"infarct by {WITH_ADC}: volume found over true"]
    assert (ratio.value, ratio.interval, ratio.n) == (1.5, (1.0, 2.0), 2)


@pytest.mark.parametrize("models", [(), ("brain",), ("infarct", "infarct")])
@pytest.mark.parametrize("name", sorted(INFARCT_BENCHMARKS))
def test_it_takes_one_model_of_infarcts(name, models):
    with pytest.raises(UsageError, match="expected one infarct model, got") as refused:
        run(name, models=models)
    assert refused.value.code is ErrorCode.USAGE


@pytest.mark.parametrize("name", sorted(INFARCT_BENCHMARKS))
def test_without_data_a_benchmark_says_so(name, tmp_path):
    with pytest.raises(UsageError, match=f"expected --data DIR for the benchmark {name}"):
        run(name, None)
    with pytest.raises(FileRefusedError, match="expected a folder"):
        run(name, tmp_path)


@pytest.fixture
def patients(monkeypatch):
    """Make two patients with infarct and one without, of the last of five phantoms."""
    phantom = phantom_anatomy(LARGE_SHAPE)
    anatomies = [replace(phantom, name=f"head {n}") for n in range(5)]
    drawn = []
    scanners = {m: replace(s, scans=SCANS) for m, s in SCANNERS.items()}

    def draw(sources, seed, patients):
        drawn.append((seed, [a.name for a in sources.anatomies], patients.healthy))
        return generator.draw_patient(sources, seed, patients)

    monkeypatch.setattr(infarct_benchmarks, "INFARCTED", 2)
    monkeypatch.setattr(infarct_benchmarks, "HEALTHY", 1)
    monkeypatch.setattr(unseen, "SCANNERS", scanners)
    monkeypatch.setattr(unseen, "load_anatomies", lambda *_: tuple(anatomies))
    monkeypatch.setattr(unseen, "load_shapes", lambda *_: None)
    monkeypatch.setattr(infarct_benchmarks, "load_atlas", lambda: "atlas")
    monkeypatch.setattr(infarct_benchmarks, "draw_patient", draw)
    return drawn


def test_patients_are_of_anatomies_and_seeds_that_nobody_trains_on(patients, answers):
    seen = []
    answers.infarct = lambda dwi: seen.append(dwi) or np.zeros(dwi.array.shape, bool)
    found = run("synthetic-infarct")
    assert [seed for seed, *_ in patients] == [(2, 2026, n) for n in (0, 1, 10_000)]
    assert [names for _, names, _ in patients] == [["head 4"]] * 3
    assert [healthy for *_, healthy in patients] == [0.0, 0.0, 1.0]
    assert {dwi.array.dtype for dwi in seen} == {np.dtype(np.float32)}
    assert found[f"infarct by {WITH_ADC}: {DICE}"].n == 2
    assert found[f"infarct by {WITH_ADC}: {FALSE_ML}"].n == 1


def test_processes_share_the_patients(patients, answers, monkeypatch):
    answers.infarct = lambda dwi: dwi.array > np.percentile(dwi.array, 99)
    alone = run("synthetic-infarct")
    one_after_the_other = [seed for seed, *_ in patients]
    patients.clear()
    monkeypatch.setattr(infarct_benchmarks, "in_parts", parts_as_sent)
    assert run("synthetic-infarct", workers=2) == alone
    assert [seed for seed, *_ in patients] == [one_after_the_other[n] for n in (0, 2, 1)]


@pytest.mark.usefixtures("patients")
def test_a_network_that_sees_infarcts_is_told_from_a_blind_one(monkeypatch, answers):
    answers.infarct = lambda dwi: np.zeros(dwi.array.shape, bool)
    blind = run("synthetic-infarct")[f"infarct by {WITHOUT_ADC}: {DICE}"].value

    def predict(_network, dwi, adc, brain):
        return predict_infarct(BrightInfarct(), dwi, adc, brain)

    monkeypatch.setattr(infarct_benchmarks, "predict_infarct", predict)
    seeing = run("synthetic-infarct")[f"infarct by {WITHOUT_ADC}: {DICE}"].value
    assert (blind, seeing > 0.02) == (0.0, True)


def test_progress_is_told_and_can_stop_it(patients):
    told = []
    progress = Progress(
        sink=lambda stage, share: told.append((stage, share)),
        is_cancelled=lambda: len(told) == 2,
    )
    with pytest.raises(CancelledError):
        run("synthetic-infarct", progress=progress)
    assert told == [("synthetic-infarct: case 1", 0.0), ("synthetic-infarct: case 2", 1 / 3)]
    assert len(patients) == 2


def test_the_public_cases_are_read_with_adc_and_infarct(shared_data):
    scans = reference_infarcts(shared_data)
    assert [scan.name for scan in scans] == ["isles22-0009", "ads-subject01"]
    for scan in scans:
        assert scan.infarct.shape == scan.volume.array.shape == scan.adc.array.shape
        infarct_ml = scan.infarct.sum() * scan.volume.voxel_volume_ml
        assert 1.0 < infarct_ml < 300.0
        # Low ADC and bright signal lie where the infarct is said to be.
        known = scan.adc.array > 0
        assert np.median(scan.adc.array[scan.infarct & known]) < np.median(scan.adc.array[known])
        signal = scan.volume.array
        assert np.median(signal[scan.infarct]) > 1.2 * np.median(signal[known])
