from __future__ import annotations

import itertools

import numpy as np
import pytest

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.notes import NoteCode
from ASPECTSLib.io.scan import read_scan
from ASPECTSLib.preprocessing.units import to_hounsfield

AIR_HU, WHITE_HU, GREY_HU, FLUID_HU, BONE_HU = -1000.0, 27.0, 37.0, 8.0, 900.0


def head_hu(noise_hu=5.0):
    """Return HU of an ellipsoid of brain with ventricles, in a skull, in air."""
    k, j, i = np.indices((30, 64, 60))
    radius = np.sqrt(((k - 14) / 13) ** 2 + ((j - 33) / 27) ** 2 + ((i - 30) / 23) ** 2)
    hu = np.full(radius.shape, AIR_HU)
    for outer, value in [(1.0, BONE_HU), (0.9, GREY_HU), (0.75, WHITE_HU), (0.2, FLUID_HU)]:
        hu[radius < outer] = value
    hu += np.random.default_rng(0).normal(scale=noise_hu, size=hu.shape)
    return np.rint(np.clip(hu, -1024, 3071)).astype(np.int16)


def stripped_hu():
    """Return HU of a brain without skull, with 0 around it."""
    hu = head_hu()
    return np.where((hu > 0) & (hu < 80), hu, 0).astype(np.int16)


def mr(scale=10.0):
    """Return a T1-weighted look of the head, with noise for background."""
    rng = np.random.default_rng(1)
    tissue = np.choose(np.digitize(head_hu(), [-500, 15, 32, 200]), [0.0, 30.0, 90.0, 65.0, 5.0])
    noisy = np.hypot(tissue + rng.normal(scale=8.0, size=tissue.shape), rng.normal(scale=8.0))
    return (scale * noisy).astype(np.float32)


def volume(array):
    return Volume(array, np.diag([4.0, 4.0, 5.0, 1.0]))


def codes(notes):
    return [note.code for note in notes]


@pytest.mark.parametrize(
    "array",
    [
        head_hu(),
        head_hu(noise_hu=50.0).clip(-1024),
        np.maximum(head_hu(), 0),
        np.maximum(head_hu(), 0).astype(np.uint16),
        np.clip(head_hu(), 0, 80),
        head_hu().astype(np.float32) + 0.25,
        stripped_hu(),
    ],
    ids=["HU", "sharp", "clipped", "unsigned", "window", "float", "stripped"],
)
def test_hounsfield_units_stay_as_they_are(array):
    given = volume(array)
    result, notes = to_hounsfield(given)
    assert result is given
    assert notes == ()


@pytest.mark.parametrize("offset", [1024, 1000])
@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.float32])
def test_an_offset_is_subtracted_and_noted(offset, dtype):
    hu = np.maximum(head_hu(), -1000)
    result, notes = to_hounsfield(volume((hu + offset).astype(dtype)))
    assert codes(notes) == [NoteCode.HU_OFFSET_REMOVED]
    assert str(offset) in notes[0].message
    np.testing.assert_array_equal(result.array, hu)


@pytest.mark.parametrize("padding", [-2000, -3024, -32768])
@pytest.mark.parametrize("offset", [0, 1024])
def test_padding_becomes_air(padding, offset):
    array = np.maximum(head_hu(), -1000) + offset
    expected = array - offset
    array[:, :6], expected[:, :6] = padding, -1024
    result, notes = to_hounsfield(volume(array))
    assert codes(notes)[-1] is NoteCode.PADDING_CLIPPED
    np.testing.assert_array_equal(result.array, expected)
    assert array[0, 0, 0] == padding


@pytest.mark.parametrize("scale", [3.0, 5.0, 10.0, 40.0, 16.0])
def test_mr_is_refused_as_another_modality(scale):
    with pytest.raises(ContentRefusedError, match="not a CT") as caught:
        to_hounsfield(volume(mr(scale)))
    assert caught.value.code is ErrorCode.WRONG_MODALITY


@pytest.mark.parametrize("window", [(0, 80), (-15, 85), (-20, 180), (0, 100), (-135, 215)])
def test_windowed_8_bit_ct_is_refused(window):
    lowest, highest = window
    grey = np.clip((head_hu() - lowest) / (highest - lowest), 0.0, 1.0) * 255.0
    with pytest.raises(ContentRefusedError, match="scaled, windowed or labels") as caught:
        to_hounsfield(volume(np.rint(grey).astype(np.int16)))
    assert caught.value.code is ErrorCode.IMPLAUSIBLE_UNITS


@pytest.mark.parametrize("scale", [1.0, 2.0, 30.0])
def test_scaled_ct_is_refused(scale):
    array = ((head_hu() + 1024.0) / 4095.0 * scale).astype(np.float32)
    with pytest.raises(ContentRefusedError) as caught:
        to_hounsfield(volume(array))
    assert caught.value.code is ErrorCode.IMPLAUSIBLE_UNITS


def test_labels_are_refused():
    labels = np.digitize(head_hu(), np.arange(0, 60, 3)).astype(np.int16)
    with pytest.raises(ContentRefusedError) as caught:
        to_hounsfield(volume(labels))
    assert caught.value.code is ErrorCode.IMPLAUSIBLE_UNITS


def test_hounsfield_units_shifted_by_another_amount_are_refused():
    with pytest.raises(ContentRefusedError) as caught:
        to_hounsfield(volume(head_hu() + np.int16(300)))
    assert caught.value.code is ErrorCode.IMPLAUSIBLE_UNITS


@pytest.mark.parametrize("array", [head_hu() + np.int16(1024), mr(16.0)], ids=["offset", "MR"])
def test_all_mirrored_and_reordered_copies_are_judged_alike(array):
    outcomes = set()
    for order in itertools.permutations(range(3)):
        for steps in itertools.product([1, -1], repeat=3):
            turned = array.transpose(order)[tuple(slice(None, None, step) for step in steps)]
            try:
                _, notes = to_hounsfield(volume(turned))
                outcomes.add(notes)
            except ContentRefusedError as error:
                outcomes.add(error.message)
    assert len(outcomes) == 1


@pytest.mark.parametrize(
    "name",
    [
        *(
            f"ncct/ct-aspects/{subject}/{image}.nii.gz"
            for subject in ("sub001", "sub002")
            for image in ("im", "im_aligned", "im_aligned_stripped")
        ),
        "ncct/mca-infarct-mni/NCCT_brain.nii.gz",
        "templates/miplab-ncct_sym_brain.nii.gz",
        "templates/scct_brain.nii.gz",
        "dicom/ct-normal",
        "dicom/ct-gantry-tilt",
        "dicom/ct-and-dwi",
    ],
)
def test_real_ct_is_taken_for_hounsfield_units(shared_data, name):
    scan = read_scan(shared_data / name)
    result, notes = to_hounsfield(scan.volume)
    expected = [NoteCode.PADDING_CLIPPED] if name.endswith("tilt") else []
    assert codes(notes) == expected
    assert result.array.min() >= -1024
    raised = scan.volume.with_array(np.maximum(scan.volume.array, -1000) + 1024)
    if result.array.max() > 1000:  # with a skull, an offset is recognised as well
        assert codes(to_hounsfield(raised)[1]) == [NoteCode.HU_OFFSET_REMOVED]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("isles22-0009/sub-strokecase0009_ses-0001_dwi.nii.gz", ErrorCode.WRONG_MODALITY),
        ("isles22-0009/sub-strokecase0009_ses-0001_flair.nii.gz", ErrorCode.WRONG_MODALITY),
        ("isles22-0009/sub-strokecase0009_ses-0001_adc.nii.gz", ErrorCode.IMPLAUSIBLE_UNITS),
        ("ads-subject01/Subject01_DWI.nii.gz", ErrorCode.WRONG_MODALITY),
        ("ads-subject01/Subject01_b0.nii.gz", ErrorCode.WRONG_MODALITY),
    ],
)
def test_real_mr_is_refused(shared_data, name, code):
    scan = read_scan(shared_data / "dwi" / name)
    with pytest.raises(ContentRefusedError) as caught:
        to_hounsfield(scan.volume)
    assert caught.value.code is code
