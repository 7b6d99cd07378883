from __future__ import annotations

import os
import stat
import sys
from dataclasses import replace

import numpy as np
import pytest
from result_phantoms import study_images, study_result

from ASPECTSLib.errors import CancelledError, ErrorCode, OutputError, UsageError
from ASPECTSLib.io.images import read_image
from ASPECTSLib.progress import Progress
from ASPECTSLib.report import writer
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.report.writer import check_output, staging_folder, write_study

FILES = {"heatmap.nii.gz", "regions.csv", "regions.nii.gz", "report.png", "result.json"}


def write(folder, *, images=None, progress=None):
    return write_study(study_result({12}), images or study_images(), folder, progress or Progress())


def names(folder):
    return {path.name for path in folder.iterdir()}


def failing(*_arguments):
    raise OSError(28, "No space left on device")


@pytest.fixture
def no_picture(monkeypatch):
    """Leave out the picture, which takes longest and is of no matter here."""
    monkeypatch.setattr(writer, "report_png", lambda *_: b"png")


def test_a_written_study_has_all_its_files(tmp_path):
    result = write(tmp_path / "result")
    assert names(tmp_path / "result") == FILES
    assert names(tmp_path) == {"result"}
    assert (tmp_path / "result" / "report.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "result" / "result.json").read_text(encoding="utf-8")
    assert text == result.to_json()


@pytest.mark.usefixtures("no_picture")
def test_outputs_name_the_files_that_are_there(tmp_path):
    result = write(tmp_path / "result", images=study_images(scan_is_resampled=True))
    outputs = result.outputs
    assert set(outputs) >= {"regions", "infarct", "heatmap", "figure", "table"}
    assert names(tmp_path / "result") - {"result.json"} == {n for n in outputs.values() if n}


@pytest.mark.usefixtures("no_picture")
def test_the_scan_is_written_only_where_it_was_resampled(tmp_path):
    assert write(tmp_path / "as-given").outputs["scan"] is None
    resampled = study_images(scan_is_resampled=True)
    name = write(tmp_path / "resampled", images=resampled).outputs["scan"]
    scan = read_image(tmp_path / "resampled" / name)
    np.testing.assert_array_equal(scan.array, resampled.scan.array)


@pytest.mark.usefixtures("no_picture")
def test_images_are_written_on_their_grid(tmp_path):
    images = study_images()
    write(tmp_path / "result", images=images)
    regions = read_image(tmp_path / "result" / "regions.nii.gz")
    np.testing.assert_array_equal(regions.array, images.regions.array)
    np.testing.assert_allclose(regions.affine, images.regions.affine, atol=1e-4)
    assert regions.array.dtype == np.uint8


@pytest.mark.usefixtures("no_picture")
def test_timings_of_the_stages_go_into_the_result(tmp_path):
    progress = Progress()
    progress.stage("regions", 0.6)
    result = write(tmp_path / "result", progress=progress)
    assert {"regions", "picture"} <= set(result.timings_s)


def test_without_matplotlib_there_is_a_result_without_picture(tmp_path, monkeypatch):
    for module in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, module, None)
    result = write(tmp_path / "result")
    assert names(tmp_path / "result") == FILES - {"report.png"}
    assert result.outputs["figure"] is None
    assert [w.code for w in result.quality.warnings] == ["THICK_SLICES", "NO_PICTURE"]
    read = StudyResult.from_json((tmp_path / "result" / "result.json").read_text("utf-8"))
    assert read.quality.warnings == result.quality.warnings


@pytest.mark.usefixtures("no_picture")
@pytest.mark.parametrize("function", ["report_png", "write_image", "regions_csv", "publish"])
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch, function):
    monkeypatch.setattr(writer, function, failing)
    with pytest.raises(OutputError, match="No space left") as caught:
        write(tmp_path / "new" / "deep" / "result")
    assert caught.value.code is ErrorCode.OUTPUT_NOT_WRITABLE
    assert names(tmp_path) == set()


@pytest.mark.usefixtures("no_picture")
def test_a_failure_leaves_folders_that_were_there_before(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "write_image", failing)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "notes.txt").write_text("kept")
    with pytest.raises(OutputError):
        write(tmp_path / "study" / "new" / "result")
    assert names(tmp_path / "study") == {"notes.txt"}


@pytest.mark.usefixtures("no_picture")
def test_an_unforeseen_error_leaves_nothing_either(tmp_path):
    result = study_result()
    broken = replace(result, core=replace(result.core, volume_ml=float("nan")))
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_study(broken, study_images(), tmp_path / "new" / "result", Progress())
    assert names(tmp_path) == set()


@pytest.mark.usefixtures("no_picture")
@pytest.mark.parametrize("asked_before", range(3))
def test_cancelling_at_any_point_leaves_nothing(tmp_path, asked_before):
    answers = iter([False] * asked_before + [True])
    with pytest.raises(CancelledError):
        write(tmp_path / "new" / "result", progress=Progress(is_cancelled=lambda: next(answers)))
    assert names(tmp_path) == set()


def test_a_new_folder_can_be_written(tmp_path):
    check_output(tmp_path / "new" / "deep" / "result")
    assert names(tmp_path) == set()


@pytest.mark.parametrize("content", [(), ("scan.nii.gz",)])
def test_a_folder_that_exists_is_refused(tmp_path, content):
    folder = tmp_path / "result"
    folder.mkdir()
    for name in content:
        (folder / name).touch()
    with pytest.raises(UsageError, match="folder result exists") as caught:
        check_output(folder)
    assert caught.value.code is ErrorCode.OUTPUT_EXISTS
    assert names(folder) == set(content)


def test_a_file_of_that_name_is_refused(tmp_path):
    (tmp_path / "result").touch()
    with pytest.raises(UsageError) as caught:
        check_output(tmp_path / "result")
    assert caught.value.code is ErrorCode.OUTPUT_EXISTS


def test_a_dangling_link_of_that_name_is_refused(tmp_path):
    (tmp_path / "result").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError):
        check_output(tmp_path / "result")


@pytest.mark.parametrize("below", ["result", "deep/result"])
def test_a_file_in_the_place_of_a_parent_cannot_be_written_into(tmp_path, below):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match="folder result cannot be written") as caught:
        check_output(tmp_path / "file" / below)
    assert caught.value.code is ErrorCode.OUTPUT_NOT_WRITABLE
    assert (tmp_path / "file").read_text() == "no folder"


@pytest.mark.parametrize("below", ["", "result"])
def test_a_name_that_is_too_long_cannot_be_written(tmp_path, below):
    with pytest.raises(OutputError, match="too long") as caught:
        check_output(tmp_path / ("x" * 300) / below)
    assert caught.value.code is ErrorCode.OUTPUT_NOT_WRITABLE


@pytest.mark.skipif(os.name != "posix", reason="looks at permissions as POSIX has them")
@pytest.mark.usefixtures("no_picture")
def test_the_folder_is_as_open_as_the_users_other_folders(tmp_path):
    (tmp_path / "other").mkdir()
    write(tmp_path / "result")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("other", "result")]
    assert modes[0] == modes[1]


def test_a_staging_folder_is_gone_when_it_was_not_published(tmp_path):
    with staging_folder(tmp_path / "result") as staging:
        (staging / "file").touch()
        assert staging.parent == tmp_path
    assert names(tmp_path) == set()
