from __future__ import annotations

import json
import re

import pytest
from build_phantoms import affine_only, patient, write_case
from published_phantoms import write_published
from region_phantoms import box_regions

from ASPECTSLib.atlas.opening import open_atlas
from ASPECTSLib.atlas.slice_atlas import load_slice_atlas
from ASPECTSLib.atlases import registration_route
from ASPECTSLib.errors import ErrorCode, ExitCode
from ASPECTSLib.io.images import write_image
from ASPECTSLib.registration import deformable
from ASPECTSLib.registration.route import RegistrationRoute

EVALUATION = {"cases.csv", "cross_table.csv", "evaluation.json"}
QUICK = ("--resamples", "100")


@pytest.fixture
def readers(tmp_path):
    """Return the folder of three readers, the last of which has one case less."""
    for reader, shift_mm in (("mapped", 0.0), ("one", 3.0), ("two", 6.0)):
        (tmp_path / reader).mkdir()
        for case in ("a", "b"):
            write_image(box_regions((shift_mm, 0, 0)), tmp_path / reader / f"{case}.nii.gz")
    (tmp_path / "two" / "b.nii.gz").unlink()
    return tmp_path


def test_evaluate_prints_the_cross_table_and_writes_its_files(readers, run):
    given = ("--rater", f"first={readers / 'one'}", "--rater", f"second={readers / 'two'}")
    outcome = run("atlas", "evaluate", readers / "mapped", *given, "-o", readers / "out", *QUICK)
    assert outcome.exit_code == ExitCode.RESULT
    assert {path.name for path in (readers / "out").iterdir()} == EVALUATION
    assert "atlas-first" in outcome.out
    assert "! b (second): expected a label map, got none [FILE_NOT_FOUND]" in outcome.out
    record = json.loads((readers / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert record["readers"] == ["atlas", "first", "second"]
    assert [refused["code"] for refused in record["refused"]] == ["FILE_NOT_FOUND"]


@pytest.mark.parametrize("raters", [["x=one", "x=two"], ["=one"], ["x="]])
def test_raters_without_a_name_of_their_own_are_a_usage_error(readers, run, raters):
    given = [part for rater in raters for part in ("--rater", rater)]
    outcome = run(
        "atlas", "evaluate", readers / "mapped", *given, "-o", readers / "out", "--progress", "json"
    )
    assert (outcome.exit_code, outcome.error["code"]) == (ExitCode.USAGE, ErrorCode.USAGE)


def test_a_folder_that_is_not_there_is_refused_and_nothing_is_written(readers, run):
    given = ("--rater", readers / "nobody", "-o", readers / "out", "--progress", "json")
    outcome = run("atlas", "evaluate", readers / "mapped", *given)
    assert (outcome.exit_code, outcome.error["code"]) == (
        ExitCode.REFUSED,
        ErrorCode.FILE_NOT_FOUND,
    )
    assert not (readers / "out").exists()


def test_import_writes_the_published_atlas_as_this_project_reads_it(tmp_path, run):
    published = write_published(tmp_path / "published")
    outcome = run("atlas", "import", published, "-o", tmp_path / "atlas")
    assert outcome.exit_code == ExitCode.RESULT
    assert "10-29, 30-49, 50-69, 70-89" in outcome.out
    assert len(load_slice_atlas(tmp_path / "atlas").groups) == 4


def test_import_of_an_incomplete_atlas_writes_nothing(tmp_path, run):
    published = write_published(tmp_path / "published")
    (published / "BGL_label_10_29.nii.gz").unlink()
    outcome = run("atlas", "import", published, "-o", tmp_path / "a", "--progress", "json")
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.error["code"] == ErrorCode.FILE_NOT_FOUND
    assert [path.name for path in tmp_path.iterdir()] == ["published"]


@pytest.fixture
def quick_registration(monkeypatch):
    """Leave the deformable registrations out, which others test."""
    monkeypatch.setattr(deformable, "register_deformable", affine_only)
    monkeypatch.setattr(registration_route, "route", lambda: RegistrationRoute.SIMPLEITK)


@pytest.mark.usefixtures("quick_registration")
def test_build_writes_an_atlas_that_can_be_opened(tmp_path, run, atlas):
    for seed in range(3):
        write_case(tmp_path / "cohort" / f"case-{seed}", *patient(atlas, seed))
    write_case(tmp_path / "unseen" / "case-9", *patient(atlas, 9))
    given = ("--validate", tmp_path / "unseen", "--iterations", "1", "--name", "ours", *QUICK)
    outcome = run("atlas", "build", tmp_path / "cohort", *given, "-o", tmp_path / "out")
    assert outcome.exit_code == ExitCode.RESULT
    shares = [int(share) for share in re.findall(r"(\d+)% ", outcome.err)]
    assert shares == sorted(shares)
    assert shares[-1] == 100
    assert "ages all: 3 cases, entropy" in outcome.out
    assert "1 unseen case of unknown age" in outcome.out
    assert open_atlas(tmp_path / "out").name == "ours"
    assert {path.name for path in tmp_path.iterdir()} == {"cohort", "unseen", "out"}


def test_build_of_too_few_cases_is_refused_and_writes_nothing(tmp_path, run, atlas):
    write_case(tmp_path / "cohort" / "case-0", *patient(atlas, 0))
    given = ("-o", tmp_path / "out", "--progress", "json")
    outcome = run("atlas", "build", tmp_path / "cohort", *given)
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.error["code"] == ErrorCode.COHORT_INVALID
    assert not (tmp_path / "out").exists()
