"""A panel that goes leaves no observer, no timer, no process and nothing in the scene."""

from __future__ import annotations

import gc
import os
import weakref

import pytest
from panel_steps import (
    HAS_PROC,
    child_groups,
    choose,
    click_region,
    count_nodes,
    let_time_pass,
    living_of,
    load_scan,
    region,
    run_files,
    study_in_scene,
)

ROUNDS = 10


@pytest.fixture
def make_panel(scene, aspects):  # noqa: ARG001
    """Open another panel; it is not closed with the test."""
    import slicer_standins

    def make():
        widget = slicer_standins.make_widget(aspects, "ASPECTS")
        slicer_standins.enter(widget)
        return widget

    return make


@pytest.fixture
def load_result(scored_folder, scan_path):
    """Load a scan with its result."""

    def load():
        import slicer

        from ASPECTSSlicer.results import loadResult

        return loadResult(slicer.mrmlScene, scored_folder, load_scan(scan_path))

    return load


@pytest.fixture
def show_result(load_result, application):
    """Show a scored scan in a panel, and draw a little in it."""

    def show(widget):
        from ASPECTSSlicer.layers import regionLabels
        from slicer_standins.segment_editor import paint

        nodes = load_result()
        choose(widget, nodes.scan)
        click_region(widget, "M3 left")
        widget.ui.editRegionsButton.click()
        labels = regionLabels(nodes.regions, nodes.heatmap)
        paint(widget.ui.segmentEditor, labels == region("M1 left").label, "add")
        application.processEvents()
        return nodes

    return show


def test_panel_and_its_parts_are_gone_after_closing(make_panel, show_result, application, scene):
    import slicer_standins

    widget = make_panel()
    show_result(widget)
    parts = [weakref.ref(one) for one in (widget, widget.panel, *_collaborators(widget.panel))]
    assert len(parts) > 5
    slicer_standins.close_widget(widget)
    del widget
    application.processEvents()
    gc.collect()
    assert [one() for one in parts if one() is not None] == []
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2


@pytest.fixture
def count_observers(monkeypatch):
    """Count the observers that Python code adds to VTK objects from now on, less those that it removes."""

    def count(*observed):
        tags = set()
        for one in observed:
            add, remove = one.AddObserver, one.RemoveObserver
            key = one.GetAddressAsString("")

            def adding(*arguments, add=add, key=key):
                tag = add(*arguments)
                tags.add((key, tag))
                return tag

            def removing(tag, remove=remove, key=key):
                tags.discard((key, tag))
                remove(tag)

            monkeypatch.setattr(one, "AddObserver", adding, raising=False)
            monkeypatch.setattr(one, "RemoveObserver", removing, raising=False)
        return tags

    return count


def test_no_observer_is_left_on_the_scene(make_panel, show_result, scene, count_observers):
    import slicer_standins

    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    tags = count_observers(scene, crosshair)
    widget = make_panel()
    show_result(widget)
    assert tags
    slicer_standins.close_widget(widget)
    assert tags == set()


def test_no_observer_is_left_on_the_result(
    make_panel, load_result, application, scene, count_observers
):
    import slicer_standins

    nodes = load_result()
    segmentations = [nodes.regions.GetSegmentation(), nodes.infarct.GetSegmentation()]
    tags = count_observers(*segmentations, *vars(nodes).values())
    widget = make_panel()
    choose(widget, nodes.scan)
    application.processEvents()
    assert tags
    slicer_standins.close_widget(widget)
    assert tags == set()
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2


def test_result_that_is_drawn_in_after_closing_is_left_alone(make_panel, load_result, application):
    import slicer

    import slicer_standins

    nodes = load_result()
    widget = make_panel()
    choose(widget, nodes.scan)
    slicer_standins.close_widget(widget)
    text = nodes.text.GetText()
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        slicer.util.arrayFromVolume(nodes.compared) * 0, nodes.regions, "M1_left", nodes.heatmap
    )
    let_time_pass(application, 0.2)
    assert nodes.text.GetText() == text


def test_parameters_are_not_followed_any_more(make_panel, monkeypatch):
    import slicer_standins
    from ASPECTSSlicer.panel import Panel

    refreshed, refresh = [], Panel._refresh
    monkeypatch.setattr(
        Panel, "_refresh", lambda self, **options: refreshed.append(1) or refresh(self, **options)
    )
    widget = make_panel()
    parameters = widget.logic.getParameterNode()
    refreshed.clear()
    parameters.heatmapOpacity = 0.3
    assert refreshed
    slicer_standins.close_widget(widget)
    refreshed.clear()
    parameters.heatmapOpacity = 0.5
    assert not refreshed


def test_closing_is_not_spoilt_by_what_happens_afterwards(
    make_panel, show_result, application, scene
):
    import slicer_standins

    widget = make_panel()
    show_result(widget)
    slicer_standins.close_widget(widget)
    scene.Clear(0)
    let_time_pass(application, 0.1)
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0


@pytest.mark.skipif(not HAS_PROC, reason="looks at processes by /proc")
def test_closing_ends_a_run(make_panel, application, scan_path, wait_until, scene):
    import slicer_standins

    widget = make_panel()
    choose(widget, load_scan(scan_path))
    before = count_nodes(scene)
    widget.ui.scoreButton.click()
    wait_until(lambda: widget.ui.progressBar.value > 0, 30)
    groups = child_groups(os.getpid())
    assert groups
    slicer_standins.close_widget(widget)
    assert living_of(groups) == []
    assert run_files(application) == []
    let_time_pass(application, 0.3)
    assert not count_nodes(scene) - before


def test_panel_can_be_opened_and_closed_again_and_again(
    make_panel, application, scene, scan_path, scored_folder
):

    import slicer_standins
    from ASPECTSSlicer.results import loadResult

    volume = load_scan(scan_path)
    loadResult(scene, scored_folder, volume)
    counts = []
    for _ in range(ROUNDS):
        widget = make_panel()
        choose(widget, volume)
        assert widget.ui.scoreLabel.text == "ASPECTS 7 / 10"
        slicer_standins.close_widget(widget)
        application.processEvents()
        counts.append(count_nodes(scene))
    assert all(one == counts[0] for one in counts)
    assert study_in_scene(volume).aspects.score == 7


def test_module_can_be_reloaded_twice(application, load_result):
    """What Slicer's button Reload does: the old panel goes, the file is read again, a panel comes."""
    import sys
    from pathlib import Path

    import slicer_standins

    volume = load_result().scan
    original = sys.modules["ASPECTS"]
    path = Path(original.__file__)
    try:
        for _ in range(2):
            del sys.modules["ASPECTS"]
            widget = slicer_standins.make_widget(slicer_standins.load_module(path), "ASPECTS")
            slicer_standins.enter(widget)
            choose(widget, volume)
            assert widget.ui.scoreLabel.text == "ASPECTS 7 / 10"
            slicer_standins.close_widget(widget)
            application.processEvents()
    finally:
        sys.modules["ASPECTS"] = original


def _collaborators(panel):
    return [one for one in vars(panel).values() if type(one).__module__.startswith("ASPECTSSlicer")]
