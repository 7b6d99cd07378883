from __future__ import annotations

import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_phantoms import (
    AIR_HU,
    blob,
    depths,
    ramp,
    tilted,
    upright,
    write_image,
    write_series,
)
from pydicom import Dataset, config, dcmread

from ASPECTSLib.errors import (
    ErrorCode,
    FileRefusedError,
    GeometryRefusedError,
)
from ASPECTSLib.geometry import apply_affine
from ASPECTSLib.io.dicom import (
    age_in_years,
    choose_head_ct,
    choose_series,
    list_series,
    read_series,
    series_of_file,
)
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.notes import NoteCode

STACK = upright(depths((23, 5.0)))
RAS_FROM_LPS = np.array([-1.0, -1.0, 1.0])


def read(folder, **options):
    return read_series(choose_head_ct(list_series(folder)), **options)


def world_lps(volume):
    """Return the positions of the voxels of a volume, LPS mm, shape (k, j, i, 3)."""
    k, j, i = np.indices(volume.array.shape)
    return apply_affine(volume.affine, np.stack([i, j, k], axis=-1).astype(float)) * RAS_FROM_LPS


def codes(metadata):
    return [note.code for note in metadata.notes]


def test_a_series_is_read_with_its_place_in_the_world(tmp_path):
    write_series(tmp_path, STACK, anatomy=ramp)
    volume, metadata = read(tmp_path)
    assert volume.array.dtype == np.int16
    np.testing.assert_allclose(volume.spacing_mm, [3.0, 3.0, 5.0])
    np.testing.assert_array_equal(volume.array, ramp(world_lps(volume)))
    assert (metadata.notes, metadata.tilt_deg, metadata.modality) == ((), 0.0, Modality.NCCT)


def test_slices_may_be_stored_in_any_order(tmp_path):
    write_series(tmp_path / "up", STACK, anatomy=ramp)
    write_series(tmp_path / "down", STACK[::-1], anatomy=ramp)
    up, down = read(tmp_path / "up")[0], read(tmp_path / "down")[0]
    np.testing.assert_array_equal(up.array, down.array)
    np.testing.assert_array_equal(up.affine, down.affine)


def test_mirrored_slices_keep_their_place_in_the_world(tmp_path):
    # Counted from the patient's left to the right, and from the back to the front.
    positions = STACK + np.array([189.0, 189.0, 0.0])
    write_series(tmp_path, positions, anatomy=ramp, orientation=(-1, 0, 0, 0, -1, 0))
    volume, _ = read(tmp_path)
    np.testing.assert_array_equal(volume.array, ramp(world_lps(volume)))


def test_slope_and_intercept_are_those_of_each_slice(tmp_path):
    paths = write_series(tmp_path, STACK, anatomy=ramp, RescaleSlope=0.5)
    dataset = dcmread(paths[3])
    dataset.RescaleIntercept = 976
    dataset.save_as(paths[3])
    volume, _ = read(tmp_path)
    expected = ramp(world_lps(volume))
    expected[3] += 2000.0
    assert volume.array.dtype == np.float32
    np.testing.assert_allclose(volume.array, expected, atol=0.26)


def test_values_stay_as_stored_without_rescale_elements(tmp_path):
    write_series(tmp_path, STACK, RescaleSlope=None, RescaleIntercept=None)
    volume, _ = read(tmp_path)
    assert set(np.unique(volume.array)) == {40 + 1024, AIR_HU + 1024}


@pytest.mark.parametrize("degrees", [18.5, -7.0, 25.0])
def test_a_phantom_scanned_with_a_tilted_gantry_lies_where_it_was(tmp_path, degrees):
    # The middle of the slices is at the height of the phantom, whatever the tilt.
    rise = np.array([0.0, 0.0, 96.0 * np.sin(np.radians(degrees))])
    positions = upright(depths((23, 5.0))) + rise
    write_series(tmp_path, positions, anatomy=blob, orientation=tilted(degrees))
    volume, metadata = read(tmp_path)
    assert codes(metadata) == [NoteCode.RESAMPLED_TILT]
    assert metadata.is_resampled
    assert metadata.tilt_deg == pytest.approx(abs(degrees), abs=0.01)
    axes = volume.affine[:3, :3] / volume.spacing_mm
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-6)
    points = world_lps(volume)
    weights = volume.array - volume.array.min()
    centre = np.average(points.reshape(-1, 3), axis=0, weights=weights.ravel())
    np.testing.assert_allclose(centre, [6.0, -9.0, 50.0], atol=0.3)
    np.testing.assert_allclose(volume.array, blob(points), atol=25.0)  # of 2000


def test_a_tilted_ramp_is_recovered_in_every_slice(tmp_path):
    write_series(tmp_path, STACK, anatomy=ramp, orientation=tilted(18.5))
    volume, _ = read(tmp_path)
    inner = (slice(None), slice(18, -18), slice(2, -2))
    np.testing.assert_allclose(volume.array[inner], ramp(world_lps(volume))[inner], atol=1.0)


def test_uneven_spacing_is_interpolated_and_noted(tmp_path):
    write_series(tmp_path, upright(depths((12, 5.0), (6, 10.0))), anatomy=ramp)
    volume, metadata = read(tmp_path)
    assert codes(metadata) == [NoteCode.RESAMPLED_SPACING]
    assert volume.size == (64, 64, 25)
    np.testing.assert_allclose(volume.array, ramp(world_lps(volume)), atol=1.0)


def test_a_tilted_stack_with_uneven_spacing_is_read(tmp_path):
    positions = upright(depths((13, 4.0), (1, 1.2), (9, 7.0)))
    write_series(tmp_path, positions, anatomy=ramp, orientation=tilted(18.5))
    volume, metadata = read(tmp_path)
    assert codes(metadata) == [NoteCode.RESAMPLED_TILT, NoteCode.RESAMPLED_SPACING]
    inner = (slice(1, -1), slice(18, -18), slice(2, -2))
    np.testing.assert_allclose(volume.array[inner], ramp(world_lps(volume))[inner], atol=1.5)


def test_a_missing_slice_is_refused(tmp_path):
    paths = write_series(tmp_path, STACK)
    paths[9].unlink()
    with pytest.raises(GeometryRefusedError, match=r"gap of 10\.0 mm") as caught:
        read(tmp_path)
    assert caught.value.code is ErrorCode.MISSING_SLICES


def test_a_file_that_is_there_twice_counts_once(tmp_path):
    paths = write_series(tmp_path, STACK)
    shutil.copy(paths[5], tmp_path / "copy of a file.dcm")
    (series,) = list_series(tmp_path)
    assert series.image_count == len(STACK)


def test_a_slice_that_was_sent_twice_is_left_out(tmp_path):
    write_series(tmp_path, np.concatenate([STACK, STACK[4:6]]), anatomy=ramp)
    volume, metadata = read(tmp_path)
    assert codes(metadata) == [NoteCode.DUPLICATES_REMOVED]
    np.testing.assert_array_equal(volume.array, ramp(world_lps(volume)))


def test_time_points_need_a_choice(tmp_path):
    uid = {"SeriesInstanceUID": "1.2.3.4"}
    write_series(tmp_path, STACK, AcquisitionNumber=1, name="a", **uid)
    write_series(tmp_path, STACK, AcquisitionNumber=2, name="b", anatomy=ramp, **uid)
    with pytest.raises(GeometryRefusedError, match="got 2; frame="):
        read(tmp_path)
    volume, _ = read(tmp_path, frame=1)
    np.testing.assert_array_equal(volume.array, ramp(world_lps(volume)))


def test_files_are_known_by_their_content(tmp_path):
    write_series(tmp_path / "disc" / "S0001", STACK)
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "notes.dcm").write_text("no image")
    (tmp_path / "empty").touch()
    (series,) = list_series(tmp_path)
    assert (series.image_count, series.modality, series.matrix) == (24, "CT", (64, 64))
    assert series.is_plausible_head_ct


def test_headers_are_described(tmp_path):
    write_series(
        tmp_path,
        STACK,
        SeriesDescription="Head 5.0 H31s",
        SeriesNumber=4,
        BodyPartExamined="HEAD",
        ConvolutionKernel="H31s",
    )
    (series,) = list_series(tmp_path)
    assert series.label == "series 4 'Head 5.0 H31s' (CT, 24 images)"
    assert (series.body_part, series.kernel, series.thickness_mm) == ("HEAD", "H31s", 5.0)
    assert (series.coverage_mm, series.has_sharp_kernel) == (115.0, False)


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(FileRefusedError, match="folder without images") as caught:
        choose_head_ct(list_series(tmp_path))
    assert caught.value.code is ErrorCode.NO_IMAGES


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(FileRefusedError) as caught:
        list_series(tmp_path / "none")
    assert caught.value.code is ErrorCode.FILE_NOT_FOUND


def test_a_series_of_two_sizes_is_refused(tmp_path):
    uid = {"SeriesInstanceUID": "1.2.3.4"}
    write_series(tmp_path, STACK[::2], name="a", **uid)
    write_series(tmp_path, STACK[1::2], name="b", shape=(32, 32), **uid)
    with pytest.raises(GeometryRefusedError, match="got 64x64, 32x32") as caught:
        choose_head_ct(list_series(tmp_path))
    assert caught.value.code is ErrorCode.GEOMETRY_INVALID


def test_images_without_a_position_are_refused(tmp_path):
    for index in range(4):
        path = tmp_path / f"{index}"
        write_image(path, np.zeros((8, 8), np.int16), Modality="CT", SeriesInstanceUID="1.2")
    (series,) = list_series(tmp_path)
    assert not series.is_plausible_head_ct
    with pytest.raises(GeometryRefusedError, match="position"):
        read_series(series)


def test_a_file_without_voxels_is_refused(tmp_path):
    paths = write_series(tmp_path, STACK)
    dataset = dcmread(paths[0])
    del dataset.PixelData
    dataset.save_as(paths[0])
    with pytest.raises(FileRefusedError, match="header alone") as caught:
        read(tmp_path)
    assert caught.value.code is ErrorCode.FILE_TRUNCATED


def test_a_truncated_file_is_refused(tmp_path):
    paths = write_series(tmp_path, STACK)
    paths[0].write_bytes(paths[0].read_bytes()[:-3000])
    with pytest.raises(FileRefusedError, match="incomplete") as caught:
        read(tmp_path)
    assert caught.value.code is ErrorCode.FILE_TRUNCATED


def compress(path, compressor):
    """Rewrite a DICOM file with a compressed transfer syntax."""
    plain = sitk.ReadImage(str(path), imageIO="GDCMImageIO")
    image = sitk.Cast(plain, sitk.sitkInt16)
    for key in plain.GetMetaDataKeys():
        image.SetMetaData(key, plain.GetMetaData(key))
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.KeepOriginalImageUIDOn()
    writer.UseCompressionOn()
    writer.SetCompressor(compressor)
    writer.SetFileName(str(path))
    writer.Execute(image)


@pytest.mark.parametrize("compressor", ["JPEG", "JPEG2000"])
def test_losslessly_compressed_files_are_read(tmp_path, compressor):
    paths = write_series(tmp_path, STACK, anatomy=ramp)
    (plain,) = list_series(tmp_path)
    expected = read_series(plain)[0].array
    for path in paths:
        compress(path, compressor)
    (compressed,) = list_series(tmp_path)
    np.testing.assert_array_equal(read_series(compressed)[0].array, expected)


def test_compression_that_cannot_be_decoded_is_refused(tmp_path):
    paths = write_series(tmp_path, STACK)
    compress(paths[0], "JPEG")
    content = paths[0].read_bytes()
    # The transfer syntax of MPEG-4 video, which no decoder of still images knows.
    old, new = b"1.2.840.10008.1.2.4.70", b"1.2.840.10008.1.2.4.10"
    paths[0].write_bytes(content.replace(old, new))
    with pytest.raises(FileRefusedError, match="compressed in another way") as caught:
        read_series(series_of_file(paths[0]))
    assert caught.value.code is ErrorCode.FILE_UNREADABLE


def multiframe(path, positions_lps):
    """Write an enhanced CT: all slices in one file, their geometry in functional groups."""

    def group(keyword, **values):
        item, inner = Dataset(), Dataset()
        for name, value in values.items():
            setattr(inner, name, value)
        setattr(item, keyword, [inner])
        return item

    points = positions_lps[:, None, None] + 3.0 * np.moveaxis(np.indices((64, 64)), 0, -1)[
        None, ..., ::-1
    ] @ np.eye(2, 3)
    shared = group("PlaneOrientationSequence", ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared.PixelMeasuresSequence = [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = [3, 3]
    shared.PixelValueTransformationSequence = [Dataset()]
    shared.PixelValueTransformationSequence[0].RescaleSlope = 1
    shared.PixelValueTransformationSequence[0].RescaleIntercept = -1024
    frames = [
        group("PlanePositionSequence", ImagePositionPatient=list(map(float, position)))
        for position in positions_lps
    ]
    write_image(
        path,
        (ramp(points) + 1024).astype(np.int16),
        Modality="CT",
        SeriesInstanceUID="1.2.3",
        NumberOfFrames=len(frames),
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=frames,
    )


def test_an_enhanced_ct_with_all_slices_in_one_file_is_read(tmp_path):
    multiframe(tmp_path / "enhanced.dcm", STACK)
    (series,) = list_series(tmp_path)
    assert (series.image_count, len(series.files)) == (24, 1)
    volume, _ = read_series(series)
    np.testing.assert_array_equal(volume.array, ramp(world_lps(volume)))


def test_one_file_stands_for_its_series(tmp_path):
    paths = write_series(tmp_path, STACK, SeriesDescription="Head A")
    write_series(tmp_path, STACK, SeriesDescription="Head B", name="other")
    assert series_of_file(paths[7]).description == "Head A"


@pytest.mark.parametrize(
    ("elements", "years"),
    [
        ({"PatientAge": "079Y"}, 79.0),
        ({"PatientAge": "79"}, 79.0),
        ({"PatientAge": "018M"}, 1.5),
        ({"PatientAge": "000Y"}, None),
        ({"PatientAge": "", "PatientBirthDate": "19500315", "StudyDate": "20200315"}, 70.0),
        ({"PatientBirthDate": "19500315"}, None),
        ({"PatientBirthDate": "20200315", "StudyDate": "20200315"}, None),
        ({"PatientBirthDate": "unknown", "StudyDate": "20200315"}, None),
        ({}, None),
    ],
)
def test_age_is_read_from_its_element_or_from_dates(elements, years):
    header = Dataset()
    with config.disable_value_validation():
        for keyword, value in elements.items():
            setattr(header, keyword, value)
    assert age_in_years(header) == pytest.approx(years, abs=0.01)


def test_metadata_name_nobody(tmp_path):
    write_series(
        tmp_path, STACK, PatientName="Doe^Jane", PatientID="4711", PatientAge="066Y", StudyID="S9"
    )
    series = choose_head_ct(list_series(tmp_path))
    _, metadata = read_series(series)
    assert metadata.age_years == 66.0
    told = repr(metadata) + repr(series) + series.label
    assert not any(word in told for word in ("Doe", "4711", "S9", series.uid))


def test_a_real_scan_with_a_tilted_gantry_is_read(shared_data):
    volume, metadata = read(shared_data / "dicom" / "ct-gantry-tilt")
    assert metadata.tilt_deg == pytest.approx(18.5, abs=0.01)  # as its header says
    assert codes(metadata) == [NoteCode.RESAMPLED_TILT, NoteCode.RESAMPLED_SPACING]
    np.testing.assert_allclose(volume.spacing_mm, [0.4882812, 0.4882812, 4.0], atol=0.01)


def test_a_real_unremarkable_scan_is_read_as_it_is(shared_data):
    volume, metadata = read(shared_data / "dicom" / "ct-normal")
    assert (volume.size, metadata.notes) == ((512, 512, 35), ())
    np.testing.assert_allclose(volume.spacing_mm, [0.48828125, 0.48828125, 5.0])


def test_the_ct_is_found_beside_real_diffusion_images(shared_data):
    series = list_series(shared_data / "dicom" / "ct-and-dwi")
    _, metadata = read_series(choose_head_ct(series))
    assert (metadata.modality, metadata.age_years) == (Modality.NCCT, 79.0)
    assert metadata.tilt_deg == pytest.approx(7.0, abs=0.01)
    assert choose_series(series, Modality.DWI).image_count == 18
