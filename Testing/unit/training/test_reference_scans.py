from __future__ import annotations

import numpy as np
import pytest
from axis_orders import reordered

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of
from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.io.images import write_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.training.reference_scans import (
    CT_CASES,
    DWI_CASES,
    in_project_order,
    reference_ct,
    reference_dwi,
)

SHAPE = (6, 20, 30)
MIDDLE = SHAPE[2] / 2
PLACES = {  # columns from the midline, rows from the back
    RegionCode.C: (2, 14),
    RegionCode.IC: (3, 8),
    RegionCode.L: (5, 10),
    RegionCode.I: (8, 10),
}


def regions(order=tuple(PLACES)):
    """Return a label map whose four deep regions are numbered in some order."""
    labels = np.zeros(SHAPE, np.uint8)
    for side, sign in ((Side.RIGHT, 1), (Side.LEFT, -1)):
        offset = 0 if side is Side.RIGHT else 10
        for code, (column, row) in PLACES.items():
            at = int(MIDDLE + sign * column)
            labels[2:4, row : row + 2, at] = order.index(code) + 1 + offset
        for number in range(5, 11):
            labels[number // 2, number, int(MIDDLE + sign * 11)] = number + offset
    return Volume(labels, centred_affine(SHAPE, np.array([2.0, 2.0, 4.0])))


@pytest.mark.parametrize(
    "order", ["C L IC I", "I L IC C", "IC C I L", "L I C IC"], ids=lambda text: text
)
def test_deep_regions_are_told_by_where_they_lie(order):
    theirs = regions(tuple(RegionCode(code) for code in order.split()))
    np.testing.assert_array_equal(in_project_order(theirs), in_project_order(regions()))
    ours = in_project_order(theirs)
    for code, (column, row) in PLACES.items():
        assert ours[2, row, int(MIDDLE + column)] == region_of(code, Side.RIGHT).label
        assert ours[2, row, int(MIDDLE - column)] == region_of(code, Side.LEFT).label


def test_cortical_regions_keep_their_labels():
    theirs = regions((RegionCode.I, RegionCode.L, RegionCode.IC, RegionCode.C))
    ours = in_project_order(theirs)
    cortical = [region.label for region in REGIONS if region.is_cortical]
    kept = np.isin(theirs.array, cortical)
    np.testing.assert_array_equal(ours[kept], theirs.array[kept])


def write_ct(folder, change=lambda volume: volume):
    labels = regions((RegionCode.L, RegionCode.C, RegionCode.I, RegionCode.IC))
    stripped = np.where(labels.array > 0, 35, 0).astype(np.int16)
    ct = labels.with_array(np.where(labels.array > 0, 35, -1000).astype(np.int16))
    folder.mkdir(parents=True)
    write_image(change(ct), folder / "im_aligned.nii.gz")
    write_image(change(labels.with_array(stripped)), folder / "im_aligned_stripped.nii.gz")
    write_image(change(labels), folder / "im_aligned_stripped_seg.nii.gz")


def test_ct_comes_with_brain_and_regions_whatever_the_order_of_axes(tmp_path):
    parent = tmp_path / "ncct" / "ct-aspects"
    write_ct(parent / CT_CASES[0])
    write_ct(parent / CT_CASES[1], lambda v: reordered(v, (2, 0, 1), (True, True, False)))
    first, second = reference_ct(tmp_path)
    assert (first.name, second.name) == CT_CASES
    for scan in (first, second):
        assert scan.modality is Modality.NCCT
        np.testing.assert_array_equal(scan.regions.array, in_project_order(regions()))
        np.testing.assert_array_equal(scan.brain.array, scan.regions.array > 0)
        np.testing.assert_array_equal(scan.volume.array > 0, scan.brain.array)
        np.testing.assert_allclose(scan.volume.affine, regions().affine, atol=1e-5)


def test_diffusion_comes_with_its_mask_or_without_skull(tmp_path):
    image = np.zeros(SHAPE, np.int16)
    image[1:5, 4:16, 5:25] = 200
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:4, 6:12, 8:20] = 1
    affine = centred_affine(SHAPE, np.full(3, 2.0))
    for name, file in DWI_CASES.items():
        (tmp_path / "dwi" / name).mkdir(parents=True)
        write_image(Volume(image, affine), tmp_path / "dwi" / name / file)
    write_image(Volume(mask, affine), tmp_path / "dwi/ads-subject01/Subject01_Mask.nii.gz")
    stripped, masked = reference_dwi(tmp_path)
    assert (stripped.modality, stripped.regions) == (Modality.DWI, None)
    np.testing.assert_array_equal(stripped.brain.array, image != 0)
    np.testing.assert_array_equal(masked.brain.array, mask > 0)


@pytest.mark.parametrize(
    ("load", "part"), [(reference_ct, "ncct/ct-aspects"), (reference_dwi, "dwi")]
)
def test_data_that_are_not_there_are_told(tmp_path, load, part):
    with pytest.raises(
        FileRefusedError, match=f"expected a folder {part} .* found none"
    ) as refused:
        load(tmp_path)
    assert refused.value.code is ErrorCode.FILE_NOT_FOUND
