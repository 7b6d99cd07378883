"""Node selectors follow the scene, and parameters and widgets follow each other."""

from __future__ import annotations

import gc
import weakref

import pytest
from tiny_module import add_volume


def test_node_selector_follows_the_scene(tiny, volume):
    tiny.ui.scan.setCurrentNode(volume)
    seen = []
    tiny.ui.scan.connect("currentNodeChanged(vtkMRMLNode*)", seen.append)
    volume.SetName("renamed")
    assert "renamed" in [tiny.ui.scan._box.itemText(row) for row in range(2)]
    volume.GetScene().RemoveNode(volume)
    assert tiny.ui.scan.currentNode() is None
    assert seen == [None]


def test_node_selector_offers_the_types_and_attributes_asked_for(scene):
    import slicer

    selector = make_selector(scene, showChildNodeTypes=False)
    ct = add_volume("CT")
    scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    assert selector.nodes() == [ct]
    selector.addAttribute("vtkMRMLScalarVolumeNode", "kind", "map")
    assert selector.nodeCount() == 0
    ct.SetAttribute("kind", "map")
    assert selector.nodes() == [ct]
    assert isinstance(selector, slicer.qMRMLNodeComboBox)


def test_selector_without_none_takes_the_first_node(scene):
    first, _second = add_volume("a"), add_volume("b")
    assert make_selector(scene).currentNode() is first


def test_selector_with_none_takes_no_node_by_itself(scene):
    add_volume("a")
    assert make_selector(scene, noneEnabled=True).currentNode() is None


def test_first_node_to_come_is_taken_only_without_action_items(scene):
    with_actions = make_selector(scene, addEnabled=True)
    without = make_selector(scene)
    node = add_volume("a")
    assert (with_actions.currentNode(), without.currentNode()) == (None, node)


def test_selector_goes_with_its_last_reference(scene):
    reference = weakref.ref(make_selector(scene))
    gc.collect()
    assert reference() is None


def test_next_node_is_created_by_the_action_item(scene):
    selector = make_selector(scene, noneEnabled=True, addEnabled=True)
    selector.addAttribute("vtkMRMLScalarVolumeNode", "kind", "map")
    row = selector._box.findText("Create new vtkMRMLScalarVolumeNode")
    selector._box.setCurrentIndex(row)
    selector._box.activated.emit(row)
    assert selector.currentNode().GetAttribute("kind") == "map"


def test_node_chosen_before_there_is_a_scene_is_kept(scene):
    import slicer

    node = add_volume("a")
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.noneEnabled = True
    selector.setCurrentNode(node)
    selector.setMRMLScene(scene)
    assert selector.currentNode() is node


# Parameters


def test_widgets_show_the_parameters(tiny, volume):
    tiny.parameters.scan = volume
    tiny.parameters.age = 71
    tiny.parameters.method = "classical"
    tiny.parameters.outlines = False
    assert tiny.ui.scan.currentNode() is volume
    assert (tiny.ui.age.value, tiny.ui.age.maximum) == (71, 120)
    assert (tiny.ui.method.currentText, tiny.ui.outlines.checked) == ("classical", False)


def test_parameters_follow_the_widgets(tiny, volume):
    tiny.ui.scan.setCurrentNode(volume)
    tiny.ui.cutoff.value = -3
    tiny.ui.method.currentIndex = 1
    tiny.ui.outlines.click()
    tiny.ui.reader.text = "A. B."
    got = tiny.parameters
    assert (got.scan, got.cutoff, got.method) == (volume, -3.0, "classical")
    assert (got.outlines, got.reader) == (False, "A. B.")


def test_parameters_have_their_defaults(tiny):
    got = tiny.parameters
    assert (got.scan, got.other, got.age, got.cutoff, got.reader) == (None, None, 60, 2.5, "")


def test_parameter_out_of_range_is_refused(tiny):
    with pytest.raises(ValueError, match="120"):
        tiny.parameters.age = 130
    with pytest.raises(ValueError, match="classical"):
        tiny.parameters.method = "other"
    assert (tiny.parameters.age, tiny.parameters.method) == (60, "auto")


def test_value_of_another_type_is_refused(tiny):
    with pytest.raises(TypeError):
        tiny.parameters.reader = 3


def test_parameters_survive_a_saved_scene(tiny, volume, tmp_path):
    import slicer

    tiny.parameters.scan = volume
    tiny.parameters.age = 71
    assert slicer.util.saveScene(str(tmp_path / "case.mrb"))
    tiny.parameters.disconnectGui(tiny.tag)
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(str(tmp_path / "case.mrb"))
    loaded = tiny.logic.getParameterNode()
    assert (loaded.age, loaded.scan.GetName()) == (71, "CT head")


def test_removed_node_leaves_the_parameter_empty(tiny, volume):
    tiny.parameters.scan = volume
    volume.GetScene().RemoveNode(volume)
    assert tiny.parameters.scan is None
    assert tiny.ui.scan.currentNode() is None


def test_disconnected_widgets_and_parameters_go_their_own_ways(tiny):
    tiny.parameters.disconnectGui(tiny.tag)
    tiny.parameters.age = 71
    tiny.ui.cutoff.value = 7
    assert (tiny.ui.age.value, tiny.parameters.cutoff) == (60, 2.5)


def test_disconnected_parameters_are_let_go(tiny):
    parameters = tiny.logic.getParameterNode()
    parameters.disconnectGui(parameters.connectGui(tiny.ui))
    reference = weakref.ref(parameters)
    del parameters
    gc.collect()
    assert reference() is None


def test_parameter_node_can_be_observed(tiny):
    import vtk

    seen = []
    tiny.addObserver(tiny.parameters, vtk.vtkCommand.ModifiedEvent, lambda *_: seen.append(1))
    tiny.parameters.age = 71
    assert seen == [1]


def test_panel_that_went_without_disconnecting_is_an_error(tiny, slot_errors):
    import shiboken6

    shiboken6.delete(tiny.parent.layout().itemAt(0).widget())
    tiny.parameters.age = 71
    assert "deleted" in str(slot_errors[0])
    slot_errors.clear()
    tiny.parameters.parameterNode.RemoveAllObservers()
    tiny.tag = None


def make_selector(scene, **properties):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    for name, value in {"addEnabled": False, "removeEnabled": False, **properties}.items():
        setattr(selector, name, value)
    selector.setMRMLScene(scene)
    return selector
