"""An export holds what was chosen, as it is after the review, and replaces nothing unasked."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest
from panel_steps import click_region, click_switch, press, region, type_reason

FILES_OF = {
    "exportResultCheckBox": {"result.json"},
    "exportTableCheckBox": {"regions.csv"},
    "exportSegmentsCheckBox": {"regions.nii.gz", "heatmap.nii.gz", "compared.nii.gz"},
    "exportPictureCheckBox": {"report.png"},
}
FOLDER = "head ASPECTS"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def export(panel, tmp_path):
    """Export to a folder and return what is in it."""

    def write(*boxes):
        panel.ui.exportFolderEdit.currentPath = str(tmp_path)
        for name in FILES_OF:
            getattr(panel.ui, name).checked = not boxes or name in boxes
        panel.ui.exportButton.click()
        folder = tmp_path / FOLDER
        return {path.name for path in folder.iterdir()} if folder.exists() else set()

    return write


@pytest.fixture
def without_matplotlib(monkeypatch):
    """Hide matplotlib, as in a Slicer that it was not installed in."""
    for name in [one for one in sys.modules if one.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)


@pytest.mark.parametrize("box", list(FILES_OF))
@pytest.mark.usefixtures("scored")
def test_only_what_was_chosen_is_written(export, box):
    if box == "exportPictureCheckBox":
        pytest.importorskip("matplotlib")
    assert export(box) == FILES_OF[box]


@pytest.mark.usefixtures("scored")
def test_result_names_the_files_that_were_written(export, tmp_path):
    export("exportResultCheckBox", "exportTableCheckBox")
    outputs = json.loads((tmp_path / FOLDER / "result.json").read_text(encoding="utf-8"))["outputs"]
    assert {key: name for key, name in outputs.items() if name} == {"table": "regions.csv"}


@pytest.mark.usefixtures("scored")
def test_panel_says_where_the_export_is(panel, export, tmp_path):
    export("exportTableCheckBox")
    assert panel.ui.exportLabel.text == f"Written to {tmp_path / FOLDER}"


@pytest.mark.usefixtures("scored")
def test_folder_must_be_chosen_first(panel):
    panel.ui.exportFolderEdit.currentPath = ""
    panel.ui.exportButton.click()
    assert panel.ui.exportLabel.text == "Choose a folder first."


@pytest.mark.usefixtures("scored")
def test_switches_are_in_result_and_table(panel, export, tmp_path):
    click_switch(panel, "M3 left")
    type_reason(panel, "old infarct")
    press(panel.ui.reasonEdit, "Return")
    export("exportResultCheckBox", "exportTableCheckBox")
    result = json.loads((tmp_path / FOLDER / "result.json").read_text(encoding="utf-8"))
    index = region("M3 left").label - 1
    assert result["aspects"]["score"] == 6
    assert result["regions"][index]["override"]["reason"] == "old infarct"
    with (tmp_path / FOLDER / "regions.csv").open(encoding="utf-8", newline="") as file:
        row = list(csv.DictReader(file))[index]
    assert (row["affected"], row["override_affected"]) == ("no", "yes")
    assert row["override_reason"] == "old infarct"
    assert row["override_by"]
    assert row["override_when"]


@pytest.mark.usefixtures("scored")
def test_drawn_infarct_is_exported(panel, export, tmp_path, scored_folder, application):
    from ASPECTSLib.io.images import read_image
    from slicer_standins.segment_editor import paint

    drawn = read_image(scored_folder / "regions.nii.gz").array == region("M4 right").label
    panel.ui.editInfarctButton.click()
    paint(panel.ui.segmentEditor, drawn, "add")
    application.processEvents()
    assert "infarct.nii.gz" in export("exportSegmentsCheckBox")
    written = read_image(tmp_path / FOLDER / "infarct.nii.gz")
    np.testing.assert_array_equal(written.array > 0, drawn)


@pytest.mark.usefixtures("scored")
def test_drawn_regions_are_exported(panel, export, tmp_path, scored_folder, application):
    from ASPECTSLib.io.images import read_image
    from slicer_standins.segment_editor import paint

    labels = read_image(scored_folder / "regions.nii.gz").array
    m3, m4 = region("M3 left").label, region("M4 left").label
    click_region(panel, "M3 left")
    panel.ui.editRegionsButton.click()
    paint(panel.ui.segmentEditor, labels == m4, "add")
    application.processEvents()
    export("exportSegmentsCheckBox")
    written = read_image(tmp_path / FOLDER / "regions.nii.gz").array
    np.testing.assert_array_equal(written, np.where(labels == m4, m3, labels))


@pytest.mark.usefixtures("scored")
def test_existing_export_is_replaced_only_when_the_user_agrees(
    panel, export, tmp_path, application
):
    import qt

    export("exportTableCheckBox")
    before = (tmp_path / FOLDER / "regions.csv").read_bytes()
    click_switch(panel, "M3 left")
    application.dialogs.answer(qt.QMessageBox.Cancel)
    export("exportTableCheckBox")
    assert FOLDER in application.dialogs.shown[0].text
    assert (tmp_path / FOLDER / "regions.csv").read_bytes() == before
    assert panel.ui.exportLabel.text.endswith("(OUTPUT_EXISTS)")
    application.dialogs.answer(qt.QMessageBox.Ok)
    export("exportTableCheckBox")
    assert (tmp_path / FOLDER / "regions.csv").read_bytes() != before
    assert panel.ui.exportLabel.text.startswith("Written to")


@pytest.mark.usefixtures("scored")
def test_replaced_export_keeps_no_file_of_the_former_one(export, application):
    import qt

    assert len(export("exportTableCheckBox", "exportResultCheckBox")) == 2
    application.dialogs.answer(qt.QMessageBox.Ok)
    assert export("exportResultCheckBox") == {"result.json"}


@pytest.mark.usefixtures("scored")
def test_folder_with_other_files_is_left_alone_even_when_the_user_agrees(
    panel, export, tmp_path, application
):
    import qt

    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "thesis.txt").write_text("years of work")
    application.dialogs.answer(qt.QMessageBox.Ok)
    assert export("exportTableCheckBox") == {"thesis.txt"}
    assert panel.ui.exportLabel.text.startswith("✖ ")
    assert panel.ui.exportLabel.text.endswith("(OUTPUT_EXISTS)")


@pytest.mark.usefixtures("scored")
def test_folder_that_cannot_be_written_is_reported(panel, tmp_path):
    (tmp_path / "file").write_text("in the way")
    panel.ui.exportFolderEdit.currentPath = str(tmp_path / "file")
    panel.ui.exportButton.click()
    assert panel.ui.exportLabel.text.startswith("✖ ")


def test_scan_with_a_name_that_no_folder_can_have_is_exported(panel, export, scored, tmp_path):
    scored.SetName('a/b\\c:*?"<>|')
    export("exportTableCheckBox")
    (folder,) = tmp_path.iterdir()
    assert not set(folder.name) & set('/\\:*?"<>|')
    assert (folder / "regions.csv").is_file()
    assert panel.ui.exportLabel.text.startswith("Written to")


def test_deleted_part_is_named_and_nothing_is_written(panel, export, scene, scored):
    from ASPECTSSlicer.results import findResult

    scene.RemoveNode(findResult(scene, scored).compared)
    assert export("exportSegmentsCheckBox") == set()
    assert "compared" in panel.ui.exportLabel.text
    assert panel.ui.exportLabel.text.endswith("(FILE_NOT_FOUND)")


@pytest.mark.usefixtures("without_matplotlib")
def test_picture_shows_the_views_where_matplotlib_is_missing(
    views,
    panel,
    scored,
    export,
    tmp_path,
):
    from slicer_standins.offscreen_views import rendering_available

    if not rendering_available():
        pytest.skip("needs offscreen rendering")
    assert views
    assert scored
    assert export("exportPictureCheckBox", "exportResultCheckBox") == {"report.png", "result.json"}
    content = (tmp_path / FOLDER / "report.png").read_bytes()
    assert content.startswith(PNG)
    assert len(_colours(content)) > 20
    result = json.loads((tmp_path / FOLDER / "result.json").read_text(encoding="utf-8"))
    assert result["outputs"]["figure"] == "report.png"
    assert panel.ui.exportLabel.text.startswith("Written to")


@pytest.mark.usefixtures("without_matplotlib")
def test_export_without_matplotlib_and_without_views_has_a_warning_instead_of_a_picture(
    panel, scored, export, tmp_path, monkeypatch
):
    monkeypatch.setattr(panel.panel._views, "_layoutManager", None)
    assert export("exportPictureCheckBox", "exportResultCheckBox") == {"result.json"}
    result = json.loads((tmp_path / FOLDER / "result.json").read_text(encoding="utf-8"))
    assert "NO_PICTURE" in [warning["code"] for warning in result["quality"]["warnings"]]
    assert scored


@pytest.mark.usefixtures("without_matplotlib")
def test_matplotlib_is_installed_only_with_consent(panel, application, monkeypatch, reopen):
    import qt

    monkeypatch.setattr("importlib.metadata.version", _not_installed)
    reopen()
    panel.ui.installPictureButton.click()
    assert len(application.dialogs.shown) == 1
    assert application.records.pip_installs == []
    assert "was not installed" in panel.ui.messageLabel.text
    application.dialogs.answer(qt.QMessageBox.Ok)
    panel.ui.installPictureButton.click()
    assert application.records.pip_installs == ["matplotlib>=3.8"]


def test_matplotlib_that_is_there_is_not_offered(panel):
    pytest.importorskip("matplotlib")
    assert not panel.ui.installPictureButton.enabled


def test_torch_needs_the_extension_pytorch_and_says_so(panel, application):
    panel.ui.installTorchButton.enabled = True  # where the tests run, PyTorch may be installed
    panel.ui.installTorchButton.click()
    said = panel.ui.messageLabel.text + "".join(one.text for one in application.dialogs.shown)
    assert "extension PyTorch" in said
    assert application.records.pip_installs == []


def test_networks_are_installed_through_the_extension_and_with_consent(
    panel, application, monkeypatch
):
    import importlib.machinery
    import types

    import qt

    class Logic:
        def installTorch(self, askConfirmation):  # noqa: N802, N803 - as the extension has it
            return types.ModuleType("torch") if askConfirmation else None

    extension = types.ModuleType("PyTorchUtils")
    extension.__spec__ = importlib.machinery.ModuleSpec("PyTorchUtils", None)
    extension.PyTorchUtilsLogic = Logic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    monkeypatch.setattr("importlib.metadata.version", _not_installed)
    application.dialogs.answer(qt.QMessageBox.Ok)
    panel.ui.installTorchButton.enabled = True  # where the tests run, both may be installed
    panel.ui.installTorchButton.click()
    assert application.records.pip_installs == ["monai>=1.5"]
    assert "PyTorch" in panel.ui.messageLabel.text


def _not_installed(name):
    import importlib.metadata

    raise importlib.metadata.PackageNotFoundError(name)


def _colours(png):
    """Return the different pixels of a picture."""
    import qt

    image = qt.QImage.fromData(png)
    size = image.size() if callable(image.size) else image.size
    return {
        image.pixel(x, y) for x in range(0, size.width(), 7) for y in range(0, size.height(), 7)
    }
