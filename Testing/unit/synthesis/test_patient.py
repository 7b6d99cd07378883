from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.geometry import apply_affine
from ASPECTSLib.synthesis import average_head
from ASPECTSLib.synthesis.patient import INFARCT_DROP_HU, Acquisition, make_patient

INFARCT = tuple(region_of(code, Side.LEFT) for code in (RegionCode.L, RegionCode.I, RegionCode.M2))
HEALTHY = tuple(code for code in RegionCode if code not in {region.code for region in INFARCT})
SMALL = Acquisition(size=(96, 96, 20), spacing_mm=(2.4, 2.4, 7.0))
TISSUE_HU = (5, 60)
BONE_HU = 200
NOISE_HU = 3.5


@pytest.fixture(scope="module")
def make_small(atlas):
    """Make small patients from a head that is drawn at 2 mm, which is eight times as fast."""

    def make(affected=INFARCT, seed=1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(average_head, "FINE_SPACING_MM", 2.0)
            return make_patient(atlas, affected, np.random.default_rng(seed), SMALL)

    return make


@pytest.fixture(scope="module")
def small_patient(make_small):
    return make_small()


def median_hu(patient, region):
    """Return the density of a region's tissue, off its border in the slice."""
    inner = ndimage.binary_erosion(patient.regions.array == region.label, np.ones((1, 3, 3)))
    values = patient.scan.array[inner]
    return float(np.median(values[(values > TISSUE_HU[0]) & (values < TISSUE_HU[1])]))


def side_drop_hu(patient, code):
    """Return how much darker the left region is than the right one."""
    return median_hu(patient, region_of(code, Side.RIGHT)) - median_hu(
        patient, region_of(code, Side.LEFT)
    )


def test_same_seed_makes_the_same_patient(make_small, small_patient):
    again = make_small()
    np.testing.assert_array_equal(again.scan.array, small_patient.scan.array)
    np.testing.assert_array_equal(again.regions.array, small_patient.regions.array)
    np.testing.assert_array_equal(again.scan.affine, small_patient.scan.affine)


def test_another_seed_makes_another_patient(make_small, small_patient):
    other = make_small(seed=2)
    assert np.abs(other.scan.array - small_patient.scan.array).mean() > NOISE_HU
    assert (other.regions.array != small_patient.regions.array).any()


def test_the_infarct_lowers_density_in_its_regions_and_nowhere_else(make_small, small_patient):
    healthy = make_small(affected=())
    np.testing.assert_array_equal(healthy.regions.array, small_patient.regions.array)
    lost = healthy.scan.array.astype(int) - small_patient.scan.array
    infarct = np.isin(healthy.regions.array, [region.label for region in INFARCT])
    assert lost.min() >= -1  # rounding
    assert lost.max() == pytest.approx(INFARCT_DROP_HU, abs=1)
    assert np.median(lost[ndimage.binary_erosion(infarct)]) >= INFARCT_DROP_HU - 1
    reach = ndimage.binary_dilation(infarct, iterations=2)  # partial volume of slices and voxels
    assert np.abs(lost[~reach]).max() <= 1


@pytest.mark.parametrize("region", INFARCT, ids=lambda region: region.code)
def test_infarcted_regions_are_darker_than_the_mirrored_ones(synthetic_patient, region):
    # Soft borders and sulci of different width take some of it away, most in thin regions.
    drop_hu = side_drop_hu(synthetic_patient, region.code)
    assert 0.5 * INFARCT_DROP_HU < drop_hu < INFARCT_DROP_HU + 1


@pytest.mark.parametrize("code", HEALTHY)
def test_healthy_regions_are_alike_on_both_sides(synthetic_patient, code):
    assert abs(side_drop_hu(synthetic_patient, code)) < 0.3 * INFARCT_DROP_HU


def test_labels_of_the_left_lie_on_the_patients_left(synthetic_patient):
    regions = synthetic_patient.regions
    for side, sign in ((Side.RIGHT, 1.0), (Side.LEFT, -1.0)):
        labels = [region_of(code, side).label for code in RegionCode]
        voxels = np.argwhere(np.isin(regions.array, labels))[:, ::-1].astype(np.float64)
        x_ras = apply_affine(regions.affine, voxels)[:, 0]
        assert sign * np.median(x_ras) > 30.0


def test_truth_names_the_affected_regions_in_the_order_of_labels(synthetic_patient):
    assert synthetic_patient.affected == INFARCT


def test_all_regions_are_in_the_scan(synthetic_patient, small_patient):
    for patient in (synthetic_patient, small_patient):
        assert set(np.unique(patient.regions.array)) == set(range(21))


def test_scan_and_truth_lie_on_the_grid_that_was_asked_for(small_patient):
    scan, regions = small_patient.scan, small_patient.regions
    assert (scan.size, tuple(scan.spacing_mm)) == (SMALL.size, SMALL.spacing_mm)
    assert (scan.array.dtype, regions.array.dtype) == (np.int16, np.uint8)
    np.testing.assert_array_equal(scan.affine, regions.affine)


def test_truth_labels_lie_where_the_brain_is(synthetic_patient):
    values = synthetic_patient.scan.array[synthetic_patient.regions.array > 0]
    in_brain = (values > -4 * NOISE_HU) & (values < TISSUE_HU[1])
    assert in_brain.mean() > 0.999  # the rest is partial volume with the skull


def test_the_skull_is_closed_around_the_brain(synthetic_patient):
    bodies, _ = ndimage.label(synthetic_patient.scan.array < BONE_HU)
    outside = bodies[0, 0, 0]
    inside = np.bincount(bodies[synthetic_patient.regions.array > 0])[1:].argmax() + 1
    assert inside != outside
