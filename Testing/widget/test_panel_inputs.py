"""The panel says what is missing, proposes what is there, and knows the age where DICOM does."""

from __future__ import annotations

import numpy as np
import pytest
from dicom_phantoms import write_image
from panel_steps import add_scan, choose, let_time_pass, load_scan

UNKNOWN = -1


@pytest.fixture
def add_from_dicom(scan, tmp_path, monkeypatch):
    """Add the scan as if loaded from a DICOM file with these elements, which Slicer's database knows."""
    import slicer

    files = {}

    class Database:
        @staticmethod
        def fileForInstance(uid):  # noqa: N802
            return files.get(uid, "")

    monkeypatch.setattr(slicer, "dicomDatabase", Database, raising=False)

    def add(name, **elements):
        path = tmp_path / f"{name}.dcm"
        write_image(path, np.zeros((4, 4), np.int16), Modality="CT", **elements)
        files[f"1.2.{name}"] = str(path)
        node = add_scan(scan, name)
        node.SetAttribute("DICOM.instanceUIDs", f"1.2.{name} 1.2.3")
        return node

    return add


def test_empty_scene_says_what_to_do(panel):
    assert panel.ui.messageLabel.text.startswith("Load a head CT")
    assert panel.ui.messageLabel.visible
    assert not panel.ui.scoreButton.enabled
    assert not panel.ui.resultFrame.visible


def test_scan_loaded_while_the_module_is_open_changes_what_is_said(panel, scan, application):
    add_scan(scan)
    let_time_pass(application, 0.1)
    assert not panel.ui.messageLabel.text.startswith("Load a head CT")


def test_scan_that_is_not_chosen_is_asked_for(panel, scan, application):
    choose(panel, add_scan(scan))
    let_time_pass(application, 0.1)
    choose(panel, None)
    assert panel.ui.messageLabel.text == "Choose a head CT, a CTA, a DWI or a CBF map to score."
    assert not panel.ui.scoreButton.enabled


def test_head_ct_of_the_scene_is_proposed_on_entering(panel, scan_path, reopen):
    loaded = []
    reopen(between=lambda: loaded.append(load_scan(scan_path)))
    assert panel.ui.ncctSelector.currentNode() is loaded[0]
    assert panel.ui.scoreButton.enabled
    assert panel.ui.messageLabel.text == "Press Score."


def test_magnetic_resonance_is_not_proposed(panel, scan, reopen):
    bright = scan.with_array(np.abs(scan.array) + 1)
    reopen(between=lambda: add_scan(bright, "T1 axial"))
    assert panel.ui.ncctSelector.currentNode() is None


def test_choice_of_the_user_is_kept_on_entering_again(panel, scan, reopen):
    first = add_scan(scan, "CT one")
    choose(panel, first)
    reopen(between=lambda: add_scan(scan, "CT two"))
    assert panel.ui.ncctSelector.currentNode() is first


def test_part_of_a_result_cannot_be_chosen_as_scan(panel, scene, scored):
    from ASPECTSSlicer.results import findResult

    choose(panel, findResult(scene, scored).heatmap)
    assert panel.ui.ncctSelector.currentNode() is None
    assert not panel.ui.scoreButton.enabled


@pytest.mark.parametrize(
    ("method", "kind"),
    [("classical", "dwi"), ("classical", "cbf"), ("dwi-unet3d", "ncct"), ("ctp-cbf", "cta")],
)
def test_scan_that_the_chosen_method_does_not_take_says_so(panel, method, kind):
    panel.ui.methodSelector.currentText = method
    selector = getattr(panel.ui, f"{kind}Selector")
    assert not selector.enabled
    assert selector.toolTip == f"The method {method} does not take {kind.upper()}."


@pytest.mark.parametrize("kind", ["ncct", "cta", "dwi", "adc", "b0", "cbf", "cbv", "tmax"])
def test_scans_that_methods_take_can_be_chosen(panel, kind):
    assert getattr(panel.ui, f"{kind}Selector").enabled


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        ("auto", "a head CT, a CTA, a DWI or a CBF map"),
        ("classical", "a head CT"),
        ("dwi-unet3d", "a DWI"),
    ],
)
def test_what_is_missing_is_what_the_method_takes(panel, method, wanted):
    panel.ui.methodSelector.currentText = method
    assert panel.ui.messageLabel.text.startswith(f"Load {wanted}, for example")


def test_a_map_of_blood_flow_takes_the_head_ct_with_it(panel, scan):
    choose(panel, add_scan(scan, "CT head"))
    panel.ui.cbfSelector.setCurrentNode(add_scan(scan, "CBF map"))
    assert panel.ui.messageLabel.text == "Press Score."
    assert panel.ui.scoreButton.enabled


def test_an_angiography_beside_a_head_ct_is_told_not_to_be_used(panel, scan):
    choose(panel, add_scan(scan, "CT head"))
    panel.ui.ctaSelector.setCurrentNode(add_scan(scan, "CTA head"))
    assert panel.ui.messageLabel.text.endswith("The head CT is scored; the CTA is not used.")


def test_head_ct_can_be_chosen_and_is_explained(panel):
    assert panel.ui.ncctSelector.enabled
    assert "Hounsfield" in panel.ui.ncctSelector.toolTip


def test_methods_are_those_of_the_library(panel):
    from ASPECTSLib.methods import METHOD_NAMES

    selector = panel.ui.methodSelector
    assert [selector.itemText(i) for i in range(selector.count)] == list(METHOD_NAMES)


def test_age_is_read_from_dicom(panel, add_from_dicom):
    choose(panel, add_from_dicom("one", PatientAge="071Y"))
    assert panel.ui.ageSpinBox.value == 71
    assert panel.ui.ageLabel.text == "Age (DICOM)"


def test_age_follows_from_birth_and_study_date(panel, add_from_dicom):
    choose(panel, add_from_dicom("one", PatientBirthDate="19500601", StudyDate="20200531"))
    assert panel.ui.ageSpinBox.value in {69, 70}


def test_age_is_unknown_for_a_next_patient_without_one(panel, add_from_dicom, scan):
    choose(panel, add_from_dicom("one", PatientAge="071Y"))
    choose(panel, add_scan(scan, "from a file"))
    assert panel.ui.ageSpinBox.value == UNKNOWN
    assert panel.ui.ageSpinBox.text == "unknown"
    assert panel.ui.ageLabel.text == "Age"


def test_age_is_that_of_the_next_patient(panel, add_from_dicom):
    choose(panel, add_from_dicom("one", PatientAge="071Y"))
    choose(panel, add_from_dicom("two", PatientAge="044Y"))
    assert panel.ui.ageSpinBox.value == 44


def test_typed_age_stays_while_the_scan_stays(panel, scan, reopen):
    choose(panel, add_scan(scan))
    panel.ui.ageSpinBox.value = 63
    panel.ui.methodSelector.currentText = "classical"
    reopen()
    assert panel.ui.ageSpinBox.value == 63


def test_typed_age_stays_when_the_module_is_left_and_entered_again(panel, add_from_dicom, reopen):
    choose(panel, add_from_dicom("one", PatientAge="071Y"))
    panel.ui.ageSpinBox.value = 72
    reopen()
    assert panel.ui.ageSpinBox.value == 72


def test_nothing_is_scored_without_a_scan(panel):
    panel.panel.onScore()
    assert not panel.ui.cancelButton.enabled


def test_deleted_scan_takes_its_result_off_the_panel(panel, scene, scored):
    assert panel.ui.resultFrame.visible
    scene.RemoveNode(scored)
    assert not panel.ui.resultFrame.visible
    assert not panel.ui.scoreButton.enabled
    assert panel.ui.regionTable.item(0, 1).text() == ""


def test_closed_scene_takes_its_result_off_the_panel(panel, scene, scored):  # noqa: ARG001
    scene.Clear(0)
    assert not panel.ui.resultFrame.visible
    assert panel.ui.messageLabel.text.startswith("Load a head CT")
    assert panel.ui.regionTable.item(0, 1).text() == ""
    assert panel.ui.segmentEditor.segmentationNode() is None


def test_sections_that_need_a_result_are_disabled_without_one(panel, scan):
    choose(panel, add_scan(scan))
    for name in ("reasonEdit", "editSection", "displaySection", "exportSection"):
        assert not getattr(panel.ui, name).enabled
    assert not panel.ui.undoButton.enabled
    assert not panel.ui.automaticButton.enabled


def test_sample_patient_is_offered_when_the_application_has_started(
    application, aspects, scene, synthetic_patient, monkeypatch
):
    import slicer

    monkeypatch.setattr("ASPECTSSlicer.sample.make_patient", lambda *_args: synthetic_patient)
    slicer.modules.ASPECTSInstance.onStartupCompleted()
    (offer,) = application.records.sample_data
    node = offer["customDownloader"](None)
    assert node.GetImageData().GetDimensions() == (256, 256, 32)
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1
    assert aspects
