from __future__ import annotations

import gzip
import itertools
import struct

import numpy as np
import pytest
import SimpleITK as sitk

from ASPECTSLib.errors import (
    ContentRefusedError,
    ErrorCode,
    FileRefusedError,
    GeometryRefusedError,
    InputRefusedError,
    OutputError,
    UsageError,
)
from ASPECTSLib.geometry import Volume, apply_affine, canonicalize
from ASPECTSLib.io.images import (
    from_sitk,
    read_image,
    read_image_with_notes,
    to_sitk,
    write_image,
)
from ASPECTSLib.io.notes import NoteCode

# Byte offsets in a NIfTI-1 header.
PIXEL_SIZES, FORM_CODES, SFORM_ROWS = 76, 252, 280


@pytest.fixture
def oblique():
    """Return a volume with three different sizes and spacings on an oblique grid."""
    rng = np.random.default_rng(7)
    axes, _ = np.linalg.qr(np.eye(3) + 0.15 * rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = axes * np.sign(np.diag(axes)) * [0.449219, 0.7, 5.0]
    affine[:3, 3] = [-91.3, 12.7, 40.1]
    array = rng.integers(-1000, 2000, size=(9, 11, 13)).astype(np.int16)
    return Volume(array, affine)


def header_of(path, offset, fmt, values):
    """Overwrite values in the header of an uncompressed NIfTI file."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<" + fmt, content, offset, *values)
    path.write_bytes(content)


def refusal(path, **options):
    with pytest.raises(InputRefusedError) as caught:
        read_image(path, **options)
    return caught.value


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_written_volume_is_read_back(tmp_path, oblique, suffix):
    path = tmp_path / f"scan{suffix}"
    write_image(oblique, path)
    volume = read_image(path)
    assert volume.array.dtype == np.int16
    np.testing.assert_array_equal(volume.array, oblique.array)
    np.testing.assert_allclose(volume.affine, oblique.affine, atol=2e-5)


@pytest.mark.parametrize("name", ["scan.nhdr", "scan.mhd"])
def test_detached_headers_are_read(tmp_path, oblique, name):
    sitk.WriteImage(to_sitk(oblique), str(tmp_path / name))
    np.testing.assert_array_equal(read_image(tmp_path / name).array, oblique.array)


def test_names_in_capital_letters_are_read(tmp_path, oblique):
    write_image(oblique, tmp_path / "scan.nii.gz")
    path = (tmp_path / "scan.nii.gz").rename(tmp_path / "SCAN.NII.GZ")
    np.testing.assert_array_equal(read_image(path).array, oblique.array)


def test_world_is_ras_and_itk_is_lps(oblique):
    image = to_sitk(oblique)
    i, j, k = 3, 5, 7
    lps = np.array(image.TransformIndexToPhysicalPoint((i, j, k)))
    ras = apply_affine(oblique.affine, np.array([i, j, k], dtype=float))
    np.testing.assert_allclose(ras, lps * [-1, -1, 1])
    assert image[i, j, k] == oblique.array[k, j, i]
    np.testing.assert_allclose(from_sitk(image).affine, oblique.affine, atol=1e-12)


def test_the_48_orders_of_a_scan_become_one_canonical_volume(tmp_path, oblique):
    image = to_sitk(oblique)
    path = tmp_path / "scan.nii"
    volumes = []
    for order in itertools.permutations(range(3)):
        for flips in itertools.product([False, True], repeat=3):
            sitk.WriteImage(sitk.Flip(sitk.PermuteAxes(image, order), flips), str(path))
            volumes.append(canonicalize(read_image(path)).volume)
    assert len(volumes) == 48
    for volume in volumes:
        np.testing.assert_array_equal(volume.array, volumes[0].array)
        np.testing.assert_array_equal(volume.affine, volumes[0].affine)


def test_scale_factors_of_the_file_are_applied(tmp_path, oblique):
    path = tmp_path / "scan.nii"
    write_image(oblique, path)
    header_of(path, 112, "2f", (2.0, -1024.0))
    np.testing.assert_allclose(read_image(path).array, 2.0 * oblique.array - 1024.0)


def test_missing_file_is_refused(tmp_path):
    assert refusal(tmp_path / "scan.nii.gz").code is ErrorCode.FILE_NOT_FOUND


def test_folder_is_no_image(tmp_path):
    (tmp_path / "scan.nii").mkdir()
    assert refusal(tmp_path / "scan.nii").code is ErrorCode.FILE_UNREADABLE


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_empty_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"scan{suffix}"
    path.touch()
    assert refusal(path).code is ErrorCode.FILE_EMPTY


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_text_with_the_name_of_an_image_is_refused(tmp_path, suffix):
    path = tmp_path / f"scan{suffix}"
    path.write_text("this is no image\n" * 100)
    assert refusal(path).code is ErrorCode.FILE_UNREADABLE


def test_gzipped_text_is_refused(tmp_path):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(gzip.compress(b"this is no image\n" * 100))
    assert refusal(path).code is ErrorCode.FILE_UNREADABLE


def test_other_kinds_of_file_are_refused_with_those_that_are_taken(tmp_path):
    path = tmp_path / "scan.png"
    path.write_bytes(b"\x89PNG")
    with pytest.raises(FileRefusedError, match=r"\.nii\.gz"):
        read_image(path)


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.999])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_truncated_file_is_refused_with_its_code(tmp_path, capfd, suffix, kept):
    rng = np.random.default_rng(0)
    path = tmp_path / f"scan{suffix}"
    write_image(Volume(rng.normal(size=(16, 32, 32)).astype(np.float32), np.eye(4)), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    assert refusal(path).code is ErrorCode.FILE_TRUNCATED
    capfd.readouterr()  # the MetaImage library writes to the terminal by itself


def test_gzip_file_with_a_wrong_checksum_is_refused(tmp_path, oblique):
    path = tmp_path / "scan.nii.gz"
    write_image(oblique, path)
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF
    path.write_bytes(content)
    error = refusal(path)
    assert (error.code, "damaged" in error.message) == (ErrorCode.FILE_UNREADABLE, True)


def test_header_without_its_data_file_is_refused(tmp_path, oblique, capfd):
    sitk.WriteImage(to_sitk(oblique), str(tmp_path / "scan.mhd"))
    (tmp_path / "scan.raw").unlink()
    assert refusal(tmp_path / "scan.mhd").code is ErrorCode.FILE_TRUNCATED
    capfd.readouterr()


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_several_frames_are_refused_with_their_number_unless_one_is_picked(tmp_path, suffix):
    frames = np.random.default_rng(0).normal(size=(3, 9, 10, 11)).astype(np.float32)
    path = tmp_path / f"scan{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(frames, isVector=False), str(path))
    error = refusal(path)
    assert error.code is ErrorCode.NOT_THREE_DIMENSIONAL
    assert "got 3; frame=" in error.message
    np.testing.assert_array_equal(read_image(path, frame=2).array, frames[2])
    with pytest.raises(UsageError, match="from 0 to 2, got 3"):
        read_image(path, frame=3)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_a_fourth_dimension_of_one_is_dropped(tmp_path, suffix):
    frames = np.random.default_rng(0).normal(size=(1, 9, 10, 11)).astype(np.float32)
    path = tmp_path / f"scan{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(frames, isVector=False), str(path))
    np.testing.assert_array_equal(read_image(path).array, frames[0])


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_colours_are_refused(tmp_path, suffix):
    colours = np.zeros((9, 10, 11, 3), dtype=np.uint8)
    path = tmp_path / f"scan{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(colours, isVector=True), str(path))
    error = refusal(path)
    assert error.code is ErrorCode.NOT_THREE_DIMENSIONAL
    assert "one value per voxel" in error.message


def test_complex_voxels_are_refused(tmp_path):
    path = tmp_path / "scan.nii"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((9, 10, 11), dtype=np.complex64)), str(path))
    with pytest.raises(GeometryRefusedError, match="complex"):
        read_image(path)


def test_a_single_slice_is_a_volume_of_one_slice(tmp_path):
    sitk.WriteImage(
        sitk.GetImageFromArray(np.ones((10, 11), dtype=np.int16)), str(tmp_path / "s.mha")
    )
    assert read_image(tmp_path / "s.mha").array.shape == (1, 10, 11)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_voxels_that_are_not_finite_are_refused_with_their_number(tmp_path, suffix, dtype, value):
    # The NIfTI library behind ITK turns them into 0.
    array = np.zeros((9, 10, 11), dtype=dtype)
    array[3, 4, 5:7] = value
    path = tmp_path / f"scan{suffix}"
    write_image(Volume(array, np.eye(4)), path)
    with pytest.raises(ContentRefusedError, match="got 2") as caught:
        read_image(path)
    assert caught.value.code is ErrorCode.NON_FINITE_VOXELS


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (2, 4)])
def test_either_form_of_a_nifti_header_suffices(tmp_path, oblique, codes):
    path = tmp_path / "scan.nii"
    write_image(oblique, path)
    header_of(path, FORM_CODES, "2h", codes)
    volume, notes = read_image_with_notes(path)
    np.testing.assert_allclose(volume.affine, oblique.affine, atol=2e-5)
    assert notes == ()


def test_a_header_without_orientation_is_noted(tmp_path, oblique):
    path = tmp_path / "scan.nii"
    write_image(oblique, path)
    header_of(path, FORM_CODES, "2h", (0, 0))
    _, notes = read_image_with_notes(path)
    assert [note.code for note in notes] == [NoteCode.ORIENTATION_ASSUMED]


def sheared(path, oblique, shear):
    """Write a volume whose only orientation is an sform with a shear of its rows."""
    write_image(oblique, path)
    rows = oblique.affine @ np.array([[1, shear, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    header_of(path, FORM_CODES, "2h", (0, 1))
    header_of(path, SFORM_ROWS, "12f", rows[:3].ravel())


def test_a_slightly_sheared_header_is_straightened_and_noted(tmp_path, oblique):
    path = tmp_path / "scan.nii"
    sheared(path, oblique, 0.01)
    volume, notes = read_image_with_notes(path)
    assert [note.code for note in notes] == [NoteCode.DIRECTIONS_ORTHONORMALIZED]
    np.testing.assert_array_equal(volume.array, oblique.array)
    np.testing.assert_allclose(volume.affine, oblique.affine, atol=0.01)


@pytest.mark.parametrize("damage", ["shear", "zeros", "nan", "size"])
def test_a_header_without_a_usable_grid_is_refused(tmp_path, capfd, oblique, damage):
    path = tmp_path / "scan.nii"
    sheared(path, oblique, 0.2)
    if damage == "size":
        header_of(path, FORM_CODES, "2h", (1, 0))
        header_of(path, PIXEL_SIZES + 12, "f", (0.0,))
    elif damage != "shear":
        header_of(path, SFORM_ROWS, "12f", [0.0 if damage == "zeros" else np.nan] * 12)
    assert refusal(path).code is ErrorCode.GEOMETRY_INVALID
    capfd.readouterr()


def test_booleans_are_written_as_bytes(tmp_path, oblique):
    write_image(oblique.with_array(oblique.array > 0), tmp_path / "mask.nii.gz")
    mask = read_image(tmp_path / "mask.nii.gz")
    assert mask.array.dtype == np.uint8
    np.testing.assert_array_equal(mask.array, oblique.array > 0)


def test_a_failed_write_leaves_nothing(tmp_path, oblique):
    with pytest.raises(OutputError, match="expected to write") as caught:
        write_image(oblique, tmp_path / "none" / "scan.nii.gz")
    assert caught.value.code is ErrorCode.OUTPUT_NOT_WRITABLE
    with pytest.raises(OutputError):
        write_image(oblique, tmp_path / "scan.unknown")
    assert list(tmp_path.iterdir()) == []


def test_only_three_dimensional_images_become_volumes():
    with pytest.raises(GeometryRefusedError, match="2 dimensions"):
        from_sitk(sitk.Image(4, 4, sitk.sitkInt16))


def test_real_scans_without_sform_are_read(shared_data):
    volume, notes = read_image_with_notes(shared_data / "ncct/ct-aspects/sub001/im.nii.gz")
    assert volume.size == (512, 512, 33)
    np.testing.assert_allclose(volume.spacing_mm, [0.449219, 0.449219, 5.0], atol=1e-5)
    assert notes == ()
