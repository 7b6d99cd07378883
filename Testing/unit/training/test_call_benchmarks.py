"""The benchmark of region calls, and the calibration: on patients whose truth and whose answers are known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from work_in_parts import parts_as_sent

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of
from ASPECTSLib.errors import CancelledError, ErrorCode, UsageError
from ASPECTSLib.inference.asymmetry_inputs import PAIRS
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.pooled_call import Measures
from ASPECTSLib.statistics.icc import icc_agreement
from ASPECTSLib.training import calibrate as calibration
from ASPECTSLib.training import call_benchmarks, call_cases
from ASPECTSLib.training.call_benchmarks import (
    CALL_BENCHMARKS,
    Compared,
    compare_methods,
    group_measures,
    total_measures,
)
from ASPECTSLib.training.call_cases import CallCase, CallPatients, RegionCalls, totals
from ASPECTSLib.training.parts import Part

NAME = "synthetic-calls"
DANET = ("danet-cortical", "danet-subcortical")
HEAD = SimpleNamespace(
    found=SimpleNamespace(quality=SimpleNamespace(failures=())),
    no_go=SimpleNamespace(haemorrhage=SimpleNamespace(finding=None)),
)
UNFIT = SimpleNamespace(
    found=SimpleNamespace(quality=SimpleNamespace(failures=("brain overlap",))),
    no_go=HEAD.no_go,
)


def affected(*names):
    """Return the truth of a patient: names as `left M2`."""
    said = np.zeros(len(REGIONS), bool)
    for name in names:
        side, code = name.split()
        said[region_of(RegionCode(code), Side(side)).label - 1] = True
    return said


PATIENTS = (
    affected("left M2", "left I", "left L", "left M3", "left M5"),
    affected("right M5"),
    affected("left C", "left L", "right M1"),
    affected(),
    affected(),
    affected("right I", "right L"),
)


@pytest.fixture
def answers(monkeypatch):
    """Let a method say what `state.say` makes of the truth."""
    state = SimpleNamespace(say=lambda truth: truth * 0.9, cases=[], asked=[])
    state.cases = [CallCase(n, truth, HEAD) for n, truth in enumerate(PATIENTS)]

    def find(name):
        return SimpleNamespace(name=name, card=SimpleNamespace(task=name))

    def call(_head, method, models, fraction):
        state.asked.append((method, sorted(models), fraction))
        truth = state.cases[(len(state.asked) - 1) % len(state.cases)].affected
        said = np.asarray(state.say(truth), float)
        return RegionCalls(said, said >= 0.5)

    monkeypatch.setattr(call_benchmarks, "find_model", find)
    monkeypatch.setattr(call_benchmarks, "call_cases", lambda *_: iter(state.cases))
    monkeypatch.setattr(call_benchmarks, "call_heads", call)
    return state


def run(models=DANET, data=Path("anywhere"), workers=1):
    found = CALL_BENCHMARKS[NAME](NAME, list(models), data, Progress(), workers)
    return {metric.metric: metric for metric in found}


def test_right_answers_score_one(answers):
    found = run()
    for group in ("all", "cortical", "subcortical", "I", "M5"):
        for measure in ("sensitivity", "specificity", "accuracy", "AUC"):
            metric = found[f"ncct-danet: {group}, {measure}"]
            assert (metric.value, metric.interval[1]) == (1.0, 1.0)
            assert 0.2 < metric.interval[0] <= 1.0  # few regions are no certainty
            assert (metric.benchmark, metric.n, metric.synthetic) == (NAME, len(PATIENTS), True)
    assert found["ncct-danet: score, ICC(2,1)"].value == 1.0
    assert found["ncct-danet: score, bias"].value == 0.0
    assert found["ncct-danet: score, right side, of those affected on one"].value == 1.0
    assert found["ncct-danet: abstained"].value == 0.0
    assert answers.asked[0] == ("ncct-danet", sorted(DANET), 0.1)


def test_what_is_not_defined_is_left_out(answers):
    found = run()
    assert "ncct-danet: IC, sensitivity" not in found  # no patient has it affected
    assert found["ncct-danet: IC, specificity"].value == 1.0
    answers.cases[:] = [
        CallCase(0, affected("left C"), HEAD),
        CallCase(1, affected("left C"), HEAD),
    ]
    assert "ncct-danet: score, ICC(2,1)" not in run()  # all scores alike


def test_a_method_that_calls_nothing_is_specific_and_blind(answers):
    answers.say = lambda truth: np.zeros(truth.shape)
    found = run()
    assert found["ncct-danet: all, sensitivity"].value == 0.0
    assert found["ncct-danet: all, specificity"].value == 1.0
    assert found["ncct-danet: all, AUC"].value == 0.5
    assert found["ncct-danet: score, bias"].value > 0


def test_exchanged_sides_are_seen(answers):
    answers.say = lambda truth: np.roll(truth, 10) * 0.9
    found = run()
    assert found["ncct-danet: score, right side, of those affected on one"].value == 0.0
    assert found["ncct-danet: score, ICC(2,1)"].value == 1.0  # which tells nothing of sides


def test_scans_without_a_score_are_counted(answers):
    answers.cases += [CallCase(9, PATIENTS[0], UNFIT), CallCase(10, PATIENTS[0], None)]
    metric = run()["ncct-danet: abstained"]
    assert metric.value == pytest.approx(2 / 8)
    assert metric.n == 8
    assert metric.interval[0] < 2 / 8 < metric.interval[1]


def test_shares_are_of_regions_and_areas_of_pairs():
    truth = np.array([affected("left M1"), affected(), affected("right M4")])
    said = np.zeros(truth.shape)
    said[truth] = (0.8, 0.4)
    said[1, region_of(RegionCode.M2, Side.LEFT).label - 1] = 0.6
    found = Compared(list(truth), [RegionCalls(row, row >= 0.5) for row in said])
    measures = group_measures(found, "cortical")
    assert measures["sensitivity"].value == 0.5
    assert measures["specificity"].value == pytest.approx(33 / 34)
    assert measures["accuracy"].value == pytest.approx(34 / 36)
    assert measures["AUC"].value == pytest.approx((34 + 33) / 68)  # pairs in the right order
    assert 0.0 <= measures["sensitivity"].low <= 0.5 <= measures["sensitivity"].high <= 1.0


def test_scores_are_compared_as_published():
    truth = np.array(PATIENTS)
    said = truth.copy()
    said[0, 10:15] = False
    found = Compared(list(truth), [RegionCalls(row.astype(float), row) for row in said])
    true, got = totals(truth), totals(said)
    assert true.tolist() == [5, 9, 8, 10, 10, 8]
    measures = total_measures(found)
    assert measures["bias"].value == pytest.approx((got - true).mean())
    assert measures["ICC(2,1)"] == icc_agreement(np.stack([true, got], axis=1))
    assert measures["at most 6, sensitivity"].value == float(got[0] <= 6)
    assert measures["within 1 point"].value == pytest.approx((abs(got - true) <= 1).mean())


def test_models_of_no_method_and_no_data_are_refused(answers):
    for arguments, words in (
        ({"models": DANET[:1]}, "danet-cortical with danet-subcortical or ncct-infarct"),
        ({"data": None}, "--data DIR"),
    ):
        with pytest.raises(UsageError, match=words) as refused:
            run(**arguments)
        assert refused.value.code is ErrorCode.USAGE
    assert not answers.asked


def test_patients_are_numbered_without_overlap_and_can_be_counted():
    numbers = list(CallPatients(3, 2, 2, 5))
    assert numbers == [0, 1, 2, 10_000, 10_001]
    assert CallPatients(3, 2, 2, 5).count == 5


def test_a_process_makes_the_patients_of_its_part_only(monkeypatch):
    drawn = []
    scan = SimpleNamespace(images={"ncct": None}, fractions=np.zeros(len(REGIONS)))
    monkeypatch.setattr(call_cases, "unseen_sources", lambda *_: None)
    monkeypatch.setattr(call_cases, "draw_patient", lambda _s, seed, _p: drawn.append(seed))
    monkeypatch.setattr(call_cases, "scan_patient", lambda *_: scan)
    monkeypatch.setattr(call_cases, "truth_on", lambda *_: scan)
    monkeypatch.setattr(call_cases, "prepare_head_ct", lambda *_: HEAD)
    stages = []
    progress = Progress(lambda stage, fraction: stages.append((stage, fraction)))
    second = Part(1, 2)
    cases = call_cases.call_cases(Path("anywhere"), CallPatients(3, 2, 2, 5), progress, second)
    assert [case.number for case in cases] == [1, 10_000]
    assert drawn == [(2, 5, 1), (2, 5, 10_000)]
    assert stages == [("patient 1 of 2", 0.0), ("patient 2 of 2", 0.5)]


@pytest.mark.parametrize("workers", [2, 3])
def test_processes_measure_what_one_measures(answers, monkeypatch, workers):
    def call(_head, _method, _models, _fraction):
        said = np.linspace(0, 1, len(REGIONS))
        return RegionCalls(said, said >= 0.5)

    def cases(_data, _patients, _progress, part):
        return iter(part.of(answers.cases))

    answers.cases.insert(2, CallCase(9, PATIENTS[0], UNFIT))
    monkeypatch.setattr(call_benchmarks, "call_heads", call)
    monkeypatch.setattr(call_benchmarks, "call_cases", cases)
    alone = run()
    monkeypatch.setattr(call_benchmarks, "in_parts", parts_as_sent)
    assert run(workers=workers) == alone


def test_methods_without_a_model_are_compared_on_the_patients_that_are_asked_for(
    answers, monkeypatch
):
    wanted, asked = CallPatients(2, 1, 2, 5), []

    def cases(_data, patients, _progress, _part):
        asked.append(patients)
        return iter(answers.cases)

    monkeypatch.setattr(call_benchmarks, "call_cases", cases)
    outcome = compare_methods(
        ["classical", "ncct-unet"], ["ncct-infarct"], Path("anywhere"), Progress(), wanted
    )
    assert asked == [wanted]
    assert list(outcome.methods) == ["classical", "ncct-unet"]
    assert outcome.patients == len(PATIENTS)
    assert answers.asked[0] == ("classical", ["ncct-infarct"], 0.1)


def test_making_patients_can_be_cancelled(monkeypatch):
    monkeypatch.setattr(call_cases, "unseen_sources", lambda *_: None)
    progress = Progress(is_cancelled=lambda: True)
    with pytest.raises(CancelledError):
        next(call_cases.call_cases(Path("anywhere"), CallPatients(1, 1, 2, 5), progress))


def overcalled(task, factor=2.0, offset=1.0, seed=1):
    """Return calls of a network that is too sure and calls too often, of 200 patients."""
    generator = np.random.default_rng(seed)
    right = generator.normal(-1.5, 2.0, (200, len(REGIONS)))
    truth = generator.random(right.shape) < 1 / (1 + np.exp(-right))
    said = 1 / (1 + np.exp(-(factor * right + offset)))
    outside = [region.code not in PAIRS[task] for region in REGIONS]
    said[:, outside] = 0.5  # what another network says must not matter
    return Compared(list(truth), [RegionCalls(row, row >= 0.5) for row in said])


@pytest.mark.parametrize("task", sorted(PAIRS))
def test_calibrated_probabilities_are_the_right_ones(task):
    found = calibration.calibration_of(overcalled(task), task)
    assert found.temperature == pytest.approx(2.0, rel=0.15)
    assert found.offset == pytest.approx(-0.5, abs=0.2)
    assert set(found.threshold) == {code.value for code in PAIRS[task]}


def test_thresholds_leave_nineteen_of_twenty_unaffected_regions_uncalled():
    task = "asymmetry-cortical"
    compared = overcalled(task)
    found = calibration.calibration_of(compared, task)
    for region in REGIONS:
        if region.code in PAIRS[task]:
            column = region.label - 1
            logits = np.log(compared.probability[:, column] / (1 - compared.probability[:, column]))
            called = found.probability(logits) >= found.threshold_of(region.code.value)
            assert called[~compared.truth[:, column]].mean() < 0.12  # of one side: 0.05 of both


@pytest.fixture
def asked(monkeypatch):
    """Let networks that are too sure answer for forty heads; tell what they were asked with."""
    state = SimpleNamespace(models=None, count=40)
    truths = [affected("left M2", "left I", "right C") if n % 2 else affected() for n in range(40)]
    generator = np.random.default_rng(8)

    def measure(head, models, infarct):
        state.models = models
        assert infarct == "infarct"
        truth = truths[head.number]
        sure = 4.0 * (generator.normal(-1.0, 1.0, len(REGIONS)) + 2.0 * truth)
        shares = generator.uniform(0.0, 0.2, len(REGIONS)) + 0.3 * truth
        drops_hu = generator.normal(0.0, 1.0, len(REGIONS)) + truth
        return Measures(drops_hu, shares, 1 / (1 + np.exp(-sure)))

    def cases(_data, _patients, _progress, part):
        for number in part.of(range(state.count)):
            head = SimpleNamespace(number=number, **vars(HEAD))
            yield CallCase(number, truths[number], head)

    tasks = dict(zip(DANET, PAIRS, strict=True))

    def find(name):
        return SimpleNamespace(name=name, card=SimpleNamespace(task=tasks.get(name, "other")))

    monkeypatch.setattr(calibration, "call_cases", cases)
    monkeypatch.setattr(calibration, "find_model", find)
    monkeypatch.setattr(calibration, "_uncalibrated", lambda model: model)
    monkeypatch.setattr(calibration, "segment_infarct", lambda *_: "infarct")
    monkeypatch.setattr(calibration, "measures_of", measure)
    return state


def test_networks_and_weights_are_calibrated_on_the_same_patients(asked):
    found = calibration.calibrate(Path("anywhere"), Progress())
    assert set(found.cards) == set(DANET)
    assert found.patients == 40
    assert all(one.temperature > 1.5 for one in found.cards.values())  # they were too sure
    assert set(found.pool.threshold) == {code.value for code in RegionCode}
    assert min(found.pool.density, found.pool.coverage, found.pool.asymmetry) > 0.05
    assert sorted(asked.models) == sorted((*DANET, "ncct-infarct"))


def test_processes_calibrate_as_one_does(asked, monkeypatch):
    def measure(head, _models, _infarct):
        generator = np.random.default_rng(head.number)
        return Measures(*generator.uniform(0.01, 0.99, (3, len(REGIONS))))

    monkeypatch.setattr(calibration, "measures_of", measure)
    alone = calibration.calibrate(Path("anywhere"), Progress())
    monkeypatch.setattr(calibration, "in_parts", parts_as_sent)
    assert calibration.calibrate(Path("anywhere"), Progress(), workers=3) == alone
    assert asked.count == alone.patients == 40


def test_too_few_patients_with_a_score_are_no_calibration(asked):
    asked.count = 9
    with pytest.raises(UsageError, match="at least 10 patients with a score, got 9"):
        calibration.calibrate(Path("anywhere"), Progress())
