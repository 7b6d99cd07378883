"""Grey windows are set and brought back, and the heat map keeps its colours to itself."""

from __future__ import annotations

import pytest

pytest.importorskip("slicer", reason="needs the package slicer-core")

import numpy as np
import slicer
from view_fixtures import add_volume, phantom

from ASPECTSLib.report.looks import HeatKind
from ASPECTSSlicer.appearance import (
    WINDOWS,
    Window,
    colourHeatmap,
    presetWindows,
    setWindow,
    windowOf,
)


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
    colourHeatmap(volume_node, HeatKind.DIFFERENCE)
    colourHeatmap(other, HeatKind.DIFFERENCE)
    colours = volume_node.GetDisplayNode().GetColorNode()
    assert other.GetDisplayNode().GetColorNode() is colours
    assert not colours.GetSaveWithScene()


def test_heat_map_is_transparent_around_zero_only(volume_node):
    colourHeatmap(volume_node, HeatKind.DIFFERENCE)
    assert [n for n, entry in enumerate(_entries(volume_node)) if entry[3] == 0] == [127, 128]


def test_probabilities_are_shown_from_zero_to_one_in_colours_of_their_own(scene, volume_node):
    difference = add_volume(scene, phantom())
    colourHeatmap(difference, HeatKind.DIFFERENCE)
    colourHeatmap(volume_node, HeatKind.PROBABILITY)
    display = volume_node.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (1.0, 0.5)
    assert display.GetColorNode() is not difference.GetDisplayNode().GetColorNode()
    assert not display.GetColorNode().GetSaveWithScene()
    painted = [entry[3] for entry in _entries(volume_node)]
    assert painted == sorted(painted)
    assert (painted[0], painted[26]) == (0.0, 1.0)


def test_probabilities_have_the_colours_of_the_report(volume_node):
    matplotlib = pytest.importorskip("matplotlib")
    colourHeatmap(volume_node, HeatKind.PROBABILITY)
    expected = matplotlib.colormaps["inferno"](np.linspace(0, 1, 256))[:, :3]
    np.testing.assert_allclose(np.array(_entries(volume_node))[:, :3], expected, atol=0.03)


@pytest.mark.parametrize("scale", [1, 7])
def test_windows_of_diffusion_follow_the_median_of_the_brain(scale):
    scan, brain = _head(scale)
    for mask in (brain, None):
        windows = presetWindows("DWI", scan, mask)
        first = windows[1]
        assert (first.level - first.width / 2, first.width) == pytest.approx((0, 660 * scale))
        assert str(first) == "infarct 0–2.2 ×"
        assert windows[2].width > first.width > windows[3].width


def test_windows_of_ct_are_fixed():
    assert presetWindows("NCCT", np.zeros((2, 2, 2))) is WINDOWS
    assert str(WINDOWS[1]) == "stroke 40/40"


def test_windows_of_an_empty_brain_mask_are_those_of_what_is_bright():
    scan, brain = _head(1)
    assert presetWindows("DWI", scan, np.zeros_like(brain)) == presetWindows("DWI", scan)


def _head(scale):
    """Return a brain of 300, a tenth of it infarcted, in dark air; and its mask."""
    scan = np.full((10, 20, 20), 5, np.int16)
    brain = np.zeros(scan.shape, bool)
    brain[:, 5:15, 5:15] = True
    scan[brain] = 300
    scan[0, 5:15, 5:15] = 700
    return scan * scale, brain


def _entries(volume_node):
    table = volume_node.GetDisplayNode().GetColorNode().GetLookupTable()
    return [table.GetTableValue(entry) for entry in range(table.GetNumberOfTableValues())]
