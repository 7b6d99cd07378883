from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from slice_atlas_phantoms import levelled_regions, rough_head, slice_atlas

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.regions import Level, swap_sides
from ASPECTSLib.atlas.slice_atlas import SliceAtlas
from ASPECTSLib.atlases.slice_mapping import RoughHead, map_slices
from ASPECTSLib.errors import CancelledError, ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume
from ASPECTSLib.preprocessing.handedness import mirror
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.overlap import region_dice


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    return slice_atlas(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def mapped(atlas):
    return map_slices(rough_head(), levelled_regions(), atlas, 55, Progress())


def start_only(_fixed, _moving, start, _progress):
    """Stand for the registration in the plane: stretch only."""
    transform = sitk.AffineTransform(2)
    transform.SetMatrix(start[:2, :2].ravel().tolist())
    transform.SetTranslation(start[:2, 2].tolist())
    return transform


def overlap(found, head):
    """Return the mean Dice with the true regions, in the slices that were mapped."""
    slices = found.array.any(axis=(1, 2))
    truth = np.where(slices[:, None, None], head.labels.array, 0)
    return float(region_dice(found.array, truth).mean())


def test_regions_lie_where_those_of_the_head_are(mapped):
    assert mapped.group is AgeGroup.FROM_50
    assert mapped.failures == ()
    assert overlap(mapped.labels, rough_head()) > 0.85
    assert set(np.unique(mapped.labels.array)) == set(range(21))


def test_two_slabs_have_regions_and_the_rest_has_none(mapped):
    slices = np.flatnonzero(mapped.labels.array.any(axis=(1, 2)))
    assert 2 <= len(slices) <= 4


def test_a_mirrored_head_gives_the_mirrored_regions_to_the_last_voxel(mapped, atlas):
    found = map_slices(rough_head().mirrored(), levelled_regions(), atlas, 55, Progress())
    assert np.array_equal(swap_sides(mirror(found.labels).array), mapped.labels.array)


def test_twice_the_same_is_the_same(mapped, atlas):
    again = map_slices(rough_head(), levelled_regions(), atlas, 55, Progress())
    assert np.array_equal(again.labels.array, mapped.labels.array)


@pytest.mark.parametrize("older", [0, 3])
def test_without_an_age_the_group_that_fits_best_is_taken(atlas, older):
    head = rough_head(older=older)
    found = map_slices(head, levelled_regions(), atlas, None, Progress(), start_only)
    assert found.group is tuple(AgeGroup)[older]


def test_a_head_off_the_middle_has_its_regions_with_it(atlas):
    head = rough_head(shift_mm=8.0)
    found = map_slices(head, levelled_regions(), atlas, 55, Progress(), start_only)
    assert overlap(found.labels, head) > 0.8


def test_a_turned_head_has_its_regions_with_it(atlas):
    head, turn = rough_head(), np.eye(4)
    turn[1:3, 1:3] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]
    turned = RoughHead(
        *(Volume(v.array, turn @ v.affine) for v in (head.ct, head.brain, head.labels))
    )
    straight, found = (
        map_slices(h, levelled_regions(), atlas, 55, Progress(), start_only).labels.array
        for h in (head, turned)
    )
    assert region_dice(straight, found).mean() > 0.95


def test_an_atlas_without_the_age_group_is_refused(atlas):
    young = SliceAtlas({AgeGroup.FROM_10: atlas.slices[AgeGroup.FROM_10]}, "a", "1", {}, "x")
    with pytest.raises(ContentRefusedError, match="age group 50-69, got one of 10-29") as caught:
        map_slices(rough_head(), levelled_regions(), young, 55, Progress())
    assert caught.value.code is ErrorCode.METHOD_UNAVAILABLE


def test_an_atlas_that_does_not_fit_is_told(atlas):
    head = rough_head()
    half = head.brain.array & (np.arange(head.brain.array.shape[1]) < 30)[None, :, None]
    cut = RoughHead(head.ct, head.brain.with_array(half), head.labels)

    def shifted(fixed, moving, start, progress):
        moved = start_only(fixed, moving, start, progress)
        moved.SetTranslation([t + 40.0 for t in moved.GetTranslation()])
        return moved

    found = map_slices(cut, levelled_regions(), atlas, 55, Progress(), shifted)
    assert len(found.failures) == 2
    assert "brain overlap" in found.failures[0]


def test_key_slices_without_brain_are_refused(atlas):
    head = rough_head()
    empty = RoughHead(head.ct, head.brain.with_array(np.zeros_like(head.brain.array)), head.labels)
    with pytest.raises(ContentRefusedError, match="brain on the key slices") as caught:
        map_slices(empty, levelled_regions(), atlas, 55, Progress())
    assert caught.value.code is ErrorCode.NO_BRAIN


def test_mapping_can_be_cancelled(atlas):
    progress = Progress(is_cancelled=lambda: True)
    with pytest.raises(CancelledError):
        map_slices(rough_head(), levelled_regions(), atlas, 55, progress)


def test_both_levels_have_a_fit(mapped):
    assert set(mapped.fits) == set(Level)
    assert all(fit.brain_dice > 0.95 for fit in mapped.fits.values())
