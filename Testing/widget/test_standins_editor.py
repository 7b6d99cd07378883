"""The segment editor changes segments by Slicer's own logic."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def editor_of_two_segments(scene, volume):
    """An editor on the segments a (slices 0 and 1) and b (slices 2 and 3)."""
    import slicer

    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for name, voxels in (("a", box(0, 2)), ("b", box(2, 4))):
        segmentation.GetSegmentation().AddEmptySegment(name, name)
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            voxels.astype(np.uint8), segmentation, name, volume
        )
    editor = slicer.qMRMLSegmentEditorWidget()
    editor.setMRMLScene(scene)
    editor.setMRMLSegmentEditorNode(scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    editor.setSegmentationNode(segmentation)
    yield editor, volume
    editor.setMRMLSegmentEditorNode(None)


def test_painting_takes_voxels_from_the_other_segments(editor_of_two_segments):
    from slicer_standins.segment_editor import paint

    editor, volume = editor_of_two_segments
    paint(editor, box(0, 3))
    np.testing.assert_array_equal(segment(editor, "a", volume), box(0, 3))
    np.testing.assert_array_equal(segment(editor, "b", volume), box(3, 4))


def test_painting_without_overwriting_leaves_the_others_alone(editor_of_two_segments):
    import slicer

    from slicer_standins.segment_editor import paint

    editor, volume = editor_of_two_segments
    editor.mrmlSegmentEditorNode().SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
    paint(editor, box(0, 3))
    np.testing.assert_array_equal(segment(editor, "b", volume), box(2, 4))


def test_erasing_removes_voxels_of_the_selected_segment_only(editor_of_two_segments):
    from slicer_standins.segment_editor import paint

    editor, volume = editor_of_two_segments
    editor.setCurrentSegmentID("b")
    paint(editor, box(0, 3), "remove")
    np.testing.assert_array_equal(segment(editor, "a", volume), box(0, 2))
    np.testing.assert_array_equal(segment(editor, "b", volume), box(3, 4))


def test_undo_takes_the_last_stroke_back(editor_of_two_segments):
    from slicer_standins.segment_editor import paint

    editor, volume = editor_of_two_segments
    paint(editor, box(0, 3))
    editor.undo()
    np.testing.assert_array_equal(segment(editor, "b", volume), box(2, 4))


def test_editor_starts_with_the_first_segment_and_the_reference_volume(editor_of_two_segments):
    editor, volume = editor_of_two_segments
    assert editor.currentSegmentID() == "a"
    assert editor.sourceVolumeNode() is volume


def test_editor_keys_are_claimed_and_given_back(editor_of_two_segments):
    from slicer_standins.segment_editor import has_keyboard_shortcuts

    editor, _volume = editor_of_two_segments
    editor.installKeyboardShortcuts()
    assert has_keyboard_shortcuts(editor)
    editor.uninstallKeyboardShortcuts()
    assert not has_keyboard_shortcuts(editor)


def test_unknown_effect_is_an_error(editor_of_two_segments):
    editor, _volume = editor_of_two_segments
    editor.setActiveEffectByName("Paint")
    assert editor.mrmlSegmentEditorNode().GetActiveEffectName() == "Paint"
    with pytest.raises(ValueError, match="Brush"):
        editor.setActiveEffectByName("Brush")


def box(first_slice, end_slice):
    voxels = np.zeros((4, 6, 5), bool)
    voxels[first_slice:end_slice, 1:5, 1:4] = True
    return voxels


def segment(editor, name, volume):
    import slicer

    return slicer.util.arrayFromSegmentBinaryLabelmap(editor.segmentationNode(), name, volume) > 0
