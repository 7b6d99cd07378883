"""The stand-in for Slicer's layout manager does what the application's does."""

from __future__ import annotations

import pytest

pytest.importorskip("slicer", reason="needs the package slicer-core")

import slicer
from view_fixtures import KEY_SLICES, add_volume, drawn_views, phantom

from ASPECTSSlicer.layout import LAYOUT_ID, VIEW_NAMES
from ASPECTSSlicer.views import setScan

RED_ONLY = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
UNKNOWN = 4711


@pytest.fixture
def drawn():
    with drawn_views() as views:
        yield views


def mapped(manager):
    names = manager.sliceViewNames()
    return {name for name in names if manager.sliceWidget(name).mrmlSliceNode().IsMappedInLayout()}


def test_there_is_a_view_for_each_slice_node_and_those_shown_are_mapped(drawn):
    assert set(drawn.manager.sliceViewNames()) == {"Red", "Green", "Yellow", *VIEW_NAMES}
    assert drawn.manager.layout == LAYOUT_ID
    assert mapped(drawn.manager) == set(VIEW_NAMES)
    drawn.manager.setLayout(RED_ONLY)
    assert mapped(drawn.manager) == {"Red"}


def test_views_stay_the_same_when_they_come_back(drawn):
    before = drawn.manager.sliceWidget(VIEW_NAMES[0])
    drawn.manager.setLayout(RED_ONLY)
    drawn.manager.setLayout(LAYOUT_ID)
    assert drawn.manager.sliceWidget(VIEW_NAMES[0]) is before


def test_layout_that_nobody_registered_becomes_the_conventional_one(drawn):
    drawn.manager.setLayout(UNKNOWN)
    assert drawn.manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView


def test_view_of_another_name_is_none(drawn):
    assert drawn.manager.sliceWidget("Purple") is None


def test_fitting_a_view_shows_the_whole_background(drawn):
    setScan(drawn.scene, add_volume(drawn.scene, phantom()), KEY_SLICES)
    widget = drawn.manager.sliceWidget(VIEW_NAMES[0])
    widget.mrmlSliceNode().SetFieldOfView(10.0, 12.5, 1.0)
    widget.sliceController().fitSliceToBackground()
    width, height, _ = widget.mrmlSliceNode().GetFieldOfView()
    assert (width, height) == pytest.approx((160.0, 200.0))


def test_resizing_a_view_keeps_its_pixels_square(drawn):
    view = drawn.manager.sliceWidget(VIEW_NAMES[0]).view
    view.resize((300, 150))
    width, height, _ = view.node.GetFieldOfView()
    assert width / height == pytest.approx(2.0)
    assert view.picture().shape == (150, 300, 3)


def test_closed_views_hear_nothing_of_their_scene():
    with drawn_views() as drawn:
        scene = drawn.scene
    assert drawn.manager.sliceViewNames() == ()
    assert drawn.manager.mrmlSliceLogics().GetNumberOfItems() == 0
    scene.Clear(True)
