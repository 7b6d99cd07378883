"""The voxels of segmentations are read on any grid, belong to one region each, and are found by place."""

from __future__ import annotations

import time

import numpy as np
import pytest
from axis_orders import AXIS_ORDERS, reordered
from scene_phantoms import (
    SHAPE_KJI,
    add_infarct,
    add_regions,
    label_volume,
    oblique_affine,
    segment_of,
)

pytest.importorskip("slicer", reason="needs the package slicer-core")

import slicer

from ASPECTSLib.atlas.regions import (
    REGIONS,
    RegionCode,
    Side,
    region_of,
    swap_sides,
)
from ASPECTSLib.geometry import Volume, apply_affine, canonicalize, crop
from ASPECTSSlicer.grids import imageAffine, imageArray, nodeAffine, orientedImage
from ASPECTSSlicer.layers import infarctMask, regionAt, regionCentre, regionLabels, separateRegions
from ASPECTSSlicer.segmentations import (
    segmentId,
)

M2_LEFT = region_of(RegionCode.M2, Side.LEFT)
LAYER = "Binary labelmap"


@pytest.fixture
def regions(scene):
    return add_regions(scene)


@pytest.fixture
def grid(scene, add_volume):
    return add_volume(scene, label_volume())


def test_regions_come_back_as_they_were(regions, grid):
    np.testing.assert_array_equal(regionLabels(regions, grid), label_volume().array)


def test_read_label_map_is_a_copy(regions, grid):
    regionLabels(regions, grid)[:] = 7
    np.testing.assert_array_equal(regionLabels(regions, grid), label_volume().array)


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS)
def test_left_stays_left_in_any_order_of_axes(scene, add_volume, order, flips):
    """The label map is read on the grid in its own order, and on that of another order."""
    given = reordered(label_volume(), order, flips)
    node = add_regions(scene, given)
    same = regionLabels(node, add_volume(scene, given))
    np.testing.assert_array_equal(same, given.array)
    other = regionLabels(node, add_volume(scene, label_volume()))
    np.testing.assert_array_equal(other, label_volume().array)
    canonical = canonicalize(given.with_array(same)).volume.array
    np.testing.assert_array_equal(canonical, canonicalize(label_volume()).volume.array)


def test_mirrored_label_map_gives_mirrored_regions(scene, grid):
    mirrored = label_volume().array[:, :, ::-1]
    node = add_regions(scene, label_volume().with_array(np.ascontiguousarray(swap_sides(mirrored))))
    back = swap_sides(regionLabels(node, grid))[:, :, ::-1]
    np.testing.assert_array_equal(back, label_volume().array)


def test_part_of_the_grid_gives_the_regions_in_it(regions, scene, add_volume):
    box = np.s_[3:9, 4:20, 2:6]
    part = crop(label_volume(), box)
    np.testing.assert_array_equal(regionLabels(regions, add_volume(scene, part)), part.array)


def test_grid_beyond_the_regions_is_empty_there(scene, grid):
    box = np.s_[2:4, 2:10, 3:7]
    expected = np.zeros(SHAPE_KJI, np.uint8)
    expected[box] = label_volume().array[box]
    node = add_regions(scene, crop(label_volume(), box))
    np.testing.assert_array_equal(regionLabels(node, grid), expected)


def test_finer_grid_shows_the_regions_at_their_places(regions, scene, add_volume):
    affine = oblique_affine() @ np.diag([1, 1, 0.5, 1])
    affine[:3, 3] = apply_affine(oblique_affine(), np.array([0, 0, -0.25]))
    finer = Volume(np.repeat(label_volume().array, 2, axis=0), affine)
    np.testing.assert_array_equal(regionLabels(regions, add_volume(scene, finer)), finer.array)


def test_deleted_segment_is_missing_from_the_label_map(regions, grid):
    regions.GetSegmentation().RemoveSegment("M2_left")
    expected = label_volume().array.copy()
    expected[expected == M2_LEFT.label] = 0
    np.testing.assert_array_equal(regionLabels(regions, grid), expected)


def test_segment_that_a_user_added_is_not_in_the_label_map(regions, grid):
    _add_segment(regions, "thrombus", np.ones(SHAPE_KJI, np.uint8))
    np.testing.assert_array_equal(regionLabels(regions, grid), label_volume().array)


def test_renamed_and_hidden_segments_keep_their_voxels(regions, grid):
    segment_of(regions, M2_LEFT).SetName("my region")
    regions.GetDisplayNode().SetSegmentVisibility("M2_left", False)
    np.testing.assert_array_equal(regionLabels(regions, grid), label_volume().array)


def test_infarct_comes_back_as_it_was(scene, grid):
    mask = label_volume().array > 9
    found = infarctMask(add_infarct(scene, mask), grid)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, mask)


def test_infarct_is_all_that_was_drawn_visible_or_not(scene, grid):
    first, second = label_volume().array == 3, label_volume().array >= 15
    node = add_infarct(scene, first)
    _add_segment(node, "second lesion", second.astype(np.uint8))
    node.GetDisplayNode().SetSegmentVisibility("second lesion", False)
    np.testing.assert_array_equal(infarctMask(node, grid), first | second)


def test_empty_infarct_has_no_voxels(scene, grid):
    assert not infarctMask(add_infarct(scene, np.zeros(SHAPE_KJI, bool)), grid).any()


def test_separated_regions_are_left_alone(regions, grid, event_log, scene):
    events = event_log(scene)
    assert not separateRegions(regions, "M2_left")
    assert events == []
    np.testing.assert_array_equal(regionLabels(regions, grid), label_volume().array)


@pytest.mark.parametrize("winner", ["C_right", "M2_left", "L_right"])
def test_overlapping_voxels_go_to_the_region_on_top(regions, grid, winner):
    for identifier in ("C_right", "L_right", "M2_left"):
        _draw(regions, identifier, np.s_[5:8, 10:14, 10:20])
    assert separateRegions(regions, winner)
    labels = regionLabels(regions, grid)
    expected = label_volume().array.copy()
    expected[5:8, 10:14, 10:20] = regions.GetSegmentation().GetSegment(winner).GetLabelValue()
    np.testing.assert_array_equal(labels, expected)
    assert regions.GetSegmentation().GetNumberOfLayers(LAYER) == 1


def test_overlap_is_impossible_after_separation(regions, grid):
    """Each region alone, as Slicer has it, adds up to at most one a voxel."""
    _draw(regions, "M2_left", np.s_[4:9, 4:18, 2:20])
    _draw(regions, "M3_right", np.s_[2:6, 6:16, 4:12])
    assert separateRegions(regions)
    total = sum(_one(regions, region, grid).astype(int) for region in REGIONS)
    assert total.max() == 1
    np.testing.assert_array_equal(total > 0, regionLabels(regions, grid) > 0)


def test_region_drawn_beyond_the_grid_of_the_others_is_kept(scene, add_volume):
    node = add_regions(scene, crop(label_volume(), np.s_[2:10, 2:16, 4:6]))
    _draw(node, "M2_left", np.s_[9:11, 15:19, 20:23])
    assert separateRegions(node)
    expected = label_volume().array.copy()
    expected[9:11, 15:19, 20:23] = M2_LEFT.label
    grid = add_volume(scene, label_volume())
    np.testing.assert_array_equal(regionLabels(node, grid), expected)


def test_user_s_segment_keeps_its_voxels_under_regions(regions, grid):
    thrombus = np.zeros(SHAPE_KJI, np.uint8)
    thrombus[:, 5:9] = 1
    _add_segment(regions, "thrombus", thrombus)
    _draw(regions, "M2_left", np.s_[4:9, 4:18, 2:20])
    assert separateRegions(regions)
    expected = label_volume().array.copy()
    expected[4:9, 4:18, 2:20] = M2_LEFT.label
    np.testing.assert_array_equal(regionLabels(regions, grid), expected)
    np.testing.assert_array_equal(_array(regions, "thrombus"), thrombus > 0)


def test_user_s_segment_on_the_image_of_the_regions_keeps_its_voxels(regions, grid):
    """Slicer puts a new segment on the image of others where it does not overlap with them."""
    segmentation = regions.GetSegmentation()
    image = segmentation.GetSegment("C_right").GetRepresentation(LAYER)
    imageArray(image)[10:12, 2:4, 2:4] = 33
    segment = slicer.vtkSegment()
    segment.SetName("thrombus")
    segment.SetLabelValue(33)
    segment.AddRepresentation(LAYER, image)
    segmentation.AddSegment(segment, "thrombus")
    thrombus = _array(regions, "thrombus")
    _draw(regions, "M2_left", np.s_[4:12, 2:18, 2:20])
    assert separateRegions(regions)
    assert thrombus.sum() == 8
    np.testing.assert_array_equal(_array(regions, "thrombus"), thrombus)
    left = np.unique(imageArray(segment.GetRepresentation(LAYER)))
    assert left.tolist() == [0, segment.GetLabelValue()]  # nothing of the regions
    expected = label_volume().array.copy()
    expected[4:12, 2:18, 2:20] = M2_LEFT.label
    np.testing.assert_array_equal(regionLabels(regions, grid), expected)


def test_separation_tells_the_views(regions):
    _draw(regions, "M2_left", np.s_[4:9, 4:18, 2:20])
    heard = []
    event = slicer.vtkSegmentation.SourceRepresentationModified
    regions.GetSegmentation().AddObserver(event, lambda *_: heard.append(1))
    separateRegions(regions)
    assert heard


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS[::5])
def test_centre_of_a_region_is_a_voxel_of_it_where_it_is_largest(scene, order, flips):
    labels = np.zeros(SHAPE_KJI, np.uint8)
    labels[4:7, 4:6, 4:6] = M2_LEFT.label
    labels[7, 3:8, 3:8] = M2_LEFT.label
    given = reordered(label_volume().with_array(labels), order, flips)
    slice_axis = 2 - order.index(0)
    centre = regionCentre(add_regions(scene, given), "M2_left", slice_axis)
    np.testing.assert_allclose(
        centre, apply_affine(oblique_affine(), np.array([5, 5, 7])), atol=1e-9
    )


def test_regions_on_an_image_that_begins_elsewhere_are_at_their_places(scene, grid):
    """Slicer crops the images of segments, and counts their voxels on from where they were."""
    node = add_regions(scene)
    part = orientedImage(label_volume().array[2:10, 2:16, 4:6], oblique_affine(), (4, 2, 2))
    for region in REGIONS:
        segment_of(node, region).AddRepresentation(LAYER, part)
    np.testing.assert_array_equal(regionLabels(node, grid), label_volume().array)
    for region in REGIONS[:-1]:
        centre = regionCentre(node, f"{region.code}_{region.side}")
        assert regionAt(label_volume().array, grid, centre) is region


def test_centre_of_a_ring_lies_on_the_ring(scene):
    labels = np.zeros(SHAPE_KJI, np.uint8)
    labels[5, 4:15, 4:15] = M2_LEFT.label
    labels[5, 5:14, 5:14] = 0
    centre = regionCentre(add_regions(scene, label_volume().with_array(labels)), "M2_left")
    voxel = np.rint(apply_affine(np.linalg.inv(oblique_affine()), np.array(centre))).astype(int)
    assert labels[tuple(voxel[::-1])] == M2_LEFT.label


def test_region_without_voxels_has_no_centre(regions):
    assert regionCentre(regions, "M6_left") is None  # its label does not occur
    assert regionCentre(regions, "gone") is None


@pytest.mark.parametrize("region", REGIONS[:-1])
def test_region_is_found_by_place(regions, grid, region):
    centre = regionCentre(regions, segmentId(region))
    assert regionAt(label_volume().array, grid, centre) is region


def test_no_region_is_found_beside_them_and_outside_of_the_grid(grid):
    origin = oblique_affine()[:3, 3]
    assert regionAt(label_volume().array, grid, origin) is None
    assert regionAt(label_volume().array, grid, origin - 500.0) is None
    beside = apply_affine(oblique_affine(), np.array([-0.6, 3, 3]))
    assert regionAt(np.ones(SHAPE_KJI, np.uint8), grid, beside) is None


def test_label_map_of_a_whole_scan_is_read_at_once(scene, add_volume):
    """Some 15 ms; far more would mean that voxels are copied segment by segment."""
    labels = np.zeros((30, 512, 512), np.uint8)
    for region in REGIONS:
        labels[region.label : region.label + 5, 20 * region.label : 20 * region.label + 60] = (
            region.label
        )
    volume = Volume(labels, oblique_affine((0.45, 0.45, 5.0)))
    node, grid = add_regions(scene, volume), add_volume(scene, volume)
    started = time.perf_counter()
    found = regionLabels(node, grid)
    assert time.perf_counter() - started < 0.5
    np.testing.assert_array_equal(found, labels)


def _image(mask):
    return orientedImage(mask.astype(np.uint8), oblique_affine(), (0, 0, 0))


def _add_segment(node, identifier, mask):
    """Add a segment on an image of its own, as the Segment Editor does where segments overlap."""
    segment = slicer.vtkSegment()
    segment.SetName(identifier)
    segment.AddRepresentation(LAYER, _image(mask))
    node.GetSegmentation().AddSegment(segment, identifier)


def _draw(node, identifier, box):
    """Add voxels to a segment over others, as the Segment Editor does where overlap is allowed."""
    segmentation = node.GetSegmentation()
    mask = _array(node, identifier)
    mask[box] = True
    segmentation.SeparateSegmentLabelmap(identifier)
    segmentation.GetSegment(identifier).SetLabelValue(1)
    segmentation.GetSegment(identifier).AddRepresentation(LAYER, _image(mask))


def _array(node, identifier):
    """Return the voxels of a segment on the whole grid."""
    segment = node.GetSegmentation().GetSegment(identifier)
    image = segment.GetRepresentation(LAYER)
    voxels = imageArray(image) == segment.GetLabelValue()
    whole = np.zeros(SHAPE_KJI, bool)
    shift = _origin_voxel(image)
    for k, j, i in np.argwhere(voxels) + shift[::-1]:
        whole[k, j, i] = True
    return whole


def _origin_voxel(image):
    origin = apply_affine(np.linalg.inv(oblique_affine()), imageAffine(image)[:3, 3])
    return np.rint(origin).astype(int) + np.array(image.GetExtent()[::2])


def _one(node, region, grid):
    """Return the voxels of one region as Slicer's own resampling puts them on the grid."""
    segment = segment_of(node, region)
    reference = orientedImage(np.zeros(SHAPE_KJI, np.uint8), nodeAffine(grid), (0, 0, 0))
    resampled = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        segment.GetRepresentation(LAYER), reference, resampled
    )
    return imageArray(resampled) == segment.GetLabelValue()
