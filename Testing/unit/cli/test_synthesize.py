from __future__ import annotations

import json
import sys

import pytest
from cohort_phantoms import coarse_scanners, small_anatomy

from ASPECTSLib.cli.synthesize import MODALITIES, write_split
from ASPECTSLib.errors import ErrorCode, ExitCode
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.synthesis.scanners import SCANNERS
from ASPECTSLib.training.cohort import read_cohort

COMMAND = ("synthesize", "--n", 2, "--seed", 5, "--slice-mm", 5, 6, "--device", "cpu")


@pytest.fixture(autouse=True)
def small_patients(monkeypatch):
    """Draw small heads instead of whole ones from the atlas, and scan them coarsely."""
    monkeypatch.setattr(
        "ASPECTSLib.synthesis.cohort.atlas_anatomy", lambda _atlas, _rng: small_anatomy()
    )
    monkeypatch.setattr("ASPECTSLib.synthesis.scanners.SCANNERS", coarse_scanners())


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_command_gives_the_same_files(tmp_path, run):
    for name in ("once", "again"):
        outcome = run(*COMMAND, "--modality", "ncct,dwi", "-o", tmp_path / name)
        assert outcome.exit_code == ExitCode.RESULT, outcome.err
    once, again = files(tmp_path / "once"), files(tmp_path / "again")
    assert once == again
    assert {"montage.png", "cohort.json", "case-0002/truth.json"} <= once.keys()
    assert "case-0001, synthetic" in outcome.out
    assert {path.name for path in tmp_path.iterdir()} == {"once", "again"}


def test_a_longer_cohort_begins_with_the_shorter_one(tmp_path, run):
    for count in (1, 2):
        run(*COMMAND, "--n", count, "-o", tmp_path / str(count))
    shorter, longer = files(tmp_path / "1" / "case-0001"), files(tmp_path / "2" / "case-0001")
    assert shorter == longer


def test_a_written_cohort_can_be_trained_on(tmp_path, run):
    run(*COMMAND, "--modality", "ncct,cta,dwi,cbf", "-o", tmp_path / "cohort")
    cohort = read_cohort(tmp_path / "cohort")
    assert cohort.synthetic
    assert len(cohort.scans) == 8
    assert all(scan.has_brain for scan in cohort.scans)
    assert all(source.licence for source in cohort.sources)


def test_the_options_are_obeyed_and_recorded(tmp_path, run):
    folder = tmp_path / "cohort"
    ill = ("--healthy", 0, "--age-of-infarct", 6, 7)
    assert run(*COMMAND, *ill, "-o", folder).exit_code == ExitCode.RESULT
    truths = [json.loads((folder / f"case-000{n}" / "truth.json").read_text()) for n in (1, 2)]
    assert all(6 <= truth["infarct"]["age_hours"] <= 7 for truth in truths)
    assert all(5 <= truth["scans"]["ncct"]["spacing_mm"][2] <= 6 for truth in truths)
    options = json.loads((folder / "cohort.json").read_text())["options"]
    assert options["infarcts"]["age_hours"] == [6.0, 7.0]
    well = tmp_path / "well"
    run(*COMMAND, "--healthy", 1, "-o", well)
    assert json.loads((well / "case-0001" / "truth.json").read_text())["aspects"]["score"] == 10


def test_pixels_and_territory_are_chosen(tmp_path, run):
    folder = tmp_path / "cohort"
    chosen = ("--pixel-mm", 3.5, 3.6, "--mca-share", 1)
    assert run(*COMMAND, *chosen, "-o", folder).exit_code == ExitCode.RESULT
    spacing_mm = json.loads((folder / "case-0001" / "truth.json").read_text())["scans"]["ncct"][
        "spacing_mm"
    ]
    assert 3.5 <= spacing_mm[0] <= 3.6
    assert 5 <= spacing_mm[2] <= 6
    assert json.loads((folder / "cohort.json").read_text())["options"]["infarcts"]["mca_share"] == 1


def test_patients_of_anatomies_that_recipes_hold_out_are_not_trained_on(tmp_path):
    anatomies = tmp_path / "anatomies"
    anatomies.mkdir()
    for name in "abcd":
        (anatomies / f"{name}.nii.gz").write_bytes(b"")
    names = {f"case-{n}": "abcd"[n % 4] for n in range(8)}
    write_split(names, anatomies, 2, tmp_path)
    parts = json.loads((tmp_path / "split.json").read_text())
    assert {names[case] for case in parts["training"]} == {"a", "c"}
    assert {names[case] for case in parts["validation"] + parts["test"]} == {"b", "d"}
    assert len(parts["validation"]) == len(parts["test"]) == 2


def test_every_modality_that_can_be_made_can_be_asked_for():
    assert [Modality(name.upper()) for name in MODALITIES] == [
        m for m in (Modality.NCCT, Modality.CTA, Modality.DWI, Modality.CBF) if m in SCANNERS
    ]
    assert len(MODALITIES) == len(SCANNERS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--n", 0), "--n: 1 to 9999 patients, got 0"),
        (("--seed", -1), "--seed: 0 or more, got -1"),
        (("--modality", "ncct,t1"), "--modality: some of ncct,cta,dwi,cbf, got ncct,t1"),
        (("--modality", "cta,cta"), "got cta,cta"),
        (("--healthy", 1.5), "--healthy: a share of 0 to 1, got 1.5"),
        (("--age-of-infarct", 5, 4), "--age-of-infarct: two rising numbers"),
        (("--slice-mm", 0.1, 5), "--slice-mm: two rising numbers of 0.5 to 12 mm, got 0.1 5"),
        (("--pixel-mm", 0.1, 1), "--pixel-mm: two rising numbers of 0.3 to 4 mm, got 0.1 1"),
        (("--mca-share", 2), "--mca-share: a share of 0 to 1, got 2"),
        (("--hold-out-every", 5), "--hold-out-every with --anatomy DIR, got none"),
        (("--hold-out-every", 1), "--hold-out-every: 2 or more, got 1"),
        (("--device", "abacus"), "device: expected auto or one that is here"),
    ],
)
def test_a_command_that_makes_no_cohort_is_a_usage_error(tmp_path, run, arguments, words):
    outcome = run(*COMMAND, *arguments, "-o", tmp_path / "cohort", "--progress", "json")
    assert outcome.exit_code == ExitCode.USAGE
    assert words in outcome.error["message"]
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_refused_before_any_work(tmp_path, run, monkeypatch):
    monkeypatch.setattr("ASPECTSLib.synthesis.cohort.draw_case", None)
    outcome = run(*COMMAND, "-o", tmp_path, "--progress", "json")
    assert (outcome.exit_code, outcome.error["code"]) == (
        ExitCode.USAGE,
        ErrorCode.OUTPUT_EXISTS,
    )


def test_a_missing_folder_of_anatomies_is_refused(tmp_path, run):
    arguments = ("--anatomy", tmp_path / "none", "-o", tmp_path / "cohort", "--progress", "json")
    outcome = run(*COMMAND, *arguments)
    assert (outcome.exit_code, outcome.error["code"]) == (
        ExitCode.REFUSED,
        ErrorCode.FILE_NOT_FOUND,
    )


def test_a_cohort_that_fails_leaves_nothing(tmp_path, run, monkeypatch):
    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ASPECTSLib.synthesis.cohort.write_scan", fail)
    outcome = run(*COMMAND, "-o", tmp_path / "new" / "cohort", "--progress", "json")
    assert outcome.error["code"] == ErrorCode.OUTPUT_NOT_WRITABLE
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_cohort_leaves_nothing(tmp_path, run, monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("ASPECTSLib.synthesis.cohort.write_scan", interrupt)
    outcome = run(*COMMAND, "-o", tmp_path / "new" / "cohort", "--progress", "json")
    assert outcome.exit_code == ExitCode.CANCELLED
    assert list(tmp_path.iterdir()) == []


def test_progress_tells_the_patients(tmp_path, run):
    outcome = run(*COMMAND, "-o", tmp_path / "cohort", "--progress", "json")
    stages = [line["stage"] for line in outcome.lines]
    assert stages[-3:] == ["patient 1 of 2", "patient 2 of 2", "done"]
    assert outcome.out == ""


def test_without_matplotlib_there_is_a_cohort_and_no_picture(tmp_path, run, monkeypatch):
    def missing(*_arguments):
        raise ImportError

    monkeypatch.setattr("ASPECTSLib.report.montage.montage_png", missing)
    outcome = run(*COMMAND, "--n", 1, "-o", tmp_path / "cohort")
    assert outcome.exit_code == ExitCode.RESULT
    assert "matplotlib is not installed" in outcome.out
    assert {path.name for path in (tmp_path / "cohort").iterdir()} == {"case-0001", "cohort.json"}


@pytest.mark.parametrize("command", ["synthesize", "train"])
def test_without_torch_it_is_said_what_is_missing(tmp_path, run, monkeypatch, command):
    monkeypatch.setitem(sys.modules, "torch", None)
    arguments = ["regions-tiny"] if command == "train" else []
    outcome = run(command, *arguments, "-o", tmp_path / "out", "--progress", "json")
    assert outcome.exit_code == ExitCode.FAILURE
    assert outcome.error["code"] == ErrorCode.TORCH_MISSING
    assert list(tmp_path.iterdir()) == []
