"""A made-up cohort is evaluated; its numbers are those of an independent computation."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from evaluation_phantoms import made_up_calls, write_readers, write_results
from scipy import stats

from ASPECTSLib.errors import ErrorCode, InputRefusedError, UsageError
from ASPECTSLib.evaluation.run import (
    EvaluationOptions,
    evaluate_cohort,
    read_clinical,
    write_evaluation,
)
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.io.images import write_image
from ASPECTSLib.statistics.bootstrap import Bootstrap

FEW = Bootstrap(200)  # intervals are not what is tested here
QUICK = EvaluationOptions(bootstrap=FEW)
PATIENTS = 48
NAMES = [f"case-{n}" for n in range(PATIENTS)]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """A program, another one, and three readers of the same patients, the first of whom is right."""
    folder = tmp_path_factory.mktemp("cohort")
    truth, called = made_up_calls(PATIENTS, seed=1)
    _, other = made_up_calls(PATIENTS, seed=1, flips=0.2)
    _, reader = made_up_calls(PATIENTS, seed=2)
    reader = truth ^ (reader & (np.random.default_rng(3).random(truth.shape) < 0.1))
    probability = np.clip(
        0.1 + 0.5 * called + 0.3 * np.random.default_rng(4).random(truth.shape), 0, 1
    )
    volumes = 12.0 * truth.sum(axis=1)
    write_results(folder / "a", NAMES, called, probability=probability, volumes_ml=volumes + 3.0)
    write_results(folder / "b", NAMES, other, method="other")
    write_readers(folder / "one.csv", {"anna": (NAMES, truth)})
    three = {"anna": (NAMES, truth), "berta": (NAMES, reader), "carl": (NAMES[:30], called[:30])}
    write_readers(folder / "three.csv", three)
    return folder, truth, called, probability


def score(calls):
    return 10 - np.maximum(calls[:, :10].sum(axis=1), calls[:, 10:].sum(axis=1))


def table(evaluation, name):
    (found,) = [one for one in evaluation.tables if one.name == name]
    return {
        row[0] if name == "scores" else (row[0], row[1]): dict(zip(found.columns, row, strict=True))
        for row in found.rows
    }


def test_calls_of_regions_are_counted_against_the_reader(cohort):
    folder, truth, called, probability = cohort
    rows = table(evaluate_cohort(folder / "a", folder / "one.csv", QUICK), "regions")
    for group, chosen in (
        ("all", range(20)),
        ("M2", (5, 15)),
        ("subcortical", (*range(4), *range(10, 14))),
    ):
        t, c, p = (part[:, list(chosen)] for part in (truth, called, probability))
        row = rows["classical 0.1.0", group]
        assert row["sensitivity"].value == pytest.approx(c[t].mean())
        assert row["specificity"].value == pytest.approx((~c[~t]).mean())
        assert row["accuracy"].value == pytest.approx((t == c).mean())
        rank_sum = stats.mannwhitneyu(np.round(p[t], 4), np.round(p[~t], 4)).statistic
        assert row["AUC"].value == pytest.approx(rank_sum / t.sum() / (~t).sum())
    low = rows["classical 0.1.0", "score at most 6"]
    true, said = score(truth) <= 6, score(called) <= 6
    assert low["sensitivity"].value == pytest.approx(said[true].mean())
    assert low["accuracy"].value == pytest.approx((said == true).mean())


def test_scores_agree_as_scipy_says(cohort):
    folder, truth, called, _ = cohort
    row = table(evaluate_cohort(folder / "a", folder / "one.csv", QUICK), "scores")[
        "classical 0.1.0 – anna"
    ]
    true, said = score(truth), score(called)
    assert row["Pearson r"].value == pytest.approx(stats.pearsonr(true, said).statistic)
    assert row["Spearman rho"].value == pytest.approx(stats.spearmanr(true, said).statistic)
    assert row["bias"].value == pytest.approx((said - true).mean())
    spread = 1.96 * (said - true).std(ddof=1)
    assert row["upper limit"].value == pytest.approx((said - true).mean() + spread)
    assert row["within 2"].count == (np.abs(said - true) <= 2).sum()
    assert row["paired t, p"].value == pytest.approx(stats.ttest_rel(said, true).pvalue)
    assert row["ICC(2,1)"].n == PATIENTS


def test_readers_beside_each_other_are_the_ceiling(cohort):
    folder, *_ = cohort
    rows = table(evaluate_cohort(folder / "a", folder / "three.csv", QUICK), "scores")
    assert {"anna – berta", "anna – carl", "berta – carl"} <= set(rows)
    assert rows["anna – carl"]["same score"].n == 30
    assert "classical 0.1.0 – consensus" in rows


def test_the_reference_can_be_named(cohort):
    folder, *_ = cohort
    named = EvaluationOptions(bootstrap=FEW, reference="carl")
    rows = table(evaluate_cohort(folder / "a", folder / "three.csv", named), "regions")
    assert rows["classical 0.1.0", "all"]["accuracy"].value == 1.0
    assert rows["anna", "all"]["accuracy"].n == 30 * 20
    with pytest.raises(UsageError) as refused:
        evaluate_cohort(
            folder / "a", folder / "three.csv", EvaluationOptions(bootstrap=FEW, reference="dora")
        )
    assert "anna, berta, carl" in refused.value.message


def test_each_score_has_its_sensitivity_as_in_the_paper(cohort):
    folder, truth, called, _ = cohort
    evaluation = evaluate_cohort(folder / "a", folder / "one.csv", QUICK)
    (found,) = [one for one in evaluation.tables if one.name == "each-score"]
    true, said = score(truth), score(called)
    assert [row[0] for row in found.rows] == [
        *map(str, range(11)),
        "A (0-3)",
        "B (4-7)",
        "C (8-10)",
    ]
    assert found.rows[10][1].value == pytest.approx((said[true == 10] == 10).mean())
    assert found.rows[10][2].value == pytest.approx((said[true != 10] != 10).mean())
    middle = (true >= 4) & (true <= 7)
    assert found.rows[12][1].value == pytest.approx(((said >= 4) & (said <= 7))[middle].mean())


def test_another_program_is_compared_on_the_same_patients(cohort):
    folder, _truth, _called, _ = cohort
    options = EvaluationOptions(bootstrap=FEW, beside=(folder / "b",))
    evaluation = evaluate_cohort(folder / "a", folder / "one.csv", options)
    rows = table(evaluation, "regions")
    assert (
        rows["other 0.1.0", "all"]["accuracy"].value
        < rows["classical 0.1.0", "all"]["accuracy"].value
    )
    assert ("classical 0.1.0 – other 0.1.0", PATIENTS) in table(evaluation, "programs")


def test_the_same_program_twice_keeps_two_names(cohort):
    folder, *_ = cohort
    options = EvaluationOptions(bootstrap=FEW, beside=(folder / "a",))
    programs = evaluate_cohort(folder / "a", folder / "one.csv", options).compared.programs
    assert [program.name for program in programs] == ["classical 0.1.0", "classical 0.1.0 (2)"]


def test_clinical_variables_go_with_the_scores(cohort, tmp_path):
    folder, truth, called, _ = cohort
    nihss = 20 - score(truth)
    clinical = tmp_path / "clinical.csv"
    lines = [
        "case,sex,nihss",
        *(f"{n},F,{v}" for n, v in zip(NAMES, nihss, strict=True)),
        "case-99,M,n/a",
    ]
    clinical.write_text("\n".join(lines))
    evaluation = evaluate_cohort(
        folder / "a", folder / "one.csv", EvaluationOptions(bootstrap=FEW, clinical=clinical)
    )
    (found,) = [one for one in evaluation.tables if one.name == "clinical"]
    of_program, of_anna = found.rows
    assert of_anna[3].value == pytest.approx(-1.0)
    assert of_program[3].value == pytest.approx(stats.spearmanr(score(called), nihss).statistic)
    assert found.columns[0] == "variable"
    with pytest.raises(InputRefusedError):
        read_clinical(folder / "none.csv")


def test_masks_are_compared_where_they_lie_on_one_grid(cohort, tmp_path):
    folder, _truth, called, _ = cohort
    results, masks = tmp_path / "results", tmp_path / "masks"
    write_results(results, NAMES[:3], called[:3])
    masks.mkdir()
    said = np.zeros((4, 6, 8), np.uint8)
    said[1, 2:4, 2:6] = 1
    affine = centred_affine(said.shape, np.array([1.0, 1.0, 5.0]))
    for name, shift, spacing in (
        ("case-0", 0, affine),
        ("case-1", 2, affine),
        ("case-2", 0, np.eye(4)),
    ):
        write_image(Volume(said, affine), results / "cases" / name / "infarct.nii.gz")
        write_image(Volume(np.roll(said, shift, axis=2), spacing), masks / f"{name}.nii.gz")
    evaluation = evaluate_cohort(
        results, folder / "one.csv", EvaluationOptions(bootstrap=FEW, masks=masks)
    )
    (found,) = [one for one in evaluation.tables if one.name == "masks"]
    mean, same, moved, other = found.rows
    assert (same[1], moved[1], other[1]) == (1.0, 0.5, None)
    assert same[2] == pytest.approx(8 * 5e-3)
    assert "GEOMETRY_INVALID" in other[4]
    assert mean[1].value == 0.75


def test_the_report_is_whole_and_the_same_each_time(cohort, tmp_path):
    folder, *_ = cohort
    options = EvaluationOptions(bootstrap=FEW, beside=(folder / "b",))
    written = []
    for name in ("first", "second"):
        evaluation = evaluate_cohort(folder / "a", folder / "three.csv", options)
        write_evaluation(evaluation, tmp_path / name)
        paths = sorted(p for p in (tmp_path / name).rglob("*") if p.is_file())
        written.append({p.relative_to(tmp_path / name).as_posix(): p.read_bytes() for p in paths})
    assert written[0] == written[1]
    assert {"report.html", "evaluation.json", "tables/regions.csv", "figures/roc-2.png"} <= set(
        written[0]
    )
    page = written[0]["report.html"].decode()
    assert page.count("<table>") == len(evaluation.tables)
    assert "48 scored, 1 abstained, 1 refused" in page
    assert "1 x NO_BRAIN" in page
    assert "://" not in page  # nothing is loaded from elsewhere
    content = json.loads(written[0]["evaluation.json"])
    regions = next(one for one in content["tables"] if one["name"] == "regions")
    with (tmp_path / "first" / "tables" / "regions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[10]["sensitivity"]) == pytest.approx(
        regions["rows"][10]["sensitivity"]["value"], abs=5e-4
    )
    with pytest.raises(UsageError):
        write_evaluation(evaluation, tmp_path / "first")


def test_nobody_who_read_these_cases_is_refused(cohort, tmp_path):
    folder, truth, *_ = cohort
    write_readers(tmp_path / "others.csv", {"anna": (["x"], truth[:1])})
    with pytest.raises(InputRefusedError) as refused:
        evaluate_cohort(folder / "a", tmp_path / "others.csv")
    assert refused.value.code is ErrorCode.COHORT_INVALID


@pytest.mark.parametrize("patients", [1, 2, 3])
def test_very_few_patients_give_what_is_defined_and_say_why_the_rest_is_not(tmp_path, patients):
    truth, _ = made_up_calls(patients, seed=5)
    names = NAMES[:patients]
    write_results(tmp_path / "a", names, truth, volumes_ml=[0.0] * patients)
    write_readers(tmp_path / "r.csv", {"anna": (names, truth)})
    evaluation = evaluate_cohort(tmp_path / "a", tmp_path / "r.csv", QUICK)
    write_evaluation(evaluation, tmp_path / "out")
    row = table(evaluation, "scores")["classical 0.1.0 – anna"]
    assert row["same score"].value == 1.0
    assert "expected at least" in row["Pearson r"].reason
    assert "not defined" in (tmp_path / "out" / "report.html").read_text()
