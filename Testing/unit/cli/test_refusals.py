from __future__ import annotations

import os
import shutil

import pytest
from unscorable_scans import UNSCORABLE

from ASPECTSLib.errors import ErrorCode, ExitCode
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import write_image


def check_sentence(message, folder):
    assert message == message.strip()
    assert len(message.split()) >= 4
    assert "\n" not in message
    assert str(folder) not in message  # paths may hold patients' names


@pytest.mark.parametrize("name", UNSCORABLE)
def test_what_cannot_be_scored_is_refused_with_its_reason(tmp_path, run, name):
    make, code = UNSCORABLE[name]
    given = make(tmp_path)
    before = set(tmp_path.rglob("*"))
    outcome = run("score", given, "-o", tmp_path / "new" / "result", "--progress", "json")
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.error["code"] == code
    check_sentence(outcome.error["message"], tmp_path)
    assert outcome.out == ""
    assert set(tmp_path.rglob("*")) == before


def test_the_top_half_of_a_head_is_refused(synthetic_patient, tmp_path, run):
    scan = synthetic_patient.scan
    path = tmp_path / "top.nii.gz"
    write_image(Volume(scan.array[len(scan.array) // 2 :], scan.affine), path)
    outcome = run("score", path, "-o", tmp_path / "result", "--progress", "json")
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.error["code"] == ErrorCode.PARTIAL_COVERAGE
    check_sentence(outcome.error["message"], tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_person_is_told_the_reason_in_one_line(tmp_path, run):
    outcome = run("score", tmp_path / "scan.nii.gz", "-o", tmp_path / "result")
    assert outcome.exit_code == ExitCode.REFUSED
    last = outcome.err.splitlines()[-1]
    assert last.startswith("aspects: expected a file or folder named scan.nii.gz")
    assert last.endswith("[FILE_NOT_FOUND]")


@pytest.mark.parametrize("command", ["score", "demo"])
@pytest.mark.parametrize("kind", ["empty", "full", "file"])
def test_an_output_that_exists_is_left_alone(small_scan_path, tmp_path, run, command, kind):
    folder = tmp_path / "result"
    if kind == "file":
        folder.write_text("kept")
    else:
        folder.mkdir()
    if kind == "full":
        (folder / "notes.txt").write_text("kept")
    before = set(tmp_path.rglob("*"))
    scan = [small_scan_path] if command == "score" else []
    outcome = run(command, *scan, "-o", folder, "--progress", "json")
    assert outcome.exit_code == ExitCode.USAGE
    assert outcome.error["code"] == ErrorCode.OUTPUT_EXISTS
    check_sentence(outcome.error["message"], tmp_path)
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", ["score", "demo"])
@pytest.mark.parametrize("below", ["file/result", "file/deep/result", "x" * 300])
def test_an_output_that_cannot_be_written_is_refused(
    small_scan_path, tmp_path, run, command, below
):
    (tmp_path / "file").write_text("no folder")
    scan = [small_scan_path] if command == "score" else []
    outcome = run(command, *scan, "-o", tmp_path / below, "--progress", "json")
    assert outcome.exit_code == ExitCode.FAILURE
    assert outcome.error["code"] == ErrorCode.OUTPUT_NOT_WRITABLE
    check_sentence(outcome.error["message"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_scan_whose_name_is_too_long_is_refused(tmp_path, run):
    path = tmp_path / ("x" * 300 + ".nii.gz")
    outcome = run("score", path, "-o", tmp_path / "result", "--progress", "json")
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.error["code"] in {ErrorCode.FILE_NOT_FOUND, ErrorCode.FILE_UNREADABLE}
    check_sentence(outcome.error["message"], tmp_path)


@pytest.fixture
def locked(small_scan_path, tmp_path):
    """Return a folder with a scan and a folder in it; it can be locked, and is opened at the end."""
    folder = tmp_path / "locked"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(small_scan_path, folder / "scan.nii.gz")
    folder.chmod(0)
    if os.access(folder, os.R_OK):
        pytest.skip("permissions do not bind this user")
    folder.chmod(0o700)
    yield folder
    folder.chmod(0o700)


@pytest.mark.parametrize("what", ["scan.nii.gz", "."])
def test_a_scan_that_may_not_be_read_is_refused(locked, tmp_path, run, what):
    (locked / what).chmod(0)
    outcome = run("score", locked / "scan.nii.gz", "-o", tmp_path / "result", "--progress", "json")
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.error["code"] == ErrorCode.FILE_UNREADABLE
    check_sentence(outcome.error["message"], tmp_path)


@pytest.mark.parametrize("mode", [0o500, 0o000])
@pytest.mark.parametrize("below", ["result", "new/result", "deep/result"])
def test_an_output_that_may_not_be_written_is_refused(small_scan_path, locked, run, mode, below):
    (locked / "deep").chmod(mode)
    locked.chmod(mode)
    outcome = run("score", small_scan_path, "-o", locked / below, "--progress", "json")
    locked.chmod(0o700)
    (locked / "deep").chmod(0o700)
    assert outcome.exit_code == ExitCode.FAILURE
    assert outcome.error["code"] == ErrorCode.OUTPUT_NOT_WRITABLE
    check_sentence(outcome.error["message"], locked)
    assert {path.name for path in locked.rglob("*")} == {"deep", "scan.nii.gz"}
