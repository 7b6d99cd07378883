from __future__ import annotations

import gzip
from itertools import islice

import numpy as np
import pytest

from ASPECTSLib.errors import CancelledError, ErrorCode, FileRefusedError, OutputError
from ASPECTSLib.geometry import Volume, apply_affine, resample
from ASPECTSLib.io.images import write_image
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis import lesion_shapes
from ASPECTSLib.synthesis.lesion_shapes import load_shapes, pack_shapes

IN_LEFT_M5 = (-52.0, -8.0, 30.0)
IN_RIGHT_CEREBELLUM = (30.0, -65.0, -40.0)


def grid(*, flipped=False):
    """Return an empty MNI152 grid of 2 mm, its first axis running to the right or to the left."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (-78.0, -112.0, -50.0)
    if flipped:
        affine[0, 0], affine[0, 3] = -2.0, 78.0
    return Volume(np.zeros((68, 94, 79), np.uint8), affine)


def ball(middle_mm, radius_mm=8.0, *, flipped=False):
    empty = grid(flipped=flipped)
    k, j, i = np.indices(empty.array.shape)
    points = apply_affine(empty.affine, np.stack([i, j, k], axis=-1).astype(float))
    return empty.with_array(np.linalg.norm(points - middle_mm, axis=-1) <= radius_mm)


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "masks"
    found.mkdir()
    write_image(ball(IN_LEFT_M5), found / "sub-1_lesion.nii.gz")
    write_image(ball(IN_RIGHT_CEREBELLUM, 5.0), found / "sub-2_lesion.nii.gz")
    (found / "participants.tsv").write_text("participant_id\tage\n")
    return found


def test_packed_masks_are_the_masks(atlas):
    masks = [ball(IN_LEFT_M5), ball(IN_RIGHT_CEREBELLUM, 5.0, flipped=True)]
    shapes = pack_shapes([("a", masks[0]), ("b", masks[1])], atlas)
    assert len(shapes) == 2
    for index, mask in enumerate(masks):
        cut = shapes.mask(index)
        assert cut.array.dtype == bool
        assert cut.array.size < mask.array.size / 100
        np.testing.assert_array_equal(resample(cut, mask, order=0).array, mask.array)


def test_measures_are_those_of_the_mask(atlas):
    shapes = pack_shapes([("left", ball(IN_LEFT_M5)), ("right", ball(IN_RIGHT_CEREBELLUM))], atlas)
    for volume_ml, middle in zip(shapes.volumes_ml, (IN_LEFT_M5, IN_RIGHT_CEREBELLUM), strict=True):
        assert volume_ml == pytest.approx(ball(middle).array.sum() * 0.008)
    assert shapes.left_shares.tolist() == [1.0, 0.0]
    assert shapes.region_shares[0] > 0.9
    assert shapes.region_shares[1] == 0.0


def test_only_the_affine_tells_the_side(atlas):
    masks = [ball(IN_LEFT_M5, flipped=flipped) for flipped in (False, True)]
    shapes = pack_shapes([("a", masks[0]), ("b", masks[1])], atlas)
    assert shapes.left_shares.tolist() == [1.0, 1.0]
    assert shapes.region_shares[0] == shapes.region_shares[1]


def test_a_folder_gives_its_masks_in_the_order_of_their_names(folder, atlas):
    shapes = load_shapes(folder, atlas)
    assert shapes.names.tolist() == ["sub-1_lesion.nii.gz", "sub-2_lesion.nii.gz"]
    np.testing.assert_array_equal(
        resample(shapes.mask(0), grid(), order=0).array, ball(IN_LEFT_M5).array
    )


def test_empty_masks_are_left_out_and_counted(folder, atlas):
    write_image(grid(), folder / "sub-3_lesion.nii.gz")
    shapes = load_shapes(folder, atlas)
    assert (len(shapes), shapes.empty_files) == (2, 1)


def test_masks_of_any_one_value_are_taken(folder, atlas):
    bright = grid().with_array(ball(IN_LEFT_M5).array * np.uint8(255))
    write_image(bright, folder / "sub-1_lesion.nii.gz")
    assert load_shapes(folder, atlas).left_shares.tolist() == [1.0, 0.0]


def test_the_second_time_shapes_come_from_the_cache(folder, atlas, tmp_path, monkeypatch):
    first = load_shapes(folder, atlas, tmp_path / "cache")

    def never(path):
        pytest.fail(f"read {path.name} again")

    monkeypatch.setattr(lesion_shapes, "read_mask", never)
    again = load_shapes(folder, atlas, tmp_path / "cache")
    assert again.empty_files == first.empty_files
    np.testing.assert_array_equal(again.names, first.names)
    np.testing.assert_array_equal(again.region_shares, first.region_shares)
    for index in range(len(first)):
        np.testing.assert_array_equal(again.mask(index).array, first.mask(index).array)
        np.testing.assert_array_equal(again.mask(index).affine, first.mask(index).affine)


def test_a_changed_folder_is_read_again(folder, atlas, tmp_path):
    load_shapes(folder, atlas, tmp_path / "cache")
    write_image(ball(IN_LEFT_M5, 12.0), folder / "sub-3_lesion.nii.gz")
    assert len(load_shapes(folder, atlas, tmp_path / "cache")) == 3


def test_a_cache_that_takes_no_files_is_told(folder, atlas, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match="expected to keep infarct shapes in cache"):
        load_shapes(folder, atlas, tmp_path / "cache")


def several_values(path):
    values = ball(IN_LEFT_M5).array.astype(np.uint8)
    values[0, 0, 0] = 2
    write_image(grid().with_array(values), path)


def negative(path):
    write_image(grid().with_array(-ball(IN_LEFT_M5).array.astype(np.int16)), path)


def no_image(path):
    path.write_bytes(gzip.compress(b"not an image"))


@pytest.mark.parametrize("make", [several_values, negative, no_image])
def test_a_bad_file_is_refused_by_its_name(folder, atlas, make):
    make(folder / "sub-9_lesion.nii.gz")
    with pytest.raises(FileRefusedError, match=r"expected .*sub-9_lesion\.nii\.gz") as refused:
        load_shapes(folder, atlas)
    assert refused.value.code is ErrorCode.COHORT_INVALID


def test_a_folder_without_masks_is_refused(tmp_path, atlas):
    with pytest.raises(FileRefusedError, match=r"expected infarct masks named \*\.nii\.gz"):
        load_shapes(tmp_path, atlas)
    with pytest.raises(FileRefusedError, match="no folder named nowhere"):
        load_shapes(tmp_path / "nowhere", atlas)


def test_a_folder_of_empty_masks_is_refused(tmp_path, atlas):
    write_image(grid(), tmp_path / "sub-1_lesion.nii.gz")
    with pytest.raises(FileRefusedError, match="got 1 in which nothing is marked"):
        load_shapes(tmp_path, atlas)


def test_reading_can_be_cancelled(folder, atlas):
    with pytest.raises(CancelledError):
        load_shapes(folder, atlas, progress=Progress(is_cancelled=lambda: True))


def test_real_masks_are_read(shared_data, atlas, tmp_path):
    masks = shared_data / "lesions" / "soop"
    if not masks.is_dir():
        pytest.skip("needs the infarct masks of the public imaging data")
    for path in islice(sorted(masks.glob("*.nii.gz")), 12):
        (tmp_path / path.name).symlink_to(path)
    shapes = load_shapes(tmp_path, atlas)
    assert len(shapes) == 12
    for index in range(len(shapes)):
        mask = shapes.mask(index)
        assert mask.array.sum() * mask.voxel_volume_ml == pytest.approx(shapes.volumes_ml[index])
