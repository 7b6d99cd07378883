"""Truth by an infarct mask on diffusion MRI, with a network for the brain whose answers are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.errors import ErrorCode, InputRefusedError
from ASPECTSLib.geometry import Volume, resample
from ASPECTSLib.inference import registry
from ASPECTSLib.inference.pose import contrast_of
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.progress import Progress
from ASPECTSLib.training.cohort import read_cohort
from ASPECTSLib.training.cohort_scan import read_labelled
from ASPECTSLib.truth.case import (
    ADC_FILE,
    BRAIN_FILE,
    IMAGE_FILE,
    INFARCT_FILE,
    REGIONS_FILE,
    TRUTH_FILE,
)
from ASPECTSLib.truth.make import TruthOptions, truth_from_mask, truth_to_folder

SHAPE, SPACING_MM = (46, 76, 62), (3.0, 3.0, 3.5)
SIGNAL, BRIGHT, LOW_ADC, USUAL_ADC = 400.0, 2.2, 450.0, 800.0
M2_LEFT = 16
OPTIONS = TruthOptions(regions=RegionSource.REGISTRATION)


class Bright(nn.Module):
    """Take for brain what is not dark."""

    def __init__(self) -> None:
        super().__init__()
        self.divisor = (16, 16, 16)
        self.limit = nn.Parameter(torch.tensor(0.08))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (B, 2, k, j, i)."""
        inside = 20.0 * (image[:, :1] - self.limit)
        return torch.cat((torch.zeros_like(inside), inside), dim=1)


@pytest.fixture(autouse=True)
def known_network(monkeypatch):
    def find(name):
        return SimpleNamespace(name=name, card=SimpleNamespace(sha256="0" * 64))

    monkeypatch.setattr(registry, "find_model", find)
    monkeypatch.setattr(registry, "load_network", lambda _model: Bright())


@pytest.fixture(scope="module")
def head(atlas):
    """Return signal, ADC map and infarct of a head whose left M2 is bright."""
    affine = np.diag([*SPACING_MM, 1.0])
    affine[:3, 3] = (-92.0, -130.0, -62.0)
    grid = Volume(np.zeros(SHAPE, np.uint8), affine)
    signal = resample(atlas.render(contrast_of(Modality.DWI)), grid).array
    inside = resample(atlas.brain_probability(), grid).array > 0.5
    noise = np.random.default_rng(0).normal(0.0, 0.01, SHAPE)
    infarct = resample(atlas.regions, grid, order=0).array == M2_LEFT
    median = np.median(signal[inside])
    dwi = SIGNAL * (signal / median * np.where(infarct, BRIGHT, 1.0) + noise * inside)
    adc = np.where(inside, np.where(infarct, LOW_ADC, USUAL_ADC), 0.0)
    return (
        grid.with_array(dwi.clip(0).astype(np.float32)),
        grid.with_array(adc.astype(np.float32)),
        grid.with_array(infarct),
    )


def truth_of(dwi, adc, mask, atlas):
    scan = Scan(dwi, ("dwi.nii.gz",), modality=Modality.DWI, companions={Modality.ADC: adc})
    return truth_from_mask(scan, mask, OPTIONS, atlas, Progress())


@pytest.fixture(scope="module")
def truth(head, atlas):
    with pytest.MonkeyPatch.context() as patch:
        known_network.__wrapped__(patch)
        return truth_of(*head, atlas)


def called(truth):
    return [(region.code.value, region.side.value) for region in truth.affected]


def test_the_infarcted_region_is_affected(truth, head):
    assert ("M2", "left") in called(truth)
    assert all(side == "left" for _, side in called(truth))
    np.testing.assert_array_equal(truth.infarct, head[2].array)
    assert truth.fractions[truth.affected[0]] is not None


def test_training_takes_the_case_with_its_adc(truth, atlas, tmp_path):
    assert truth_to_folder(truth, atlas, tmp_path / "cohort" / "case", picture=False)
    case = tmp_path / "cohort" / "case"
    names = {IMAGE_FILE, REGIONS_FILE, INFARCT_FILE, BRAIN_FILE, ADC_FILE}
    assert {path.name for path in (case / "dwi").iterdir()} == names
    assert {path.name for path in case.iterdir()} == {"dwi", "truth.csv", TRUTH_FILE}
    cohort = read_cohort(tmp_path / "cohort")
    assert cohort.scans[0].files == names
    volumes = read_labelled(cohort.scans[0])
    inside = volumes.infarct.array > 0
    assert np.median(volumes.adc.array[inside]) == pytest.approx(LOW_ADC, rel=0.01)


def test_a_mirrored_scan_gives_the_mirrored_truth(truth, head, atlas):
    turned = truth_of(*(mirrored(volume) for volume in head), atlas)
    np.testing.assert_array_equal(turned.infarct[..., ::-1], truth.infarct)
    labels = swap_sides(turned.mapped.found.labels.array[..., ::-1])
    np.testing.assert_array_equal(labels, truth.mapped.found.labels.array)
    assert called(turned) == [(code, "right") for code, _ in called(truth)]


def test_a_mask_that_is_not_registered_is_refused(head, atlas):
    affine = head[2].affine.copy()
    affine[0, 3] += -70.0
    with pytest.raises(InputRefusedError, match="register it to the scan") as caught:
        truth_of(*head[:2], Volume(head[2].array, affine), atlas)
    assert caught.value.code == ErrorCode.GEOMETRY_INVALID


def mirrored(volume):
    """Return a volume whose grid holds the mirror image of its voxels."""
    return volume.with_array(np.ascontiguousarray(volume.array[..., ::-1]))
