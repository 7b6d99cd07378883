from __future__ import annotations

import json

import numpy as np
import pytest

from ASPECTSLib.errors import ErrorCode, ExitCode
from ASPECTSLib.io.images import read_image

RESULT_FILES = {
    "compared.nii.gz",
    "heatmap.nii.gz",
    "infarct.nii.gz",
    "regions.csv",
    "regions.nii.gz",
    "report.png",
    "result.json",
}


@pytest.fixture
def ready_patient(synthetic_patient, monkeypatch):
    """Give the demonstration the patient that it would make, which takes ten seconds."""

    def make(_atlas, affected, rng):
        assert set(affected) == set(synthetic_patient.affected)
        assert rng.bit_generator.state == np.random.default_rng(1).bit_generator.state
        return synthetic_patient

    monkeypatch.setattr("ASPECTSLib.synthesis.patient.make_patient", make)


@pytest.mark.usefixtures("ready_patient")
def test_the_demonstration_finds_the_truth_and_writes_its_folder(synthetic_patient, tmp_path, run):
    folder = tmp_path / "new" / "demo"
    outcome = run("demo", "-o", folder)
    assert outcome.exit_code == ExitCode.RESULT
    assert "ASPECTS truth 7 left, result 6 left" in outcome.out
    assert [line.split()[0] for line in outcome.out.splitlines() if " !" in line] == ["IC"]
    assert {path.name for path in folder.iterdir()} == {
        "synthetic-patient.nii.gz",
        "true-regions.nii.gz",
        "result",
    }
    assert {path.name for path in (folder / "result").iterdir()} == RESULT_FILES
    assert [path.name for path in folder.parent.iterdir()] == ["demo"]
    scan = read_image(folder / "synthetic-patient.nii.gz")
    np.testing.assert_array_equal(scan.array, synthetic_patient.scan.array)
    data = json.loads((folder / "result" / "result.json").read_text(encoding="utf-8"))
    affected = {(r["region"], r["side"]) for r in data["regions"] if r["affected"]}
    truth = {(r.code.value, r.side.value) for r in synthetic_patient.affected}
    called_wrongly = {("IC", "left")}  # thin, between two that are affected
    assert affected == truth | called_wrongly


@pytest.mark.usefixtures("ready_patient")
def test_a_demonstration_that_fails_leaves_nothing(tmp_path, run, monkeypatch):
    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ASPECTSLib.pipeline.score_to_folder", fail)
    outcome = run("demo", "-o", tmp_path / "new" / "demo", "--progress", "json")
    assert outcome.exit_code == ExitCode.FAILURE
    assert outcome.error["code"] == ErrorCode.OUTPUT_NOT_WRITABLE
    assert list(tmp_path.iterdir()) == []
