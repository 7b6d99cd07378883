"""The method `dwi-unet3d` on the atlas as it would look on diffusion MRI, with networks whose answers are known."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from axis_orders import reordered
from head_phantoms import pose_matrix

pytest.importorskip("torch")

import torch
from torch import nn

from ASPECTSLib.atlas.atlas import load_atlas
from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.errors import ContentRefusedError, ErrorCode, ResourceError
from ASPECTSLib.geometry import Volume, apply_affine, resample
from ASPECTSLib.inference import registry
from ASPECTSLib.inference.pose import contrast_of
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.pipeline import ScoreOptions, score_study, score_to_folder
from ASPECTSLib.progress import Progress
from ASPECTSLib.review import prepare_review, rescore
from ASPECTSLib.systems import diffusion
from ASPECTSLib.systems.diffusion import BRAIN_MODEL, INFARCT_MODEL

SHAPE, SPACING_MM = (46, 76, 62), (3.0, 3.0, 3.5)
SIGNAL = 400.0
BRIGHT, LOW_ADC, USUAL_ADC = 2.2, 450.0, 800.0
M2_LEFT = 16
OPTIONS = ScoreOptions(regions=RegionSource.REGISTRATION)


class Bright(nn.Module):
    """Call infarct what is more than half as bright again as brain: its channel holds half of that."""

    def __init__(self, limit: float = 0.75) -> None:
        super().__init__()
        self.divisor = (16, 16, 16)
        self.limit = nn.Parameter(torch.tensor(limit))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (B, 2, k, j, i)."""
        inside = 20.0 * (image[:, :1] - self.limit)
        return torch.cat((torch.zeros_like(inside), inside), dim=1)


class Placed(nn.Module):
    """Call infarct a ball at one place of what is seen, in the middle from side to side, whatever is there."""

    divisor = (16, 16, 16)
    place, radius_voxels = (0.55, 0.75, 0.5), 6.0

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (B, 2, k, j, i)."""
        shape = image.shape[2:]
        axes = torch.meshgrid(*(torch.arange(n) for n in shape), indexing="ij")
        terms = zip(axes, self.place, shape, strict=True)
        distance = sum((axis - share * (n - 1)) ** 2 for axis, share, n in terms).sqrt()
        inside = (5.0 * (self.radius_voxels - distance)).clamp(-20.0, 20.0).expand_as(image[:, :1])
        return torch.cat((torch.zeros_like(inside), inside), dim=1)


NETWORKS = {BRAIN_MODEL: Bright(0.08), INFARCT_MODEL: Bright()}


@pytest.fixture(autouse=True)
def known_networks(monkeypatch):
    def find(name):
        return SimpleNamespace(name=name, card=SimpleNamespace(sha256="0" * 64))

    monkeypatch.setattr(registry, "find_model", find)
    monkeypatch.setattr(registry, "load_network", lambda model: NETWORKS[model.name])


@pytest.fixture(scope="module")
def head():
    """Return signal, ADC and infarct of a head whose left M2 is bright and has a low ADC."""
    atlas = load_atlas()
    affine = np.diag([*SPACING_MM, 1.0])
    affine[:3, 3] = (-92.0, -130.0, -62.0)
    grid = Volume(np.zeros(SHAPE, np.uint8), affine)
    signal = resample(atlas.render(contrast_of(Modality.DWI)), grid).array
    inside = resample(atlas.brain_probability(), grid).array > 0.5
    noise = np.random.default_rng(0).normal(0.0, 0.01, SHAPE)
    median = np.median(signal[inside])
    region = resample(atlas.regions, grid, order=0).array == M2_LEFT
    infarct = region & (signal > 0.75 * median)  # sulci are not infarcted
    dwi = SIGNAL * (signal / median * np.where(infarct, BRIGHT, 1.0) + noise * inside)
    adc = np.where(inside, np.where(infarct, LOW_ADC, USUAL_ADC), 0.0)
    return (
        grid.with_array(dwi.clip(0).astype(np.float32)),
        grid.with_array(adc.astype(np.float32)),
        infarct,
    )


def scan_of(dwi, adc=None):
    companions = {} if adc is None else {Modality.ADC: adc}
    return Scan(dwi, ("dwi.nii.gz",), modality=Modality.DWI, companions=companions)


def score(dwi, adc=None, **choices):
    return score_study(scan_of(dwi, adc), replace(OPTIONS, **choices))


@pytest.fixture(scope="module")
def study(head):
    with pytest.MonkeyPatch.context() as patch:
        known_networks.__wrapped__(patch)
        yield score(*head[:2])


def affected(result):
    return [(info.region, info.side) for info in result.regions if info.affected]


def test_the_infarcted_region_is_called_on_its_side(study):
    assert study.result.aspects.side == "left"
    assert ("M2", "left") in affected(study.result)
    assert all(side == "left" for _, side in affected(study.result))
    assert study.result.aspects.right == 10


def test_the_core_is_measured_by_network_and_by_threshold(study, head):
    true_ml = head[2].sum() * head[0].voxel_volume_ml
    core = study.result.core
    assert core.volume_ml == pytest.approx(true_ml, rel=0.15)
    assert core.volume_adc620_ml == pytest.approx(true_ml, rel=0.25)
    assert core.severity == ("moderate-severe" if core.volume_ml >= 27.86 else "mild")


def test_images_lie_on_the_grid_of_the_scan(study, head):
    images = study.images
    for image in (images.scan, images.regions, images.infarct, images.heatmap, images.compared):
        assert image.array.shape == SHAPE
        np.testing.assert_allclose(image.affine, head[0].affine)
    overlap = (images.infarct.array > 0) & head[2]
    assert overlap.sum() > 0.85 * head[2].sum()
    assert 0.0 <= images.heatmap.array.min() <= images.heatmap.array.max() <= 1.0


def test_the_result_says_how_it_came_about(study):
    method = study.result.method
    assert method.name == "dwi-unet3d"
    assert method.options["affected_fraction"] == 0.1
    assert method.options["adc"] == "given"
    names = [model.name for model in method.models]
    assert {BRAIN_MODEL, INFARCT_MODEL} <= set(names)
    assert study.result.input.modality == "DWI"
    m2 = next(i for i in study.result.regions if (i.region, i.side) == ("M2", "left"))
    assert m2.infarct_fraction > 0.4
    assert "infarct covers" in m2.evidence


def test_a_mirrored_scan_gives_the_mirrored_result(study, head):
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    dwi, adc = (Volume(v.array, mirror @ v.affine) for v in head[:2])
    mirrored = score(dwi, adc)
    regions = swap_sides(mirrored.images.regions.array)
    np.testing.assert_array_equal(regions, study.images.regions.array)
    np.testing.assert_array_equal(mirrored.images.infarct.array, study.images.infarct.array)
    assert mirrored.result.core == study.result.core
    assert mirrored.result.aspects.side == "right"
    assert mirrored.result.aspects.right == study.result.aspects.left


def test_the_order_of_the_axes_does_not_matter(study, head):
    order, flips = (2, 0, 1), (True, False, True)
    turned = score(*(reordered(volume, order, flips) for volume in head[:2]))
    assert turned.result.core == study.result.core
    assert affected(turned.result) == affected(study.result)


def test_the_network_sees_a_tilted_head_in_the_same_pose(head, monkeypatch):
    monkeypatch.setitem(NETWORKS, INFARCT_MODEL, Placed())
    dwi = head[0]
    tilt = np.linalg.inv(pose_matrix(yaw_deg=-6.0, pitch_deg=10.0))
    plain, tilted = (middle_of_infarct(score(volume)) for volume in (dwi, resample(dwi, dwi, tilt)))
    # Seen along the axes of the scan, it would lie some 10 mm away.
    np.testing.assert_allclose(apply_affine(tilt, tilted), plain, atol=1.5)


def middle_of_infarct(study):
    infarct = study.images.infarct
    voxels = np.argwhere(infarct.array)[:, ::-1].astype(float)
    return apply_affine(infarct.affine, voxels).mean(axis=0)


@pytest.mark.parametrize("factor", [1e-6, 1e-3])
def test_the_unit_of_the_adc_does_not_matter(study, head, factor):
    dwi, adc = head[:2]
    broken = adc.array.copy() * factor
    broken[0, :4, :4] = np.nan
    broken[1, :4, :4] = -factor
    core = score(dwi, adc.with_array(broken.astype(np.float32))).result.core
    assert core.volume_ml == pytest.approx(study.result.core.volume_ml, abs=0.1)
    assert core.volume_adc620_ml == pytest.approx(study.result.core.volume_adc620_ml, abs=0.1)


def test_without_adc_the_reader_is_told(head):
    result = score(head[0]).result
    assert result.core.volume_adc620_ml is None
    assert result.method.options["adc"] == "none"
    assert "NO_ADC" in [warning.code for warning in result.quality.warnings]


def test_a_stricter_rule_calls_less(study, head):
    strict = score(*head[:2], affected_fraction=0.999)
    assert affected(strict.result) == []
    assert strict.result.method.options["affected_fraction"] == 0.999
    assert strict.result.core == study.result.core


def test_scoring_again_gives_the_same_and_follows_the_infarct(study):
    images = study.images
    reviewed = prepare_review(study.result, images.scan, images.compared)
    infarct = images.infarct.array > 0
    again = rescore(study.result, reviewed, images.regions.array, infarct)
    assert again == study.result
    none = rescore(
        replace(study.result, outputs={"infarct": "infarct.nii.gz"}),
        reviewed,
        images.regions.array,
        np.zeros_like(infarct),
    )
    assert none.aspects.score == 10
    assert none.core.volume_ml == 0.0
    assert none.core.severity == "mild"


def test_all_files_are_written(head, tmp_path):
    result = score_to_folder(scan_of(*head[:2]), OPTIONS, tmp_path / "out")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"result.json", "regions.nii.gz", "infarct.nii.gz", "heatmap.nii.gz"} <= written
    assert result.outputs["infarct"] == "infarct.nii.gz"


def test_what_is_no_brain_is_refused(head, monkeypatch):
    monkeypatch.setitem(NETWORKS, BRAIN_MODEL, Bright(0.9))
    with pytest.raises(ContentRefusedError, match="expected a brain") as caught:
        score(*head[:2])
    assert caught.value.code is ErrorCode.NO_BRAIN


def test_without_torch_the_method_says_what_is_missing(head, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ResourceError, match="PyTorch") as caught:
        diffusion.score_diffusion(scan_of(*head[:2]), OPTIONS, Progress())
    assert caught.value.code is ErrorCode.TORCH_MISSING
