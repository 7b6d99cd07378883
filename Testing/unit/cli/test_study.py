from __future__ import annotations

import gzip
import json

import pytest
import study_phantoms

from ASPECTSLib.errors import CancelledError, ErrorCode, ExitCode


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Read the atlas once, and draw nothing: what is drawn is tested beside the figures."""
    monkeypatch.setattr("ASPECTSLib.atlas.atlas.load_atlas", study_phantoms.atlas)
    drawn = "ASPECTSLib.studies.severity_output.severity_pngs"
    monkeypatch.setattr(drawn, lambda figures: {"severity.png": figures.cohort.encode()})


@pytest.fixture
def cohort(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return study_phantoms.write_cohort(folder)


@pytest.fixture
def study(run, cohort, tmp_path):
    """Run the study of the cohort into a folder of a name, with some more arguments."""

    def run_study(name, *arguments):
        quick = ("--resamples", 100, "-o", tmp_path / name)
        return run("study", "severity", *cohort, *quick, *arguments)

    return run_study


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_command_gives_the_same_files(study, tmp_path):
    once, again = study("once"), study("again")
    assert (once.exit_code, again.exit_code) == (ExitCode.RESULT, ExitCode.RESULT), once.err
    assert files(tmp_path / "once") == files(tmp_path / "again")
    assert {"study.json", "patients.csv", "regions.csv", "severity.png"} <= files(
        tmp_path / "once"
    ).keys()
    assert {path.name for path in tmp_path.iterdir()} == {"data", "once", "again"}


def test_what_was_found_is_said_without_names_of_participants(study):
    outcome = study("out")
    assert "12 masks: 12 with NIHSS" in outcome.out
    assert "NIHSS >= 6 (9) or below (3)" in outcome.out
    assert "NIHSS >= 16 (4) or below (8)" in outcome.out
    assert "sub-" not in outcome.out + outcome.err


def test_the_options_are_obeyed_and_recorded(study, tmp_path):
    options = ("--fraction", 0.3, "--territory-ml", 2, "--nihss", 8, 10, "--seed", 5)
    assert study("out", *options, "--progress", "json").out == ""
    recorded = json.loads((tmp_path / "out" / "study.json").read_text())["options"]
    assert recorded == {
        "fraction": 0.3,
        "territory_ml": 2.0,
        "nihss": [8, 10],
        "bootstrap": {"resamples": 100, "seed": 5},
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--fraction", 1.5), "0 to below 1, got 1.5"),
        (("--nihss", 6, 6), "different NIHSS of 1 to 42, got 6 6"),
        (("--territory-ml", -1), "0 mL or more"),
        (("--resamples", 5), "at least 100 resamples"),
    ],
)
def test_options_out_of_range_are_a_usage_error(study, tmp_path, arguments, words):
    outcome = study("out", *arguments, "--progress", "json")
    assert outcome.exit_code == ExitCode.USAGE
    assert words in outcome.error["message"]
    assert not (tmp_path / "out").exists()


def test_a_damaged_mask_is_named_and_nothing_is_written(study, cohort, tmp_path):
    path = cohort[0] / "sub-7_lesion.nii.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:2000]))
    outcome = study("out", "--progress", "json")
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.error["code"] == ErrorCode.FILE_TRUNCATED
    assert path.name in outcome.error["message"]
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_a_table_of_one_group_is_refused(study, cohort, tmp_path):
    cohort[1].write_text(
        "participant_id\tnihss\n" + "".join(f"sub-{n}\t{n % 5}\n" for n in range(12))
    )
    outcome = study("out", "--progress", "json")
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.error["code"] == ErrorCode.COHORT_INVALID
    assert "got 12 below and 0 from there" in outcome.error["message"]
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_is_refused_before_any_work(study, tmp_path, monkeypatch):
    monkeypatch.setattr("ASPECTSLib.studies.severity.run_severity_study", None)
    (tmp_path / "out").mkdir()
    outcome = study("out", "--progress", "json")
    assert (outcome.exit_code, outcome.error["code"]) == (
        ExitCode.USAGE,
        ErrorCode.OUTPUT_EXISTS,
    )


def test_a_cancelled_study_leaves_nothing(study, tmp_path, monkeypatch):
    def stop(_path):
        raise CancelledError

    monkeypatch.setattr("ASPECTSLib.studies.infarcts.read_mask", stop)
    outcome = study("out", "--progress", "json")
    assert outcome.exit_code == ExitCode.CANCELLED
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_without_matplotlib_there_are_tables(study, tmp_path, monkeypatch):
    def missing(_figures):
        raise ImportError

    monkeypatch.setattr("ASPECTSLib.studies.severity_output.severity_pngs", missing)
    outcome = study("out")
    assert outcome.exit_code == ExitCode.RESULT
    assert "there are no pictures" in outcome.out
    assert files(tmp_path / "out").keys() == {"study.json", "patients.csv", "regions.csv"}
