"""Diffusion-weighted MRI in the panel: chosen, scored, reviewed, and told apart from CT."""

from __future__ import annotations

import re

import numpy as np
import pytest
from dicom_phantoms import write_image
from dwi_phantoms import diffusion_images, write_diffusion_result
from panel_steps import (
    add_scan,
    all_texts,
    call_text,
    click_region,
    click_switch,
    let_time_pass,
    press,
    study_in_scene,
)

M5_LEFT = 19


@pytest.fixture(scope="session")
def images():
    """A head with infarct in I and M2 of the left, and what the method makes of it."""
    return diffusion_images()


@pytest.fixture(scope="session")
def folder(images, tmp_path_factory):
    """The result as the program writes it."""
    return write_diffusion_result(tmp_path_factory.mktemp("dwi") / "result", images)


@pytest.fixture
def add(images):
    """Return what adds an MR volume on the grid of the head."""
    return lambda name, shift_mm=0.0: add_scan(_moved(images.scan, shift_mm), name)


@pytest.fixture
def scored_dwi(panel, scene, folder, add):
    """The volume whose result the panel shows."""
    from ASPECTSSlicer.results import loadResult

    node = add("5: DWI TRACE")
    loadResult(scene, folder, node)
    panel.ui.dwiSelector.setCurrentNode(node)
    return node


@pytest.fixture
def requests(panel, monkeypatch):
    """What is asked to be scored; nothing is."""
    from ASPECTSSlicer.process import Failure
    from ASPECTSSlicer.runs import ScoringError

    asked = []

    def refuse(request):
        asked.append(request)
        raise ScoringError(Failure("TORCH_MISSING", "expected PyTorch"))

    monkeypatch.setattr(panel.panel._runs, "_startRun", refuse)
    return asked


@pytest.fixture
def draw_infarct(panel, application):
    """Draw in the segment of the infarct, and let the panel follow."""
    from slicer_standins.segment_editor import paint

    def draw(voxels, mode="add"):
        panel.ui.editInfarctButton.click()
        paint(panel.ui.segmentEditor, voxels, mode)
        application.processEvents()

    return draw


# Choosing


@pytest.mark.parametrize("names", [("DWI", "ADC"), ("ADC", "DWI")])
def test_scans_that_arrive_one_after_the_other_are_both_proposed(panel, add, application, names):
    nodes = {}
    for name in names:
        nodes[name] = add(name)
        let_time_pass(application, 0.1)
    assert panel.ui.dwiSelector.currentNode() is nodes["DWI"]
    assert panel.ui.adcSelector.currentNode() is nodes["ADC"]
    assert panel.ui.messageLabel.text == "Press Score."


def test_adc_that_the_user_does_not_want_is_not_proposed_again(panel, add, application):
    add("ADC")
    add("DWI")
    let_time_pass(application, 0.1)
    panel.ui.adcSelector.setCurrentNode(None)
    add("T1")
    let_time_pass(application, 0.1)
    assert panel.ui.adcSelector.currentNode() is None


def test_adc_alone_is_not_scored(panel, add):
    panel.ui.adcSelector.setCurrentNode(add("ADC"))
    assert not panel.ui.scoreButton.enabled
    assert panel.ui.messageLabel.text == "Choose a head CT, a CTA, a DWI or a CBF map to score."


def test_adc_follows_the_diffusion_weighted_scan(panel, add):
    adcs = [add(f"ADC {number}", shift) for number, shift in enumerate((0.0, 30.0))]
    first, second, third = (add("DWI", shift) for shift in (0.0, 30.0, 60.0))
    for dwi, adc in ((first, adcs[0]), (second, adcs[1]), (third, None), (first, adcs[0])):
        panel.ui.dwiSelector.setCurrentNode(dwi)
        assert panel.ui.adcSelector.currentNode() is adc


def test_scan_that_is_removed_is_not_replaced_by_another(panel, scene, scan, add):
    add_scan(scan)
    dwi = add("DWI")
    panel.ui.dwiSelector.setCurrentNode(dwi)
    scene.RemoveNode(dwi)
    assert panel.ui.dwiSelector.currentNode() is None
    assert panel.ui.adcSelector.currentNode() is None


def test_one_volume_as_two_kinds_is_refused(panel, add):
    dwi = add("unknown")
    panel.ui.dwiSelector.setCurrentNode(dwi)
    panel.ui.adcSelector.setCurrentNode(dwi)
    assert not panel.ui.scoreButton.enabled
    assert "two kinds" in panel.ui.messageLabel.text


def test_of_ct_and_dwi_the_dwi_is_scored_and_the_panel_says_so(panel, scan, add, requests):
    panel.ui.ncctSelector.setCurrentNode(add_scan(scan))
    adc, dwi = add("ADC"), add("DWI")
    panel.ui.dwiSelector.setCurrentNode(dwi)
    said = panel.ui.messageLabel.text
    assert said == "Press Score. The DWI is scored; the head CT is not used."
    panel.ui.scoreButton.click()
    (request,) = requests
    assert request.volumes == {"dwi": dwi, "adc": adc}
    assert request.scan is dwi


def test_classical_scores_the_ct_of_both(panel, scan, add, requests):
    ct = add_scan(scan)
    panel.ui.ncctSelector.setCurrentNode(ct)
    panel.ui.dwiSelector.setCurrentNode(add("DWI"))
    panel.ui.methodSelector.currentText = "classical"
    assert "The head CT is scored; the DWI is not used." in panel.ui.messageLabel.text
    panel.ui.scoreButton.click()
    assert requests[0].volumes == {"ncct": ct}


def test_age_is_read_from_the_diffusion_weighted_scan(panel, add, tmp_path, monkeypatch):
    import slicer

    write_image(tmp_path / "one.dcm", np.zeros((4, 4), np.int16), Modality="MR", PatientAge="064Y")
    database = type("Database", (), {"fileForInstance": lambda _self, uid: str(tmp_path / uid)})
    monkeypatch.setattr(slicer, "dicomDatabase", database(), raising=False)
    node = add("DWI")
    node.SetAttribute("DICOM.instanceUIDs", "one.dcm two.dcm")
    panel.ui.dwiSelector.setCurrentNode(node)
    assert panel.ui.ageSpinBox.value == 64
    assert panel.ui.ageLabel.text == "Age (DICOM)"


def test_typed_age_stays_between_scans_of_one_patient(panel, scan, add):
    panel.ui.ncctSelector.setCurrentNode(add_scan(scan))
    panel.ui.ageSpinBox.value = 63
    panel.ui.dwiSelector.setCurrentNode(add("DWI"))
    panel.ui.methodSelector.currentText = "classical"
    panel.ui.methodSelector.currentText = "auto"
    assert panel.ui.ageSpinBox.value == 63


# Failing


def test_missing_torch_can_be_installed_from_where_it_is_said(panel, add, requests):
    button = panel.ui.failureTorchButton
    panel.ui.dwiSelector.setCurrentNode(add("DWI"))
    assert not button.visible
    panel.ui.scoreButton.click()
    assert len(requests) == 1
    assert panel.ui.messageLabel.text == "✖ expected PyTorch (TORCH_MISSING)"
    assert button.visible
    button.click()
    assert "extension PyTorch" in panel.ui.messageLabel.text
    assert not button.visible


def test_scan_that_is_no_head_comes_back_with_a_code(panel, wait_until, images):
    """From the real program, whatever models it has."""
    noise = images.scan.with_array(np.full(images.scan.array.shape, 7, np.int16))
    panel.ui.dwiSelector.setCurrentNode(add_scan(noise, "DWI"))
    panel.ui.scoreButton.click()
    wait_until(lambda: not panel.ui.cancelButton.enabled, 60)
    assert re.fullmatch(r"✖ .+ \([A-Z_]+\)", panel.ui.messageLabel.text)
    assert not panel.ui.failureTorchButton.visible
    assert not panel.ui.resultFrame.visible


# Showing


@pytest.mark.usefixtures("scored_dwi")
def test_score_core_and_severity_are_shown(panel):
    ui = panel.ui
    assert (ui.scoreLabel.text, ui.sideLabel.text) == ("ASPECTS 8 / 10", "LEFT")
    assert ui.coreLabel.text == "core 36.0 mL\nmoderate–severe"
    assert ui.totalsLabel.text.startswith("right 10, left 8\nADC below 620: 9.0 mL")


@pytest.mark.usefixtures("scored_dwi")
def test_table_speaks_of_infarct_and_never_of_hounsfield_units(panel):
    click_region(panel, "M2 left")
    assert call_text(panel, "M2 left").startswith("●")
    assert "infarct" in panel.ui.evidenceLabel.text
    header = panel.ui.regionTable.horizontalHeaderItem(5).toolTip()
    cells = [text for row in all_texts(panel) for text in row]
    texts = [header, panel.ui.heatmapSlider.toolTip, *cells]
    assert not any("HU" in text for text in texts)
    assert "% of brain" in header
    assert "probability of infarct" in panel.ui.heatmapSlider.toolTip
    assert "infarct was looked for" in panel.ui.comparedCheckBox.toolTip


def test_words_are_those_of_ct_again_for_a_ct(panel, scored_dwi, scored):
    assert scored_dwi is not scored
    panel.ui.dwiSelector.setCurrentNode(None)
    assert panel.ui.scoreLabel.text == "ASPECTS 7 / 10"
    assert "HU" in panel.ui.heatmapSlider.toolTip
    assert "compared" in panel.ui.comparedCheckBox.toolTip
    assert panel.ui.windowSelector.itemText(0) == "1: stroke 40/40"
    assert panel.ui.windowSelector.count == 5


@pytest.mark.usefixtures("views")
def test_windows_are_those_of_diffusion(panel, scored_dwi):
    display = scored_dwi.GetDisplayNode()
    assert _black(display) == pytest.approx(0.0)
    assert display.GetWindow() == pytest.approx(660.0, rel=0.05)
    ui = panel.ui
    names = [ui.windowSelector.itemText(number) for number in range(ui.windowSelector.count)]
    assert names == ["1: infarct 0–2.2 ×", "2: wide 0–4.5 ×", "3: narrow 0.5–1.7 ×"]
    assert "1 to 3" in ui.windowSelector.toolTip
    press(ui.regionTable, "3")
    assert _black(display) == pytest.approx(150.0, rel=0.05)
    window = display.GetWindow()
    press(ui.regionTable, "5")
    assert (display.GetWindow(), ui.windowSelector.currentIndex) == (window, 2)


@pytest.mark.usefixtures("views")
def test_scan_without_a_result_is_shown_in_the_window_of_its_kind(panel, add):
    node = add("DWI")
    panel.ui.ncctSelector.setCurrentNode(node)  # by mistake
    assert node.GetDisplayNode().GetWindow() == 40.0
    panel.ui.ncctSelector.setCurrentNode(None)
    panel.ui.dwiSelector.setCurrentNode(node)
    assert node.GetDisplayNode().GetWindow() == pytest.approx(660.0, rel=0.05)


@pytest.mark.usefixtures("views")
def test_window_is_as_before_when_the_module_is_left(panel, add):
    import slicer_standins

    node = add("DWI")
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevel(123.0, 45.0)
    for selector in (panel.ui.ncctSelector, panel.ui.dwiSelector):
        selector.setCurrentNode(node)
    slicer_standins.leave(panel)
    assert node.GetDisplayNode().GetWindow() == 123.0


# Reviewing


def test_editor_opens_on_the_infarct_over_the_diffusion_weighted_scan(panel, scene, scored_dwi):
    from ASPECTSSlicer.results import findResult

    panel.ui.editInfarctButton.click()
    editor = panel.ui.segmentEditor
    assert editor.segmentationNode() is findResult(scene, scored_dwi).infarct
    assert editor.currentSegmentID() == "infarct"
    assert editor.sourceVolumeNode() is scored_dwi


def test_table_core_and_severity_follow_an_edit_and_its_undo(
    panel, scored_dwi, images, draw_infarct, application
):
    ui, before = panel.ui, all_texts(panel)
    draw_infarct(images.regions.array == M5_LEFT)
    assert ui.coreLabel.text == "core 54.0 mL\nmoderate–severe"
    assert ui.scoreLabel.text == "ASPECTS 7 / 10"
    assert call_text(panel, "M5 left").startswith("●")
    assert "edited; automatic: 8" in ui.totalsLabel.text
    draw_infarct(images.infarct.array > 0, "remove")
    assert ui.coreLabel.text == "core 18.0 mL\nmild"
    assert ui.scoreLabel.text == "ASPECTS 9 / 10"
    ui.segmentEditor.undo()
    ui.segmentEditor.undo()
    application.processEvents()
    assert ui.coreLabel.text == "core 36.0 mL\nmoderate–severe"
    assert all_texts(panel)[:10] == before[:10]
    assert study_in_scene(scored_dwi).edits[0].what == "infarct"


def test_region_can_be_switched_and_switched_back(panel, scored_dwi):
    click_switch(panel, "M3 left")
    assert panel.ui.scoreLabel.text == "ASPECTS 7 / 10"
    panel.ui.undoButton.click()
    assert panel.ui.scoreLabel.text == "ASPECTS 8 / 10"
    assert not study_in_scene(scored_dwi).is_edited


@pytest.mark.usefixtures("views", "scored_dwi")
def test_saved_scene_shows_the_review_as_it_was(
    panel, scene, images, draw_infarct, tmp_path, application
):
    import slicer

    draw_infarct(images.regions.array == M5_LEFT)
    shown = [panel.ui.coreLabel.text, panel.ui.totalsLabel.text, all_texts(panel)]
    assert slicer.util.saveScene(str(tmp_path / "review.mrb"))
    scene.Clear(0)
    application.processEvents()
    assert panel.ui.dwiSelector.currentNode() is None
    assert not panel.ui.resultFrame.visible
    slicer.util.loadScene(str(tmp_path / "review.mrb"))
    application.processEvents()
    assert [panel.ui.coreLabel.text, panel.ui.totalsLabel.text, all_texts(panel)] == shown
    assert panel.ui.windowSelector.count == 3
    draw_infarct(images.infarct.array > 0, "remove")
    assert panel.ui.coreLabel.text == "core 18.0 mL\nmild"


def test_export_holds_the_infarct(panel, scored_dwi, tmp_path):
    assert scored_dwi
    panel.ui.exportPictureCheckBox.checked = False
    panel.ui.exportFolderEdit.currentPath = str(tmp_path)
    panel.ui.exportButton.click()
    (exported,) = tmp_path.iterdir()
    assert {"infarct.nii.gz", "result.json", "regions.csv"} <= {p.name for p in exported.iterdir()}


# In Slicer's console


def test_console_scores_what_a_volume_looks_like_with_its_companions(aspects, add, monkeypatch):
    asked = []

    class Stop(Exception):  # noqa: N818
        pass

    def note(_self, request):
        asked.append(request.volumes)
        raise Stop

    monkeypatch.setattr(aspects.ASPECTSLogic, "startRun", note)
    dwi, adc, other = add("DWI"), add("ADC"), add("series 7")
    for arguments, options in (((dwi,), {"adc": adc}), ((other,), {"kind": "dwi"}), ((other,), {})):
        with pytest.raises(Stop):
            aspects.ASPECTSLogic().score(*arguments, **options)
    assert asked == [{"dwi": dwi, "adc": adc}, {"dwi": other}, {"ncct": other}]


def test_console_takes_several_files_of_a_case(aspects, tmp_path):
    case = {"dwi": tmp_path / "one_dwi.nii.gz", "adc": str(tmp_path / "one_adc.nii.gz")}
    (outcome,) = aspects.ASPECTSLogic().scoreFiles([case], tmp_path / "results")
    assert outcome.failure.code == "FILE_NOT_FOUND"
    assert outcome.path == tmp_path / "one_dwi.nii.gz"
    assert outcome.folder.name == "one_dwi"


def _moved(volume, shift_mm):
    from ASPECTSLib.geometry import Volume

    affine = volume.affine.copy()
    affine[0, 3] += shift_mm
    return Volume(volume.array, affine)


def _black(display):
    return display.GetLevel() - display.GetWindow() / 2
