from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_phantoms import cuboid, depths, tilted, upright, write_series

from ASPECTSLib.errors import (
    ContentRefusedError,
    ErrorCode,
    FileRefusedError,
    GeometryRefusedError,
    InputRefusedError,
    UsageError,
)
from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.io.images import to_sitk, write_image
from ASPECTSLib.io.scan import Modality, NoteCode, read_scan

STACK = upright(depths((23, 5.0)))


def head(shape=(24, 40, 40), spacing_mm=(4.0, 4.0, 5.0)):
    """Return a volume whose every slice shows something."""
    affine = np.diag([*spacing_mm, 1.0])
    array = np.random.default_rng(3).integers(-1000, 1500, size=shape).astype(np.int16)
    return Volume(array, affine)


def written(folder, volume, name="scan.nii.gz"):
    write_image(volume, folder / name)
    return folder / name


def refusal(path, **options):
    with pytest.raises(InputRefusedError) as caught:
        read_scan(path, **options)
    return caught.value


def test_an_image_file_is_read_without_a_modality(tmp_path):
    scan = read_scan(written(tmp_path, head()))
    assert (scan.files, scan.modality, scan.age_years) == (("scan.nii.gz",), None, None)
    assert (scan.description, scan.notes) == ("", ())
    np.testing.assert_array_equal(scan.volume.array, head().array)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (np.int16, np.int16),
        (np.uint16, np.int16),
        (np.int32, np.int16),
        (np.float32, np.float32),
        (np.float64, np.float32),
    ],
)
def test_voxels_are_int16_or_float32(tmp_path, given, read):
    volume = head()
    array = (volume.array + 1000).astype(given)
    scan = read_scan(written(tmp_path, volume.with_array(array)))
    assert scan.volume.array.dtype == read
    np.testing.assert_array_equal(scan.volume.array, array)


def test_whole_numbers_beyond_int16_become_float32(tmp_path):
    volume = head()
    array = volume.array.astype(np.int32) + 60000
    scan = read_scan(written(tmp_path, volume.with_array(array)))
    assert scan.volume.array.dtype == np.float32
    np.testing.assert_array_equal(scan.volume.array, array)


def test_a_dicom_folder_is_read_with_what_its_headers_say(tmp_path):
    write_series(
        tmp_path / "S1",
        STACK,
        PatientAge="071Y",
        SeriesDescription="Head 5.0",
        orientation=tilted(10.0),
    )
    scan = read_scan(tmp_path)
    assert (scan.modality, scan.age_years, scan.description) == (Modality.NCCT, 71.0, "Head 5.0")
    assert scan.files[:2] == ("S1/image000", "S1/image001")
    assert [note.code for note in scan.notes] == [NoteCode.RESAMPLED_TILT]


def test_one_dicom_file_stands_for_its_series(tmp_path):
    paths = write_series(tmp_path, STACK)
    scan = read_scan(paths[4])
    assert (len(scan.files), scan.volume.size) == (24, (64, 64, 24))


def test_a_series_is_picked_by_its_name(tmp_path):
    write_series(tmp_path / "a", STACK, SeriesDescription="Head A")
    write_series(tmp_path / "b", STACK, SeriesDescription="Head B")
    assert refusal(tmp_path).code is ErrorCode.SERIES_AMBIGUOUS
    assert read_scan(tmp_path, series="head b").description == "Head B"


def test_the_modality_picks_the_series(tmp_path):
    write_series(tmp_path / "ct", STACK)
    write_series(tmp_path / "mr", STACK, Modality="MR", SeriesDescription="DWI b1000")
    assert read_scan(tmp_path).modality is Modality.NCCT
    assert read_scan(tmp_path, modality=Modality.DWI).modality is Modality.DWI


def test_mr_is_refused_where_ct_is_wanted(tmp_path):
    paths = write_series(tmp_path, STACK, Modality="MR", SeriesDescription="DWI b1000")
    assert refusal(tmp_path).code is ErrorCode.WRONG_MODALITY
    assert refusal(paths[0], modality=Modality.NCCT).code is ErrorCode.WRONG_MODALITY
    error = refusal(tmp_path, series="DWI", modality=Modality.NCCT)
    assert error.code is ErrorCode.WRONG_MODALITY


def test_a_series_cannot_be_picked_in_a_file(tmp_path):
    path = written(tmp_path, head())
    with pytest.raises(UsageError, match="expected a folder"):
        read_scan(path, series="Head")


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileRefusedError, match=r"scan\.nii\.gz") as caught:
        read_scan(tmp_path / "scan.nii.gz")
    assert caught.value.code is ErrorCode.FILE_NOT_FOUND
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize("name", ["scan.dcm", "scan", "scan.txt"])
def test_a_file_that_is_no_image_is_refused(tmp_path, name):
    (tmp_path / name).write_text("no image")
    assert refusal(tmp_path / name).code is ErrorCode.FILE_UNREADABLE


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "scan.dcm").touch()
    assert refusal(tmp_path / "scan.dcm").code is ErrorCode.FILE_EMPTY


def test_a_folder_without_images_is_refused(tmp_path):
    assert refusal(tmp_path).code is ErrorCode.NO_IMAGES


def test_one_frame_of_several_is_read(tmp_path):
    volume = head()
    frames = sitk.JoinSeries([to_sitk(volume), to_sitk(volume.with_array(volume.array[::-1]))])
    sitk.WriteImage(frames, str(tmp_path / "scan.nii.gz"))
    assert refusal(tmp_path / "scan.nii.gz").code is ErrorCode.NOT_THREE_DIMENSIONAL
    scan = read_scan(tmp_path / "scan.nii.gz", frame=1)
    np.testing.assert_array_equal(scan.volume.array, volume.array[::-1])


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "words"),
    [
        ((1, 40, 40), (4.0, 4.0, 5.0), "at least 8 slices, got 1"),
        ((7, 40, 40), (4.0, 4.0, 10.0), "at least 8 slices, got 7"),
        ((10, 40, 40), (4.0, 4.0, 5.0), "at least 60 mm from foot to head, got 50 mm"),
    ],
)
def test_a_scan_with_too_few_slices_is_refused(tmp_path, shape, spacing_mm, words):
    path = written(tmp_path, head(shape, spacing_mm))
    with pytest.raises(GeometryRefusedError, match=words) as caught:
        read_scan(path)
    assert caught.value.code is ErrorCode.TOO_FEW_SLICES


def test_height_is_that_of_the_patient_whatever_the_order_of_the_axes(tmp_path):
    volume = head((12, 40, 40), (4.0, 4.0, 4.0))  # 48 mm from foot to head
    turned = sitk.PermuteAxes(to_sitk(volume), (2, 0, 1))
    sitk.WriteImage(turned, str(tmp_path / "scan.nii.gz"))
    with pytest.raises(GeometryRefusedError, match="got 48 mm"):
        read_scan(tmp_path / "scan.nii.gz")


@pytest.mark.parametrize(("thickness_mm", "is_read"), [(10.0, True), (10.5, False)])
def test_slices_of_at_most_ten_millimetres_are_read(tmp_path, thickness_mm, is_read):
    path = written(tmp_path, head((12, 40, 40), (4.0, 4.0, thickness_mm)))
    if is_read:
        assert read_scan(path).volume.size == (40, 40, 12)
        return
    with pytest.raises(GeometryRefusedError, match=r"at most 10 mm, got 10\.5") as caught:
        read_scan(path)
    assert caught.value.code is ErrorCode.SLICES_TOO_THICK


@pytest.mark.parametrize("value", [0, -1024])
def test_a_scan_of_one_value_is_refused(tmp_path, value):
    volume = head()
    path = written(tmp_path, volume.with_array(np.full_like(volume.array, value)))
    with pytest.raises(ContentRefusedError, match=f"got {value} in every voxel") as caught:
        read_scan(path)
    assert caught.value.code is ErrorCode.NO_SIGNAL


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_blank_slices_between_others_are_refused(tmp_path, order):
    volume = head()
    volume.array[10:12] = -1000
    sitk.WriteImage(sitk.PermuteAxes(to_sitk(volume), order), str(tmp_path / "scan.nii.gz"))
    with pytest.raises(GeometryRefusedError, match="got 2 blank") as caught:
        read_scan(tmp_path / "scan.nii.gz")
    assert caught.value.code is ErrorCode.MISSING_SLICES


def test_blank_slices_above_and_below_the_head_are_read(tmp_path):
    volume = head()
    volume.array[:3], volume.array[-4:] = 0, 0
    assert read_scan(written(tmp_path, volume)).volume.size == (40, 40, 24)


def test_notes_of_an_image_file_are_kept(tmp_path):
    path = written(tmp_path, head(), "scan.nii")
    content = bytearray(path.read_bytes())
    content[252:256] = bytes(4)  # the codes of both forms of orientation
    path.write_bytes(content)
    assert [note.code for note in read_scan(path).notes] == [NoteCode.ORIENTATION_ASSUMED]


def test_a_mirrored_series_lies_in_the_same_place(tmp_path):
    write_series(tmp_path / "given", STACK, anatomy=cuboid)
    mirrored = STACK + np.array([189.0, 0.0, 0.0])
    write_series(tmp_path / "mirrored", mirrored, orientation=(-1, 0, 0, 0, 1, 0))
    given = canonicalize(read_scan(tmp_path / "given").volume).volume
    turned = canonicalize(read_scan(tmp_path / "mirrored").volume).volume
    np.testing.assert_array_equal(turned.array, given.array)
    np.testing.assert_array_equal(turned.affine, given.affine)


@pytest.mark.parametrize(
    ("name", "size", "notes"),
    [
        ("ncct/ct-aspects/sub001/im.nii.gz", (512, 512, 33), []),
        ("ncct/mca-infarct-mni/NCCT_brain.nii.gz", (182, 218, 182), []),
        ("dwi/isles22-0009/sub-strokecase0009_ses-0001_flair.nii.gz", (512, 512, 29), []),
        ("dicom/ct-normal", (512, 512, 35), []),
        (
            "dicom/ct-gantry-tilt",
            (512, 611, 37),
            [NoteCode.RESAMPLED_TILT, NoteCode.RESAMPLED_SPACING],
        ),
        ("dicom/ct-and-dwi", (512, 541, 14), [NoteCode.RESAMPLED_TILT]),
    ],
)
def test_real_scans_are_read(shared_data, name, size, notes):
    scan = read_scan(shared_data / name)
    assert scan.volume.size == size
    assert [note.code for note in scan.notes] == notes


def test_real_diffusion_images_alone_are_refused_as_ct(shared_data):
    assert refusal(shared_data / "dicom/ct-and-dwi/DWI").code is ErrorCode.WRONG_MODALITY
