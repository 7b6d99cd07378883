from __future__ import annotations

import numpy as np
import pytest
from region_phantoms import box_regions

from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.atlases.region_measures import hausdorff_mm, measure_regions

SPACING_KJI = np.array([5.0, 2.0, 1.0])


def box(*spans, shape=(10, 40, 40)):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(*span) for span in spans)] = True
    return mask


def test_a_map_agrees_with_itself():
    labels = box_regions()
    for measure in measure_regions(labels, labels):
        assert (measure.dice, measure.hausdorff95_mm, measure.volume_error_ml) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("moved", "expected_mm"), [((1, 0, 0), 5.0), ((0, 3, 0), 6.0), ((0, 0, 4), 4.0)]
)
def test_the_distance_of_a_moved_box_is_its_shift_in_mm(moved, expected_mm):
    first = box((3, 6), (10, 20), (10, 20))
    second = np.roll(first, moved, axis=(0, 1, 2))
    assert hausdorff_mm(first, second, SPACING_KJI) == pytest.approx(expected_mm)
    assert hausdorff_mm(second, first, SPACING_KJI) == pytest.approx(expected_mm)


def test_single_slices_are_compared_by_their_outlines():
    outer, inner = box((4, 5), (10, 30), (10, 30)), box((4, 5), (15, 25), (15, 25))
    assert hausdorff_mm(outer, inner, SPACING_KJI, planar=True) > 5.0
    square = np.array([5.0, 1.0, 1.0])
    # The outline of a square of 10 lies 5 voxels inside of that of 20; its corners farther.
    assert 5.0 <= hausdorff_mm(inner, outer, square, planar=True) <= np.hypot(5, 5)


def test_the_volume_error_is_signed_and_in_ml():
    first, second = box_regions(), box_regions()
    smaller = second.with_array(np.where(second.array == 5, 0, second.array))
    smaller.array[np.nonzero(second.array == 5)[0][0]][
        second.array[np.nonzero(second.array == 5)[0][0]] == 5
    ] = 5
    measure = measure_regions(first, smaller)[4]
    voxel_ml = first.voxel_volume_ml
    counts = [(volume.array == 5).sum() * voxel_ml for volume in (first, smaller)]
    assert measure.volume_error_ml == pytest.approx(counts[0] - counts[1])
    assert measure.volume_error == pytest.approx(measure.volume_error_ml / counts[1])
    assert measure.absolute_volume_error == abs(measure.volume_error)


def test_a_region_that_one_map_lacks_has_no_overlap_and_no_distance():
    first = box_regions()
    second = first.with_array(np.where(first.array == 3, 0, first.array))
    lacking = measure_regions(first, second)[2]
    assert lacking.dice == 0.0
    assert np.isnan(lacking.hausdorff95_mm)
    assert np.isnan(lacking.volume_error)
    both = measure_regions(second, second)[2]
    assert np.isnan(both.dice)


def test_mirrored_maps_give_the_measures_of_the_other_side():
    first, second = box_regions(), box_regions((3.0, 3.0, 0.0))
    mirrored = [v.with_array(swap_sides(v.array[..., ::-1]).copy()) for v in (first, second)]
    straight, exchanged = measure_regions(first, second), measure_regions(*mirrored)
    for one, other in zip(straight, (*exchanged[10:], *exchanged[:10]), strict=True):
        assert one.dice == other.dice
        assert one.hausdorff95_mm == pytest.approx(other.hausdorff95_mm)
        assert one.first_ml == other.first_ml
