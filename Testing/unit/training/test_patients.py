from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_head_phantoms import LARGE_SHAPE, phantom_anatomy

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.inference.inputs import REGION_SHAPE, RegionPrior, label_centres
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.synthesis.acquisition import AcquisitionRange
from ASPECTSLib.synthesis.distractors import NO_DISTRACTORS
from ASPECTSLib.synthesis.generator import (
    PatientRange,
    Sources,
    draw_patient,
    scan_patient,
    truth_on,
)
from ASPECTSLib.synthesis.placement import ShapeRange
from ASPECTSLib.synthesis.scanners import SCANNERS
from ASPECTSLib.training.patients import (
    MAIN_IMAGE,
    PatientDataset,
    PatientStream,
    labelled,
)
from ASPECTSLib.training.validation import dice_by_class
from ASPECTSLib.training.views import VIEWS, View

SCANS = AcquisitionRange((2.0, 2.0), (3.0, 3.0), (92.0, 92.0), (78.0, 78.0), (0.8, 0.8))
PATIENTS = PatientRange(
    healthy=1.0,
    shape=ShapeRange(shift_mm=3.0, deformation_mm=1.0),
    distractors=NO_DISTRACTORS,
    scanners={modality: replace(s, scans=SCANS) for modality, s in SCANNERS.items()},
)
GRID = Volume(np.zeros((20, 24, 22), np.uint8), centred_affine((20, 24, 22), np.full(3, 3.0)))


def look_plainly(scan, _prior, draw):
    """Return the modality's first letter, a number of the draw, and the regions."""
    image = np.full(GRID.array.shape, float(ord(scan.modality.value[0])), np.float32)
    image[0] = draw.uniform(0.0, 1.0)
    image[1] = scan.image.array.astype(np.float32).mean()
    return image[None], scan.regions_on(GRID)


PLAINLY = View(1, 21, look_plainly)


@pytest.fixture(scope="module")
def stream():
    sources = Sources([phantom_anatomy(LARGE_SHAPE)])
    return PatientStream(sources, PATIENTS, [Modality.NCCT], (0, 7))


def samples(stream, numbers, view=PLAINLY):
    dataset = PatientDataset(stream, view, None, 100)
    return [dataset[n] for n in numbers]


def are_same(first, second):
    return all(torch.equal(first[name], second[name]) for name in ("image", "labels"))


def test_a_sample_is_the_same_whatever_was_asked_for_before(stream):
    before = torch.random.get_rng_state()
    third_last = samples(stream, [1, 0, 2])
    assert are_same(*samples(stream, [2]), third_last[2])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not are_same(third_last[0], third_last[1])


def test_streams_of_different_seeds_share_no_patient(stream):
    own = samples(stream, range(2))
    for seed in ((1, 7), (0, 8)):
        other = samples(replace(stream, seed=seed), range(2))
        assert not any(torch.equal(a["labels"], b["labels"]) for a in own for b in other)


def test_looks_in_a_row_are_of_one_patient(stream):
    twice = samples(replace(stream, looks=2), range(4))
    assert torch.equal(twice[0]["labels"], twice[1]["labels"])
    assert float(twice[0]["image"][0, 0, 0, 0]) != float(twice[1]["image"][0, 0, 0, 0])
    assert not torch.equal(twice[1]["labels"], twice[2]["labels"])
    once = samples(stream, range(2))
    assert torch.equal(twice[2]["labels"], once[1]["labels"])  # patients stay the same


def test_a_patient_is_made_once_for_its_looks(stream, monkeypatch):
    made = []
    make = PatientDataset._make
    monkeypatch.setattr(
        PatientDataset, "_make", lambda self, number: made.append(number) or make(self, number)
    )
    samples(replace(stream, looks=3), [0, 1, 2, 3, 0])
    assert made == [0, 1, 0]


def test_several_patients_are_looked_at_by_turns(stream, monkeypatch):
    made = []
    make = PatientDataset._make
    monkeypatch.setattr(
        PatientDataset, "_make", lambda self, number: made.append(number) or make(self, number)
    )
    both = replace(stream, looks=2, at_once=2)
    places = [both.place(index) for index in range(8)]
    # The second seat changes hands while the first keeps its patient.
    assert places == [(0, 0), (1, 1), (0, 1), (3, 0), (2, 0), (3, 1), (2, 1), (5, 0)]
    found = samples(both, range(5))
    assert made == [0, 1, 3, 2]
    assert are_same(found[2], samples(replace(stream, looks=2), [1])[0])


def test_a_used_data_set_can_be_sent_to_workers(stream):
    dataset = PatientDataset(stream, PLAINLY, None, 5)
    first = dataset[0]
    copy = pickle.loads(pickle.dumps(dataset))
    assert len(copy) == len(dataset) == 5
    assert are_same(copy[0], first)


def test_all_modalities_are_met(stream):
    both = replace(stream, modalities=[Modality.NCCT, Modality.B0])
    letters = {float(s["image"][0, 5, 0, 0]) for s in samples(both, range(5))}
    assert letters == {float(ord("N")), float(ord("B"))}


@pytest.mark.parametrize("modality", [Modality.ADC, Modality.B0, Modality.DWI])
def test_maps_come_from_the_scan_that_they_are_made_of(stream, modality):
    (sample,) = samples(replace(stream, modalities=[modality]), [0])
    patient = draw_patient(stream.sources, (*stream.seed, 0), PATIENTS)
    image = scan_patient(patient, Modality.DWI, PATIENTS).images[MAIN_IMAGE[modality]]
    assert float(sample["image"][0, 1, 0, 0]) == pytest.approx(float(image.array.mean()), rel=1e-5)


def test_a_scan_tells_its_truth_on_any_grid(stream):
    scan = scan_patient(draw_patient(stream.sources, (3, 1), PATIENTS), Modality.NCCT, PATIENTS)
    told = labelled(scan, Modality.NCCT)
    grid = scan.acquisition.grid
    truth = truth_on(scan, grid)
    assert told.image is scan.images["ncct"]
    np.testing.assert_array_equal(told.regions_on(grid), truth.regions.array)
    np.testing.assert_array_equal(told.brain_on(grid), truth.brain.array)
    assert told.brain_on(grid).dtype == bool
    centres, volumes = label_centres(truth.regions, len(REGIONS))
    enough = volumes > 0.3
    assert enough.sum() > 10
    np.testing.assert_allclose(told.centres_mm[enough], centres[enough], atol=1.2)
    np.testing.assert_allclose(told.volumes_ml.sum(), volumes.sum(), rtol=0.1)


@pytest.mark.parametrize("task", sorted(VIEWS))
def test_each_network_sees_patients_as_tensors(stream, task, atlas):
    view = VIEWS[task]
    centres = np.random.default_rng(0).normal(scale=20.0, size=(len(REGIONS), 3))
    prior = RegionPrior(
        np.zeros((21, *REGION_SHAPE), np.float32),
        centres,
        np.ones(len(REGIONS)),
        atlas,
    )
    sample = PatientDataset(stream, view, prior, 1)[0]
    assert sample["image"].dtype == torch.float32
    assert sample["labels"].dtype == torch.uint8
    assert len(sample["image"]) == view.channels
    if view.measure is dice_by_class:  # labels of other tasks are whatever their loss takes
        assert sample["image"].shape[1:] == sample["labels"].shape
        assert int(sample["labels"].max()) < view.classes
