"""A scene that is saved and loaded shows the review as it was, and it goes on from there."""

from __future__ import annotations

import numpy as np
import pytest
from panel_steps import (
    add_scan,
    all_texts,
    call_text,
    choose,
    click_region,
    click_switch,
    region,
    study_in_scene,
    type_reason,
)

AGE, OPACITY = 71, 0.35


@pytest.fixture
def drawn(panel, scene, scored, application):
    """The result with drawn regions, a drawn infarct, a switched region and other settings; and its voxels."""
    from slicer_standins.segment_editor import paint

    nodes = _nodes(scene, scored)
    labels, _ = _voxels(nodes)
    ui = panel.ui
    ui.ageSpinBox.value = AGE
    ui.methodSelector.currentText = "classical"
    ui.heatmapSlider.value = OPACITY
    ui.outlinesCheckBox.checked = False
    click_region(panel, "M3 left")
    ui.editRegionsButton.click()
    paint(ui.segmentEditor, labels == region("M2 right").label, "add")
    application.processEvents()
    ui.editInfarctButton.click()
    paint(ui.segmentEditor, labels == region("L left").label, "add")
    application.processEvents()
    type_reason(panel, "old infarct")
    click_switch(panel, "M6 left")
    return scored


@pytest.fixture
def reloaded(panel, scene, drawn, tmp_path, application):
    """What was there before the scene was saved, closed and loaded: texts of the panel, and voxels."""
    import slicer

    before = all_texts(panel), _headline(panel), _voxels(_nodes(scene, drawn))
    assert slicer.util.saveScene(str(tmp_path / "review.mrb"))
    scene.Clear(0)
    application.processEvents()
    assert not panel.ui.resultFrame.visible
    slicer.util.loadScene(str(tmp_path / "review.mrb"))
    application.processEvents()
    return before


def test_table_and_score_come_back(panel, reloaded):
    texts, headline, _ = reloaded
    assert all_texts(panel) == texts
    assert _headline(panel) == headline
    assert panel.ui.resultFrame.visible


def test_segments_and_heat_map_come_back(panel, scene, reloaded):
    _, _, (labels, images) = reloaded
    now_labels, now_images = _voxels(_nodes(scene, panel.ui.ncctSelector.currentNode()))
    np.testing.assert_array_equal(now_labels, labels)
    for name, image in images.items():
        np.testing.assert_array_equal(now_images[name], image)


@pytest.mark.usefixtures("reloaded")
def test_override_comes_back_with_its_reason(panel):
    info = _study(panel).regions[region("M6 left").label - 1]
    assert (info.override.affected, info.override.reason) == (True, "old infarct")
    assert call_text(panel, "M6 left").endswith("✎")


@pytest.mark.usefixtures("reloaded")
def test_settings_come_back(panel):
    ui = panel.ui
    assert ui.ageSpinBox.value == AGE
    assert ui.methodSelector.currentText == "classical"
    assert ui.heatmapSlider.value == pytest.approx(OPACITY)
    assert not ui.outlinesCheckBox.checked


@pytest.mark.usefixtures("reloaded")
def test_heat_map_has_its_colours_again(panel, scene):
    nodes = _nodes(scene, panel.ui.ncctSelector.currentNode())
    colours = nodes.heatmap.GetDisplayNode().GetColorNode()
    assert colours is not None
    assert colours.GetLookupTable().GetTableValue(0) != colours.GetLookupTable().GetTableValue(255)


@pytest.mark.usefixtures("reloaded")
def test_regions_can_be_drawn_and_scored_after_loading(panel, scene, application):
    from slicer_standins.segment_editor import paint

    nodes = _nodes(scene, panel.ui.ncctSelector.currentNode())
    before, (labels, _) = _study(panel), _voxels(nodes)
    click_region(panel, "M5 left")
    panel.ui.editRegionsButton.click()
    paint(panel.ui.segmentEditor, labels == region("M4 left").label, "add")
    application.processEvents()
    after = _study(panel)
    m4, m5 = (region(name).label - 1 for name in ("M4 left", "M5 left"))
    assert after.regions[m4].volume_ml == 0.0
    gained = after.regions[m5].volume_ml - before.regions[m5].volume_ml
    assert gained == pytest.approx(before.regions[m4].volume_ml, abs=1e-3)


@pytest.mark.usefixtures("reloaded")
def test_switches_can_be_taken_back_after_loading(panel):
    panel.ui.automaticButton.click()
    assert all(info.override is None for info in _study(panel).regions)


@pytest.mark.usefixtures("reloaded")
def test_scene_has_one_result_and_one_set_of_parameters_after_loading(scene):
    from ASPECTSSlicer.results import allResults

    assert len(allResults(scene)) == 1
    nodes = [
        scene.GetNthNodeByClass(index, "vtkMRMLScriptedModuleNode")
        for index in range(scene.GetNumberOfNodesByClass("vtkMRMLScriptedModuleNode"))
    ]
    assert [node.GetAttribute("ModuleName") for node in nodes].count("ASPECTS") == 1


def test_typed_age_of_a_scene_that_was_loaded_meanwhile_is_kept(
    panel, drawn, tmp_path, application, monkeypatch, scan
):
    """The age of the patient before came from DICOM; that of the loaded scene was typed."""
    import slicer

    import slicer_standins

    assert slicer.util.saveScene(str(tmp_path / "review.mrb"))
    monkeypatch.setattr("ASPECTSSlicer.inputs.patientAge", lambda node, _file: _age_of(node))
    monkeypatch.setattr(slicer, "dicomDatabase", _Database(), raising=False)
    choose(panel, add_scan(scan, "from DICOM"))
    assert panel.ui.ageSpinBox.value == 55
    slicer_standins.leave(panel)
    slicer.util.loadScene(str(tmp_path / "review.mrb"), {"clear": True})
    application.processEvents()
    slicer_standins.enter(panel)
    assert panel.ui.ageSpinBox.value == AGE
    assert drawn


def test_scene_loaded_before_the_module_is_opened_is_shown_on_opening(
    panel, scene, drawn, tmp_path, aspects, application
):
    import slicer

    import slicer_standins

    texts = all_texts(panel)
    assert slicer.util.saveScene(str(tmp_path / "review.mrb"))
    slicer_standins.leave(panel)
    scene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "review.mrb"))
    application.processEvents()
    slicer_standins.enter(panel)
    assert all_texts(panel) == texts
    assert aspects
    assert drawn


class _Database:
    @staticmethod
    def fileForInstance(_uid):  # noqa: N802
        return ""


def _age_of(node):
    return 55.0 if node.GetName() == "from DICOM" else None


def _nodes(scene, volume):
    from ASPECTSSlicer.results import findResult

    return findResult(scene, volume)


def _study(panel):
    return study_in_scene(panel.ui.ncctSelector.currentNode())


def _headline(panel):
    names = ("scoreLabel", "sideLabel", "coreLabel", "totalsLabel", "warningsLabel")
    return [getattr(panel.ui, name).text for name in names]


def _voxels(nodes):
    import slicer

    from ASPECTSSlicer.layers import infarctMask, regionLabels

    images = {
        name: slicer.util.arrayFromVolume(getattr(nodes, name)).copy()
        for name in ("scan", "heatmap", "compared")
    }
    images["infarct"] = infarctMask(nodes.infarct, nodes.heatmap)
    return regionLabels(nodes.regions, nodes.heatmap), images
