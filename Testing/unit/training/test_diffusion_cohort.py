"""Labelled cohorts of diffusion-weighted scans with infarct masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from axis_orders import AXIS_ORDERS
from cohort_phantoms import coarse_scanners, small_anatomy
from diffusion_cohorts import labelled_diffusion, write_diffusion_scan

from ASPECTSLib.errors import ErrorCode, InputRefusedError
from ASPECTSLib.geometry import Volume, centred_affine, resample
from ASPECTSLib.inference.infarct_inputs import INFARCT_CHANNELS
from ASPECTSLib.inference.inputs import intensities, region_prior
from ASPECTSLib.io.images import write_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis.cohort import CohortPlan, Material, draw_case, write_case
from ASPECTSLib.synthesis.generator import PatientRange
from ASPECTSLib.training.cohort import read_cohort
from ASPECTSLib.training.cohort_samples import (
    CohortDataset,
    inside_head,
    labelled_scan,
    prepare_cohort,
)
from ASPECTSLib.training.cohort_scan import read_labelled
from ASPECTSLib.training.infarct_view import WHOLE_SHAPE
from ASPECTSLib.training.recipe import parse_recipe
from ASPECTSLib.training.views import VIEWS

RECIPE = """
name = "tiny"
task = "{task}"
[network]
architecture = "unet3d"
widths = [4, 4]
[data]
modalities = ["DWI"]
validation_share = {share}
[loss]
name = "dice_ce"
[optimisation]
steps = 3
batch = 2
"""
ORDERS = [AXIS_ORDERS[5], AXIS_ORDERS[18]]


@pytest.fixture(scope="module")
def prior(atlas):
    return region_prior(atlas)


def recipe(task="infarct", share=0.5):
    return parse_recipe(RECIPE.format(task=task, share=share))


def refusal(folder):
    with pytest.raises(InputRefusedError) as refused:
        read_cohort(folder)
    assert refused.value.code is ErrorCode.COHORT_INVALID
    return refused.value.message


def volumes(folder):
    (scan,) = read_cohort(folder).scans
    return read_labelled(scan)


def write_adc(folder, volume):
    write_image(volume, folder / "adc.nii.gz")


def scaled(factor):
    adc = labelled_diffusion()["adc"]
    return adc.with_array(adc.array * factor)


def on_another_grid(adc):
    grid = Volume(np.zeros((50, 70, 62), np.uint8), centred_affine((50, 70, 62), np.full(3, 3.0)))
    return resample(adc, grid)


def test_a_scan_needs_no_regions_where_there_is_an_infarct_mask(tmp_path):
    write_diffusion_scan(tmp_path)
    read = volumes(tmp_path)
    assert read.regions is None
    for name in ("image", "infarct", "brain", "adc"):
        np.testing.assert_array_equal(getattr(read, name).array, labelled_diffusion()[name].array)
        np.testing.assert_allclose(getattr(read, name).affine, read.image.affine)


@pytest.mark.parametrize("factor", [1.0, 1e-3, 1e-6], ids=["1e-6", "1e-3", "mm2/s"])
def test_the_unit_of_the_adc_is_recognised(tmp_path, factor):
    write_adc(write_diffusion_scan(tmp_path), scaled(np.float32(factor)))
    adc = volumes(tmp_path).adc.array
    np.testing.assert_allclose(adc, labelled_diffusion()["adc"].array, rtol=1e-3)


def test_an_adc_map_may_lie_on_another_grid_and_have_holes(tmp_path):
    adc = on_another_grid(labelled_diffusion()["adc"])
    broken = adc.array.copy()
    broken[20, 30, 30] = np.nan
    write_adc(write_diffusion_scan(tmp_path), adc.with_array(broken))
    read = volumes(tmp_path)
    assert read.adc.array.shape == read.image.array.shape
    assert np.isfinite(read.adc.array).all()
    infarct = read.infarct.array > 0
    assert np.median(read.adc.array[infarct]) == pytest.approx(480.0, rel=0.1)


@pytest.mark.parametrize("names", [("image", "infarct"), ("image", "infarct", "adc")])
def test_without_a_brain_mask_the_signal_of_the_brain_is_found_all_the_same(tmp_path, names):
    write_diffusion_scan(tmp_path, names=names)
    read = volumes(tmp_path)
    image, brain = (labelled_diffusion()[name].array for name in ("image", "brain"))
    typical = labelled_scan(read, Modality.DWI).typical.signal
    assert typical == pytest.approx(np.median(image[brain > 0]), rel=0.1)
    # Scalp, skull and noise make the outline of the head another thing.
    head = inside_head(intensities(read.image, Modality.DWI).array)
    assert np.median(image[head]) < 0.8 * typical


@pytest.mark.parametrize(
    ("name", "volume", "words"),
    [
        ("adc", scaled(30.0), "expected an ADC map whose median in the brain is near 0.0008"),
        ("adc", labelled_diffusion()["image"], "one of the two is something else"),
        ("infarct", scaled(0.5), "expected a mask of 0 and one other value"),
    ],
)
def test_files_that_do_not_fit_are_refused_with_case_and_file(tmp_path, name, volume, words):
    folder = write_diffusion_scan(tmp_path)
    write_image(volume, folder / f"{name}.nii.gz")
    message = refusal(tmp_path)
    assert message.startswith(f"case one, dwi, {name}.nii.gz: ")
    assert words in message


def test_an_adc_map_that_is_no_image_is_refused(tmp_path):
    (write_diffusion_scan(tmp_path) / "adc.nii.gz").write_bytes(b"nothing")
    assert refusal(tmp_path).startswith("case one, dwi, adc.nii.gz: expected an image")


def test_an_adc_map_of_elsewhere_is_refused(tmp_path):
    adc = labelled_diffusion()["adc"]
    affine = adc.affine.copy()
    affine[2, 3] += 200.0
    write_adc(write_diffusion_scan(tmp_path), Volume(adc.array, affine))
    assert "expected an ADC map of the whole brain, got values in 0 %" in refusal(tmp_path)


def test_a_scan_that_shows_no_head_is_refused_before_training(tmp_path):
    folder = write_diffusion_scan(tmp_path, names=("image", "infarct"))
    image = labelled_diffusion()["image"]
    small = np.zeros_like(image.array)
    small[10:16, 20:26, 20:26] = 400.0
    write_image(image.with_array(small), folder / "image.nii.gz")
    message = refusal(tmp_path)
    assert message == "case one, dwi, image.nii.gz: no slice of the scan holds a head"


def test_a_brain_without_signal_is_refused_before_training(tmp_path):
    folder = write_diffusion_scan(tmp_path, names=("image", "infarct", "brain"))
    image, brain = (labelled_diffusion()[name] for name in ("image", "brain"))
    write_image(image.with_array(image.array * (brain.array == 0)), folder / "image.nii.gz")
    assert refusal(tmp_path).endswith("image.nii.gz: expected a brain with signal, found none")


@pytest.mark.parametrize("order", ORDERS)
def test_scans_in_any_order_of_axes_give_the_same_samples(tmp_path, prior, order):
    write_diffusion_scan(tmp_path / "straight")
    write_diffusion_scan(tmp_path / "turned", order=order)
    for index in range(2):
        straight, turned = (
            CohortDataset(read_cohort(tmp_path / name).scans, VIEWS["infarct"], prior, (0, 1), 3)
            for name in ("straight", "turned")
        )
        for part in ("image", "labels"):
            assert torch.equal(straight[index][part], turned[index][part])


def test_samples_show_the_infarct_where_it_is_bright(tmp_path, prior):
    write_diffusion_scan(tmp_path)
    samples = CohortDataset(read_cohort(tmp_path).scans, VIEWS["infarct"], prior, (0, 1), 3)
    for index in range(3):
        image, labels = samples[index]["image"].numpy(), samples[index]["labels"].numpy()
        assert image.shape == (INFARCT_CHANNELS, *WHOLE_SHAPE)
        inside = labels > 0
        rest = (image[0] > 0.3) & ~inside
        assert np.median(image[0][inside]) > 1.2 * np.median(image[0][rest])


def test_a_recipe_learns_infarcts_of_a_cohort_with_healthy_patients(tmp_path, atlas):
    for number in range(4):
        write_diffusion_scan(tmp_path / "cohort", f"case {number}", healthy=number == 3)
    prepared = prepare_cohort(recipe(), read_cohort(tmp_path / "cohort"), atlas)
    assert (len(prepared.training), prepared.options["out_channels"]) == (6, 2)
    sample = prepared.training[0]
    with torch.inference_mode():
        logits = prepared.network(sample["image"][None])
    assert logits.shape == (1, 2, *WHOLE_SHAPE)
    seen = [prepared.validation[n]["labels"].any() for n in range(len(prepared.validation))]
    assert any(seen)


def test_a_scan_without_infarct_mask_is_named_before_training(tmp_path, atlas):
    write_diffusion_scan(tmp_path / "cohort", "one")
    folder = write_diffusion_scan(tmp_path / "cohort", "two", names=("image", "brain"))
    expected = "expected a file regions.nii.gz or infarct.nii.gz, found neither"
    assert refusal(tmp_path / "cohort") == f"case two, dwi: {expected}"
    write_image(halves(), folder / "regions.nii.gz")
    with pytest.raises(InputRefusedError) as refused:
        prepare_cohort(recipe(), read_cohort(tmp_path / "cohort"), atlas)
    expected = "expected an infarct mask to learn the task infarct, found none"
    assert refused.value.message == f"case two, dwi, infarct.nii.gz: {expected}"


def halves():
    """Return a region map of two regions, M1 of either side."""
    brain = labelled_diffusion()["brain"]
    regions = brain.array * np.uint8(15)
    regions[..., regions.shape[2] // 2 :] //= 3
    return brain.with_array(regions)


def test_regions_are_not_learned_from_scans_without_them(tmp_path, atlas):
    for name in ("one", "two"):
        write_diffusion_scan(tmp_path, name)
    with pytest.raises(InputRefusedError, match="expected regions to learn the task regions-fine"):
        prepare_cohort(recipe("regions-fine"), read_cohort(tmp_path), atlas)
    scan = labelled_scan(read_labelled(read_cohort(tmp_path).scans[0]), Modality.DWI)
    with pytest.raises(InputRefusedError, match="expected scans with regions"):
        _ = scan.centres_mm


@pytest.mark.parametrize("healthy", [("one", "two"), ("one",), ("two",)])
def test_parts_without_any_infarct_are_refused(tmp_path, atlas, healthy):
    for name in ("one", "two"):
        write_diffusion_scan(tmp_path, name, healthy=name in healthy)
    with pytest.raises(InputRefusedError, match="expected an infarct in one scan of the"):
        prepare_cohort(recipe(), read_cohort(tmp_path), atlas)


def test_a_synthetic_cohort_of_dwi_is_learned_from(tmp_path, atlas):
    patients = PatientRange(healthy=0.0, scanners=coarse_scanners())
    plan = CohortPlan(2, 1, (Modality.DWI,), patients)
    material = Material(atlas, (small_anatomy(),))
    for number in (1, 2):
        case = draw_case(plan, material, number)
        write_case(case, plan, tmp_path, Progress(), lambda *_: None)
    cohort = read_cohort(tmp_path)
    assert [len(scan.files) for scan in cohort.scans] == [5, 5]
    read = read_labelled(cohort.scans[0])
    brain = read.brain.array > 0
    assert 600 < np.median(read.adc.array[brain]) < 1300
    prepared = prepare_cohort(recipe(), cohort, atlas)
    assert prepared.training[0]["image"].shape == (INFARCT_CHANNELS, *WHOLE_SHAPE)
