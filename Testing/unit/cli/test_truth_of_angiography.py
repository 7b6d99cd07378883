"""`aspects truth` of a CT angiography, by an infarct mask or a perfusion map."""

from __future__ import annotations

import json

import numpy as np
import pytest
from axis_orders import reordered
from cta_phantoms import small_angiography
from truth_phantoms import core_mask, flow_map

from ASPECTSLib.cli.main import main
from ASPECTSLib.errors import ErrorCode, ExitCode
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import write_image

OPTIONS = ("--regions", "registration", "--no-picture", "--progress", "json")


@pytest.fixture(scope="module")
def inputs(synthetic_patient, small_scan, tmp_path_factory):
    """Return a folder with an angiography whose axes are in another order, a map of flow, a mask and a head CT."""
    folder = tmp_path_factory.mktemp("doe")
    scan = small_angiography(synthetic_patient)
    scan = Volume(np.rint(scan.array).astype(np.int16), scan.affine)
    write_image(reordered(scan, (1, 0, 2), (True, False, True)), folder / "cta.nii.gz")
    write_image(flow_map(synthetic_patient), folder / "cbf.nrrd")
    write_image(core_mask(synthetic_patient), folder / "mask.nii.gz")
    write_image(small_scan, folder / "ncct.nii.gz")
    return folder


def truth_of(inputs, folder, *source):
    arguments = ["truth", "--cta", inputs / "cta.nii.gz", *source, "-o", folder, *OPTIONS]
    assert main([str(argument) for argument in arguments]) == ExitCode.RESULT
    return json.loads((folder / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def case(inputs, tmp_path_factory):
    """Return the folder of a case by its mask, and its record."""
    folder = tmp_path_factory.mktemp("cohort") / "case-a"
    return folder, truth_of(inputs, folder, "--infarct", inputs / "mask.nii.gz")


def affected(record):
    return {(row["region"], row["side"]) for row in record["regions"] if row["affected"]}


def test_mask_and_map_tell_the_same(case, inputs, tmp_path):
    by_map = truth_of(inputs, tmp_path / "case", "--cbf", inputs / "cbf.nrrd")
    assert by_map["modality"] == case[1]["modality"] == "CTA"
    assert affected(by_map) == affected(case[1]) != set()


def test_features_are_learned_from_the_case(case):
    pytest.importorskip("torch")
    from ASPECTSLib.progress import Progress
    from ASPECTSLib.scoring.radiomics.features import PAPER_FEATURES
    from ASPECTSLib.training.cohort import read_cohort
    from ASPECTSLib.training.radiomics_table import measure_cases

    folder, record = case
    cohort = read_cohort(folder.parent)
    assert [scan.name for scan in cohort.scans] == ["case case-a, cta"]
    table = measure_cases([folder], PAPER_FEATURES, Progress())
    assert table.affected.sum() == len(affected(record))
    assert (table.inputs[table.affected, 0] < 0).all()


def test_a_head_ct_given_as_an_angiography_is_refused(inputs, tmp_path, run):
    arguments = ("--cta", inputs / "ncct.nii.gz", "--infarct", inputs / "mask.nii.gz")
    outcome = run("truth", *arguments, "-o", tmp_path / "case", *OPTIONS)
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.error["code"] == ErrorCode.WRONG_MODALITY
    assert not (tmp_path / "case").exists()
