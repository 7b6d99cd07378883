from __future__ import annotations

import numpy as np
from dicom_phantoms import depths, upright, write_series
from unscorable_scans import UNSCORABLE, head_dicom

from ASPECTSLib.errors import ErrorCode, ExitCode
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import write_image


def facts(outcome):
    """Return what was said, by the word at the start of the line."""
    return dict(line.split(maxsplit=1) for line in outcome.out.splitlines())


def test_a_file_is_described(small_scan_path, run):
    outcome = run("info", small_scan_path)
    assert (outcome.exit_code, outcome.err) == (ExitCode.RESULT, "")
    said = facts(outcome)
    assert said["modality"] == "not in the header"
    assert said["size"].startswith("64 x 64 x 16 voxels of 3.6 x 3.6 x 10 mm, 230 x 230 x 160 mm")
    assert said["axes"] == "i, j, k run to RAS"
    assert said["age"] == "unknown"
    assert said["density"].endswith("HU")


def test_a_dicom_folder_is_described(tmp_path, run):
    outcome = run("info", head_dicom(tmp_path))
    assert outcome.exit_code == ExitCode.RESULT
    said = facts(outcome)
    assert said["series"] == "1: Head 5.0, 32 images, NCCT"
    assert said["modality"] == "NCCT"
    assert said["axes"] == "i, j, k run to LPS"


def test_all_series_of_a_folder_are_listed_before_one_is_asked_for(tmp_path, run):
    for name in ("Head A", "Head B"):
        write_series(tmp_path / name, upright(depths((23, 5.0))), SeriesDescription=name)
    outcome = run("info", tmp_path)
    assert outcome.exit_code == ExitCode.REFUSED
    assert "Head A, 24 images" in outcome.out
    assert "Head B, 24 images" in outcome.out
    assert ErrorCode.SERIES_AMBIGUOUS in outcome.err


def test_axes_are_named_as_they_are_stored(small_scan, tmp_path, run):
    turned = np.array([[0, 0, -10.0, 0], [3.6, 0, 0, 0], [0, -3.6, 0, 0], [0, 0, 0, 1]])
    write_image(Volume(small_scan.array, turned), tmp_path / "turned.nii.gz")
    assert facts(run("info", tmp_path / "turned.nii.gz"))["axes"] == "i, j, k run to AIL"


def test_what_was_changed_on_reading_is_noted(small_scan, tmp_path, run):
    write_image(small_scan.with_array(small_scan.array + 1024), tmp_path / "raw.nii.gz")
    outcome = run("info", tmp_path / "raw.nii.gz")
    assert outcome.exit_code == ExitCode.RESULT
    assert "1024" in facts(outcome)["note"]


def test_what_cannot_be_scored_is_refused_with_its_reason(tmp_path, run):
    make, code = UNSCORABLE["MR"]
    outcome = run("info", make(tmp_path))
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.err.endswith(f"[{code}]\n")
