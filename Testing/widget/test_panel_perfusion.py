"""Maps of CT perfusion in the panel: blood volume and Tmax are there beside a map of blood flow."""

from __future__ import annotations

import numpy as np
import pytest
from panel_steps import add_scan, choose, let_time_pass

BESIDE = ("cbv", "tmax")


@pytest.fixture
def add(scan):
    """Return what adds a map on the grid of the scan."""
    flow = scan.with_array(np.abs(scan.array) + 1)
    return lambda name: add_scan(flow, name)


@pytest.fixture
def requests(panel, monkeypatch):
    """What is asked to be scored; nothing is."""
    from ASPECTSSlicer.process import Failure
    from ASPECTSSlicer.runs import ScoringError

    asked = []

    def refuse(request):
        asked.append(request)
        raise ScoringError(Failure("NO_BRAIN", "expected a brain"))

    monkeypatch.setattr(panel.panel._runs, "_startRun", refuse)
    return asked


def widgets(panel):
    return [getattr(panel.ui, f"{kind}{what}") for kind in BESIDE for what in ("Label", "Selector")]


def test_blood_volume_and_tmax_are_shown_with_a_blood_flow_only(panel, add):
    assert not any(widget.visible for widget in widgets(panel))
    panel.ui.cbfSelector.setCurrentNode(add("CBF"))
    assert all(widget.visible for widget in widgets(panel))
    panel.ui.cbfSelector.setCurrentNode(None)
    assert not any(widget.visible for widget in widgets(panel))


def test_their_tool_tips_give_the_unit(panel):
    assert "any unit" in panel.ui.cbvSelector.toolTip
    assert "seconds" in panel.ui.tmaxSelector.toolTip


def test_method_that_does_not_take_them_says_so(panel, add):
    panel.ui.cbfSelector.setCurrentNode(add("CBF"))
    panel.ui.methodSelector.currentText = "classical"
    for kind in BESIDE:
        selector = getattr(panel.ui, f"{kind}Selector")
        assert not selector.enabled
        assert selector.toolTip == f"The method classical does not take {kind.upper()}."


def test_maps_are_scored_with_the_blood_flow_and_the_head_ct(panel, scan, add, requests):
    ct = add_scan(scan, "CT head")
    choose(panel, ct)
    flow, volume, time = (add(name) for name in ("one", "two", "three"))
    panel.ui.cbfSelector.setCurrentNode(flow)
    panel.ui.cbvSelector.setCurrentNode(volume)
    panel.ui.tmaxSelector.setCurrentNode(time)
    panel.ui.scoreButton.click()
    (request,) = requests
    assert request.volumes == {"cbf": flow, "ncct": ct, "cbv": volume, "tmax": time}
    assert request.scan is flow


def test_maps_without_a_blood_flow_are_not_scored(panel, scan, add, requests):
    ct = add_scan(scan, "CT head")
    choose(panel, ct)
    panel.ui.cbfSelector.setCurrentNode(add("CBF"))
    panel.ui.tmaxSelector.setCurrentNode(add("other"))
    panel.ui.cbfSelector.setCurrentNode(None)
    panel.ui.scoreButton.click()
    assert requests[0].volumes == {"ncct": ct}


@pytest.mark.parametrize("names", [("CBF", "CBV", "Tmax"), ("Tmax", "CBV", "CBF")])
def test_maps_that_arrive_one_after_the_other_are_all_proposed(panel, add, application, names):
    nodes = {}
    for name in names:
        nodes[name] = add(name)
        let_time_pass(application, 0.1)
    for name, node in nodes.items():
        assert getattr(panel.ui, f"{name.lower()}Selector").currentNode() is node
    assert panel.ui.messageLabel.text == "Press Score."


def test_one_volume_as_two_maps_is_refused(panel, add):
    panel.ui.cbfSelector.setCurrentNode(add("CBF"))
    other = add("other")
    panel.ui.cbvSelector.setCurrentNode(other)
    panel.ui.tmaxSelector.setCurrentNode(other)
    assert not panel.ui.scoreButton.enabled
    assert "two kinds" in panel.ui.messageLabel.text


def test_choices_are_kept_in_the_scene(panel, add, reopen):
    flow, volume = add("one"), add("two")
    panel.ui.cbfSelector.setCurrentNode(flow)
    panel.ui.cbvSelector.setCurrentNode(volume)
    reopen()
    assert panel.ui.cbvSelector.currentNode() is volume
    assert panel.ui.cbvSelector.visible


def test_map_that_is_removed_is_not_replaced_by_another(panel, scene, add):
    panel.ui.cbfSelector.setCurrentNode(add("CBF"))
    volume = add("two")
    panel.ui.cbvSelector.setCurrentNode(volume)
    scene.RemoveNode(volume)
    assert panel.ui.cbvSelector.currentNode() is None
