"""A review changes the result in the scene, and every change can be taken back."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from result_phantoms import block
from reviewed_phantom import DARK_LABELS, DARKER_HU, add_reviewed, draw, reviewed_images

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.errors import ASPECTSError, ErrorCode, FileRefusedError
from ASPECTSLib.geometry import Volume

READER, WHEN = "Dr. Müller", "2025-01-31 14:02"
DARK = REGIONS[DARK_LABELS[0] - 1]
SOUND = REGIONS[17 - 1]  # of the left too


@pytest.fixture
def nodes(scene, tmp_path):
    return add_reviewed(scene, tmp_path / "result")


@pytest.fixture
def review(nodes):
    return _review(nodes)


def test_switch_is_noted_with_who_when_and_why(review, nodes):
    review.switchRegion(SOUND, "old infarct")
    override = _stored(nodes, SOUND).override
    assert (override.affected, override.by) == (True, READER)
    assert (override.when, override.reason) == (WHEN, "old infarct")


def test_score_follows_a_switch(review, nodes):
    from ASPECTSSlicer.results import readStudy

    before = review.study.aspects.score
    review.switchRegion(SOUND)
    assert readStudy(nodes).aspects.score == before - 1
    assert review.study.to_json() == nodes.text.GetText()


def test_table_and_fill_follow_a_switch(review, nodes):
    review.switchRegion(SOUND)
    review.switchRegion(DARK)
    calls = nodes.table.GetTable().GetColumnByName("Left call")
    assert calls.GetValue(_row(SOUND)) == "affected"
    assert calls.GetValue(_row(DARK)) == "not affected"
    fill = nodes.regions.GetDisplayNode().GetSegmentOpacity2DFill
    assert fill(_identifier(SOUND)) > 0
    assert fill(_identifier(DARK)) == 0


def test_switch_back_to_a_sure_automatic_call_is_no_override(review, nodes):
    review.switchRegion(DARK)
    assert _stored(nodes, DARK).override is not None
    review.switchRegion(DARK)
    assert _stored(nodes, DARK).override is None


def test_region_without_a_call_can_be_called(scene, tmp_path):
    nodes = add_reviewed(scene, tmp_path / "result", abstained=True)
    review = _review(nodes)
    assert review.study.aspects.score is None
    review.switchRegion(DARK)
    assert _stored(nodes, DARK).final_call is True
    assert review.study.aspects.score == 9


def test_reason_of_a_region_that_was_not_switched_is_nothing(review, nodes):
    text = nodes.text.GetText()
    review.giveReason(SOUND, "old infarct")
    assert nodes.text.GetText() == text
    assert not review.canUndo


def test_reason_can_be_changed_and_undone(review, nodes):
    review.switchRegion(SOUND, "new")
    review.giveReason(SOUND, "old")
    assert _stored(nodes, SOUND).override.reason == "old"
    review.undo()
    assert _stored(nodes, SOUND).override.reason == "new"


def test_undo_goes_back_step_by_step_to_the_beginning(review, nodes):
    texts = [nodes.text.GetText()]
    for region in (SOUND, DARK, SOUND):
        review.switchRegion(region)
        texts.append(nodes.text.GetText())
    review.backToAutomatic()
    texts.append(nodes.text.GetText())
    for expected in reversed(texts[:-1]):
        assert review.canUndo
        review.undo()
        assert nodes.text.GetText() == expected
    assert not review.canUndo
    review.undo()
    assert nodes.text.GetText() == texts[0]


def test_segments_drawn_while_nobody_looked_are_scored_when_somebody_does(nodes, review):
    from ASPECTSSlicer.overrides import REGIONS_EDIT, Review

    assert not review.isBehind
    draw(nodes.regions, "M5_left", np.zeros(reviewed_images().regions.array.shape, np.uint8))
    later = Review(nodes, "Reader")
    assert later.isBehind
    later.rescore(REGIONS_EDIT)
    assert not Review(nodes, "Reader").isBehind
    assert later.study.is_edited


def test_the_programs_own_totals_stay_when_borders_are_edited(nodes, review):
    from ASPECTSLib.report.calls import automatic_totals
    from ASPECTSSlicer.overrides import REGIONS_EDIT
    from ASPECTSSlicer.results import readStudy
    from ASPECTSSlicer.segmentations import segmentId

    before = automatic_totals(review.study)
    nothing = np.zeros(reviewed_images().regions.array.shape, np.uint8)
    for label in DARK_LABELS:
        draw(nodes.regions, segmentId(REGIONS[label - 1]), nothing)
    review.rescore(REGIONS_EDIT)
    assert review.study.aspects.score > before.score
    assert automatic_totals(review.study) == before
    assert readStudy(nodes).automatic == before


def test_drawn_regions_are_measured_again(review, nodes):
    _give(nodes, block(DARK.label), SOUND)
    review.rescore("regions", _identifier(SOUND))
    after = _stored(nodes, SOUND)
    voxels = np.prod([part.stop - part.start for part in block(DARK.label)])
    assert after.volume_ml == pytest.approx(2 * voxels * 0.08)
    assert after.median < after.contralateral_median - DARKER_HU / 4
    assert after.affected is True
    assert _stored(nodes, DARK).volume_ml == 0.0
    (edit,) = review.study.edits
    assert (edit.what, edit.by, edit.when) == ("regions", READER, WHEN)


def test_overrides_stay_when_regions_are_drawn_and_undo_leaves_the_drawing(review, nodes):
    review.switchRegion(SOUND)
    _give(nodes, block(DARK.label), SOUND)
    review.rescore("regions", _identifier(SOUND))
    assert _stored(nodes, SOUND).override.affected is True
    review.undo()
    assert _stored(nodes, SOUND).override is None
    assert _stored(nodes, DARK).volume_ml == 0.0


def test_nothing_that_was_drawn_is_no_edit(review, nodes):
    text = nodes.text.GetText()
    review.rescore("regions", None)
    assert nodes.text.GetText() == text


def test_drawn_infarct_gives_a_core(review, nodes):
    mask = reviewed_images().regions.array == SOUND.label
    draw(nodes.infarct, "infarct", mask)
    review.rescore("infarct", "infarct")
    assert review.study.core.volume_ml == pytest.approx(np.count_nonzero(mask) * 0.08)
    assert _stored(nodes, SOUND).infarct_fraction == pytest.approx(1.0)
    assert [edit.what for edit in review.study.edits] == ["infarct"]


@pytest.mark.parametrize("role", ["scan", "compared", "heatmap", "regions"])
def test_scoring_again_needs_what_was_scored(scene, nodes, role):
    from ASPECTSSlicer.results import allResults

    scene.RemoveNode(getattr(nodes, role))
    (left,) = allResults(scene)
    text = left.text.GetText()
    with pytest.raises(FileRefusedError, match=role) as caught:
        _review(left).rescore("infarct")
    assert caught.value.code == ErrorCode.FILE_NOT_FOUND
    assert left.text.GetText() == text


def test_scan_that_was_replaced_since_is_refused(nodes):
    from ASPECTSSlicer.grids import fillVolume

    scan = reviewed_images().scan
    fillVolume(nodes.scan, Volume(scan.array[:8], scan.affine))
    with pytest.raises(ASPECTSError, match="moved or replaced since it was scored"):
        _review(nodes).prepare()


def test_calls_can_be_switched_without_any_image(scene, nodes):
    from ASPECTSSlicer.results import allResults

    for role in ("scan", "regions", "infarct", "heatmap", "compared", "table"):
        scene.RemoveNode(getattr(nodes, role))
    (left,) = allResults(scene)
    _review(left).switchRegion(SOUND)
    assert _stored(left, SOUND).final_call is True


def test_review_that_is_taken_up_again_can_still_be_undone(review, nodes):
    review.switchRegion(SOUND)
    again = _review(nodes)
    assert not again.canUndo
    again.continueFrom(review)
    again.undo()
    assert _stored(nodes, SOUND).override is None


def test_undo_of_another_result_is_not_taken_over(scene, review, nodes, tmp_path):
    review.switchRegion(SOUND)
    other = _review(add_reviewed(scene, tmp_path / "other"))
    other.continueFrom(review)
    assert not other.canUndo
    assert nodes.text.GetText() != other.nodes.text.GetText()


def test_change_of_the_result_is_one_event(review, nodes):
    import vtk

    events = []
    nodes.text.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: events.append(1))
    review.switchRegion(SOUND)
    assert len(events) == 1


def _review(nodes):
    from ASPECTSSlicer.overrides import Review

    return Review(nodes, READER, lambda: datetime.fromisoformat(WHEN))


def _stored(nodes, region):
    from ASPECTSSlicer.results import readStudy

    return readStudy(nodes).regions[region.label - 1]


def _identifier(region):
    from ASPECTSSlicer.segmentations import segmentId

    return segmentId(region)


def _row(region):
    return (region.label - 1) % 10


def _give(nodes, voxels, region):
    """Give voxels of another region to a region."""
    mask = reviewed_images().regions.array == region.label
    mask[voxels] = True
    draw(nodes.regions, _identifier(region), mask)
