"""Regions and infarct are segmentations of the real MRML scene, with names, codes, colours and styles."""

from __future__ import annotations

import numpy as np
import pytest
from scene_phantoms import SHAPE_KJI, add_infarct, add_regions, label_volume, segment_of

pytest.importorskip("slicer", reason="needs the package slicer-core")

import slicer
from slicer.util import arrayFromVolume
from vtk import vtkStringArray

from ASPECTSLib.atlas.regions import (
    INFARCT_COLOUR,
    REGIONS,
    RegionCode,
    Side,
    region_of,
)
from ASPECTSSlicer.grids import fillVolume
from ASPECTSSlicer.segmentations import (
    INFARCT_ID,
    segmentId,
    setOutlinesVisible,
    styleRegions,
)

M2_LEFT = region_of(RegionCode.M2, Side.LEFT)
LAYER = "Binary labelmap"


@pytest.fixture
def regions(scene):
    return add_regions(scene)


@pytest.fixture
def grid(scene, add_volume):
    return add_volume(scene, label_volume())


def test_each_region_is_a_segment_with_id_name_and_colour(regions):
    segmentation = regions.GetSegmentation()
    identifiers = segmentation.GetSegmentIDs()
    segments = [segmentation.GetSegment(one) for one in identifiers]
    assert list(identifiers) == [f"{r.code}_{r.side}" for r in REGIONS]
    assert [segment.GetName() for segment in segments] == [f"{r.code} {r.side}" for r in REGIONS]
    colours = [tuple(round(255 * c) for c in segment.GetColor()) for segment in segments]
    assert colours == [region.colour for region in REGIONS]


def test_each_region_has_the_code_of_its_anatomy_and_side(regions):
    for region in REGIONS:
        entry = _entry(segment_of(regions, region))
        assert _code(entry.GetCategoryObject()) == ("SCT", "123037004", "Anatomical Structure")
        terms = region.terminology
        assert _code(entry.GetTypeObject()) == (terms.scheme, terms.value, terms.meaning)
        assert entry.GetTypeModifierObject().GetCodeMeaning().lower() == region.side


def test_infarct_has_its_code_and_a_colour_of_its_own(scene):
    node = add_infarct(scene, np.zeros(SHAPE_KJI, bool))
    segment = node.GetSegmentation().GetSegment(INFARCT_ID)
    entry = _entry(segment)
    assert _code(entry.GetTypeObject()) == ("SCT", "55641003", "Infarct")
    assert _code(entry.GetRegionObject()) == ("SCT", "12738006", "Brain")
    assert tuple(round(255 * c) for c in segment.GetColor()) == INFARCT_COLOUR
    assert INFARCT_COLOUR not in {region.colour for region in REGIONS}


def test_all_regions_share_one_image_also_those_that_do_not_occur(regions):
    assert regions.GetSegmentation().GetNumberOfLayers(LAYER) == 1
    assert regions.GetSegmentation().GetNumberOfSegments() == 20


def test_segments_hold_the_voxels_of_their_region_as_slicer_exports_them(application_scene):
    node = add_regions(application_scene)
    reference = application_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    fillVolume(reference, label_volume())
    exported = application_scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    for region in REGIONS[:-1]:
        identifiers = vtkStringArray()
        identifiers.InsertNextValue(segmentId(region))
        assert logic.ExportSegmentsToLabelmapNode(node, identifiers, exported, reference)
        mask = arrayFromVolume(exported) > 0
        np.testing.assert_array_equal(mask, label_volume().array == region.label)


def test_affected_regions_are_filled_others_are_outlines(regions):
    styleRegions(regions, {"M2_left": True, "M2_right": False, "C_left": None})
    display = regions.GetDisplayNode()
    fill = {one: display.GetSegmentOpacity2DFill(one) for one in ("M2_left", "M2_right", "C_left")}
    assert fill == {"M2_left": 0.4, "M2_right": 0.0, "C_left": 0.0}
    outlines = [display.GetSegmentOpacity2DOutline(one) for one in ("M2_left", "M2_right")]
    assert outlines == [1.0, 1.0]
    assert 0 < display.GetSegmentOpacity2DOutline("C_left") < 1
    assert display.GetOpacity2DFill() == 1.0
    assert display.GetSliceIntersectionThickness() == 1


def test_region_that_is_called_again_changes_its_look_but_not_its_colour(regions):
    before = segment_of(regions, M2_LEFT).GetColor()
    styleRegions(regions, {"M2_left": True})
    styleRegions(regions, {"M2_left": False})
    assert regions.GetDisplayNode().GetSegmentOpacity2DFill("M2_left") == 0.0
    assert segment_of(regions, M2_LEFT).GetColor() == before


def test_outlines_can_be_hidden_and_fills_stay(regions):
    styleRegions(regions, {"M2_left": True})
    setOutlinesVisible(regions, False)
    assert not regions.GetDisplayNode().GetVisibility2DOutline()
    assert regions.GetDisplayNode().GetVisibility2DFill()
    setOutlinesVisible(regions, True)
    assert regions.GetDisplayNode().GetVisibility2DOutline()


def _entry(segment):
    """Return the terminology entry of a segment as Slicer parses it."""
    entry = slicer.vtkSlicerTerminologyEntry()
    logic = slicer.vtkSlicerTerminologiesModuleLogic
    assert logic.DeserializeTerminologyEntry(segment.GetTerminology(), entry)
    return entry


def _code(concept):
    return concept.GetCodingSchemeDesignator(), concept.GetCodeValue(), concept.GetCodeMeaning()
