"""Words on a view say where it looks, whatever way it is turned."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs the package slicer-core")

import slicer
import vtk
from view_fixtures import GANGLIONIC, KEY_SLICES, add_volume, drawn_views, phantom, tilted

from ASPECTSLib.atlas.regions import REGIONS, Level, RegionCode, Side, region_of
from ASPECTSLib.geometry import apply_affine
from ASPECTSSlicer.marks import Label, RegionLabels, SideMarks, regionLabels, sideName
from ASPECTSSlicer.planes import SliceGrid
from ASPECTSSlicer.views import setScan

RIGHT, FRONT, HEAD = np.eye(3)
DIMENSIONS = (200, 100)


@pytest.fixture
def renderer():
    return vtk.vtkRenderer()


@pytest.fixture
def slice_node():
    scene = slicer.vtkMRMLScene()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    node = slicer.vtkMRMLSliceNode()
    node.SetLayoutName("ASPECTSGanglionic")
    node = scene.AddNode(node)
    node.SetDimensions(*DIMENSIONS, 1)
    node.SetFieldOfView(100.0, 50.0, 5.0)  # two pixels a mm, slices of 5 mm
    yield node
    scene.Clear(True)


def look(node, to_screen_right, to_screen_top, origin=(0.0, 0.0, 0.0)):
    towards_viewer = np.cross(to_screen_top, to_screen_right)
    columns = (to_screen_right, to_screen_top, towards_viewer, np.array(origin))
    for column, vector in enumerate(columns):
        for row in range(3):
            node.GetSliceToRAS().SetElement(row, column, vector[row])
    node.UpdateMatrices()


@pytest.mark.parametrize(
    ("to_screen_right", "to_screen_top", "words"),
    [
        (-RIGHT, FRONT, ("right", "left")),
        (RIGHT, FRONT, ("left", "right")),
        (-RIGHT, -FRONT, ("right", "left")),
        (-RIGHT, HEAD, ("right", "left")),
        (-FRONT, HEAD, ("anterior", "posterior")),
        (FRONT, HEAD, ("posterior", "anterior")),
        (HEAD, FRONT, ("inferior", "superior")),
    ],
)
def test_words_follow_where_the_view_looks(
    renderer, slice_node, to_screen_right, to_screen_top, words
):
    marks = SideMarks(renderer, slice_node)
    look(slice_node, to_screen_right, to_screen_top)
    assert marks.texts[:2] == words


def test_direction_between_two_axes_has_the_name_of_the_nearer_one():
    assert sideName(np.array([-0.8, 0.6, 0.0])) == "left"
    assert sideName(np.array([-0.6, 0.8, 0.0])) == "anterior"


def test_title_is_asked_for_at_each_change(renderer, slice_node):
    marks = SideMarks(renderer, slice_node, lambda node: f"at {node.GetSliceOffset():.0f} mm")
    slice_node.SetSliceOffset(10.0)
    assert marks.texts[2] == "at 10 mm"


def test_removed_marks_leave_nothing_and_listen_no_longer(renderer, slice_node):
    asked = []
    marks = SideMarks(renderer, slice_node, lambda _: asked.append(1) or "")
    labels = RegionLabels(renderer, slice_node, [Label("M1", (0.0, 0.0, 0.0))])
    for words in (marks, labels, marks, labels):
        words.remove()
    before = len(asked)
    slice_node.SetSliceOffset(10.0)
    assert renderer.GetViewProps().GetNumberOfItems() == 0
    assert not slice_node.HasObserver(vtk.vtkCommand.ModifiedEvent)
    assert len(asked) == before


@pytest.mark.parametrize(
    ("height_mm", "texts"), [(-3.0, []), (-2.0, ["M1"]), (2.0, ["M1"]), (3.0, [])]
)
def test_label_is_shown_in_its_slice_only(renderer, slice_node, height_mm, texts):
    labels = RegionLabels(renderer, slice_node, [Label("M1", (0.0, 0.0, height_mm))])
    look(slice_node, -RIGHT, FRONT)
    assert labels.texts == texts


def test_label_comes_and_goes_with_the_slice(renderer, slice_node):
    look(slice_node, -RIGHT, FRONT)
    labels = RegionLabels(renderer, slice_node, [Label("M1", (0, 0, 0)), Label("M4", (0, 0, 20))])
    assert labels.texts == ["M1"]
    slice_node.SetSliceOffset(20.0)
    assert labels.texts == ["M4"]


def test_label_is_placed_at_its_centre(renderer, slice_node):
    look(slice_node, -RIGHT, FRONT)
    RegionLabels(renderer, slice_node, [Label("M1", (10.0, 5.0, 0.0))])
    actor = renderer.GetViewProps().GetItemAsObject(0)
    # 10 mm to the patient's right is left of the middle of the screen, two pixels a mm.
    assert actor.GetPosition() == pytest.approx((100.0 - 20.0, 50.0 + 10.0))


def test_other_labels_replace_the_first(renderer, slice_node):
    look(slice_node, -RIGHT, FRONT)
    labels = RegionLabels(renderer, slice_node, [Label("M1", (0, 0, 0))])
    labels.setLabels([Label("I", (0, 0, 0)), Label("L", (5, 0, 0))])
    assert labels.texts == ["I", "L"]
    labels.setLabels([])
    assert labels.texts == []
    labels.setLabels([Label("C", (0, 0, 0), (1.0, 0.5, 0.0))])
    assert labels.texts == ["C"]
    actor = renderer.GetViewProps().GetItemAsObject(0)
    assert actor.GetTextProperty().GetColor() == (1.0, 0.5, 0.0)
    assert renderer.GetViewProps().GetNumberOfItems() == 2


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_region_is_labelled_in_each_of_its_slices(axis):
    volume = tilted(phantom())
    insula, caudate = region_of(RegionCode.I, Side.LEFT), region_of(RegionCode.C, Side.RIGHT)
    ijk = np.zeros(volume.size, np.uint8)
    block = [slice(3, 6)] * 3
    block[axis] = slice(3, 5)
    ijk[tuple(block)] = insula.label
    voxel = np.array([7, 8, 9])
    voxel[axis] = 4
    ijk[tuple(voxel)] = caudate.label
    found = regionLabels(ijk.T, SliceGrid(volume.affine, volume.size, axis))
    middles = np.full((2, 3), 4.0)
    middles[0, axis] = 3.0
    expected = {(*apply_affine(volume.affine, middle).round(6), "I") for middle in middles}
    expected.add((*apply_affine(volume.affine, voxel.astype(float)).round(6), "C"))
    assert {(*np.round(label.centreRas, 6), label.text) for label in found} == expected


def test_label_of_a_bent_region_lies_within_it():
    volume = phantom()
    array = np.zeros(volume.array.shape, np.uint8)
    array[3, 10:20, 10] = array[3, 10, 10:20] = REGIONS[0].label
    (label,) = regionLabels(array, SliceGrid(volume.affine, volume.size, 2))
    i, j, k = (
        apply_affine(np.linalg.inv(volume.affine), np.array(label.centreRas)).round().astype(int)
    )
    assert array[k, j, i] == REGIONS[0].label


def test_no_regions_have_no_labels():
    volume = phantom()
    empty = np.zeros(volume.array.shape, np.uint8)
    assert regionLabels(empty, SliceGrid(volume.affine, volume.size, 2)) == []


def test_words_are_drawn_at_the_edges_and_above():
    with drawn_views((300, 300)) as drawn:
        volume_node = add_volume(drawn.scene, phantom().with_array(np.zeros((12, 50, 40))))
        views = setScan(drawn.scene, volume_node, KEY_SLICES)
        view = drawn.view(Level.GANGLIONIC)
        marks = SideMarks(view.renderer, view.node, views.title)
        assert marks.texts == ("right", "left", f"ganglionic, slice {GANGLIONIC}")
        lit = view.picture()[..., 0] > 128
        assert lit[130:170, :60].any()
        assert lit[130:170, 240:].any()
        assert lit[:30, 80:220].any()
        assert not lit[30:130].any()
        marks.remove()
        assert not (view.picture()[..., 0] > 128).any()


def test_a_caption_comes_and_goes():
    from ASPECTSSlicer.marks import Caption

    renderer = vtk.vtkRenderer()
    caption = Caption(renderer, "not affected → affected")
    (actor,) = renderer.GetViewProps()
    assert actor.GetInput() == "not affected to affected"
    caption.remove()
    assert renderer.GetViewProps().GetNumberOfItems() == 0
