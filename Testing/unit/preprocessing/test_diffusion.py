from __future__ import annotations

import numpy as np
import pytest
from axis_orders import AXIS_ORDERS, reordered
from diffusion_phantoms import FLUID_ADC, INFARCT_ADC, TISSUE_ADC, DiffusionHead, oblique_affine
from head_phantoms import head_scan
from scipy import ndimage

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.io.diffusion import read_diffusion
from ASPECTSLib.io.images import read_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.notes import NoteCode
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.preprocessing.diffusion import mono_exponential_adc, peak_adc, prepare_diffusion
from ASPECTSLib.preprocessing.diffusion_content import (
    check_diffusion,
    refuse_unlike_pair,
    rough_brain,
)
from ASPECTSLib.preprocessing.grids import place_on, volumes_coincide

HEAD = DiffusionHead()
BRAIN = HEAD.brain
RNG = np.random.default_rng(4)
NOISE = RNG.normal(0.0, 8.0, BRAIN.shape)


def noisy(volume):
    return volume.with_array(np.abs(volume.array + NOISE).astype(np.float32))


DWI, B0, ADC = (
    noisy(HEAD.weighted()),
    noisy(HEAD.b0),
    HEAD.adc.with_array(HEAD.adc.array.astype(np.float32)),
)


def study(dwi=DWI, b_value=None, **companions):
    volumes = {Modality(name.upper()): volume for name, volume in companions.items()}
    return Scan(dwi, ("dwi.nii.gz",), Modality.DWI, companions=volumes, b_value=b_value)


def codes(notes):
    return [note.code for note in notes]


def refusal(scan, brain=BRAIN):
    with pytest.raises(ContentRefusedError) as caught:
        prepare_diffusion(scan, brain)
    return caught.value


def test_a_dwi_alone_has_no_adc():
    diffusion = prepare_diffusion(study(DWI.with_array(DWI.array - 20.0)), BRAIN)
    assert (diffusion.adc, diffusion.derived, diffusion.notes) == (None, False, ())
    assert diffusion.dwi.array.dtype == np.float32
    assert diffusion.dwi.array.min() == 0.0


def test_an_adc_map_in_the_unit_of_the_project_is_kept():
    diffusion = prepare_diffusion(study(adc=ADC), BRAIN)
    np.testing.assert_array_equal(diffusion.adc.array, ADC.array)
    assert (diffusion.notes, diffusion.derived) == ((), False)


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_three_scales_of_adc_give_one_map_with_negative_voxels_and_nan(factor, dtype):
    array = ADC.array.astype(dtype) * dtype(factor)
    array[8, 20, 18], array[8, 20, 19], array[8, 20, 20] = np.nan, -0.3 * factor, np.inf
    diffusion = prepare_diffusion(study(adc=ADC.with_array(array)), BRAIN)
    expected = ADC.array.copy()
    expected[8, 20, 18:21] = 0.0
    np.testing.assert_allclose(diffusion.adc.array, expected, rtol=1e-6)
    assert diffusion.adc.array.dtype == np.float32
    below = np.count_nonzero((diffusion.adc.array > 0) & (diffusion.adc.array < 620) & BRAIN)
    assert below == np.count_nonzero(HEAD.infarct)
    assert codes(diffusion.notes) == ([] if factor == 1.0 else [NoteCode.ADC_CONVERTED])


@pytest.mark.parametrize("factor", [1e-9, 1e-2, 10.0, 1e3])
def test_adc_in_no_known_unit_is_refused(factor):
    error = refusal(study(adc=ADC.with_array(ADC.array * factor)))
    assert error.code is ErrorCode.IMPLAUSIBLE_UNITS
    assert "expected an ADC map whose median" in error.message


def test_adc_above_free_water_is_cut_off():
    array = ADC.array.copy()
    array[8, 20, 20] = 9000.0
    adc = prepare_diffusion(study(adc=ADC.with_array(array)), BRAIN).adc.array
    assert adc[8, 20, 20] == adc.max() == 4000.0


def test_much_of_the_brain_without_adc_is_said_and_most_of_it_refused():
    array = ADC.array.copy()
    array[:6] = -1.0
    notes = prepare_diffusion(study(adc=ADC.with_array(array)), BRAIN).notes
    assert codes(notes) == [NoteCode.ADC_UNKNOWN_VOXELS]
    array[:12] = np.nan
    assert refusal(study(adc=ADC.with_array(array))).code is ErrorCode.PARTIAL_COVERAGE


def test_an_empty_mask_is_refused():
    assert refusal(study(adc=ADC), np.zeros_like(BRAIN)).code is ErrorCode.NO_BRAIN


@pytest.mark.parametrize("b_value", [800.0, 1000.0, 1400.0])
def test_adc_is_computed_from_b0_where_it_is_missing(b_value):
    diffusion = prepare_diffusion(study(HEAD.weighted(b_value), b_value, b0=HEAD.b0), BRAIN)
    np.testing.assert_allclose(diffusion.adc.array[BRAIN], HEAD.adc.array[BRAIN], rtol=1e-4)
    assert np.all(diffusion.adc.array[~BRAIN] == 0.0)
    assert diffusion.derived
    assert codes(diffusion.notes) == [NoteCode.ADC_DERIVED]


def test_an_unknown_b_value_is_taken_for_1000_and_a_note_says_so():
    diffusion = prepare_diffusion(study(HEAD.weighted(1000.0), b0=HEAD.b0), BRAIN)
    np.testing.assert_allclose(diffusion.adc.array[BRAIN], HEAD.adc.array[BRAIN], rtol=1e-4)
    assert codes(diffusion.notes) == [NoteCode.B_VALUE_ASSUMED, NoteCode.ADC_DERIVED]


def test_an_unknown_b_value_far_from_1000_is_estimated_from_healthy_tissue():
    diffusion = prepare_diffusion(study(HEAD.weighted(1450.0), b0=HEAD.b0), BRAIN)
    assert codes(diffusion.notes) == [NoteCode.B_VALUE_ESTIMATED, NoteCode.ADC_DERIVED]
    np.testing.assert_allclose(diffusion.adc.array[BRAIN], HEAD.adc.array[BRAIN], rtol=0.05)


def test_a_b_value_that_is_stated_is_believed():
    diffusion = prepare_diffusion(study(HEAD.weighted(1450.0), 1000.0, b0=HEAD.b0), BRAIN)
    assert codes(diffusion.notes) == [NoteCode.ADC_DERIVED, NoteCode.ADC_UNUSUAL]


def test_an_adc_map_is_preferred_to_a_b0():
    diffusion = prepare_diffusion(study(adc=ADC, b0=DWI), BRAIN)
    assert (diffusion.derived, diffusion.notes) == (False, ())


def test_voxels_without_signal_have_no_adc():
    b0, weighted = np.array([0.0, 100.0, 100.0, np.nan]), np.array([10.0, 0.0, 200.0, 10.0])
    np.testing.assert_array_equal(mono_exponential_adc(b0, weighted, 1000.0), [0.0, 0.0, 0.0, 0.0])


def test_a_b0_that_is_none_is_refused():
    error = refusal(study(B0, b0=DWI))
    assert error.code is ErrorCode.WRONG_MODALITY
    assert "exchanged" in error.message
    assert refusal(study(b0=DWI)).code is not ErrorCode.NO_BRAIN
    brighter = B0.with_array(B0.array * 20.0)
    assert refusal(study(b0=brighter)).code is ErrorCode.IMPLAUSIBLE_UNITS


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1.0])
def test_dwi_and_adc_that_were_exchanged_are_refused(factor):
    adc = ADC.with_array(ADC.array * np.float32(factor))
    error = refusal(study(adc, adc=DWI))
    assert error.code is ErrorCode.WRONG_MODALITY
    assert "exchanged" in error.message
    with pytest.raises(ContentRefusedError, match="exchanged"):
        check_diffusion(adc, DWI)


def test_an_image_with_dark_fluid_is_no_adc_map():
    assert refusal(study(adc=DWI.with_array(DWI.array * 2.0))).code is ErrorCode.WRONG_MODALITY


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS[::5])
def test_copies_with_other_axes_give_the_same_answer(order, flips):
    given = prepare_diffusion(study(adc=ADC), BRAIN)
    brain = reordered(HEAD.volume(BRAIN), order, flips).array
    turned = prepare_diffusion(
        study(reordered(DWI, order, flips), adc=reordered(ADC, order, flips)), brain
    )
    mixed = prepare_diffusion(study(reordered(DWI, order, flips), adc=ADC), brain)
    for other in (turned, mixed):
        assert other.notes == given.notes == ()
        for kind in ("dwi", "adc"):
            one, two = (
                canonicalize(getattr(given, kind)).volume,
                canonicalize(getattr(other, kind)).volume,
            )
            np.testing.assert_array_equal(one.array, two.array)


def test_a_mirrored_study_gives_the_mirrored_map():
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    scan = study(Volume(DWI.array, mirror @ DWI.affine), adc=Volume(ADC.array, mirror @ ADC.affine))
    np.testing.assert_array_equal(prepare_diffusion(scan, BRAIN).adc.array, ADC.array)


def test_an_adc_map_on_another_grid_is_brought_to_that_of_the_dwi():
    shape, spacing_mm = (80, 104, 100), (1.8, 2.1, 1.9)
    fine = DiffusionHead(shape, spacing_mm, affine=None).adc
    array = fine.array / 1000.0
    array[array == 0.0] = np.nan
    diffusion = prepare_diffusion(study(adc=fine.with_array(array)), BRAIN)
    assert codes(diffusion.notes) == [NoteCode.COMPANION_RESAMPLED, NoteCode.ADC_CONVERTED]
    adc = diffusion.adc.array
    assert np.isfinite(adc).all()
    for region, truth in ((HEAD.infarct, INFARCT_ADC), (HEAD.fluid, FLUID_ADC)):
        assert np.median(adc[region]) == pytest.approx(truth, rel=0.04)
    known = BRAIN & (adc > 0)
    assert np.median(adc[known & ~HEAD.fluid & ~HEAD.infarct]) == pytest.approx(
        TISSUE_ADC, rel=0.01
    )
    below = np.count_nonzero(known & (adc < 620)) / np.count_nonzero(HEAD.infarct)
    assert below == pytest.approx(1.0, abs=0.05)


def test_unknown_voxels_take_no_part_in_interpolation():
    affine = ADC.affine.copy()
    affine[:3, 3] += 0.5 * affine[:3, 0]
    array = np.full(ADC.array.shape, 800.0)
    array[:, :, ::5] = np.nan
    placed, _ = place_on(Volume(array, affine), DWI, "ADC map")
    inside = placed.array[:, :, 2:-2]
    assert np.all((inside == 0.0) | (np.abs(inside - 800.0) < 1e-3))
    assert np.count_nonzero(inside) > 0.7 * inside.size


def test_grids_that_differ_by_rounding_coincide():
    moved = oblique_affine(BRAIN.shape, (4.0, 4.5, 7.0))
    moved[:3, 3] += 0.02
    one = Volume(ADC.array, moved)
    assert volumes_coincide(one, DWI)
    placed, notes = place_on(one, DWI, "ADC map")
    np.testing.assert_array_equal(placed.array, ADC.array)
    assert notes == ()
    moved[:3, 3] += 1.0
    assert not volumes_coincide(Volume(ADC.array, moved), DWI)
    assert not volumes_coincide(Volume(ADC.array[:-1], DWI.affine), DWI)


def test_the_peak_of_the_adc_does_not_depend_on_how_much_fluid_the_mask_holds():
    assert peak_adc(ADC.array, BRAIN) == pytest.approx(TISSUE_ADC, abs=25.0)
    assert peak_adc(ADC.array, BRAIN & ~HEAD.fluid) == pytest.approx(TISSUE_ADC, abs=25.0)
    assert peak_adc(ADC.array, np.zeros_like(BRAIN)) == 0.0


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.3])
def test_the_peak_is_that_of_tissue_where_a_brain_holds_more_fluid(scale):
    rng = np.random.default_rng(0)
    tissue, fluid = rng.normal(800.0, 90.0, 30_000), rng.normal(2850.0, 130.0, 40_000)
    mixed = rng.uniform(800.0, 2850.0, 40_000)
    adc = scale * np.concatenate((tissue, fluid, mixed))
    assert peak_adc(adc, np.ones(adc.shape, bool)) == pytest.approx(scale * 800.0, abs=50.0)


def test_a_large_infarct_does_not_pull_the_peak_down():
    rng = np.random.default_rng(0)
    adc = np.concatenate((rng.normal(800.0, 90.0, 60_000), rng.normal(500.0, 90.0, 30_000)))
    assert peak_adc(adc, np.ones(adc.shape, bool)) == pytest.approx(800.0, abs=25.0)


def test_the_brain_is_found_roughly_where_no_mask_is_given():
    found = rough_brain(DWI)
    dice = 2 * np.count_nonzero(found & BRAIN) / (np.count_nonzero(found) + np.count_nonzero(BRAIN))
    assert dice > 0.85
    diffusion = prepare_diffusion(study(adc=ADC.with_array(ADC.array / 1000.0)))
    np.testing.assert_allclose(diffusion.adc.array, ADC.array, rtol=1e-6)


def test_a_dwi_passes_the_check():
    assert check_diffusion(DWI) == check_diffusion(DWI, ADC) == ()
    assert check_diffusion(DWI.with_array(DWI.array / DWI.array.max())) == ()


@pytest.mark.parametrize("scale", [0.7, 1.0, 2.0])
def test_a_dwi_whose_noise_is_as_bright_as_brain_on_ct_passes_the_check(scale):
    head = DiffusionHead((30, 90, 88))
    noise = np.random.default_rng(3).normal(30.0, 8.0, head.brain.shape)
    dwi = np.rint(scale * head.weighted().array + np.abs(noise)).astype(np.int16)
    assert (dwi > 300).mean() > 0.005  # as much as the bone of a CT
    assert check_diffusion(head.volume(dwi)) == ()


@pytest.mark.parametrize("fluid_share", [0.1, 0.3, 0.45, 0.57])
def test_a_brain_with_much_fluid_passes_the_check(fluid_share):
    depth = ndimage.distance_transform_edt(BRAIN, sampling=(7.0, 4.5, 4.0))
    fluid = BRAIN & (depth < np.percentile(depth[BRAIN], 100.0 * fluid_share))
    texture = RNG.normal(1.0, 0.05, BRAIN.shape)
    dwi = np.where(fluid, 35.0, np.where(HEAD.infarct, 220.0, 130.0)) * texture * BRAIN
    adc = np.where(fluid, 2700.0, np.where(HEAD.infarct, 500.0, 800.0)) / texture * BRAIN
    refuse_unlike_pair(HEAD.volume(dwi), adc, BRAIN)
    # The noise of the air around it has any ADC.
    air = ~BRAIN & (RNG.random(BRAIN.shape) < 0.7)
    dwi, adc = dwi + air * 4.0, adc + air * RNG.uniform(0.0, 3000.0, BRAIN.shape)
    refuse_unlike_pair(HEAD.volume(dwi), adc, BRAIN)


@pytest.mark.parametrize("factor", [1e-6, 1e-3])
def test_an_adc_map_given_for_the_dwi_is_refused(factor):
    with pytest.raises(ContentRefusedError, match="as in an ADC map") as caught:
        check_diffusion(ADC.with_array(ADC.array * np.float32(factor)))
    assert caught.value.code is ErrorCode.WRONG_MODALITY


def test_what_may_be_an_adc_map_in_whole_numbers_is_said():
    assert codes(check_diffusion(ADC)) == [NoteCode.LOOKS_UNLIKE_DWI]


def test_ct_is_no_dwi():
    ct = head_scan(spacing_mm=(4.0, 4.0, 6.0)).ct
    for array in (ct.array, np.maximum(ct.array, 0.0), ct.array + 1024.0):
        with pytest.raises(ContentRefusedError, match="as in CT"):
            check_diffusion(ct.with_array(np.rint(array).astype(np.int16)))


def test_labels_are_no_dwi_but_low_signal_is_one():
    labels = HEAD.brain.astype(np.int16) + HEAD.fluid + 2 * HEAD.infarct
    with pytest.raises(ContentRefusedError, match="labels"):
        check_diffusion(HEAD.volume(labels))
    low = np.rint(DWI.array / 15.0).astype(np.int16)
    assert len(np.unique(low)) < 64
    assert check_diffusion(HEAD.volume(low)) == ()


def test_a_picture_that_was_cut_off_is_said():
    picture = np.minimum(np.rint(DWI.array * 0.5), 255).astype(np.uint8)
    assert codes(check_diffusion(HEAD.volume(picture))) == [NoteCode.SIGNAL_CUT_OFF]


def test_one_value_everywhere_is_refused():
    with pytest.raises(ContentRefusedError, match="in every voxel"):
        check_diffusion(HEAD.volume(np.ones(BRAIN.shape)))


def isles_paths(shared_data):
    folder = shared_data / "dwi" / "isles22-0009"
    return [
        folder / f"sub-strokecase0009_ses-0001_{kind}.nii.gz" for kind in ("dwi", "adc", "flair")
    ]


def test_a_real_adc_map_gives_the_adc_of_brain(shared_data):
    dwi, adc, _ = isles_paths(shared_data)
    scan = read_diffusion(dwi, adc)
    assert check_diffusion(scan.volume, scan.companions[Modality.ADC]) == ()
    diffusion = prepare_diffusion(scan)
    assert codes(diffusion.notes) == [NoteCode.ADC_CONVERTED]
    assert peak_adc(diffusion.adc.array, rough_brain(scan.volume)) == pytest.approx(775.0, abs=50.0)


def test_real_images_that_were_exchanged_are_refused(shared_data):
    dwi, adc, flair = isles_paths(shared_data)
    for one, other in ((adc, dwi), (dwi, flair)):
        scan = read_diffusion(one, other)
        with pytest.raises(ContentRefusedError) as caught:
            check_diffusion(scan.volume, scan.companions[Modality.ADC])
        assert caught.value.code is ErrorCode.WRONG_MODALITY


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, 3.0])
def test_a_real_dwi_passes_the_check_however_bright_it_was_stored(shared_data, scale):
    volume = read_image(shared_data / "dwi" / "ads-subject01" / "Subject01_DWI.nii.gz")
    stored = np.rint(volume.array * scale).astype(np.int16)
    assert check_diffusion(volume.with_array(stored)) == ()


def test_a_real_b0_gives_the_adc_of_brain(shared_data):
    folder = shared_data / "dwi" / "ads-subject01"
    scan = read_diffusion(folder / "Subject01_DWI.nii.gz", b0=folder / "Subject01_b0.nii.gz")
    brain = read_image(folder / "Subject01_Mask.nii.gz").array > 0
    assert check_diffusion(scan.volume) == ()
    diffusion = prepare_diffusion(scan, brain)
    assert codes(diffusion.notes)[:2] == [NoteCode.B_VALUE_ESTIMATED, NoteCode.ADC_DERIVED]
    assert np.median(diffusion.adc.array[brain & (diffusion.adc.array > 0)]) == pytest.approx(
        800, abs=50
    )
    swapped = study(scan.companions[Modality.B0], b0=scan.volume)
    assert refusal(swapped, brain).code is ErrorCode.WRONG_MODALITY


def test_real_dicom_diffusion_passes_the_check(shared_data):
    scan = read_diffusion(shared_data / "dicom" / "ct-and-dwi" / "DWI")
    assert check_diffusion(scan.volume) == ()
    assert prepare_diffusion(scan).adc is None
