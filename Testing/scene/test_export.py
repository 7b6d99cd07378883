"""A result of the scene is exported as it is now, whole or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from result_phantoms import block
from reviewed_phantom import add_reviewed, draw, reviewed_images

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.errors import ErrorCode, FileRefusedError, GeometryRefusedError, UsageError
from ASPECTSLib.report.result import OverrideInfo, StudyResult
from ASPECTSLib.report.writer import Content

SEGMENTS = {"regions.nii.gz", "heatmap.nii.gz", "compared.nii.gz"}
NO_PICTURE = [Content.RESULT, Content.TABLE, Content.SEGMENTS]
REGION = REGIONS[16]


@pytest.fixture
def nodes(scene, tmp_path):
    return add_reviewed(scene, tmp_path / "result")


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (Content.RESULT, {"result.json"}),
        (Content.TABLE, {"regions.csv"}),
        (Content.SEGMENTS, SEGMENTS),
        (Content.PICTURE, {"report.png"}),
    ],
)
def test_only_what_was_chosen_is_written(nodes, tmp_path, content, names):
    if content is Content.PICTURE:
        pytest.importorskip("matplotlib")
    _export(nodes, tmp_path / "export", [content])
    assert _names(tmp_path / "export") == names


def test_images_are_those_of_the_scene(nodes, tmp_path):
    from ASPECTSLib.io.images import read_image

    _export(nodes, tmp_path / "export", [Content.SEGMENTS])
    images = reviewed_images()
    for name in ("regions", "heatmap", "compared"):
        written, expected = (
            read_image(tmp_path / "export" / f"{name}.nii.gz"),
            getattr(images, name),
        )
        np.testing.assert_array_equal(written.array, expected.array)
        np.testing.assert_allclose(written.affine, expected.affine, atol=1e-4)


def test_export_can_be_loaded_again_as_a_result(scene, nodes, tmp_path):
    from ASPECTSSlicer.layers import regionLabels
    from ASPECTSSlicer.results import loadResult, readStudy

    _export(nodes, tmp_path / "export", NO_PICTURE)
    again = loadResult(scene, tmp_path / "export", nodes.scan)
    np.testing.assert_array_equal(
        regionLabels(again.regions, again.heatmap), reviewed_images().regions.array
    )
    assert readStudy(again).regions == _result(tmp_path / "export").regions


def test_overrides_are_exported(nodes, tmp_path):
    from ASPECTSLib.report.overrides import override_call
    from ASPECTSSlicer.results import readStudy, storeStudy

    override = OverrideInfo(affected=True, by="Dr. Müller", when="2025-01-31 14:02", reason="–")
    storeStudy(nodes, override_call(readStudy(nodes), REGION, override))
    returned = _export(nodes, tmp_path / "export", NO_PICTURE)
    written = _result(tmp_path / "export")
    assert written.regions[REGION.label - 1].override == override
    assert written.to_json() == returned.to_json()
    table = (tmp_path / "export" / "regions.csv").read_text(encoding="utf-8")
    assert table.splitlines()[REGION.label].endswith(",yes,Dr. Müller,2025-01-31 14:02,–")


def test_segments_are_exported_as_they_were_drawn(nodes, tmp_path):
    from ASPECTSLib.io.images import read_image
    from ASPECTSSlicer.overrides import INFARCT_EDIT, Review

    review = Review(nodes, "Reader")
    draw(nodes.infarct, "infarct", _mask())
    review.rescore(INFARCT_EDIT)
    _export(nodes, tmp_path / "export", [Content.SEGMENTS, Content.RESULT])
    written = read_image(tmp_path / "export" / "infarct.nii.gz").array
    np.testing.assert_array_equal(written, _mask())
    assert _result(tmp_path / "export").outputs["infarct"] == "infarct.nii.gz"


def test_segments_that_were_drawn_and_not_scored_are_not_exported(nodes, tmp_path):
    """They would stand beside calls and volumes of other segments."""
    draw(nodes.infarct, "infarct", _mask())
    with pytest.raises(FileRefusedError, match="not scored again") as caught:
        _export(nodes, tmp_path / "export", [Content.TABLE])
    assert caught.value.code is ErrorCode.RESULT_OUTDATED
    assert not (tmp_path / "export").exists()


def test_empty_infarct_that_no_method_made_is_not_exported(nodes, tmp_path):
    _export(nodes, tmp_path / "export", [Content.SEGMENTS])
    assert "infarct.nii.gz" not in _names(tmp_path / "export")


def test_existing_export_is_replaced_only_on_demand(nodes, tmp_path):
    _export(nodes, tmp_path / "export", [Content.TABLE])
    with pytest.raises(UsageError) as caught:
        _export(nodes, tmp_path / "export", [Content.RESULT])
    assert caught.value.code == ErrorCode.OUTPUT_EXISTS
    assert _names(tmp_path / "export") == {"regions.csv"}
    _export(nodes, tmp_path / "export", [Content.RESULT], replaceExisting=True)
    assert _names(tmp_path / "export") == {"result.json"}


def test_folder_of_other_files_is_never_replaced(nodes, tmp_path):
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError):
        _export(nodes, tmp_path / "export", [Content.RESULT], replaceExisting=True)
    assert _names(tmp_path / "export") == {"thesis.txt"}


@pytest.mark.parametrize("role", ["scan", "regions", "heatmap", "compared"])
def test_deleted_part_is_named_and_nothing_is_written(scene, nodes, tmp_path, role):
    from ASPECTSSlicer.results import allResults

    scene.RemoveNode(getattr(nodes, role))
    (left,) = allResults(scene)
    with pytest.raises(FileRefusedError, match=f"the {role} of this result"):
        _export(left, tmp_path / "export", list(Content))
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize("content", [Content.RESULT, Content.TABLE])
def test_words_and_numbers_need_no_images(scene, nodes, tmp_path, content):
    from ASPECTSSlicer.results import allResults

    scene.RemoveNode(nodes.compared)
    (left,) = allResults(scene)
    _export(left, tmp_path / "export", [content])
    assert len(_names(tmp_path / "export")) == 1


def test_scene_is_only_read(scene, nodes, tmp_path, snapshot):
    before = snapshot(scene)
    _export(nodes, tmp_path / "export", NO_PICTURE)
    assert snapshot(scene) == before


def test_scan_that_was_moved_since_is_refused(scene, nodes, tmp_path):
    """Its picture would show regions beside the head."""
    from ASPECTSSlicer.grids import vtkMatrix

    matrix = np.eye(4)
    matrix[:3, 3] = (5.0, 6.0, 7.0)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(vtkMatrix(matrix))
    nodes.scan.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(GeometryRefusedError, match="moved or replaced since it was scored"):
        _export(nodes, tmp_path / "export", list(Content))
    assert not (tmp_path / "export").exists()


def _export(nodes, folder, contents, **options):
    from ASPECTSSlicer.export import exportResult

    return exportResult(nodes, folder, contents, **options)


def _names(folder):
    return {path.name for path in folder.iterdir()}


def _result(folder):
    return StudyResult.from_json((folder / "result.json").read_text(encoding="utf-8"))


def _mask():
    mask = np.zeros(reviewed_images().regions.array.shape, np.uint8)
    mask[block(REGION.label)] = 1
    return mask
