"""Results of diffusion-weighted MRI are shown, drawn in, saved and exported as those of CT are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from axis_orders import reordered
from dwi_phantoms import (
    ADC620_ML,
    INFARCTED,
    diffusion_images,
    diffusion_result,
    write_diffusion_result,
)
from reviewed_phantom import draw
from scene_phantoms import oblique_affine

pytest.importorskip("slicer", reason="needs the package slicer-core")

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.geometry import Volume
from ASPECTSLib.report.writer import Content
from ASPECTSSlicer.export import exportResult
from ASPECTSSlicer.layers import infarctMask
from ASPECTSSlicer.overrides import INFARCT_EDIT, Review
from ASPECTSSlicer.results import allResults, loadResult, readStudy

M5_LEFT = 19
CORE_ML = 36.0
MIRRORED = [((0, 1, 2), (False, False, True)), ((2, 0, 1), (False, True, False))]


@pytest.fixture
def add_result(add_volume, tmp_path):
    """Return what adds a scored head to a scene, and returns the nodes of the result."""

    def add(scene, images):
        number = len(list(tmp_path.glob("result*")))
        folder = write_diffusion_result(tmp_path / f"result{number}", images)
        return loadResult(scene, folder, add_volume(scene, images.scan, name="DWI"))

    return add


@pytest.fixture
def nodes(scene, add_result):
    return add_result(scene, diffusion_images())


def test_infarct_and_core_are_in_the_scene(nodes):
    images = diffusion_images()
    np.testing.assert_array_equal(infarctMask(nodes.infarct, nodes.heatmap), images.infarct.array)
    assert nodes.infarct.GetSegmentation().GetNumberOfSegments() == 1
    study = readStudy(nodes)
    assert study.core.volume_ml == pytest.approx(CORE_ML)
    assert (study.core.volume_adc620_ml, study.core.severity) == (ADC620_ML, "moderate-severe")
    assert {info.region for info in study.regions if info.affected} == {"I", "M2"}


def test_heat_map_is_one_of_probabilities(nodes):
    display = nodes.heatmap.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (1.0, 0.5)
    assert "Probability" in display.GetColorNode().GetName()


def test_infarct_is_outlined_more_strongly_than_regions(nodes):
    infarct, regions = (node.GetDisplayNode() for node in (nodes.infarct, nodes.regions))
    assert infarct.GetSliceIntersectionThickness() > regions.GetSliceIntersectionThickness()


def test_head_without_infarct_has_an_empty_segment_and_no_core(scene, add_result):
    nodes = add_result(scene, diffusion_images(()))
    assert not infarctMask(nodes.infarct, nodes.heatmap).any()
    study = readStudy(nodes)
    assert (study.aspects.score, study.core.volume_ml) == (10, 0.0)
    assert not Review(nodes, "Reader").isBehind


def test_drawn_infarct_changes_calls_fractions_core_and_severity(nodes):
    review = Review(nodes, "Reader")
    before = review.study
    drawn = diffusion_images().regions.array == M5_LEFT
    draw(nodes.infarct, "infarct", drawn)
    review.rescore(INFARCT_EDIT)
    study = readStudy(nodes)
    assert [info.affected for info in study.regions] == [r.label == M5_LEFT for r in REGIONS]
    assert study.regions[M5_LEFT - 1].infarct_fraction == 1.0
    assert study.core.volume_ml == pytest.approx(before.core.volume_ml / 2)
    assert study.core.volume_adc620_ml == before.core.volume_adc620_ml
    assert (before.core.severity, study.core.severity) == ("moderate-severe", "mild")
    assert study.automatic.score == before.aspects.score


def test_erased_infarct_leaves_a_core_of_nothing_and_a_full_score(nodes):
    review = Review(nodes, "Reader")
    draw(nodes.infarct, "infarct", np.zeros(diffusion_images().scan.array.shape, bool))
    review.rescore(INFARCT_EDIT)
    assert readStudy(nodes).core.volume_ml == 0.0
    assert readStudy(nodes).aspects.score == 10


def test_infarct_that_is_drawn_back_gives_the_result_back(nodes):
    review = Review(nodes, "Reader")
    regions = review.study.regions
    for mask in (
        np.zeros(diffusion_images().scan.array.shape, bool),
        diffusion_images().infarct.array,
    ):
        draw(nodes.infarct, "infarct", mask)
        review.rescore(INFARCT_EDIT)
    assert readStudy(nodes).regions == regions


@pytest.mark.parametrize(("order", "flips"), MIRRORED)
def test_axes_of_any_order_give_the_same_calls(scene, add_result, order, flips):
    images = _changed(lambda volume: reordered(volume, order, flips))
    nodes = add_result(scene, images)
    study = readStudy(nodes)
    assert study.aspects == diffusion_result(diffusion_images()).aspects
    review = Review(nodes, "Reader")
    review.prepare()
    assert not review.isBehind


def test_oblique_scan_is_scored_again_in_its_own_grid(scene, add_result):
    images = _changed(lambda volume: Volume(volume.array, oblique_affine((4.0, 4.0, 5.0))))
    nodes = add_result(scene, images)
    review = Review(nodes, "Reader")
    draw_on = infarctMask(nodes.infarct, nodes.heatmap) & (images.regions.array == INFARCTED[0])
    _draw_on(nodes.infarct, draw_on, images.scan.affine)
    review.rescore(INFARCT_EDIT)
    assert {info.region for info in readStudy(nodes).regions if info.affected} == {"I"}


@pytest.mark.parametrize(("order", "flips"), [((0, 1, 2), (False, False, False)), *MIRRORED])
def test_review_goes_on_after_a_scene_file(
    application_scene, new_application_scene, add_result, tmp_path, order, flips
):
    before = add_result(application_scene, _changed(lambda v: reordered(v, order, flips)))
    assert application_scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    scene = new_application_scene()
    assert scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    (nodes,) = allResults(scene)
    assert nodes.text.GetText() == before.text.GetText()
    review = Review(nodes, "Reader")
    assert not review.isBehind
    segmentation = nodes.infarct.GetSegmentation()
    segmentation.GetSegment("infarct").RemoveAllRepresentations()
    review.rescore(INFARCT_EDIT)
    assert readStudy(nodes).core.volume_ml == 0.0
    assert readStudy(nodes).core.severity == "mild"


def test_export_can_be_loaded_again(scene, nodes, tmp_path):
    exportResult(nodes, tmp_path / "export", [Content.RESULT, Content.TABLE, Content.SEGMENTS])
    names = {path.name for path in (tmp_path / "export").iterdir()}
    assert "infarct.nii.gz" in names
    again = loadResult(scene, tmp_path / "export", nodes.scan)
    assert readStudy(again).core.volume_ml == pytest.approx(CORE_ML)
    np.testing.assert_array_equal(
        infarctMask(again.infarct, again.heatmap), diffusion_images().infarct.array
    )


def test_picture_of_an_export_is_drawn(nodes, tmp_path):
    pytest.importorskip("matplotlib")
    exportResult(nodes, tmp_path / "export", [Content.PICTURE])
    assert (tmp_path / "export" / "report.png").stat().st_size > 0


def _changed(change):
    """Return the images of the head on another grid."""
    images = diffusion_images()
    parts = ("scan", "regions", "heatmap", "compared", "infarct")
    return replace(images, **{part: change(getattr(images, part)) for part in parts})


def _draw_on(node, mask, affine):
    import slicer

    from ASPECTSSlicer.grids import orientedImage

    image = orientedImage(mask.astype(np.uint8), affine, (0, 0, 0))
    name = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    node.GetSegmentation().GetSegment("infarct").AddRepresentation(name, image)
