"""Runs that are cancelled, fail, are killed, or lose their scan or their scene, leave nothing behind."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest
from panel_steps import (
    HAS_PROC,
    add_scan,
    child_groups,
    choose,
    count_nodes,
    is_running,
    let_time_pass,
    living_of,
    load_scan,
    resident_mb,
    run_files,
    score_and_wait,
)

CANCEL_S = 2.0
ROUNDS = 100
MOST_GROWTH_MB = 50.0

needs_proc = pytest.mark.skipif(not HAS_PROC, reason="looks at processes by /proc")


@pytest.fixture
def loaded(panel, scan_path):
    """The scan, chosen in the panel."""
    volume = load_scan(scan_path)
    choose(panel, volume)
    return volume


@pytest.fixture
def running(loaded, panel, wait_until):
    """The scan while it is scored; the program is at work."""
    panel.ui.scoreButton.click()
    wait_until(lambda: panel.ui.progressBar.value > 0, 30)
    return loaded


@pytest.fixture
def groups(running):  # noqa: ARG001
    """The process groups of the program."""
    groups = child_groups(os.getpid())
    assert groups
    yield groups
    assert living_of(groups) == []


@needs_proc
def test_cancelling_ends_all_processes_at_once(panel, groups, wait_until):
    start = time.monotonic()
    panel.ui.cancelButton.click()
    # Killed processes are there until the system has collected them.
    wait_until(lambda: living_of(groups) == [], CANCEL_S)
    assert time.monotonic() - start < CANCEL_S


@pytest.mark.usefixtures("loaded")
def test_cancelling_leaves_scene_and_disk_as_they_were(panel, scene, application, wait_until):
    before = count_nodes(scene)
    panel.ui.scoreButton.click()
    wait_until(lambda: panel.ui.progressBar.value > 0, 30)
    assert run_files(application)
    panel.ui.cancelButton.click()
    application.processEvents()
    assert count_nodes(scene) == before
    assert run_files(application) == []


@pytest.mark.usefixtures("running")
def test_cancelling_is_confirmed_in_words_and_score_can_be_pressed_again(panel):
    panel.ui.cancelButton.click()
    assert panel.ui.messageLabel.text == "Cancelled; nothing was changed."
    assert not panel.ui.copyButton.visible
    assert panel.ui.scoreButton.enabled
    assert not panel.ui.progressBar.visible


@pytest.mark.usefixtures("scored")
def test_cancelling_keeps_the_result_that_was_there(panel, scene, wait_until):
    before = count_nodes(scene)
    panel.ui.scoreButton.click()
    wait_until(lambda: panel.ui.progressBar.value > 0, 30)
    panel.ui.cancelButton.click()
    assert panel.ui.scoreLabel.text == "ASPECTS 7 / 10"
    assert panel.ui.resultFrame.visible
    assert count_nodes(scene) == before


def test_scan_of_air_is_refused_with_a_sentence_and_a_code(panel, scene, wait_until):
    choose(panel, _volume(np.full((30, 64, 64), -1000, np.int16)))
    before = count_nodes(scene)
    score_and_wait(panel, wait_until)
    message = panel.ui.messageLabel.text
    assert message.startswith("✖ ")
    assert message.endswith("(NO_SIGNAL)")
    assert count_nodes(scene) == before
    assert not panel.ui.resultFrame.visible


def test_magnetic_resonance_is_refused_as_such(panel, wait_until):
    voxels = np.random.default_rng(0).uniform(0, 900, (30, 64, 64)).astype(np.int16)
    choose(panel, _volume(voxels))
    score_and_wait(panel, wait_until)
    assert panel.ui.messageLabel.text.endswith("(WRONG_MODALITY)")


def test_details_of_a_failure_are_copied(panel, application, wait_until):
    choose(panel, _volume(np.full((30, 64, 64), -1000, np.int16)))
    assert not panel.ui.copyButton.visible
    score_and_wait(panel, wait_until)
    assert panel.ui.copyButton.visible
    panel.ui.copyButton.click()
    copied = application.clipboard().text()
    assert copied.startswith(panel.ui.messageLabel.text.removeprefix("✖ "))


def test_complaint_about_one_scan_goes_with_it(panel, scan_path, wait_until):
    choose(panel, _volume(np.full((30, 64, 64), -1000, np.int16)))
    score_and_wait(panel, wait_until)
    choose(panel, load_scan(scan_path))
    assert panel.ui.messageLabel.text == "Press Score."
    assert not panel.ui.copyButton.visible


@needs_proc
@pytest.mark.parametrize("launcher_too", [False, True])
def test_program_killed_from_outside_is_reported(
    panel, scene, groups, wait_until, application, launcher_too
):
    before = count_nodes(scene)
    for one in living_of(groups):
        if launcher_too or one.pid not in groups:
            os.kill(one.pid, signal.SIGKILL)
    wait_until(lambda: not is_running(panel), 10)
    message = panel.ui.messageLabel.text
    assert "ended from outside" in message
    assert message.endswith("(PROCESS_KILLED)")
    assert count_nodes(scene) == before
    assert run_files(application) == []


@needs_proc
def test_cancelling_ends_a_program_whose_launcher_is_gone(panel, groups, application, wait_until):
    for group in groups:
        os.kill(group, signal.SIGKILL)
    let_time_pass(application, 0.3)
    assert living_of(groups)
    panel.ui.cancelButton.click()
    # Killed processes are there until the system has collected them.
    wait_until(lambda: living_of(groups) == [], CANCEL_S)


def test_program_that_cannot_be_started_is_reported(panel, loaded, monkeypatch, application):  # noqa: ARG001
    monkeypatch.setenv("PATH", "")
    panel.ui.scoreButton.click()
    assert panel.ui.messageLabel.text.endswith("(NOT_STARTED)")
    assert not is_running(panel)
    assert run_files(application) == []


@needs_proc
def test_removing_the_scan_ends_its_run(panel, scene, running, groups, application):
    before = count_nodes(scene)
    scene.RemoveNode(running)
    application.processEvents()
    assert living_of(groups) == []
    assert panel.ui.messageLabel.text.endswith("(INPUT_GONE)")
    added = count_nodes(scene) - before
    assert not added
    assert run_files(application) == []
    assert not is_running(panel)


def test_removing_the_scan_is_reported_though_another_is_chosen_instead(
    panel, scene, scan, scan_path, wait_until
):
    add_scan(scan, "another")
    choose(panel, volume := load_scan(scan_path))
    panel.ui.scoreButton.click()
    wait_until(lambda: panel.ui.progressBar.value > 0, 30)
    scene.RemoveNode(volume)
    assert panel.ui.messageLabel.text.endswith("(INPUT_GONE)")


@needs_proc
def test_closing_the_scene_ends_the_run_and_says_so(panel, scene, groups, application):
    scene.Clear(0)
    application.processEvents()
    assert living_of(groups) == []
    assert "scene was closed" in panel.ui.messageLabel.text
    assert run_files(application) == []
    assert not panel.ui.scoreButton.enabled
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


@pytest.mark.usefixtures("running")
def test_scan_can_be_scored_after_the_scene_was_closed(panel, scene, scan_path, wait_until):
    scene.Clear(0)
    choose(panel, load_scan(scan_path))
    score_and_wait(panel, wait_until)
    assert panel.ui.scoreLabel.text == "ASPECTS 7 / 10"


@needs_proc
@pytest.mark.usefixtures("loaded")
def test_a_hundred_cancelled_runs_leave_nothing(panel, scene, application):
    before = count_nodes(scene)
    groups = set()
    _start_and_cancel(panel, groups)
    memory = resident_mb()
    for number in range(ROUNDS):
        _start_and_cancel(panel, groups, after_s=number / 2000)
    assert len(groups) > ROUNDS
    assert living_of(groups) == []
    assert resident_mb() - memory < MOST_GROWTH_MB
    assert run_files(application) == []
    assert count_nodes(scene) == before


def _start_and_cancel(panel, groups, after_s=0.0):
    panel.ui.scoreButton.click()
    time.sleep(after_s)
    assert is_running(panel), panel.ui.messageLabel.text
    groups |= child_groups(os.getpid())
    panel.ui.cancelButton.click()
    assert not is_running(panel)


def _volume(voxels):
    import slicer

    node = slicer.util.addVolumeFromArray(voxels, name="CT")
    node.SetSpacing(3.0, 3.0, 5.0)
    return node
