"""`aspects train` with a recipe of support vectors, on small CT angiographies; it needs scikit-learn."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

pytest.importorskip("sklearn")

from cta_phantoms import small_angiography

from ASPECTSLib.atlas.regions import REGIONS, swap_sides
from ASPECTSLib.errors import ErrorCode, ExitCode
from ASPECTSLib.geometry import Volume, resample, shrink
from ASPECTSLib.io.images import write_image
from ASPECTSLib.scoring.support_vectors import KINDS
from ASPECTSLib.systems.cta import load_machines
from ASPECTSLib.training import machines
from ASPECTSLib.training.radiomics_table import FeatureTable

JSON = ("--progress", "json")
INFARCTED = ("I", "L", "M2")
RECIPE = """
name = "cta-svm"
task = "cta-radiomics"

[features]
names = ["firstorder_Mean", "firstorder_RootMeanSquared"]

[machine]
kernels = ["linear"]
costs = [0.1, 1.0]
folds = 2
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipes") / "mine.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def cohort(synthetic_patient, tmp_path_factory):
    """Write four patients: noise of their own, and the infarct on either side."""
    folder = tmp_path_factory.mktemp("data") / "cohort"
    scan = small_angiography(synthetic_patient)
    labels = resample(synthetic_patient.regions, scan, order=0)
    codes = [r.label for r in REGIONS if r.side == "left" and r.code.value in INFARCTED]
    infarct = np.isin(labels.array, codes).astype(np.uint8)
    for number in range(4):
        noise = np.random.default_rng(number).normal(0.0, 3.0, scan.array.shape)
        arrays = {
            "image": np.rint(scan.array + noise).astype(np.int16),
            "regions": labels.array,
            "infarct": infarct,
        }
        if number % 2:
            arrays = {name: array[..., ::-1].copy() for name, array in arrays.items()}
            arrays["regions"] = swap_sides(arrays["regions"])
        write_case(folder / f"patient {number}", arrays, scan)
    (folder / "source.json").write_text('{"name": "phantoms", "licence": "CC0-1.0"}')
    return folder


def write_case(case, arrays, grid):
    (case / "cta").mkdir(parents=True)
    for name, array in arrays.items():
        write_image(Volume(array, grid.affine), case / "cta" / f"{name}.nii.gz")


@pytest.fixture(scope="module")
def trained(cohort, recipe, tmp_path_factory):
    """Return the folder of a run."""
    from ASPECTSLib.cli.main import main

    folder = tmp_path_factory.mktemp("runs") / "run"
    arguments = ["train", str(recipe), "--data", str(cohort), "-o", str(folder), *JSON]
    assert main(arguments) == ExitCode.RESULT
    return folder


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_method_takes_the_machines_of_a_run(trained, monkeypatch):
    shipped = load_machines()[1]
    monkeypatch.setenv("ASPECTS_MODELS", str(trained))
    found, info = load_machines()
    assert info.name == "cta-svm"
    assert info.sha256 != shipped.sha256
    for machine in found.values():
        assert machine.features == ("firstorder_Mean", "firstorder_RootMeanSquared")
        darker, same = machine.probability(np.array([[-0.15, -0.15], [0.0, 0.0]]))
        assert darker > machine.threshold > same


def test_the_file_says_what_it_was_trained_on_and_names_no_patient(trained):
    text = (trained / "radiomics" / "cta-svm.json").read_text(encoding="utf-8")
    content = json.loads(text)
    assert content["training"]["patients"] == 4
    assert content["training"]["data"] == [{"name": "phantoms", "licence": "CC0-1.0"}]
    assert content["training"]["recipe"]["machine"]["folds"] == 2
    assert content["limits"].startswith("4 patients; cross-validated")
    assert "patient 1" not in text
    run = json.loads((trained / "run.json").read_text(encoding="utf-8"))
    assert run["data"]["cases"] == [f"patient {number}" for number in range(4)]


def test_tables_hold_screening_grid_and_folds(trained):
    screening, grid, folds = (
        rows(trained / name) for name in ("screening.csv", "grid.csv", "folds.csv")
    )
    assert {row["machine"] for row in screening} == set(KINDS)
    used = {row["feature"] for row in screening if row["used"] == "yes"}
    assert used == {"firstorder_Mean", "firstorder_RootMeanSquared"}
    assert not any(row["feature"].startswith("shape_") for row in screening)
    mean = next(row for row in screening if row["feature"] == "firstorder_Mean")
    assert float(mean["p_value"]) < 0.05
    assert mean["differs"] == "yes"
    assert len(grid) == 2 * 2
    assert sum(row["best"] == "yes" for row in grid) == 2
    assert len(folds) == 2 * 2
    assert {row["patients"] for row in folds} == {"2"}
    assert min(float(row["auc"]) for row in folds) > 0.9


def test_the_summary_gives_selection_folds_and_what_to_do_next(cohort, recipe, tmp_path, run):
    outcome = run("train", recipe, "--data", cohort, "-o", tmp_path / "run")
    assert outcome.exit_code == ExitCode.RESULT, outcome.err
    assert "cta-svm: 4 patients" in outcome.out
    assert "cortical regions: 48, 4 of them affected" in outcome.out
    assert "Lasso keeps" in outcome.out
    assert "features: firstorder_Mean, firstorder_RootMeanSquared" in outcome.out
    assert "AUC, cross-validated: " in outcome.out
    assert f"ASPECTS_MODELS={tmp_path / 'run'} lets cta-radiomics take these" in outcome.out


def test_without_names_the_screening_chooses_in_each_fold_and_for_the_machine(
    cohort, tmp_path, run, monkeypatch
):
    table = telling_table()
    monkeypatch.setattr(machines, "measure_cases", lambda *_: table)
    monkeypatch.setattr(machines, "candidates", lambda: table.names)
    path = tmp_path / "chosen.toml"
    path.write_text(RECIPE.replace("names =", "# names ="), encoding="utf-8")
    outcome = run("train", path, "--data", cohort, "-o", tmp_path / "run", *JSON)
    assert outcome.exit_code == ExitCode.RESULT, outcome.err
    for row in rows(tmp_path / "run" / "folds.csv"):
        assert row["features"].split()[0] == "firstorder_Median"
    used = {r["feature"] for r in rows(tmp_path / "run" / "screening.csv") if r["used"] == "yes"}
    assert "firstorder_Median" in used
    assert "firstorder_Kurtosis" not in used


def telling_table():
    """Return features of 20 patients, of which the median alone tells affected regions."""
    rng = np.random.default_rng(0)
    affected = rng.random(400) < 0.25
    inputs = rng.normal(size=(400, 2))
    inputs[:, 0] -= 3.0 * affected
    names = ("firstorder_Median", "firstorder_Kurtosis")
    return FeatureTable(
        names, inputs, affected, np.arange(400) % 2 == 0, np.repeat(np.arange(20), 20)
    )


def shorn(cohort, folder, keep):
    """Return a copy of a cohort with what `keep` leaves of each case's arrays."""
    for number, case in enumerate(sorted(p for p in cohort.iterdir() if p.is_dir())):
        target = folder / case.name / "cta"
        target.mkdir(parents=True)
        for path in (case / "cta").iterdir():
            if keep(number, path.name):
                (target / path.name).write_bytes(path.read_bytes())
    return folder


def refused(run, recipe, cohort, tmp_path):
    outcome = run("train", recipe, "--data", cohort, "-o", tmp_path / "run", *JSON)
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.error["code"] == ErrorCode.COHORT_INVALID
    assert not (tmp_path / "run").exists()
    return outcome.error["message"]


def test_a_cohort_without_angiographies_is_refused(cohort, recipe, tmp_path, run):
    other = shorn(cohort, tmp_path / "cohort", lambda *_: True)
    for case in other.iterdir():
        (case / "cta").rename(case / "ncct")
    assert "expected scans of cta in cohort" in refused(run, recipe, other, tmp_path)


def test_an_angiography_without_infarct_mask_is_refused(cohort, recipe, tmp_path, run):
    def keep(number, name):
        return number != 2 or name != "infarct.nii.gz"

    message = refused(run, recipe, shorn(cohort, tmp_path / "cohort", keep), tmp_path)
    assert "case patient 2, cta, infarct.nii.gz: expected an infarct mask" in message


def test_head_ct_without_contrast_agent_is_refused(
    cohort, recipe, tmp_path, run, synthetic_patient
):
    other = shorn(cohort, tmp_path / "cohort", lambda *_: True)
    plain = shrink(synthetic_patient.scan, (2, 2, 1))
    volume = plain.with_array(np.rint(plain.array).astype(np.int16))
    for number in range(3):
        write_image(volume, other / f"patient {number}" / "cta" / "image.nii.gz")
    message = refused(run, recipe, other, tmp_path)
    assert "expected CT angiographies" in message
    assert "got 3 of 4 without" in message


def test_a_cohort_without_any_infarct_is_refused(cohort, tmp_path, run, monkeypatch):
    table = telling_table().where(~telling_table().affected)
    monkeypatch.setattr(machines, "measure_cases", lambda *_: table)
    monkeypatch.setattr(machines, "candidates", lambda: table.names)
    path = tmp_path / "chosen.toml"
    path.write_text(RECIPE.replace("names =", "# names ="), encoding="utf-8")
    message = refused(run, path, cohort, tmp_path)
    assert "expected affected and other regions" in message
    assert "got 0 affected of" in message


def test_fewer_patients_than_folds_are_refused(cohort, tmp_path, run):
    few = shorn(cohort, tmp_path / "cohort", lambda number, _: number < 2)
    for case in sorted(few.iterdir())[2:]:
        (case / "cta").rmdir()
        case.rmdir()
    path = tmp_path / "three.toml"
    path.write_text(RECIPE.replace("folds = 2", "folds = 3"), encoding="utf-8")
    message = refused(run, path, few, tmp_path)
    assert "expected at least 3 patients to train a machine, got 2" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "expected a labelled cohort, --data DIR"),
        (("--data", "x", "--steps", 3), "expected a recipe of a network with --steps"),
        (("--data", "x", "--resume"), "expected a recipe of a network with --resume"),
    ],
)
def test_a_command_that_trains_nothing_is_a_usage_error(recipe, tmp_path, run, arguments, words):
    outcome = run("train", recipe, *arguments, "-o", tmp_path / "run", *JSON)
    assert outcome.exit_code == ExitCode.USAGE
    assert words in outcome.error["message"]
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_there_is_not_written_into(cohort, recipe, tmp_path, run):
    outcome = run("train", recipe, "--data", cohort, "-o", tmp_path, *JSON)
    assert outcome.error["code"] == ErrorCode.OUTPUT_EXISTS
