from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from cohort_phantoms import coarse_scanners, small_anatomy

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.errors import CancelledError
from ASPECTSLib.io.images import read_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis import anatomy_folder, cohort
from ASPECTSLib.synthesis.anatomy_folder import AnatomyFolder
from ASPECTSLib.synthesis.cohort import (
    COHORT_FILE,
    CohortPlan,
    Material,
    cohort_record,
    draw_case,
    write_case,
    write_json,
)
from ASPECTSLib.synthesis.generator import PatientRange

LABELS = {"regions.nii.gz", "infarct.nii.gz", "brain.nii.gz", "tissue.nii.gz"}


@pytest.fixture(scope="session")
def material(atlas):
    return Material(atlas, (small_anatomy(),))


def plan(*modalities, healthy=0.0, seed=1):
    patients = PatientRange(healthy=healthy, scanners=coarse_scanners())
    return CohortPlan(2, seed, modalities or (Modality.NCCT,), patients)


def written(chosen, material, folder, number=1):
    case = draw_case(chosen, material, number)
    return write_case(case, chosen, folder, Progress(), lambda _scan, _truth: None)


@pytest.fixture(scope="module")
def stroke(material, tmp_path_factory):
    """Return the truth of a patient with an infarct, and the folder with all scans."""
    folder = tmp_path_factory.mktemp("cohort")
    chosen = plan(Modality.NCCT, Modality.CTA, Modality.DWI, Modality.CBF)
    return written(chosen, material, folder), folder / "case-0001"


def test_a_case_has_image_and_labels_of_each_modality(stroke):
    _, folder = stroke
    assert {p.name for p in folder.iterdir()} == {"ncct", "cta", "dwi", "cbf", "truth.json"}
    for name in ("ncct", "cta", "cbf"):
        assert {p.name for p in (folder / name).iterdir()} == {"image.nii.gz", *LABELS}
    more = {"image.nii.gz", "b0.nii.gz", "adc.nii.gz", *LABELS}
    assert {p.name for p in (folder / "dwi").iterdir()} == more


@pytest.mark.parametrize("modality", ["ncct", "dwi"])
def test_labels_lie_on_the_grid_of_their_image(stroke, modality):
    _, folder = stroke
    volumes = [read_image(path) for path in sorted((folder / modality).iterdir())]
    for volume in volumes[1:]:
        assert volume.size == volumes[0].size
        np.testing.assert_allclose(volume.affine, volumes[0].affine, atol=1e-4)


def test_the_main_image_of_diffusion_is_the_weighted_one(stroke):
    _, folder = stroke
    infarct = read_image(folder / "dwi" / "infarct.nii.gz").array > 0
    brain = read_image(folder / "dwi" / "brain.nii.gz").array > 0
    for file, is_bright in (("image.nii.gz", True), ("adc.nii.gz", False)):
        image = read_image(folder / "dwi" / file).array
        assert (np.median(image[infarct]) > np.median(image[brain & ~infarct])) == is_bright


def test_the_truth_is_that_of_the_label_maps(stroke):
    truth, folder = stroke
    volume_ml = truth["infarct"]["volume_ml"]
    assert volume_ml > 0.5
    for name, scan in truth["scans"].items():
        infarct = read_image(folder / name / "infarct.nii.gz")
        there_ml = float((infarct.array > 0).sum()) * infarct.voxel_volume_ml
        assert scan["infarct_volume_ml"] == pytest.approx(there_ml, abs=1e-3)
        assert scan["infarct_volume_ml"] == pytest.approx(volume_ml, rel=0.2)
        assert tuple(scan["size"]) == infarct.size


def test_affected_regions_and_score_follow_the_ten_per_cent_rule(stroke):
    truth, _ = stroke
    assert [(r["region"], r["side"]) for r in truth["regions"]] == [
        (r.code.value, r.side.value) for r in REGIONS
    ]
    for region in truth["regions"]:
        assert region["affected"] == (region["infarct_fraction"] > 0.10)
    lost = {
        side: sum(r["affected"] for r in truth["regions"] if r["side"] == side)
        for side in ("left", "right")
    }
    aspects = truth["aspects"]
    assert (aspects["left"], aspects["right"]) == (10 - lost["left"], 10 - lost["right"])
    assert aspects["score"] == min(aspects["left"], aspects["right"])
    assert aspects["side"] == truth["infarct"]["side"]


def test_the_truth_is_written_as_it_is_told(stroke):
    truth, folder = stroke
    assert json.loads((folder / "truth.json").read_text(encoding="utf-8")) == truth
    assert truth["synthetic"] is True
    assert truth["case"] == "case-0001"


def test_a_healthy_patient_has_no_infarct_and_ten_points(material, tmp_path):
    truth = written(plan(healthy=1.0), material, tmp_path)
    assert (truth["healthy"], truth["infarct"]) == (True, None)
    assert truth["aspects"] == {"score": 10, "side": "none", "left": 10, "right": 10}
    assert not (read_image(tmp_path / "case-0001" / "ncct" / "infarct.nii.gz").array).any()


def test_a_patient_depends_on_seed_and_number_only(material, tmp_path):
    once, again = (
        written(plan(seed=3), material, tmp_path / name, number=2) for name in ("once", "again")
    )
    assert once == again
    for file in (tmp_path / "once").rglob("*.nii.gz"):
        same = tmp_path / "again" / file.relative_to(tmp_path / "once")
        assert file.read_bytes() == same.read_bytes()
    assert written(plan(seed=4), material, tmp_path / "other", number=2) != once


def test_a_mirrored_head_is_told(material):
    anatomy = material.anatomies[0]
    cases = [draw_case(plan(), material, number) for number in range(1, 9)]
    assert {case.mirrored for case in cases} == {True, False}
    for case in cases:
        assert (case.patient.head.anatomy is anatomy) != case.mirrored


def test_without_anatomies_each_patient_has_a_head_of_the_atlas(atlas, monkeypatch):
    states = []

    def head(given, rng):
        assert given is atlas
        states.append(rng.bit_generator.state["state"]["state"])
        return replace(small_anatomy(), name="atlas")

    monkeypatch.setattr(cohort, "atlas_anatomy", head)
    cases = [draw_case(plan(), Material(atlas), number) for number in (1, 2, 1)]
    assert states[0] == states[2] != states[1]
    assert {case.patient.head.anatomy.name for case in cases} == {"atlas"}


def test_every_scan_is_shown_with_its_truth(material, tmp_path):
    seen = []
    chosen = plan(Modality.NCCT, Modality.DWI)
    case = draw_case(chosen, material, 1)
    write_case(case, chosen, tmp_path, Progress(), lambda scan, truth: seen.append((scan, truth)))
    assert [scan.modality for scan, _ in seen] == [Modality.NCCT, Modality.DWI]
    assert all(truth.regions.size == scan.acquisition.size for scan, truth in seen)


def test_writing_stops_when_it_is_cancelled(material, tmp_path):
    case = draw_case(plan(), material, 1)
    with pytest.raises(CancelledError):
        write_case(case, plan(), tmp_path, Progress(is_cancelled=lambda: True), lambda *_: None)


def test_a_case_without_modalities_is_an_error_of_the_caller(material, tmp_path):
    chosen = replace(plan(), modalities=())
    with pytest.raises(ValueError, match="at least one modality"):
        write_case(
            draw_case(chosen, material, 1), chosen, tmp_path, Progress(), lambda *_arguments: None
        )


def test_the_record_of_a_cohort_says_what_made_it(material, tmp_path):
    sources = [{"name": "heads", "licence": "CC0-1.0"}]
    record = cohort_record(plan(Modality.NCCT, Modality.DWI), material, sources)
    write_json(record, tmp_path / COHORT_FILE)
    read = json.loads((tmp_path / COHORT_FILE).read_text(encoding="utf-8"))
    assert read["synthetic"] is True
    assert read["modalities"] == ["ncct", "dwi"]
    assert read["made_from"] == sources
    assert read["atlas"]["sha256"] == dict(material.atlas.sha256)
    assert read["options"]["healthy"] == 0.0
    assert read["options"]["scanners"]["dwi"]["scans"]["slice_mm"] == [5.0, 6.0]


def test_anatomies_of_a_folder_are_prepared_once_and_when_they_are_needed(
    atlas, tmp_path, monkeypatch
):
    for name in ("b.nii.gz", "a.nii.gz", "c.nii.gz"):
        (tmp_path / name).touch()
    prepared = []

    def load(path, given, cache):
        assert (given, cache) == (atlas, None)
        prepared.append(path.name)
        return replace(small_anatomy(), name=path.name)

    monkeypatch.setattr(anatomy_folder, "load_anatomy", load)
    heads = AnatomyFolder(tmp_path, atlas)
    assert len(heads) == 3
    assert heads[1] is heads[1]
    assert prepared == ["b.nii.gz"]
    assert [head.name for head in heads[-2:]] == ["b.nii.gz", "c.nii.gz"]
    assert prepared == ["b.nii.gz", "c.nii.gz"]
    with pytest.raises(IndexError):
        heads[3]


def test_preparing_anatomies_can_be_cancelled(atlas, tmp_path):
    (tmp_path / "a.nii.gz").touch()
    heads = AnatomyFolder(tmp_path, atlas, progress=Progress(is_cancelled=lambda: True))
    with pytest.raises(CancelledError):
        heads[0]
