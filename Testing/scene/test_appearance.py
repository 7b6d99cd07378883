"""Grey windows are set and brought back, and the heat map keeps its colours to itself."""

from __future__ import annotations

import pytest

pytest.importorskip("slicer", reason="needs the package slicer-core")

import slicer
from view_fixtures import add_volume, phantom

from ASPECTSSlicer.appearance import WINDOWS, Window, colourHeatmap, setWindow, windowOf


@pytest.fixture
def scene():
    return slicer.vtkMRMLScene()


@pytest.fixture
def volume_node(scene):
    return add_volume(scene, phantom())


def test_presets_are_keys_one_to_five():
    widths_and_levels = {key: (w.width, w.level) for key, w in WINDOWS.items()}
    assert widths_and_levels == {
        1: (40, 40),
        2: (80, 40),
        3: (30, 35),
        4: (200, 75),
        5: (2800, 600),
    }


@pytest.mark.parametrize("window", WINDOWS.values())
def test_window_replaces_the_one_that_slicer_chose(volume_node, window):
    display = volume_node.GetDisplayNode()
    display.SetAutoWindowLevel(True)
    setWindow(volume_node, window)
    assert (display.GetWindow(), display.GetLevel()) == (window.width, window.level)
    assert not display.GetAutoWindowLevel()


def test_window_of_a_volume_comes_back(volume_node):
    setWindow(volume_node, Window("of the user", 123.0, 45.0))
    before = windowOf(volume_node)
    setWindow(volume_node, WINDOWS[1])
    setWindow(volume_node, before)
    assert volume_node.GetDisplayNode().GetWindow() == 123.0
    assert volume_node.GetDisplayNode().GetLevel() == 45.0


def test_window_that_slicer_chose_comes_back(volume_node):
    volume_node.GetDisplayNode().SetAutoWindowLevel(True)
    before = windowOf(volume_node)
    setWindow(volume_node, WINDOWS[1])
    setWindow(volume_node, before)
    assert volume_node.GetDisplayNode().GetAutoWindowLevel()


def test_volume_that_is_not_shown_yet_gets_a_window(scene):
    volume_node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert windowOf(volume_node) is None
    setWindow(volume_node, WINDOWS[5])
    assert volume_node.GetDisplayNode().GetWindow() == WINDOWS[5].width


def test_heat_maps_of_a_scene_share_colours_that_are_not_saved(scene, volume_node):
    other = add_volume(scene, phantom())
    colourHeatmap(volume_node)
    colourHeatmap(other)
    colours = volume_node.GetDisplayNode().GetColorNode()
    assert other.GetDisplayNode().GetColorNode() is colours
    assert not colours.GetSaveWithScene()


def test_heat_map_is_transparent_at_zero_only(volume_node):
    colourHeatmap(volume_node)
    table = volume_node.GetDisplayNode().GetColorNode().GetLookupTable()
    alphas = [table.GetTableValue(entry)[3] for entry in range(table.GetNumberOfTableValues())]
    assert [entry for entry, alpha in enumerate(alphas) if alpha == 0] == [127]
