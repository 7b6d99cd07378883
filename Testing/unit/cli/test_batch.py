"""`aspects batch` on real workers: a small head, and what cannot be scored."""

from __future__ import annotations

import csv

import pytest

from ASPECTSLib.errors import ErrorCode, ExitCode


@pytest.fixture
def cohort(small_scan_path, tmp_path):
    folder = tmp_path / "cohort"
    (folder / "anna").mkdir(parents=True)
    (folder / "anna" / "head.nii.gz").symlink_to(small_scan_path)
    (folder / "broken.nii.gz").write_bytes(small_scan_path.read_bytes()[:4000])
    (folder / "none").mkdir()
    return folder


def test_a_cohort_is_scored_and_gone_on_with(cohort, tmp_path, run):
    out = tmp_path / "out"
    command = ("batch", cohort, "-o", out, "--workers", 2, "--regions", "registration")
    outcome = run(*command, "--no-picture")
    assert outcome.exit_code == ExitCode.RESULT
    assert outcome.out.splitlines()[0] == "3 cases: 1 scored, 0 abstained, 2 refused"
    assert "1 x FILE_TRUNCATED" in outcome.out
    assert "2 of 3 cases, about" in outcome.err
    rows = list(csv.DictReader((out / "cases.csv").read_text().splitlines()))
    assert [(row["case"], row["status"], row["code"]) for row in rows] == [
        ("anna", "scored", ""),
        ("broken", "refused", "FILE_TRUNCATED"),
        ("none", "refused", "NO_IMAGES"),
    ]
    written = {path.name for path in (out / "cases" / "anna").iterdir()}
    assert "result.json" in written
    assert "report.png" not in written
    again = run(*command, "--no-picture", "--progress", "json", "--resume")
    assert again.exit_code == ExitCode.RESULT
    assert again.lines[-2:] == [
        {"stage": "3 of 3 cases", "fraction": 1.0},
        {"stage": "done", "fraction": 1.0},
    ]
    other = run(*command, "--progress", "json", "--resume")  # with pictures
    assert other.exit_code == ExitCode.USAGE
    assert "picture False, not True" in other.error["message"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--retry",), ErrorCode.USAGE),
        (("--workers", "0"), ErrorCode.USAGE),
        (("--method", "magic"), ErrorCode.METHOD_UNAVAILABLE),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(
    cohort, tmp_path, run, arguments, code
):
    outcome = run("batch", cohort, "-o", tmp_path / "out", "--progress", "json", *arguments)
    assert (outcome.exit_code, outcome.error["code"]) == (ExitCode.USAGE, code)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_cases_is_refused(tmp_path, run):
    outcome = run("batch", tmp_path, "-o", tmp_path / "out", "--progress", "json")
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.error["code"] == ErrorCode.COHORT_INVALID
