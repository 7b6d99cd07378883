from __future__ import annotations

import contextlib
import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from dicom_phantoms import depths, upright, write_series
from no_go_phantoms import BLOOD_HU, BLOOD_MM, DEEP_RIGHT_MM, with_ball
from result_phantoms import study_images, study_result

from ASPECTSLib.cli.main import main
from ASPECTSLib.cli.score import summary
from ASPECTSLib.errors import ErrorCode, ExitCode
from ASPECTSLib.geometry import apply_affine
from ASPECTSLib.io.images import write_image
from ASPECTSLib.pipeline import ScoredStudy
from ASPECTSLib.registration import quality
from ASPECTSLib.report.result import OverrideInfo, StudyResult

FILES = {
    "compared.nii.gz",
    "heatmap.nii.gz",
    "infarct.nii.gz",
    "regions.csv",
    "regions.nii.gz",
    "report.png",
    "result.json",
}
LPS_FROM_RAS = np.array([-1.0, -1.0, 1.0])


@pytest.fixture(scope="module")
def scored(small_scan_path, tmp_path_factory):
    """Return exit code, standard output, standard error and folder of a score in JSON mode."""
    folder = tmp_path_factory.mktemp("scored") / "new" / "result"
    out, err = io.StringIO(), io.StringIO()
    arguments = ["score", str(small_scan_path), "-o", str(folder), "--progress", "json"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        exit_code = main([*arguments, "--age", "71"])
    return exit_code, out.getvalue(), err.getvalue(), folder


@pytest.fixture
def quick(monkeypatch):
    """Put a ready result in the place of scoring, where how it is come by is of no matter."""

    def use(result):
        study = ScoredStudy(result, study_images())
        monkeypatch.setattr("ASPECTSLib.pipeline.score_study", lambda *_: study)

    return use


def test_a_scored_scan_has_all_its_files(scored):
    exit_code, _, _, folder = scored
    assert exit_code == ExitCode.RESULT
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["result"]


def test_the_result_holds_the_score_and_names_the_files(scored):
    result = StudyResult.from_json((scored[3] / "result.json").read_text(encoding="utf-8"))
    assert (result.aspects.score, result.aspects.side) == (6, "left")
    assert result.input.files == ("small.nii.gz",)
    assert result.input.age_years == 71.0
    assert {name for name in result.outputs.values() if name} == FILES - {"result.json"}
    assert "deformable registration" in result.timings_s


def test_json_progress_rises_to_the_end(scored):
    lines = [json.loads(line) for line in scored[2].splitlines()]
    assert all(line.keys() == {"stage", "fraction"} for line in lines)
    fractions = [line["fraction"] for line in lines]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert lines[-1]["stage"] == "done"


def test_json_mode_says_nothing_on_standard_output(scored):
    assert scored[1] == ""


def test_a_dicom_folder_is_scored_as_its_slices_in_a_file_are(scored, small_scan, tmp_path, run):
    last = small_scan.size[2] - 1
    corner = small_scan.affine[:3, 3] * LPS_FROM_RAS
    # Rows run to the back and columns to the left, as scanners store them.
    step_mm = small_scan.spacing_mm
    first = corner - np.array([(small_scan.size[0] - 1) * step_mm[0], 0.0, 0.0])
    first[1] -= (small_scan.size[1] - 1) * step_mm[1]
    positions = upright(depths((last, float(step_mm[2])))) * (0, 0, 1) + first

    def anatomy(points_lps):
        voxels = apply_affine(np.linalg.inv(small_scan.affine), points_lps * LPS_FROM_RAS)
        i, j, k = np.moveaxis(np.rint(voxels).astype(int), -1, 0)
        return small_scan.array[k, j, i].astype(np.float64)

    spacing = (float(step_mm[1]), float(step_mm[0]))
    series = tmp_path / "series"
    write_series(series, positions, anatomy=anatomy, pixel_spacing_mm=spacing, PatientAge="066Y")
    outcome = run("score", "--ncct", series, "-o", tmp_path / "result", "--progress", "json")
    assert outcome.exit_code == ExitCode.RESULT
    tables = [(folder / "regions.csv").read_bytes() for folder in (tmp_path / "result", scored[3])]
    assert tables[0] == tables[1]
    data = json.loads((tmp_path / "result" / "result.json").read_text(encoding="utf-8"))
    assert data["input"]["age_years"] == 66.0
    assert len(data["input"]["files"]) == small_scan.size[2]


def test_an_abstained_case_says_so_and_has_its_own_exit_code(
    small_scan_path, tmp_path, run, monkeypatch
):
    monkeypatch.setattr(quality, "MIN_BRAIN_DICE", 1.01)
    outcome = run("score", small_scan_path, "-o", tmp_path / "result")
    assert outcome.exit_code == ExitCode.ABSTAINED
    assert outcome.out.startswith("No score: the program abstained, as the atlas does not fit\n")
    assert "the atlas does not fit" in outcome.out
    data = json.loads((tmp_path / "result" / "result.json").read_text(encoding="utf-8"))
    assert data["aspects"] == dict.fromkeys(("score", "side", "left", "right"))
    assert data["quality"]["abstained"] is True
    table = (tmp_path / "result" / "regions.csv").read_text(encoding="utf-8")
    assert {row["affected"] for row in csv.DictReader(io.StringIO(table))} == {""}


def test_a_scan_with_blood_is_told_as_such_and_has_no_score(small_scan, tmp_path, run):
    scan = with_ball(small_scan, DEEP_RIGHT_MM, BLOOD_MM, BLOOD_HU)
    write_image(scan, tmp_path / "scan.nii.gz")
    outcome = run("score", tmp_path / "scan.nii.gz", "-o", tmp_path / "result", "--no-picture")
    assert outcome.exit_code == ExitCode.ABSTAINED
    assert outcome.out.startswith("No score: the program abstained, as it sees blood\n")
    assert "look like blood" in outcome.out
    assert "atlas" not in outcome.out
    data = json.loads((tmp_path / "result" / "result.json").read_text(encoding="utf-8"))
    assert data["aspects"]["score"] is None
    assert data["quality"]["warnings"][0]["code"] == "HAEMORRHAGE"


def test_a_person_is_told_stages_score_and_folder(small_scan_path, tmp_path, run, quick):
    quick(study_result({12, 14}))
    outcome = run("score", small_scan_path, "-o", tmp_path / "result")
    assert outcome.exit_code == ExitCode.RESULT
    assert outcome.out.splitlines()[0] == "ASPECTS 8 / 10   LEFT   (right 10, left 8)"
    assert "left  L, I" in outcome.out
    assert str(tmp_path / "result") in outcome.out
    assert "100% done" in outcome.err


def test_the_summary_counts_overrides(tmp_path):
    result = study_result({12})
    regions = list(result.regions)
    regions[11] = replace(regions[11], override=OverrideInfo(False, "reader", "now", ""))
    lines = summary(replace(result, regions=tuple(regions)), tmp_path).splitlines()
    assert lines[2].split() == ["left", "-"]


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        ([], ErrorCode.USAGE, ExitCode.USAGE),
        (["{scan}", "--ncct", "{scan}"], ErrorCode.USAGE, ExitCode.USAGE),
        (["{scan}", "--series", "Head"], ErrorCode.USAGE, ExitCode.USAGE),
        (["{scan}", "--frame", "3"], ErrorCode.USAGE, ExitCode.USAGE),
        (["{scan}", "--method", "guess"], ErrorCode.METHOD_UNAVAILABLE, ExitCode.USAGE),
        (["--dwi", "{scan}"], ErrorCode.WRONG_MODALITY, ExitCode.REFUSED),
        (["--cta", "{scan}"], ErrorCode.WRONG_MODALITY, ExitCode.REFUSED),
        (["--adc", "{scan}"], ErrorCode.METHOD_UNAVAILABLE, ExitCode.REFUSED),
        (["{scan}", "--cta", "{scan}"], ErrorCode.USAGE, ExitCode.USAGE),
        (["{scan}", "--affected-fraction", "1.5"], ErrorCode.USAGE, ExitCode.USAGE),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(
    small_scan_path, tmp_path, run, arguments, code, exit_code
):
    given = [argument.format(scan=small_scan_path) for argument in arguments]
    outcome = run("score", *given, "-o", tmp_path / "new" / "result", "--progress", "json")
    assert (outcome.exit_code, outcome.error["code"]) == (exit_code, code)
    assert list(tmp_path.iterdir()) == []


def test_a_ct_with_contrast_is_refused_by_a_method_for_ct_without(tmp_path, run):
    write_series(tmp_path / "cta", upright(depths((23, 5.0))), SeriesDescription="CTA head")
    options = ("--method", "classical", "-o", tmp_path / "result", "--progress", "json")
    outcome = run("score", tmp_path / "cta", *options)
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.error["code"] == ErrorCode.METHOD_UNAVAILABLE
    assert "CTA" in outcome.error["message"]


def test_a_scan_that_the_method_does_not_take_is_noted(small_scan_path, tmp_path, run):
    result = tmp_path / "result"
    outcome = run("score", "--ncct", small_scan_path, "--cta", small_scan_path, "-o", result)
    assert outcome.exit_code == ExitCode.RESULT
    assert "the CTA that was given is not used" in outcome.out
