"""Panel, console and command line give the same result for the same file, to the last byte."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from panel_steps import AGE, choose, load_scan, score_and_wait, score_on_command_line
from scipy.spatial.transform import Rotation

from ASPECTSLib.geometry import Volume
from ASPECTSLib.report.result import StudyResult

IMAGES = ("regions.nii.gz", "heatmap.nii.gz", "compared.nii.gz")


METHOD = "classical"  # where the method that is taken by itself is not what is tested: it takes a third of the time


@pytest.fixture(scope="session")
def oblique_path(scan, tmp_path_factory):
    """The head CT turned in the scanner by angles that no float holds."""
    from ASPECTSLib.io.images import write_image

    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", [9.7, -5.3, 7.1], degrees=True).as_matrix()
    path = tmp_path_factory.mktemp("oblique") / "oblique.nii.gz"
    write_image(Volume(scan.array, turn @ scan.affine), path)
    return path


def test_table_of_a_scan_of_real_size_is_that_of_the_command_line(real_run, real_scored_folder):
    assert _bytes(real_run.exported, "regions.csv") == _bytes(real_scored_folder, "regions.csv")


def test_result_of_a_scan_of_real_size_is_that_of_the_command_line(real_run, real_scored_folder):
    assert _result(real_run.exported) == _result(real_scored_folder)


def test_images_of_a_scan_of_real_size_are_those_of_the_command_line(real_run, real_scored_folder):
    from ASPECTSLib.io.images import read_image

    for name in IMAGES:
        exported, written = (
            read_image(folder / name) for folder in (real_run.exported, real_scored_folder)
        )
        np.testing.assert_array_equal(exported.array, written.array)
        np.testing.assert_allclose(exported.affine, written.affine, atol=1e-4)


def test_picture_is_that_of_the_command_line(real_run, real_scored_folder):
    pytest.importorskip("matplotlib")
    assert _bytes(real_run.exported, "report.png") == _bytes(real_scored_folder, "report.png")


def test_age_that_was_typed_is_in_the_result(real_run):
    assert real_run.study.input.age_years == AGE


def test_table_of_an_oblique_scan_is_that_of_its_file(
    panel, oblique_path, outcomes, tmp_path, wait_until
):
    choose(panel, load_scan(oblique_path))
    score_and_wait(panel, wait_until, method=METHOD)
    panel.ui.exportFolderEdit.currentPath = str(tmp_path)
    panel.ui.exportButton.click()
    (exported,) = tmp_path.iterdir()
    assert _bytes(exported, "regions.csv") == _bytes(outcomes[2].folder, "regions.csv")
    assert _result(exported) == _result(outcomes[2].folder)


def test_logic_of_the_module_gives_the_result_of_the_command_line(
    scene, aspects, scan_path, tmp_path
):
    import slicer

    slicer.modules.ASPECTSInstance.onStartupCompleted()
    result = slicer.modules.aspects.logic().score(load_scan(scan_path))
    by_itself = score_on_command_line(scan_path, tmp_path / "result")
    assert _in_scene(result) == _in_scene(_study(by_itself))
    assert scene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 1
    assert aspects.ASPECTSLogic


def test_result_made_in_the_console_is_shown(panel, aspects, scan_path, scored_folder):
    choose(panel, volume := load_scan(scan_path))
    result = aspects.ASPECTSLogic().score(volume, METHOD)
    assert _in_scene(result) == _in_scene(_study(scored_folder))
    assert panel.ui.scoreLabel.text == f"ASPECTS {result.aspects.score} / 10"
    assert panel.ui.resultFrame.visible


def test_logic_says_why_a_volume_has_no_result(scene, aspects):
    import slicer

    from ASPECTSSlicer.runs import ScoringError

    air = slicer.util.addVolumeFromArray(np.full((30, 64, 64), -1000, np.int16))
    air.SetSpacing(3.0, 3.0, 5.0)
    with pytest.raises(ScoringError, match="NO_SIGNAL") as caught:
        aspects.ASPECTSLogic().score(air)
    assert caught.value.failure.code == "NO_SIGNAL"
    assert scene.GetNumberOfNodesByClass("vtkMRMLTextNode") == 0


def test_logic_says_that_an_empty_volume_has_no_result(scene, aspects):
    from ASPECTSSlicer.runs import ScoringError

    with pytest.raises(ScoringError):
        aspects.ASPECTSLogic().score(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode"))


@pytest.fixture(scope="module")
def outcomes(aspects, scan_path, oblique_path, tmp_path_factory):
    """Three files scored one after another, of which the second is missing."""
    folder = tmp_path_factory.mktemp("batch")
    paths = [scan_path, scan_path.parent / "missing.nii.gz", oblique_path]
    return aspects.ASPECTSLogic().scoreFiles(paths, folder, METHOD)


def test_failed_file_costs_its_own_case_only(outcomes):
    assert [one.result is not None for one in outcomes] == [True, False, True]


def test_failure_has_a_code_and_leaves_no_folder(outcomes):
    assert outcomes[1].failure.code == "FILE_NOT_FOUND"
    assert not outcomes[1].folder.exists()


def test_results_have_no_failure(outcomes):
    assert [one.failure for one in outcomes if one.result] == [None, None]


def test_files_are_those_of_the_command_line(outcomes, scored_folder):
    names = {path.name for path in scored_folder.iterdir()}
    assert {path.name for path in outcomes[0].folder.iterdir()} == names
    for name in names - {"result.json"}:
        assert _bytes(outcomes[0].folder, name) == _bytes(scored_folder, name)
    assert _result(outcomes[0].folder) == _result(scored_folder)


def test_outcomes_name_their_files(outcomes, scan_path):
    assert outcomes[0].path == scan_path
    assert [one.folder.name for one in outcomes] == ["head", "missing", "oblique"]


def test_file_is_not_scored_into_a_folder_that_exists(scene, aspects, scan_path, tmp_path):
    (tmp_path / "head").mkdir()
    (outcome,) = aspects.ASPECTSLogic().scoreFiles([scan_path], tmp_path)
    assert outcome.failure.code == "OUTPUT_EXISTS"
    assert list((tmp_path / "head").iterdir()) == []
    assert scene.GetNumberOfNodesByClass("vtkMRMLTextNode") == 0


def _bytes(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


def _study(folder: Path) -> StudyResult:
    return StudyResult.from_json((folder / "result.json").read_text(encoding="utf-8"))


def _result(folder: Path) -> dict:
    return _comparable(_study(folder))


def _in_scene(result: StudyResult) -> dict:
    """Return the result without its picture, which is not drawn for a scene."""
    fields = _comparable(result)
    del fields["outputs"]["figure"]
    return fields


def _comparable(result: StudyResult) -> dict:
    """Return the result without how long it took."""
    fields = json.loads(result.to_json())
    del fields["timings_s"]
    return fields
