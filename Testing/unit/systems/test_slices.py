"""The method `ncct-unet` on a synthetic patient, with a network whose answers are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference import registry, slices
from ASPECTSLib.inference.infarct import PredictedInfarct
from ASPECTSLib.inference.slice_inputs import Pixels
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.pipeline import ScoreOptions, score_study, score_to_folder
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.review import prepare_review, rescore

OPTIONS = ScoreOptions(method="ncct-unet", regions=RegionSource.REGISTRATION)
RADIUS_MM = 22.0


def ball(volume):
    """Return what lies within some mm of a place in the left half of the head."""
    middle = np.array(volume.size) / 2
    k, j, i = np.ogrid[tuple(slice(n) for n in volume.array.shape)]
    steps_mm = volume.spacing_mm
    along = ((i - 0.72 * volume.size[0] * _to_left(volume) - _from_left(volume)) * steps_mm[0]) ** 2
    across = ((j - middle[1]) * steps_mm[1]) ** 2 + ((k - middle[2]) * steps_mm[2]) ** 2
    return (along + across) < RADIUS_MM**2


def _to_left(volume):
    return 1.0 if volume.affine[0, 0] < 0 else -1.0


def _from_left(volume):
    return 0.0 if volume.affine[0, 0] < 0 else volume.size[0] - 1.0


def predict(_network, _volume, brain, _midplane, pixels):
    assert pixels == Pixels(1.6, 128)
    volume, inside = brain, ball(brain)
    return PredictedInfarct(
        volume.with_array(inside), volume.with_array(0.9 * inside.astype(np.float32))
    )


@pytest.fixture(scope="module", autouse=True)
def known_network():
    grid = {"spacing_mm": [1.6, 1.6, 5.0], "shape_kji": [8, 128, 128]}
    card = SimpleNamespace(sha256="0" * 64, input=grid)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "find_model", lambda n: SimpleNamespace(name=n, card=card))
        patch.setattr(registry, "find_optional_model", lambda _name: None)
        patch.setattr(registry, "load_network", lambda _model: None)
        patch.setattr(slices, "predict_ncct_infarct", predict)
        yield


@pytest.fixture(scope="module")
def scan(small_scan):
    return Scan(small_scan, ("small.nii.gz",))


@pytest.fixture(scope="module")
def study(scan):
    return score_study(scan, OPTIONS)


def test_regions_are_affected_that_the_infarct_covers(study):
    for info in study.result.regions:
        assert info.affected == (info.infarct_fraction > 0.1)
    assert study.result.aspects.side == "left"
    assert study.result.aspects.right == 10
    assert study.result.aspects.left < 10


def test_core_volume_and_images_lie_on_the_scan(study):
    infarct = study.images.infarct
    volume_ml = float((infarct.array > 0).sum()) * infarct.voxel_volume_ml
    assert study.result.core.volume_ml == pytest.approx(volume_ml)
    assert volume_ml == pytest.approx(4 / 3 * np.pi * RADIUS_MM**3 / 1000, rel=0.15)
    assert infarct.array.shape == study.images.scan.array.shape
    assert study.images.heatmap.array[infarct.array > 0].min() > 0.5


def test_the_other_side_of_a_mirrored_scan_is_affected(scan):
    """The known network looks at the left whichever way the voxels run: the scan is what is mirrored."""
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirrored = Scan(Volume(scan.volume.array, mirror @ scan.volume.affine), scan.files)
    assert score_study(mirrored, OPTIONS).result.aspects.side == "left"


def test_an_edited_infarct_is_scored_again(study):
    result = StudyResult.from_json(study.result.to_json())
    review = prepare_review(result, study.images.scan, study.images.compared)
    regions, infarct = study.images.regions.array, study.images.infarct.array > 0
    assert rescore(result, review, regions, infarct).aspects == result.aspects
    assert rescore(result, review, regions, np.zeros_like(infarct)).aspects.score == 10


def test_the_files_of_a_study_are_written(scan, tmp_path):
    score_to_folder(scan, OPTIONS, tmp_path / "out", picture=False)
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"result.json", "infarct.nii.gz", "regions.nii.gz", "heatmap.nii.gz"} <= written
