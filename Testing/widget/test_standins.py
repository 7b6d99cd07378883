"""Modules load, and the application answers, as in Slicer."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from tiny_module import add_volume, write_module


def test_module_goes_through_its_life(tiny):
    import slicer_standins

    slicer_standins.leave(tiny)
    assert tiny.parent.isEntered is False
    slicer_standins.enter(tiny)
    assert tiny.calls == ["setup", "enter", "exit", "enter"]


@pytest.mark.usefixtures("scene")
def test_unloading_cleans_up_and_deletes_the_panel(tmp_path):
    import shiboken6
    import slicer

    import slicer_standins

    write_module(tmp_path)
    widget = slicer_standins.make_widget(slicer_standins.load_module(tmp_path / "Tiny.py"), "Tiny")
    button = widget.ui.button
    slicer_standins.close_widget(widget)
    assert widget.calls[-1] == "cleanup"
    assert not shiboken6.isValid(button)
    assert not hasattr(slicer.modules, "TinyWidget")


@pytest.mark.usefixtures("tiny")
def test_module_has_one_logic_that_keeps_what_is_hung_on_it():
    import slicer

    slicer.modules.tiny.logic().score = lambda: 10
    assert slicer.modules.tiny.logic().score() == 10
    assert slicer.modules.tiny.logic().GetMRMLScene() is slicer.mrmlScene


def test_error_display_is_recorded(application):
    import slicer

    with (
        pytest.raises(OSError, match="disk full"),
        slicer.util.tryWithErrorDisplay("Export failed.", waitCursor=True),
    ):
        raise OSError(28, "disk full")
    assert [dialog.text for dialog in application.dialogs.shown] == [
        "Export failed.\n\n[Errno 28] disk full"
    ]
    assert "Traceback" in application.dialogs.shown[0].details


def test_question_gets_the_answer_given_before_and_no_otherwise(application):
    import qt
    import slicer

    application.dialogs.answer(qt.QMessageBox.Ok)
    assert slicer.util.confirmOkCancelDisplay("Overwrite?")
    assert not slicer.util.confirmOkCancelDisplay("Overwrite?")
    assert application.dialogs.shown[0].buttons == ("OK", "Cancel")


def test_box_with_own_buttons_says_which_was_clicked(application):
    import qt

    box = qt.QMessageBox()
    box.text = "Torch is missing."
    install = box.addButton("Install", qt.QMessageBox.AcceptRole)
    box.addButton("Without", qt.QMessageBox.RejectRole)
    application.dialogs.answer("Install")
    box.exec_()
    assert box.clickedButton() is install


def test_answer_that_a_box_does_not_offer_is_an_error(application):
    import qt
    import slicer

    application.dialogs.answer(qt.QMessageBox.Retry)
    with pytest.raises(ValueError, match="has the buttons"):
        slicer.util.confirmOkCancelDisplay("Overwrite?")


def test_path_is_chosen_by_an_answered_dialog(application, tmp_path):
    import ctk

    line = ctk.ctkPathLineEdit()
    line.filters = ctk.ctkPathLineEdit.Dirs
    line.browse()
    assert line.currentPath == ""
    application.dialogs.answer(tmp_path)
    line.browse()
    assert line.currentPath == str(tmp_path)


def test_what_has_no_stand_in_is_an_error():
    import ctk
    import slicer

    with pytest.raises(AttributeError, match="extensionsManagerModel"):
        slicer.app.extensionsManagerModel()
    with pytest.raises(NotImplementedError, match="ctkRangeWidget"):
        ctk.ctkRangeWidget()


@pytest.mark.usefixtures("scene")
def test_volume_is_saved_and_loaded(application, tmp_path):
    import slicer

    volume = add_volume("CT")
    assert slicer.util.saveNode(volume, str(tmp_path / "ct.nrrd"))
    loaded = slicer.util.loadVolume(str(tmp_path / "ct.nrrd"))
    np.testing.assert_array_equal(
        slicer.util.arrayFromVolume(loaded), slicer.util.arrayFromVolume(volume)
    )
    selection = application.applicationLogic().GetSelectionNode()
    assert selection.GetActiveVolumeID() == loaded.GetID()


@pytest.mark.usefixtures("scene")
def test_missing_file_is_not_loaded(tmp_path):
    import slicer

    with pytest.raises(RuntimeError, match="Failed to load"):
        slicer.util.loadVolume(str(tmp_path / "none.nrrd"))


def test_python_slicer_runs():
    command = [shutil.which("PythonSlicer"), "-c", "print(6 * 7)"]
    assert subprocess.check_output(command, text=True).strip() == "42"


def test_startup_environment_is_that_before_slicer(application):
    import slicer

    assert str(application.temporaryPath) not in slicer.util.startupEnvironment()["PATH"]


def test_startup_is_completed_once(application):
    import slicer

    calls = []
    slicer.app.connect("startupCompleted()", lambda: calls.append(1))
    application.complete_startup()
    application.complete_startup()
    assert calls == [1]


def test_settings_are_read_by_slicer_util_and_forgotten_between_tests(application):
    import slicer

    assert slicer.util.settingsValue("ASPECTS/Reader", "") == ""
    slicer.app.userSettings().setValue("ASPECTS/Reader", "A. B.")
    assert slicer.util.settingsValue("ASPECTS/Reader", "") == "A. B."
    application.forget()
    assert slicer.util.settingsValue("ASPECTS/Reader", "") == ""


def test_install_of_packages_is_asked_for_and_recorded(application):
    import qt
    import slicer.packaging

    with pytest.raises(RuntimeError, match="declined"):
        slicer.packaging.pip_ensure("no-such-package>=1", requester="Tiny")
    application.dialogs.answer(qt.QMessageBox.Ok)
    slicer.packaging.pip_ensure(["numpy", "no-such-package>=1"], requester="Tiny")
    assert application.records.pip_installs == ["no-such-package>=1"]


def test_sample_data_is_recorded(application):
    import SampleData

    register = SampleData.SampleDataLogic.registerCustomSampleDataSource
    register(category="Tiny", sampleName="Head", uris="https://example.org/a", fileNames="a.nrrd")
    assert application.records.sample_data[0]["sampleName"] == "Head"


def test_user_is_known_to_the_application_logic(application):
    assert application.applicationLogic().GetUserInformation() is not None
