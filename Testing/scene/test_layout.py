"""Slicer's layout logic makes our four views, and its own come back as they were."""

from __future__ import annotations

import pytest

pytest.importorskip("slicer", reason="needs the package slicer-core")

import slicer
from view_fixtures import scene_with_layout

from ASPECTSLib.atlas.regions import Level
from ASPECTSSlicer.layout import (
    LAYOUT_ID,
    VIEW_NAMES,
    VIEW_PAIRS,
    levelOf,
    registerLayout,
    restoreLayout,
    showLayout,
    sliceNodeOf,
)

RED_ONLY = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
FOUR_UP = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


@pytest.fixture
def layout_logic():
    """Return the layout logic of a scene that shows the red slice view."""
    logic = slicer.vtkMRMLLayoutLogic()
    scene = slicer.vtkMRMLScene()
    logic.SetMRMLScene(scene)
    logic.GetLayoutNode().SetViewArrangement(RED_ONLY)
    yield logic
    logic.SetMRMLScene(None)


def shown_views(logic):
    nodes = logic.GetViewNodes()
    return tuple(nodes.GetItemAsObject(n).GetName() for n in range(nodes.GetNumberOfItems()))


def test_showing_the_layout_shows_four_views_in_reading_order(layout_logic):
    showLayout(layout_logic.GetLayoutNode())
    assert shown_views(layout_logic) == VIEW_NAMES


def test_arrangement_comes_back_as_it_was(layout_logic):
    node = layout_logic.GetLayoutNode()
    restoreLayout(node, showLayout(node))
    assert node.GetViewArrangement() == RED_ONLY
    assert shown_views(layout_logic) == ("Red",)


def test_arrangement_that_the_user_chose_meanwhile_stays(layout_logic):
    node = layout_logic.GetLayoutNode()
    previous = showLayout(node)
    node.SetViewArrangement(FOUR_UP)
    restoreLayout(node, previous)
    assert node.GetViewArrangement() == FOUR_UP


def test_layout_of_a_scene_that_was_saved_with_it_gives_way_to_slicers_own(layout_logic):
    node = layout_logic.GetLayoutNode()
    showLayout(node)
    restoreLayout(node, showLayout(node))
    assert node.GetViewArrangement() == FOUR_UP


def test_registering_twice_changes_nothing(layout_logic):
    node = layout_logic.GetLayoutNode()
    registerLayout(node)
    description, changes = node.GetLayoutDescription(LAYOUT_ID), node.GetMTime()
    registerLayout(node)
    assert node.GetLayoutDescription(LAYOUT_ID) == description
    assert node.GetMTime() == changes


def test_number_of_the_layout_is_not_one_of_slicers(layout_logic):
    assert not layout_logic.GetLayoutNode().IsLayoutDescription(LAYOUT_ID)
    assert slicer.vtkMRMLLayoutNode.SlicerLayoutUserView < LAYOUT_ID


def test_views_of_a_level_share_a_group_that_no_other_view_is_in():
    scene, _logic = scene_with_layout()
    groups = {
        level: {sliceNodeOf(scene, name).GetViewGroup() for name in pair}
        for level, pair in VIEW_PAIRS.items()
    }
    others = {sliceNodeOf(scene, name).GetViewGroup() for name in ("Red", "Green", "Yellow")}
    assert all(len(group) == 1 for group in groups.values())
    assert groups[Level.GANGLIONIC].isdisjoint(groups[Level.SUPRAGANGLIONIC])
    assert others.isdisjoint(set.union(*groups.values()))


def test_views_have_labels_of_their_own():
    scene, _logic = scene_with_layout()
    labels = [sliceNodeOf(scene, name).GetLayoutLabel() for name in VIEW_NAMES]
    assert labels == ["G", "G+", "S", "S+"]


def test_level_of_a_view():
    scene, _logic = scene_with_layout()
    levels = [levelOf(sliceNodeOf(scene, name)) for name in VIEW_NAMES]
    assert levels == [Level.GANGLIONIC] * 2 + [Level.SUPRAGANGLIONIC] * 2
    with pytest.raises(LookupError):
        levelOf(sliceNodeOf(scene, "Red"))


def test_views_survive_closing_the_scene():
    scene, logic = scene_with_layout()
    group = sliceNodeOf(scene, VIEW_NAMES[0]).GetViewGroup()
    scene.Clear(False)
    assert shown_views(logic) == VIEW_NAMES
    assert sliceNodeOf(scene, VIEW_NAMES[0]).GetViewGroup() == group


def test_views_are_missing_before_the_layout_is_shown(layout_logic):
    registerLayout(layout_logic.GetLayoutNode())
    with pytest.raises(LookupError, match="show the layout first"):
        sliceNodeOf(layout_logic.GetMRMLScene(), VIEW_NAMES[0])
