from __future__ import annotations

import gzip

import numpy as np
import pytest
from axis_orders import AXIS_ORDERS, reordered
from study_phantoms import SPACING_MM, atlas, coarse_labels, infarct, mask_of

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of
from ASPECTSLib.errors import ErrorCode, FileRefusedError, InputRefusedError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import write_image
from ASPECTSLib.io.masks import mask_files
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.aspects import AffectedSide
from ASPECTSLib.studies.infarcts import AtlasRegions, InfarctMeasure, measure_files

LEFT_M2, RIGHT_M2 = (region_of(RegionCode.M2, side) for side in (Side.LEFT, Side.RIGHT))


@pytest.fixture(scope="module")
def regions():
    return AtlasRegions(atlas().regions)


@pytest.fixture(scope="module")
def blob():
    """Return an infarct on the left, which overlaps parts of several regions."""
    labels = coarse_labels()
    places = np.indices(labels.array.shape)
    centre = np.argwhere(labels.array == LEFT_M2.label).mean(axis=0)
    return labels.with_array(((places - centre[:, None, None, None]) ** 2).sum(axis=0) < 36)


def test_a_mask_of_whole_regions_covers_these_and_no_other(regions):
    chosen = [LEFT_M2, region_of(RegionCode.L, Side.LEFT)]
    measure = regions.measure(mask_of(*chosen))
    assert measure.fractions == tuple(float(region in chosen) for region in REGIONS)
    assert (measure.score(0.1).left, measure.score(0.1).right) == (8, 10)
    assert measure.hemisphere(0.1) is Side.LEFT


def test_volume_is_that_of_the_whole_mask_and_territory_that_inside_the_regions(regions):
    mask = mask_of(RIGHT_M2)
    inside_ml = np.count_nonzero(mask.array) * SPACING_MM**3 / 1000
    mask.array[0, :5, 0] = True
    measure = regions.measure(mask)
    assert measure.territory_ml == pytest.approx(inside_ml)
    assert measure.volume_ml == pytest.approx(inside_ml + 5 * SPACING_MM**3 / 1000)
    assert measure.side_ml[Side.LEFT] == 0.0


def test_left_is_left_by_the_affine_in_any_order_of_the_axes(regions, blob):
    expected = regions.measure(blob)
    assert expected.hemisphere(0.1) is Side.LEFT
    for order, flips in AXIS_ORDERS[::9]:
        measure = regions.measure(reordered(blob, order, flips))
        assert measure.fractions == pytest.approx(expected.fractions, abs=0.02)
        assert measure.volume_ml == pytest.approx(expected.volume_ml)


def test_a_mirrored_mask_swaps_the_sides_and_leaves_the_score(regions, blob):
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    plain = regions.measure(blob)
    turned = regions.measure(Volume(blob.array, mirror @ blob.affine))
    assert turned.fractions == pytest.approx((*plain.fractions[10:], *plain.fractions[:10]))
    assert turned.score(0.1).score == plain.score(0.1).score
    assert turned.score(0.1).side is AffectedSide.RIGHT
    assert turned.side_ml[Side.RIGHT] == pytest.approx(plain.side_ml[Side.LEFT])


def test_a_finer_grid_gives_the_same_shares(regions, blob):
    fine = np.kron(blob.array, np.ones((2, 2, 2), bool))
    affine = blob.affine @ np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] -= SPACING_MM / 4
    measure, expected = regions.measure(Volume(fine, affine)), regions.measure(blob)
    assert measure.volume_ml == pytest.approx(expected.volume_ml)
    assert measure.fractions == pytest.approx(expected.fractions, abs=0.08)


def test_a_region_of_which_just_the_fraction_is_infarcted_is_not_affected():
    measure = InfarctMeasure(1.0, dict.fromkeys(Side, 0.5), (0.1, 0.1001, *[0.0] * 18))
    assert measure.affected(0.1)[:3] == (False, True, False)
    assert measure.affected(0.0)[:3] == (True, True, False)


def test_sides_alike_in_points_are_told_apart_by_volume():
    both = {Side.LEFT: 2.0, Side.RIGHT: 3.0}
    shares = tuple(float(region in (LEFT_M2, RIGHT_M2)) for region in REGIONS)
    measure = InfarctMeasure(5.0, both, shares)
    assert measure.score(0.1).side is AffectedSide.BILATERAL
    assert measure.hemisphere(0.1) is Side.RIGHT
    assert infarct(None, 0, 4.0).hemisphere(0.1) is None


def test_an_empty_mask_has_no_volume_and_all_points(regions):
    measure = regions.measure(mask_of())
    assert (measure.volume_ml, measure.territory_ml, measure.score(0.1).score) == (0.0, 0.0, 10)


@pytest.mark.parametrize("shift_mm", [60.0, -60.0])
def test_a_grid_that_does_not_hold_all_regions_is_refused(regions, shift_mm):
    mask = mask_of(LEFT_M2)
    affine = mask.affine.copy()
    affine[2, 3] += shift_mm
    with pytest.raises(FileRefusedError, match="MNI152 space whose grid holds all regions"):
        regions.measure(Volume(mask.array, affine))


def test_a_grid_too_coarse_for_a_region_is_refused(regions):
    affine = np.diag([40.0, 40.0, 40.0, 1.0])
    affine[:3, 3] = [-100.0, -140.0, -100.0]
    with pytest.raises(FileRefusedError, match="holds all regions"):
        regions.measure(Volume(np.zeros((6, 7, 6), bool), affine))


def measured(paths):
    return list(measure_files(paths, atlas().regions, Progress()))


def test_masks_of_a_folder_come_in_the_order_of_their_names(tmp_path):
    for name in ("sub-2", "sub-10", "sub-1"):
        write_image(mask_of(LEFT_M2), tmp_path / f"{name}_lesion.nii.gz")
    (tmp_path / "participants.tsv").write_text("")
    paths = mask_files(tmp_path)
    assert [path.name[:6] for path in paths] == ["sub-10", "sub-1_", "sub-2_"]
    assert len(measured(paths)) == 3


def test_folders_without_masks_are_refused(tmp_path):
    with pytest.raises(FileRefusedError, match="found none") as caught:
        mask_files(tmp_path)
    assert caught.value.code is ErrorCode.COHORT_INVALID
    with pytest.raises(FileRefusedError, match="no folder named none") as caught:
        mask_files(tmp_path / "none")
    assert caught.value.code is ErrorCode.FILE_NOT_FOUND


def damage(path):
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[: len(content) // 2]))


def several_values(path):
    write_image(coarse_labels(), path)


def shifted(path):
    mask = mask_of(LEFT_M2)
    affine = mask.affine.copy()
    affine[1, 3] += 90.0
    write_image(Volume(mask.array, affine), path)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (damage, ErrorCode.FILE_TRUNCATED),
        (several_values, ErrorCode.COHORT_INVALID),
        (shifted, ErrorCode.COHORT_INVALID),
    ],
)
def test_a_mask_that_cannot_be_used_is_named(tmp_path, spoil, code):
    path = tmp_path / "sub-7_lesion.nii.gz"
    write_image(mask_of(LEFT_M2), path)
    spoil(path)
    with pytest.raises(InputRefusedError, match=r"sub-7_lesion\.nii\.gz") as caught:
        measured((path,))
    assert caught.value.code is code
