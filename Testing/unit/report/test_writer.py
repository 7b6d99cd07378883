from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from result_phantoms import study_images, study_result

from ASPECTSLib.errors import CancelledError, ErrorCode, OutputError, UsageError
from ASPECTSLib.io.images import read_image
from ASPECTSLib.progress import Progress
from ASPECTSLib.report import staging, writer
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.report.writer import Content, export_study, write_study

FILES = {
    "compared.nii.gz",
    "heatmap.nii.gz",
    "regions.csv",
    "regions.nii.gz",
    "report.png",
    "result.json",
}


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


def export(folder, *contents, **options):
    return export_study(study_result({12}), study_images(), folder, contents, **options)


@pytest.mark.usefixtures("no_picture")
@pytest.mark.parametrize(
    ("content", "files"),
    [
        (Content.RESULT, {"result.json"}),
        (Content.TABLE, {"regions.csv"}),
        (Content.SEGMENTS, {"compared.nii.gz", "heatmap.nii.gz", "regions.nii.gz"}),
        (Content.PICTURE, {"report.png"}),
    ],
)
def test_an_export_holds_what_was_chosen(tmp_path, content, files):
    result = export(tmp_path / "out", content)
    assert names(tmp_path / "out") == files
    assert {n for n in result.outputs.values() if n} == files - {"result.json"}


@pytest.mark.usefixtures("no_picture")
def test_an_infarct_is_exported_with_the_segments(tmp_path):
    images = study_images(infarct=study_images().regions.array == 12)
    result = export_study(study_result(), images, tmp_path / "out", [Content.SEGMENTS])
    assert result.outputs["infarct"] == "infarct.nii.gz"
    written = read_image(tmp_path / "out" / "infarct.nii.gz").array
    assert np.array_equal(written > 0, images.regions.array == 12)


def test_an_export_without_matplotlib_takes_the_picture_given(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    export(tmp_path / "out", Content.PICTURE, picture=b"views")
    assert (tmp_path / "out" / "report.png").read_bytes() == b"views"


@pytest.mark.usefixtures("no_picture")
def test_an_export_replaces_one_before_it_when_asked_to(tmp_path):
    export(tmp_path / "out", *Content)
    with pytest.raises(UsageError, match="exists"):
        export(tmp_path / "out", Content.TABLE)
    assert names(tmp_path / "out") == FILES
    export(tmp_path / "out", Content.TABLE, replace_existing=True)
    assert names(tmp_path / "out") == {"regions.csv"}
    assert names(tmp_path) == {"out"}


@pytest.mark.usefixtures("no_picture")
def test_an_export_never_replaces_other_files(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.docx").write_text("years of work")
    with pytest.raises(UsageError, match=r"holds other files \(thesis.docx\)"):
        export(tmp_path / "out", Content.TABLE, replace_existing=True)
    assert names(tmp_path) == {"out"}
    assert (tmp_path / "out" / "thesis.docx").read_text() == "years of work"


@pytest.mark.usefixtures("no_picture")
def test_a_failed_replacement_leaves_the_folder_before_it(tmp_path, monkeypatch):
    export(tmp_path / "out", *Content)
    monkeypatch.setattr(staging, "_refuse_existing", failing)
    with pytest.raises(OutputError):
        export(tmp_path / "out", Content.TABLE, replace_existing=True)
    assert names(tmp_path / "out") == FILES
    assert names(tmp_path) == {"out"}


@pytest.mark.usefixtures("no_picture")
def test_a_result_read_back_gives_the_same_table(tmp_path):
    write(tmp_path / "first")
    read = StudyResult.from_json((tmp_path / "first" / "result.json").read_text("utf-8"))
    export_study(read, study_images(), tmp_path / "second", [Content.TABLE])
    first, second = (tmp_path / name / "regions.csv" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_a_study_can_be_written_without_its_picture(tmp_path):
    result = write_study(
        study_result({12}), study_images(), tmp_path / "result", Progress(), picture=False
    )
    assert names(tmp_path / "result") == FILES - {"report.png"}
    assert result.outputs["figure"] is None
    assert result.quality == study_result({12}).quality
