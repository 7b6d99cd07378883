from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_head_phantoms import LARGE_SHAPE, no_distractors, phantom_anatomy, phantom_head

from ASPECTSLib.atlas.regions import REGIONS, Side, swap_sides
from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.geometry import Volume, apply_affine
from ASPECTSLib.inference.inputs import label_centres
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.scoring.overlap import dice
from ASPECTSLib.synthesis.acquisition import Acquisition, AcquisitionRange
from ASPECTSLib.synthesis.distractors import NO_DISTRACTORS
from ASPECTSLib.synthesis.generator import (
    AFFECTED_FRACTION,
    PatientRange,
    Sources,
    SyntheticScan,
    draw_patient,
    labels_on,
    scan_patient,
    truth_on,
)
from ASPECTSLib.synthesis.head import Infarct
from ASPECTSLib.synthesis.placement import Placement, ShapeRange
from ASPECTSLib.synthesis.scanners import SCANNERS, DwiScanner

SCANS = AcquisitionRange((2.0, 2.0), (3.0, 3.0), (92.0, 92.0), (78.0, 78.0), (0.8, 0.8))
PATIENTS = PatientRange(
    shape=ShapeRange(shift_mm=3.0, deformation_mm=1.0),
    scanners={modality: replace(s, scans=SCANS) for modality, s in SCANNERS.items()},
)
PLAIN = replace(PATIENTS, healthy=1.0, distractors=NO_DISTRACTORS)


@pytest.fixture(scope="module")
def sources():
    return Sources([phantom_anatomy(LARGE_SHAPE)])


@pytest.fixture(scope="module")
def scan(sources):
    patient = draw_patient(sources, (1, 5), replace(PATIENTS, healthy=0.0))
    return scan_patient(patient, Modality.NCCT, PATIENTS)


def assert_same_scan(first, second):
    assert first.images.keys() == second.images.keys()
    for name, image in first.images.items():
        np.testing.assert_array_equal(image.array, second.images[name].array)
        np.testing.assert_array_equal(image.affine, second.images[name].affine)


def hand_made_scan(infarct=None, placement=None):
    """Return an imitation of a scan of the phantom, 1 mm, that lies as its anatomy does."""
    head = phantom_head(infarct=infarct)
    shape = head.anatomy.tissue.shape
    acquisition = Acquisition(shape[::-1], (1.0, 1.0, 1.0), 0.5)
    still = torch.zeros(head.anatomy.atlas_points.shape)
    placement = placement or Placement(np.eye(4), still, head.anatomy.affine)
    return SyntheticScan(Modality.NCCT, {}, acquisition, head, placement)


def infarct_of(shares):
    """Return an infarct of the first voxels of some labels, by the share that is infarcted."""
    anatomy = phantom_anatomy()
    core = np.zeros(anatomy.tissue.shape, np.float32)
    for label, share in shares.items():
        voxels = np.argwhere(anatomy.regions == label)
        whole = share * len(voxels)
        core[tuple(voxels[: int(whole)].T)] = 1.0
        core[tuple(voxels[int(whole)])] = whole - int(whole)  # the last one partly
    tensor = torch.from_numpy(core)
    return Infarct(tensor, tensor, 6.0, Side.LEFT)


def test_the_same_seed_gives_the_same_patient_bit_for_bit(sources, scan):
    patient = draw_patient(sources, (1, 5), replace(PATIENTS, healthy=0.0))
    torch.manual_seed(99)
    state = torch.random.get_rng_state()
    again = scan_patient(patient, Modality.NCCT, PATIENTS)
    assert torch.equal(torch.random.get_rng_state(), state)  # torch draws nothing
    assert_same_scan(again, scan)
    for name in ("core", "penumbra"):
        assert torch.equal(getattr(patient.head.infarct, name), getattr(scan.head.infarct, name))
    first, second = (truth_on(one, one.acquisition.grid) for one in (scan, again))
    np.testing.assert_array_equal(first.regions.array, second.regions.array)
    np.testing.assert_array_equal(first.fractions, second.fractions)


def test_drawing_and_scanning_leaves_torchs_random_numbers_alone(sources):
    state = torch.random.get_rng_state()
    patient = draw_patient(sources, (1, 6), replace(PATIENTS, healthy=0.0))
    for modality in SCANNERS:
        scan_patient(patient, modality, PATIENTS)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_another_seed_gives_another_patient(sources, scan):
    other = scan_patient(draw_patient(sources, (1, 7), PATIENTS), Modality.NCCT, PATIENTS)
    assert np.abs(other.images["ncct"].array - scan.images["ncct"].array.astype(float)).mean() > 20
    assert other.head.age_years != scan.head.age_years


def test_a_patient_does_not_depend_on_those_before(sources):
    for number in range(3):
        last = draw_patient(sources, (2, number), PATIENTS)
    alone = draw_patient(sources, (2, 2), PATIENTS)
    assert torch.equal(last.head.tissue, alone.head.tissue)
    assert last.head.age_years == alone.head.age_years
    np.testing.assert_array_equal(last.placement.head_from_scan, alone.placement.head_from_scan)
    assert torch.equal(last.placement.displacement_mm, alone.placement.displacement_mm)


def test_one_modality_does_not_change_another(sources, scan):
    patient = draw_patient(sources, (1, 5), replace(PATIENTS, healthy=0.0))
    scan_patient(patient, Modality.DWI, PATIENTS)
    assert_same_scan(scan_patient(patient, Modality.NCCT, PATIENTS), scan)


def test_what_is_left_out_does_not_change_the_rest(sources):
    ill = draw_patient(sources, (1, 8), replace(PATIENTS, healthy=0.0))
    plain = draw_patient(sources, (1, 8), PLAIN)
    assert ill.head.infarct is not None
    assert plain.head.infarct is None
    assert torch.equal(ill.head.tissue, plain.head.tissue)
    np.testing.assert_array_equal(ill.placement.head_from_scan, plain.placement.head_from_scan)
    assert all(float(layer.abs().max()) == 0.0 for layer in vars(plain.head.distractors).values())


def test_each_anatomy_serves_as_it_is_and_as_its_mirror_image(sources):
    (anatomy,) = sources.anatomies
    lopsided = anatomy.regions.copy()
    lopsided[lopsided == 12] = 0
    one = Sources([replace(anatomy, regions=lopsided)])
    heads = [draw_patient(one, (3, n), PLAIN).head for n in range(8)]
    seen = {(12 in head.regions, 2 in head.regions) for head in heads}
    assert seen == {(False, True), (True, False)}
    for head in heads:
        expected = lopsided if 2 in head.regions else swap_sides(lopsided[..., ::-1])
        np.testing.assert_array_equal(head.regions, expected)


def test_ages_and_shares_are_those_of_the_range(sources):
    patients = replace(PLAIN, age_years=(50.0, 60.0), healthy=0.5)
    drawn = [draw_patient(sources, (4, n), patients).head for n in range(12)]
    assert all(50.0 <= head.age_years <= 60.0 for head in drawn)
    assert 1 <= sum(head.infarct is None for head in drawn) <= 11


def test_the_truth_is_that_of_the_image(scan):
    truth = truth_on(scan, scan.acquisition.grid)
    image = scan.images["ncct"].array
    tissue = truth.tissue.array
    medians = {t: np.median(image[tissue == t]) for t in (Tissue.BONE, Tissue.VENTRICLE)}
    white = np.median(image[(tissue == Tissue.WHITE_MATTER) & ~truth.infarct.array])
    assert medians[Tissue.BONE] > 200
    assert medians[Tissue.VENTRICLE] < white < 60
    inside = np.isin(tissue, (Tissue.AIR, Tissue.BONE, Tissue.SOFT_TISSUE), invert=True)
    np.testing.assert_array_equal(truth.brain.array, inside)
    assert truth.infarct.array.dtype == truth.brain.array.dtype == bool
    assert truth.infarct.array.any()
    assert not (truth.infarct.array & ~truth.brain.array).any()


def test_labels_on_the_scans_grid_are_the_truth(scan):
    truth = truth_on(scan, scan.acquisition.grid)
    regions, infarct = labels_on(scan, scan.acquisition.grid, ("regions", "infarct"))
    np.testing.assert_array_equal(regions, truth.regions.array)
    np.testing.assert_array_equal(infarct > 0, truth.infarct.array)


def test_centres_of_regions_agree_on_any_grid_of_the_frame(scan):
    grid = scan.acquisition.grid
    own, volumes = label_centres(truth_on(scan, grid).regions, len(REGIONS))
    affine = np.diag([-1.5, 1.5, 2.0, 1.0])  # its first axis runs to the left
    affine[:3, 3] = [45.0, -45.0, -38.0]
    other = Volume(np.zeros((39, 61, 61), np.uint8), affine)
    centres, other_volumes = label_centres(truth_on(scan, other).regions, len(REGIONS))
    enough = volumes > 0.3
    assert enough.sum() > 10
    np.testing.assert_allclose(centres[enough], own[enough], atol=1.0)
    np.testing.assert_allclose(other_volumes[enough], volumes[enough], rtol=0.25)


def test_the_left_of_the_head_lies_on_the_left_of_the_scan(sources):
    patient = draw_patient(sources, (1, 9), replace(PLAIN, shape=ShapeRange(max_tilt_deg=0.0)))
    truth = truth_on(
        scanned := scan_patient(patient, Modality.NCCT, PATIENTS), scanned.acquisition.grid
    )
    labels = truth.regions.array
    x_mm = apply_affine(truth.regions.affine, np.argwhere(labels > 10)[:, ::-1].astype(float))[:, 0]
    other = apply_affine(
        truth.regions.affine, np.argwhere((labels > 0) & (labels <= 10))[:, ::-1].astype(float)
    )[:, 0]
    assert np.median(x_mm) < np.median(other) - 15.0


def test_truth_of_diffusion_follows_the_distortion(sources):
    stripped = replace(DwiScanner(SCANS), stripped=1.0, noise=(0.001, 0.001))
    patients = replace(PLAIN, scanners={Modality.DWI: stripped})
    patient = draw_patient(sources, (5, 1), patients)
    scan = scan_patient(patient, Modality.DWI, patients)
    assert set(scan.images) == {"dwi", "b0", "adc"}
    grid = scan.acquisition.grid
    shown = scan.images["b0"].array > 0
    straight = replace(scan, placement=patient.placement)
    followed = dice(truth_on(scan, grid).brain.array, shown)
    ignored = dice(truth_on(straight, grid).brain.array, shown)
    assert followed > 0.94
    assert followed > ignored
    moved = scan.placement.displacement_mm - patient.placement.displacement_mm
    assert float(moved[[0, 2]].abs().max()) == 0.0
    assert float(moved[1].abs().max()) > 0.5


def test_truth_follows_a_known_displacement():
    scan = hand_made_scan()
    shape = scan.head.anatomy.tissue.shape
    moved = replace(scan, placement=scan.placement.displaced(torch.full(shape, 3.0)))
    grid = scan.acquisition.grid
    before, after = (labels_on(one, grid, ("tissue",))[0] for one in (scan, moved))
    np.testing.assert_array_equal(before, scan.head.anatomy.tissue)
    np.testing.assert_array_equal(after[:, :-3], before[:, 3:])


def test_shares_are_counted_and_a_tenth_is_not_yet_affected():
    voxels = {n: int((phantom_anatomy().regions == n).sum()) for n in (15, 16, 17, 2)}
    shares = {15: 0.0999, 16: 0.25, 17: 0.1001, 2: 0.5}
    truth = truth_on(scan := hand_made_scan(infarct_of(shares)), scan.acquisition.grid)
    for region, found in zip(REGIONS, truth.fractions, strict=True):
        expected = shares.get(region.label, 0.0)
        assert found == pytest.approx(expected, abs=1e-6), voxels
    assert [region.label for region in truth.affected()] == [2, 16, 17]
    assert [region.label for region in truth.affected(0.3)] == [2]


def test_exactly_a_tenth_is_not_affected():
    truth = truth_on(scan := hand_made_scan(), scan.acquisition.grid)
    fractions = np.zeros(len(REGIONS))
    fractions[[3, 4]] = AFFECTED_FRACTION, np.nextafter(AFFECTED_FRACTION, 1.0)
    assert replace(truth, fractions=fractions).affected() == (REGIONS[4],)


def test_a_region_that_is_not_there_is_not_affected():
    scan = hand_made_scan(infarct_of({16: 0.5}))
    without = scan.head.regions.masked_fill(scan.head.regions == 5, 0)
    truth = truth_on(replace(scan, head=replace(scan.head, regions=without)), scan.acquisition.grid)
    assert np.isnan(truth.fractions[4])
    assert [region.label for region in truth.affected()] == [16]


def test_the_healthy_have_no_infarct():
    truth = truth_on(scan := hand_made_scan(), scan.acquisition.grid)
    assert not truth.infarct.array.any()
    assert truth.fractions.tolist() == [0.0] * 20
    assert truth.affected() == ()
    assert no_distractors().old_infarct.shape == truth.infarct.array.shape


def test_a_modality_that_cannot_be_made_is_refused():
    with pytest.raises(UsageError, match="NCCT, CTA, CBF, DWI, got ADC") as refused:
        PatientRange().scanner(Modality.ADC)
    assert refused.value.code is ErrorCode.METHOD_UNAVAILABLE
    assert PatientRange().scanner(Modality.CTA) is SCANNERS[Modality.CTA]
    assert PATIENTS.scanner(Modality.CTA) is PATIENTS.scanners[Modality.CTA]
