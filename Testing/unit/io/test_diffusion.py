from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from axis_orders import AXIS_ORDERS, reordered
from dicom_phantoms import depths, upright, write_image, write_series
from diffusion_phantoms import DiffusionHead
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import generate_uid

from ASPECTSLib.errors import ErrorCode, InputRefusedError, UsageError
from ASPECTSLib.geometry import LPS_FROM_RAS, Volume
from ASPECTSLib.io import images
from ASPECTSLib.io.diffusion import overlap, read_diffusion
from ASPECTSLib.io.images import to_sitk
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.notes import NoteCode
from ASPECTSLib.io.scan import read_scan

HEAD = DiffusionHead()
ADC, DWI, B0 = HEAD.adc, HEAD.weighted(), HEAD.b0


def written(path, volume):
    images.write_image(volume, path)
    return path


def written_series(path, volumes):
    """Write volumes as the frames of one four-dimensional file."""
    sitk.WriteImage(sitk.JoinSeries([to_sitk(volume) for volume in volumes]), str(path))
    return path


def write_mr(folder, volume, *, name="image", private=(), **tags):
    """Write a volume as a series, one file a slice; `private` are elements (tag, VR, value)."""
    folder.mkdir(parents=True, exist_ok=True)
    affine = LPS_FROM_RAS @ volume.affine
    axes = affine[:3, :3] / volume.spacing_mm
    common = {
        "Modality": "MR",
        "SeriesInstanceUID": generate_uid(),
        "StudyInstanceUID": "1.2.3",
        "FrameOfReferenceUID": "1.2.3.4",
        "SeriesNumber": 1,
        "SeriesDescription": "ep2d_diff",
        "SliceThickness": 5.0,
        "PixelSpacing": [f"{volume.spacing_mm[1]:.8g}", f"{volume.spacing_mm[0]:.8g}"],
        "ImageOrientationPatient": [f"{value:.8f}" for value in axes[:, :2].T.ravel()],
    } | tags
    for index, pixels in enumerate(volume.array):
        position = (affine @ [0.0, 0.0, index, 1.0])[:3]
        place = [f"{value:.6f}" for value in position]
        path = folder / f"{name}{index:03d}"
        stored = np.rint(pixels).astype(np.int16)
        write_image(path, stored, **common, InstanceNumber=index + 1, ImagePositionPatient=place)
        if private:
            dataset = dcmread(path)
            for tag, vr, value in private:
                dataset.add_new(Tag(tag), vr, value)
            dataset.save_as(path)
    return path


def refusal(*paths, **options):
    with pytest.raises(InputRefusedError) as caught:
        read_diffusion(*paths, **options)
    return caught.value


def codes(scan):
    return [note.code for note in scan.notes]


def test_dwi_and_adc_files_are_read_with_their_places(tmp_path):
    fine = DiffusionHead((30, 40, 40), (4.5, 5.0, 5.0)).adc
    scan = read_diffusion(written(tmp_path / "d.nii.gz", DWI), written(tmp_path / "a.nrrd", fine))
    assert (scan.modality, scan.b_value, scan.files) == (Modality.DWI, None, ("d.nii.gz", "a.nrrd"))
    assert scan.volume.array.dtype == np.float32
    np.testing.assert_allclose(scan.volume.array, DWI.array, rtol=1e-5)
    np.testing.assert_allclose(scan.volume.affine, DWI.affine, atol=1e-4)
    adc = scan.companions[Modality.ADC]
    np.testing.assert_allclose(adc.array, fine.array, rtol=1e-5)
    np.testing.assert_allclose(adc.affine, fine.affine, atol=1e-4)
    assert scan.notes == ()


@pytest.mark.parametrize("name", ["adc.nii.gz", "adc.nrrd"])
def test_an_adc_map_may_hold_what_is_not_a_number(tmp_path, name):
    array = ADC.array.astype(np.float32)
    array[10, 20, 20:23] = np.nan, np.inf, -5.0
    adc = written(tmp_path / name, ADC.with_array(array))
    scan = read_diffusion(written(tmp_path / "dwi.nii.gz", DWI), adc)
    assert scan.companions[Modality.ADC].array[10, 20, 22] == -5.0


@pytest.mark.parametrize("name", ["dwi.nii.gz", "dwi.nrrd"])
def test_a_dwi_must_be_finite(tmp_path, name):
    array = DWI.array.astype(np.float32)
    array[10, 20, 20] = np.nan
    path = written(tmp_path / name, DWI.with_array(array))
    assert refusal(path).code is ErrorCode.NON_FINITE_VOXELS


def test_a_flair_image_is_not_read_and_a_note_says_so(tmp_path):
    scan = read_diffusion(written(tmp_path / "d.nii.gz", DWI), flair=tmp_path / "absent.nii.gz")
    assert codes(scan) == [NoteCode.INPUT_NOT_USED]
    assert "FLAIR" in scan.notes[0].message


def test_one_file_is_not_taken_for_two_images(tmp_path):
    path = written(tmp_path / "d.nii.gz", DWI)
    with pytest.raises(UsageError, match="twice"):
        read_diffusion(path, path)


def test_the_dwi_is_checked_as_every_scan_is(tmp_path):
    thin = Volume(DWI.array[:5], DWI.affine)
    path = written(tmp_path / "d.nii.gz", thin)
    assert refusal(path).code is ErrorCode.TOO_FEW_SLICES
    assert refusal(tmp_path / "absent.nii.gz").code is ErrorCode.FILE_NOT_FOUND


def test_companions_that_lie_elsewhere_are_refused(tmp_path):
    shift = np.eye(4)
    shift[2, 3] = 300.0
    far = Volume(ADC.array, shift @ ADC.affine)
    dwi, adc = written(tmp_path / "d.nii.gz", DWI), written(tmp_path / "a.nii.gz", far)
    error = refusal(dwi, adc)
    assert error.code is ErrorCode.GEOMETRY_INVALID
    assert "expected ADC where the DWI lies" in error.message
    assert refusal(dwi, None, adc).code is ErrorCode.GEOMETRY_INVALID


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS[::7])
def test_overlap_is_that_of_the_places_whatever_the_order_of_axes(order, flips):
    assert overlap(reordered(ADC, order, flips), DWI) == 1.0
    half = Volume(ADC.array[: len(ADC.array) // 2], ADC.affine)
    assert overlap(reordered(half, order, flips), DWI) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("sidecar", ["bval", "json"])
def test_a_series_with_b_values_beside_it_is_split(tmp_path, sidecar):
    path = written_series(tmp_path / "s.nii.gz", [B0, HEAD.weighted(2000.0), DWI])
    if sidecar == "bval":
        (tmp_path / "s.bval").write_text("0 2000 1000")
    else:
        (tmp_path / "s.json").write_text(json.dumps({"bvals": [0, 2000, 1000]}))
    scan = read_diffusion(path)
    assert (scan.b_value, codes(scan)) == (1000.0, [NoteCode.VOLUMES_PICKED])
    np.testing.assert_allclose(scan.volume.array, DWI.array, rtol=1e-5)
    np.testing.assert_allclose(scan.companions[Modality.B0].array, B0.array, rtol=1e-5)
    np.testing.assert_allclose(scan.companions[Modality.B0].affine, DWI.affine, atol=1e-4)


def test_directions_of_one_b_value_become_the_trace(tmp_path):
    twice, half = DWI.with_array(2 * DWI.array), DWI.with_array(DWI.array / 2)
    path = written_series(tmp_path / "s.nii", [twice, B0, half, DWI])
    (tmp_path / "s.bval").write_text("995 0 1000 1005")
    scan = read_diffusion(path)
    assert scan.b_value == 1000.0
    np.testing.assert_allclose(scan.volume.array, DWI.array, rtol=1e-4)


def test_a_b0_that_is_given_is_preferred_to_that_of_the_series(tmp_path):
    path = written_series(tmp_path / "s.nii.gz", [B0, DWI])
    (tmp_path / "s.bval").write_text("0 1000")
    given = written(tmp_path / "b0.nii.gz", B0.with_array(2 * B0.array))
    scan = read_diffusion(path, b0=given)
    np.testing.assert_allclose(scan.companions[Modality.B0].array, 2 * B0.array, rtol=1e-5)
    assert scan.files == ("s.nii.gz", "b0.nii.gz")


def test_a_b0_may_be_part_of_a_series(tmp_path):
    dwi = written(tmp_path / "d.nii.gz", DWI)
    path = written_series(tmp_path / "s.nii.gz", [HEAD.weighted(500.0), B0])
    assert "s.nii.gz in a .bval or .json" in refusal(dwi, b0=path).message
    (tmp_path / "s.bval").write_text("500 0")
    scan = read_diffusion(dwi, b0=path)
    np.testing.assert_allclose(scan.companions[Modality.B0].array, B0.array, rtol=1e-5)


def test_a_series_without_b_values_needs_a_frame(tmp_path):
    path = written_series(tmp_path / "s.nii.gz", [B0, DWI])
    error = refusal(path)
    assert error.code is ErrorCode.NOT_THREE_DIMENSIONAL
    assert "expected the b-values of the 2 volumes" in error.message
    scan = read_diffusion(path, frame=1)
    np.testing.assert_allclose(scan.volume.array, DWI.array, rtol=1e-5)
    assert (scan.b_value, dict(scan.companions)) == (None, {})
    with pytest.raises(UsageError, match="from 0 to 1"):
        read_diffusion(path, frame=2)


def test_a_volume_that_its_sidecar_calls_unweighted_is_refused(tmp_path):
    path = written(tmp_path / "s.nii.gz", B0)
    (tmp_path / "s.bval").write_text("0")
    assert refusal(path).code is ErrorCode.WRONG_MODALITY


def test_an_adc_map_of_several_volumes_is_refused(tmp_path):
    adc = written_series(tmp_path / "a.nii.gz", [ADC, ADC])
    error = refusal(written(tmp_path / "d.nii.gz", DWI), adc)
    assert error.code is ErrorCode.NOT_THREE_DIMENSIONAL


SIEMENS = [(0x0019100C, "IS"), ("0", "1000")]
GE = [(0x00431039, "IS"), (["1000000000", "8", "0", "0"], ["1000001000", "8", "0", "0"])]
PHILIPS = [(0x20011003, "FL"), (0.0, 1000.0)]


@pytest.mark.parametrize(
    ("manufacturer", "element"),
    [("SIEMENS", SIEMENS), ("GE MEDICAL SYSTEMS", GE), ("Philips", PHILIPS)],
)
def test_a_dicom_series_is_split_by_the_b_values_of_each_vendor(tmp_path, manufacturer, element):
    (tag, vr), values = element
    common = {
        "SeriesInstanceUID": generate_uid(),
        "Manufacturer": manufacturer,
        "PatientAge": "066Y",
    }
    for name, volume, value in (("a", B0, values[0]), ("b", DWI, values[1])):
        write_mr(tmp_path, volume, name=name, private=[(tag, vr, value)], **common)
    scan = read_diffusion(tmp_path)
    assert (scan.b_value, scan.age_years, scan.modality) == (1000.0, 66.0, Modality.DWI)
    assert len(scan.files) == 2 * len(DWI.array)
    np.testing.assert_array_equal(scan.volume.array, np.rint(DWI.array))
    np.testing.assert_allclose(scan.volume.affine, DWI.affine, atol=1e-3)
    np.testing.assert_array_equal(scan.companions[Modality.B0].array, np.rint(B0.array))


def test_directions_in_a_dicom_series_become_the_trace(tmp_path):
    uid = generate_uid()
    for name, factor in (("x", 2.0), ("y", 0.5), ("z", 1.0)):
        volume = DWI.with_array(factor * DWI.array)
        write_mr(tmp_path, volume, name=name, SeriesInstanceUID=uid, DiffusionBValue=1000.0)
    scan = read_diffusion(tmp_path)
    assert "3 directions" in scan.notes[0].message
    np.testing.assert_allclose(scan.volume.array, DWI.array, atol=1.0)


def test_an_enhanced_image_is_split_by_the_b_values_of_its_frames(tmp_path):
    affine = LPS_FROM_RAS @ DWI.affine
    axes = affine[:3, :3] / DWI.spacing_mm
    groups, slices = [], []
    for index in range(len(DWI.array)):
        for b_value, volume in ((0.0, B0), (1000.0, DWI)):
            groups.append(frame_group((affine @ [0.0, 0.0, index, 1.0])[:3], b_value))
            slices.append(np.rint(volume.array[index]).astype(np.int16))
    shared = Dataset()
    shared.PlaneOrientationSequence = Sequence([Dataset()])
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [
        f"{v:.8f}" for v in axes[:, :2].T.ravel()
    ]
    shared.PixelMeasuresSequence = Sequence([Dataset()])
    spacing = [f"{DWI.spacing_mm[1]:.8g}", f"{DWI.spacing_mm[0]:.8g}"]
    shared.PixelMeasuresSequence[0].PixelSpacing = spacing
    write_image(
        tmp_path / "enhanced",
        np.stack(slices),
        Modality="MR",
        SeriesInstanceUID=generate_uid(),
        NumberOfFrames=len(slices),
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(groups),
    )
    scan = read_diffusion(tmp_path)
    assert scan.b_value == 1000.0
    np.testing.assert_array_equal(scan.volume.array, np.rint(DWI.array))
    np.testing.assert_array_equal(scan.companions[Modality.B0].array, np.rint(B0.array))


def frame_group(position, b_value):
    group = Dataset()
    group.PlanePositionSequence = Sequence([Dataset()])
    group.PlanePositionSequence[0].ImagePositionPatient = [f"{value:.6f}" for value in position]
    group.MRDiffusionSequence = Sequence([Dataset()])
    group.MRDiffusionSequence[0].DiffusionBValue = b_value
    return group


def test_a_dicom_series_without_b_values_needs_a_frame_where_images_lie_together(tmp_path):
    uid = generate_uid()
    for name, volume in (("a", B0), ("b", DWI)):
        write_mr(tmp_path, volume, name=name, SeriesInstanceUID=uid)
    assert refusal(tmp_path).code is ErrorCode.NOT_THREE_DIMENSIONAL
    np.testing.assert_array_equal(
        read_diffusion(tmp_path, frame=1).volume.array, np.rint(DWI.array)
    )


def study(folder):
    """Write what a scanner sends: raw images, their trace, the ADC map and a FLAIR image."""
    raw = generate_uid()
    for name, volume, b_value in (("a", B0, 0.0), ("b", DWI, 1000.0)):
        write_mr(folder / "1", volume, name=name, SeriesInstanceUID=raw, DiffusionBValue=b_value)
    trace = generate_uid()
    for name, volume, b_value in (("a", B0, 0.0), ("b", DWI, 1000.0)):
        tags = {"SeriesDescription": "ep2d_diff_TRACEW", "SeriesNumber": 2}
        write_mr(
            folder / "2",
            volume,
            name=name,
            SeriesInstanceUID=trace,
            DiffusionBValue=b_value,
            **tags,
        )
    write_mr(folder / "3", ADC, SeriesDescription="ep2d_diff_ADC", SeriesNumber=3)
    write_mr(folder / "4", B0, SeriesDescription="t2_flair", SeriesNumber=4)


def test_the_trace_and_the_adc_map_of_a_study_are_found(tmp_path):
    study(tmp_path)
    scan = read_diffusion(tmp_path)
    assert scan.description == "ep2d_diff_TRACEW"
    assert codes(scan) == [NoteCode.COMPANION_FOUND]
    assert "series 3" in scan.notes[0].message
    np.testing.assert_array_equal(scan.companions[Modality.ADC].array, np.rint(ADC.array))
    assert set(scan.companions) == {Modality.ADC, Modality.B0}
    assert read_diffusion(tmp_path, series="1").description == "ep2d_diff"


def test_an_adc_map_that_is_given_is_preferred_to_that_of_the_study(tmp_path):
    study(tmp_path / "study")
    given = written(tmp_path / "a.nii.gz", ADC.with_array(2 * ADC.array))
    scan = read_diffusion(tmp_path / "study", given)
    assert codes(scan) == []
    np.testing.assert_allclose(scan.companions[Modality.ADC].array, 2 * ADC.array, rtol=1e-5)


def test_adc_and_b0_are_read_from_dicom_folders_and_files(tmp_path):
    dwi = write_mr(tmp_path / "dwi", DWI, SeriesDescription="b1000")
    adc = write_mr(tmp_path / "adc", ADC, SeriesDescription="ADC")
    write_mr(tmp_path / "b0", B0, SeriesDescription="b0")
    scan = read_diffusion(dwi, adc, tmp_path / "b0")
    np.testing.assert_array_equal(scan.companions[Modality.ADC].array, np.rint(ADC.array))
    np.testing.assert_array_equal(scan.companions[Modality.B0].array, np.rint(B0.array))
    assert refusal(adc).code is ErrorCode.WRONG_MODALITY
    for folder in ("dwi", "b0"):
        assert refusal(dwi, tmp_path / folder).code is ErrorCode.SERIES_NOT_FOUND


def test_the_b0_inside_a_dicom_series_can_be_given(tmp_path):
    uid = generate_uid()
    for name, volume, b_value in (("a", B0, 0.0), ("b", DWI, 1000.0)):
        write_mr(tmp_path / "s", volume, name=name, SeriesInstanceUID=uid, DiffusionBValue=b_value)
    dwi = written(tmp_path / "d.nii.gz", DWI)
    scan = read_diffusion(dwi, b0=tmp_path / "s")
    np.testing.assert_array_equal(scan.companions[Modality.B0].array, np.rint(B0.array))


def test_an_adc_map_within_the_series_of_the_dwi_is_told_by_its_image_type(tmp_path):
    uid = generate_uid()
    common = {"SeriesInstanceUID": uid, "SeriesDescription": "DWI"}
    write_mr(tmp_path, DWI, name="a", DiffusionBValue=1000.0, **common)
    write_mr(tmp_path, ADC, name="b", ImageType=["DERIVED", "PRIMARY", "ADC"], **common)
    scan = read_diffusion(tmp_path)
    np.testing.assert_array_equal(scan.volume.array, np.rint(DWI.array))
    np.testing.assert_array_equal(scan.companions[Modality.ADC].array, np.rint(ADC.array))


def test_several_adc_maps_are_left_out_with_a_note(tmp_path):
    write_mr(tmp_path / "1", DWI, SeriesDescription="b1000")
    write_mr(tmp_path / "2", ADC, SeriesDescription="ADC", SeriesNumber=2)
    write_mr(tmp_path / "3", ADC, SeriesDescription="ADC corrected", SeriesNumber=3)
    scan = read_diffusion(tmp_path)
    assert (codes(scan), dict(scan.companions)) == ([NoteCode.COMPANION_LEFT_OUT], {})


@pytest.mark.parametrize(
    "tags", [{"StudyInstanceUID": "9.9"}, {"FrameOfReferenceUID": "9.9"}], ids=["study", "frame"]
)
def test_adc_maps_of_another_session_are_not_taken(tmp_path, tags):
    write_mr(tmp_path / "1", DWI, SeriesDescription="b1000")
    write_mr(tmp_path / "2", ADC, SeriesDescription="ADC", SeriesNumber=2, **tags)
    assert dict(read_diffusion(tmp_path).companions) == {}


def test_an_adc_map_beside_the_dwi_that_cannot_be_used_is_left_out_with_a_note(tmp_path):
    write_mr(tmp_path / "1", DWI, SeriesDescription="b1000")
    write_mr(tmp_path / "2", ADC, SeriesDescription="ADC", SeriesNumber=2)
    (tmp_path / "2" / "image009").unlink()
    scan = read_diffusion(tmp_path)
    assert codes(scan) == [NoteCode.COMPANION_LEFT_OUT]
    assert "slices are missing" in scan.notes[0].message


def test_other_scans_are_refused(tmp_path):
    write_series(tmp_path / "ct", upright(depths((23, 5.0))))
    assert refusal(tmp_path / "ct").code is ErrorCode.WRONG_MODALITY
    write_mr(tmp_path / "flair", B0, SeriesDescription="t2_tirm_FLAIR")
    assert refusal(tmp_path / "flair").code is ErrorCode.SERIES_NOT_FOUND
    write_mr(tmp_path / "low", HEAD.weighted(500.0), DiffusionBValue=500.0)
    assert refusal(tmp_path / "low").code is ErrorCode.WRONG_MODALITY


def test_a_series_cannot_be_picked_in_a_file(tmp_path):
    path = written(tmp_path / "d.nii.gz", DWI)
    slice_path = write_mr(tmp_path / "dwi", DWI)
    for one in (path, slice_path):
        with pytest.raises(UsageError, match="expected a folder"):
            read_diffusion(one, series="1")


def test_other_readers_see_no_companions(tmp_path):
    scan = read_scan(written(tmp_path / "d.nii.gz", DWI))
    assert (dict(scan.companions), scan.b_value) == ({}, None)


def test_real_diffusion_is_read(shared_data):
    isles = shared_data / "dwi" / "isles22-0009"
    dwi, adc, flair = (
        isles / f"sub-strokecase0009_ses-0001_{k}.nii.gz" for k in ("dwi", "adc", "flair")
    )
    scan = read_diffusion(dwi, adc, flair=flair)
    assert (scan.volume.size, codes(scan)) == ((112, 112, 73), [NoteCode.INPUT_NOT_USED])
    assert set(scan.companions) == {Modality.ADC}
    ads = shared_data / "dwi" / "ads-subject01"
    scan = read_diffusion(ads / "Subject01_DWI.nii.gz", b0=ads / "Subject01_b0.nii.gz")
    assert (scan.volume.size, set(scan.companions)) == ((256, 256, 30), {Modality.B0})


def test_real_dicom_diffusion_is_read_from_its_folder_or_that_of_the_study(shared_data):
    folder = shared_data / "dicom" / "ct-and-dwi"
    for path in (folder, folder / "DWI", folder / "DWI" / "000003.dcm"):
        scan = read_diffusion(path)
        assert (scan.volume.size, scan.age_years, scan.description) == ((256, 256, 18), 80.0, "DWI")
