"""Volumes of the scene become files in world space, and are told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from axis_orders import AXIS_ORDERS, reordered
from pydicom import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from scene_phantoms import noise, oblique_affine

pytest.importorskip("slicer", reason="needs the package slicer-core")

import slicer
from transform_phantoms import add_linear_transform, add_warp, head, rigid_matrix

from ASPECTSLib.geometry import Volume, apply_affine, canonicalize
from ASPECTSLib.io.images import read_image, write_image
from ASPECTSLib.io.modality import Modality
from ASPECTSSlicer.volumes import (
    ROLE_ATTRIBUTE,
    companionsOf,
    kindOf,
    patientAge,
    proposeVolumes,
    scoredKind,
    writeScan,
)


def written(volume_node, tmp_path) -> Volume:
    writeScan(volume_node, tmp_path / "scan.nrrd")
    return read_image(tmp_path / "scan.nrrd")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_written_scan_has_the_voxels_and_the_grid_of_the_volume(scene, add_volume, tmp_path, dtype):
    volume = noise(dtype)
    scan = written(add_volume(scene, volume), tmp_path)
    np.testing.assert_array_equal(scan.array, volume.array)
    assert scan.array.dtype == dtype
    np.testing.assert_allclose(scan.affine, volume.affine, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS)
def test_left_stays_left_in_any_order_of_axes(scene, add_volume, tmp_path, order, flips):
    volume = noise()
    scan = written(add_volume(scene, reordered(volume, order, flips)), tmp_path)
    np.testing.assert_array_equal(
        canonicalize(scan).volume.array, canonicalize(volume).volume.array
    )
    for value in (0, 17, 5759):
        np.testing.assert_allclose(place_of(value, scan), place_of(value, volume), atol=1e-9)


def test_mirrored_volume_is_written_mirrored(scene, add_volume, tmp_path):
    volume = noise()
    mirrored = volume.with_array(np.ascontiguousarray(volume.array[:, :, ::-1]))
    scan = written(add_volume(scene, mirrored), tmp_path)
    np.testing.assert_array_equal(scan.array[:, :, ::-1], volume.array)


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS[::5])
def test_volume_that_slicer_read_from_nifti_is_written_where_the_library_reads_it(
    scene, tmp_path, order, flips
):
    """Slicer reverses an axis of left-handed files; every voxel stays where it is."""
    write_image(reordered(noise(), order, flips), tmp_path / "given.nii.gz")
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(tmp_path / "given.nii.gz"))
    assert storage.ReadData(node)
    scan, given = written(node, tmp_path), read_image(tmp_path / "given.nii.gz")
    for value in (0, 17, 5759):
        np.testing.assert_allclose(place_of(value, scan), place_of(value, given), atol=1e-9)
    np.testing.assert_array_equal(canonicalize(scan).volume.array, canonicalize(given).volume.array)


def test_file_says_nothing_of_the_patient(scene, add_volume, tmp_path):
    node = add_volume(scene, noise(), name="Doe^Jane")
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3.4")
    written(node, tmp_path)
    header = (tmp_path / "scan.nrrd").read_bytes()[:1000]
    assert b"Doe" not in header
    assert b"1.2.3.4" not in header


def test_file_is_not_compressed(scene, add_volume, tmp_path):
    written(add_volume(scene, noise()), tmp_path)
    assert b"encoding: raw" in (tmp_path / "scan.nrrd").read_bytes()[:1000]


@pytest.mark.parametrize("transform", ["none", "linear", "warp"])
def test_writing_leaves_the_scene_as_it_was(
    scene, add_volume, tmp_path, snapshot, event_log, transform
):
    node = add_volume(scene, head())
    if transform == "linear":
        add_linear_transform(scene, node, rigid_matrix())
    if transform == "warp":
        add_warp(scene, node)
    before, voxels = snapshot(scene), node.GetImageData().GetMTime()
    events = event_log(scene)
    written(node, tmp_path)
    assert events == []
    assert snapshot(scene) == before
    assert node.GetImageData().GetMTime() == voxels
    assert node.GetStorageNode() is None


def test_volume_without_voxels_is_refused(scene, tmp_path):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    with pytest.raises(OSError, match="volume with voxels, got none"):
        written(node, tmp_path)


def test_volume_of_colours_is_refused(scene, add_volume, tmp_path):
    node = add_volume(scene, noise(np.uint8), class_name="vtkMRMLVectorVolumeNode", name="photo")
    node.GetImageData().AllocateScalars(3, 3)
    with pytest.raises(OSError, match="one value a voxel, got several"):
        written(node, tmp_path)


def test_folder_that_is_not_there_is_refused(scene, add_volume, tmp_path):
    with pytest.raises(OSError, match=r"expected to write the volume as scan\.nrrd"):
        written(add_volume(scene, noise()), tmp_path / "nowhere")


CT = (-1000.0, 1500.0)
MR = (0.0, 900.0)


@pytest.mark.parametrize(
    ("name", "value_range", "kind"),
    [
        ("3: Head 5.0 H31s", CT, "ncct"),
        ("Volume", CT, "ncct"),
        ("NCCT", (0.0, 100.0), "ncct"),
        ("5: CTA Head 1.0", CT, "cta"),
        ("cta", (0.0, 300.0), "cta"),
        ("DWI b1000", MR, "dwi"),
        ("sub-01_dwi", MR, "dwi"),
        ("CBF", MR, "cbf"),
        ("CTP rCBF map", (0.0, 120.0), "cbf"),
    ],
)
def test_volume_is_proposed_for_what_its_name_and_voxels_say(
    scene, add_volume, name, value_range, kind
):
    node = add_volume(scene, of_range(value_range), name=name)
    assert proposeVolumes(scene) == {kind: node}


@pytest.mark.parametrize(
    ("name", "value_range"),
    [("T2 FLAIR", MR), ("T1", MR), ("CBV", MR), ("MTT", MR), ("Tmax", MR), ("eADC", MR)],
)
def test_volume_that_no_method_scores_is_not_proposed(scene, add_volume, name, value_range):
    add_volume(scene, of_range(value_range), name=name)
    assert proposeVolumes(scene) == {}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("5: DWI TRACE", "dwi"),
        ("ep2d_diff b0 b1000", "dwi"),
        ("5: ep2d_diff for DiffusionBValue of 1000", "dwi"),
        ("5: ep2d_diff for DiffusionBValue of 0", "b0"),
        ("DWI b0", "b0"),
        ("DWI b=50", "b0"),
        ("DWI b3000", None),
        ("7: ADC", "adc"),
        ("ep2d_diff_3scan_trace_p2_ADC", "adc"),
        ("DWI-ADC (b0 b1000)", "adc"),
        ("Apparent Diffusion Coefficient (mm2/s)", "adc"),
        ("sub-01_dwi_FA", None),
    ],
)
def test_images_of_one_diffusion_series_are_told_apart(scene, add_volume, name, kind):
    assert kindOf(add_volume(scene, of_range(MR), name=name)) == (kind and kind.upper())


@pytest.mark.parametrize(
    ("elements", "kind"),
    [
        ({"DiffusionBValue": 1000.0}, "DWI"),
        ({"DiffusionBValue": 0.0}, "B0"),
        ({"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]}, "ADC"),
        ({}, "DWI"),
    ],
)
def test_header_tells_more_than_the_name(scene, add_volume, tmp_path, elements, kind):
    path = write_dicom(tmp_path / "slice.dcm", elements)
    node = add_volume(scene, of_range(MR), name="5: ep2d_diff")
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    assert kindOf(node, {"1.2.3": str(path)}.__getitem__) == kind


def test_adc_and_b0_are_proposed_with_the_scan_that_they_were_measured_with(scene, add_volume):
    adc = add_volume(scene, of_range(MR), name="ADC")
    assert proposeVolumes(scene) == {}
    b0 = add_volume(scene, of_range(MR), name="b0")
    dwi = add_volume(scene, of_range(MR), name="DWI")
    assert proposeVolumes(scene) == {"dwi": dwi, "adc": adc, "b0": b0}
    assert companionsOf(dwi, Modality.DWI) == {"adc": adc, "b0": b0}


def test_adc_at_another_place_is_not_proposed(scene, add_volume):
    dwi, elsewhere = of_range(MR), of_range(MR).affine.copy()
    elsewhere[0, 3] += 12.0
    add_volume(scene, Volume(dwi.array, elsewhere), name="ADC")
    node = add_volume(scene, dwi, name="DWI")
    assert proposeVolumes(scene) == {"dwi": node}
    assert companionsOf(node, Modality.DWI) == {}


@pytest.mark.parametrize(
    ("cbv_name", "tmax_name"),
    [("CBV", "Tmax"), ("CTP rCBV", "perf_T_MAX"), ("Cerebral blood volume", "TMax (s)")],
)
def test_maps_beside_a_blood_flow_are_proposed_with_it(scene, add_volume, cbv_name, tmax_name):
    cbv, tmax = (add_volume(scene, of_range(MR), name=name) for name in (cbv_name, tmax_name))
    assert proposeVolumes(scene) == {}
    cbf = add_volume(scene, of_range(MR), name="CBF")
    assert proposeVolumes(scene) == {"cbf": cbf, "cbv": cbv, "tmax": tmax}
    assert companionsOf(cbf, Modality.CBF) == {"cbv": cbv, "tmax": tmax}
    assert companionsOf(cbf, Modality.DWI) == {}


def test_scans_of_one_study_are_proposed_only(application_scene, add_volume):
    """Where several patients are loaded, the latest counts."""
    hierarchy = application_scene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")

    def add(name, value_range, study):
        node = add_volume(application_scene, of_range(value_range), name=name)
        hierarchy.CreateItem(study, node)
        return node

    first, second = (
        hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), name) for name in ("one", "two")
    )
    for name in ("DWI", "ADC"):
        add(name, MR, first)
    ct = add("2: Head", CT, second)
    assert proposeVolumes(application_scene) == {"ncct": ct}
    dwi = add("DWI", MR, second)
    assert proposeVolumes(application_scene) == {"ncct": ct, "dwi": dwi}


def test_volume_is_scored_as_what_it_looks_like(scene, add_volume):
    assert scoredKind(add_volume(scene, of_range(MR), name="DWI")) == "dwi"
    assert scoredKind(add_volume(scene, of_range(CT), name="Head")) == "ncct"
    assert scoredKind(add_volume(scene, of_range(MR), name="unknown")) == "ncct"
    assert scoredKind(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "DWI")) == "ncct"


def test_dicom_modality_counts_more_than_voxels(application_scene, add_volume):
    clipped = add_volume(application_scene, of_range((0.0, 80.0)), name="2: axial")
    hierarchy = application_scene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")
    assert proposeVolumes(application_scene) == {}
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), clipped)
    hierarchy.SetItemAttribute(item, "DICOM.Modality", "CT")
    assert proposeVolumes(application_scene) == {"ncct": clipped}


def test_series_description_tells_a_cta(application_scene, add_volume):
    node = add_volume(application_scene, of_range(CT), name="Volume")
    hierarchy = application_scene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
    hierarchy.SetItemAttribute(item, "DICOM.SeriesDescription", "Carotid angio 0.6")
    assert proposeVolumes(application_scene) == {"cta": node}


def test_latest_of_several_is_proposed(scene, add_volume):
    add_volume(scene, of_range(CT), name="2: Head")
    dwi = add_volume(scene, of_range(MR), name="DWI")
    latest = add_volume(scene, of_range(CT), name="3: Head")
    assert proposeVolumes(scene) == {"ncct": latest, "dwi": dwi}


def test_parts_of_results_label_maps_and_scouts_are_never_proposed(scene, add_volume):
    add_volume(scene, of_range(CT), name="CT ASPECTS heat map").SetAttribute(
        ROLE_ATTRIBUTE, "heatmap"
    )
    add_volume(scene, of_range(CT), name="CT labels", class_name="vtkMRMLLabelMapVolumeNode")
    scout = np.full((1, 30, 30), -1000, np.int16)
    scout[0, 0, 0] = 1000
    add_volume(scene, Volume(scout, np.eye(4)), name="CT scout")
    add_volume(scene, of_range(CT), name="CT hidden").SetHideFromEditors(True)
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT without voxels")
    assert proposeVolumes(scene) == {}


def test_proposing_changes_nothing(scene, add_volume, snapshot):
    add_volume(scene, of_range(CT), name="2: Head")
    before = snapshot(scene)
    proposeVolumes(scene)
    assert snapshot(scene) == before


@pytest.mark.parametrize(
    ("elements", "years"),
    [
        ({"PatientAge": "071Y"}, 71.0),
        ({"PatientBirthDate": "19500101", "StudyDate": "20200101"}, 70.0),
        ({"PatientAge": "000Y"}, None),
        ({}, None),
    ],
)
def test_age_comes_from_the_first_dicom_file(scene, add_volume, tmp_path, elements, years):
    path = write_dicom(tmp_path / "slice.dcm", elements)
    node = add_volume(scene, noise())
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    age = patientAge(node, {"1.2.3": str(path)}.__getitem__)
    assert age == (None if years is None else pytest.approx(years, abs=0.01))


def test_volume_that_is_not_from_dicom_has_no_age(scene, add_volume):
    assert patientAge(add_volume(scene, noise()), {}.__getitem__) is None


@pytest.mark.parametrize("path", ["", "gone.dcm", "text.dcm"])
def test_file_that_is_gone_or_no_dicom_gives_no_age(scene, add_volume, tmp_path, path):
    (tmp_path / "text.dcm").write_text("not DICOM")
    node = add_volume(scene, noise())
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    assert patientAge(node, lambda _uid: path and str(tmp_path / path)) is None


def write_dicom(path: Path, elements: dict[str, str]) -> Path:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = Dataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.save_as(path, enforce_file_format=True)
    return path


def of_range(value_range: tuple[float, float]) -> Volume:
    voxels = np.zeros((10, 16, 16), np.int16)
    voxels[0, 0, :2] = value_range
    return Volume(voxels, oblique_affine())


def place_of(value: int, volume: Volume) -> np.ndarray:
    """Return where the voxel with a value lies, in RAS mm."""
    return apply_affine(volume.affine, np.argwhere(volume.array == value)[0][::-1])
