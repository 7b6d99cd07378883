from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace

import numpy as np
import pytest
from axis_orders import reordered
from head_phantoms import dice
from numpy.typing import NDArray

from ASPECTSLib import pipeline
from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of, swap_sides
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.device import current_device
from ASPECTSLib.errors import (
    CancelledError,
    ContentRefusedError,
    ErrorCode,
    InputRefusedError,
    ResourceError,
    UsageError,
)
from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.io.images import read_image, write_image
from ASPECTSLib.io.scan import Modality, Scan, read_scan
from ASPECTSLib.methods import METHODS, method_for
from ASPECTSLib.pipeline import ScoredStudy, ScoreOptions, score_study, score_to_folder
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration import quality
from ASPECTSLib.report.table import regions_csv

TRUE_SCORE = 7
STAGES = (
    "checking",
    "brain mask",
    "symmetric pose",
    "affine registration",
    "deformable registration",
    "regions",
    "regions by network",
    "key slices by network",
    "scoring",
    "infarct and asymmetry",
)
WRITING_STAGES = ("picture", "writing")
QUICK = ScoreOptions(
    method="classical", regions=RegionSource.REGISTRATION
)  # a quarter of the time of the networks
AXIS_ORDERS = [
    ((0, 1, 2), (False, True, True)),  # as scanners store axial slices
    ((0, 1, 2), (True, False, False)),  # the same from head to foot
    ((1, 0, 2), (True, True, False)),
    ((1, 2, 0), (True, True, True)),
]


def score(volume, **options):
    return score_study(Scan(volume, ("scan.nii.gz",)), **options)


def table(study):
    return list(csv.reader(io.StringIO(regions_csv(study.result))))


def with_sides_swapped(rows):
    """Return a table in which right and left have changed places, in words and in order."""
    words = {"left": "right", "right": "left"}
    swapped = [[" ".join(words.get(w, w) for w in cell.split(" ")) for cell in row] for row in rows]
    header, right, left = swapped[:1], swapped[1:11], swapped[11:]
    return header + left + right


def affected(study):
    return {(info.region, info.side) for info in study.result.regions if info.affected}


def rotated(volume, degrees):
    """Return a volume whose header says that the grid is tilted about two axes."""
    angle = np.radians(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    about_x = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    about_z = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    turn = np.eye(4)
    turn[:3, :3] = about_z @ about_x
    return Volume(volume.array, turn @ volume.affine)


def cancelled_in(stage, reports):
    """Return a progress that is cancelled as soon as a stage has begun."""
    return Progress(
        sink=lambda name, _fraction: reports.append(name),
        is_cancelled=lambda: bool(reports) and reports[-1] == stage,
    )


@dataclass(frozen=True, eq=False)
class Run:
    study: ScoredStudy
    reports: list[tuple[str, float]]
    progress: Progress
    array_before: NDArray[np.int16]


@pytest.fixture(scope="module")
def small_run(small_scan):
    reports = []
    progress = Progress(lambda *report: reports.append(report))
    array_before = small_scan.array.copy()
    return Run(score(small_scan, progress=progress), reports, progress, array_before)


@pytest.fixture(scope="module")
def small_study(small_run):
    return small_run.study


@pytest.fixture(scope="module")
def quick_study(small_scan):
    return score(small_scan, options=QUICK)


@pytest.fixture(scope="module")
def written(small_scan, tmp_path_factory):
    """Return the result of a patient whose age the user gave, and the folder it was written to."""
    folder = tmp_path_factory.mktemp("written") / "result"
    scan = Scan(small_scan, ("scan.nii.gz",), age_years=50.0)
    return score_to_folder(scan, replace(QUICK, age_years=71.0), folder), folder


def test_the_infarct_of_the_synthetic_patient_is_found(scored_study):
    assert {("I", "left"), ("L", "left"), ("M2", "left")} <= affected(scored_study)
    aspects = scored_study.result.aspects
    assert aspects.side == "left"
    assert abs(aspects.score - TRUE_SCORE) <= 1
    assert aspects.score == aspects.left
    assert not scored_study.result.quality.abstained


def test_regions_lie_where_they_truly_are(scored_study, synthetic_patient):
    found, true = scored_study.images.regions.array, synthetic_patient.regions.array
    overlaps = [dice(found == region.label, true == region.label) for region in REGIONS]
    assert np.mean(overlaps) > 0.85
    assert min(overlaps) > 0.7


def test_volumes_of_the_regions_are_the_true_ones(scored_study, synthetic_patient):
    regions = synthetic_patient.regions
    true_ml = [
        float((regions.array == region.label).sum() * regions.voxel_volume_ml) for region in REGIONS
    ]
    found_ml = [info.volume_ml for info in scored_study.result.regions]
    assert sum(found_ml) == pytest.approx(sum(true_ml), rel=0.05)
    np.testing.assert_allclose(found_ml, true_ml, rtol=0.25)


def test_the_heat_map_is_dark_in_the_infarct_and_bright_across(scored_study, synthetic_patient):
    change, truth = scored_study.images.heatmap.array, synthetic_patient.regions.array
    lentiform = {side: change[truth == region_of(RegionCode.L, side).label] for side in Side}
    assert np.median(lentiform[Side.LEFT]) < -3.0
    assert np.median(lentiform[Side.RIGHT]) > 3.0


def test_images_lie_on_the_grid_of_the_scan(scored_study, synthetic_patient):
    images = scored_study.images
    for image in (images.scan, images.regions, images.heatmap):
        assert image.array.shape == synthetic_patient.scan.array.shape
        np.testing.assert_array_equal(image.affine, synthetic_patient.scan.affine)
    np.testing.assert_array_equal(images.scan.array, synthetic_patient.scan.array)
    assert images.regions.array.dtype == np.uint8
    assert not images.scan_is_resampled


def test_key_slices_show_the_regions_that_they_are_named_for(scored_study):
    key_slices, labels = scored_study.result.key_slices, scored_study.images.regions.array
    shown = {
        name: set(np.unique(labels.take(index, axis=2 - key_slices.axis)))
        for name, index in (
            ("ganglionic", key_slices.ganglionic),
            ("supraganglionic", key_slices.supraganglionic),
        )
    }
    for region in REGIONS:
        assert region.label in shown[region.level.value]


def test_a_scored_scan_is_left_as_it_was(small_run, small_scan):
    np.testing.assert_array_equal(small_scan.array, small_run.array_before)


def test_mirrored_scan_gives_mirrored_regions(small_scan, small_study):
    mirrored = score(small_scan.with_array(np.ascontiguousarray(small_scan.array[..., ::-1])))
    given = small_study.images.regions.array
    np.testing.assert_array_equal(mirrored.images.regions.array[..., ::-1], swap_sides(given))
    np.testing.assert_array_equal(
        mirrored.images.heatmap.array[..., ::-1], small_study.images.heatmap.array
    )
    assert table(mirrored) == with_sides_swapped(table(small_study))
    assert mirrored.result.aspects.score == small_study.result.aspects.score
    assert mirrored.result.aspects.side == "right"


def test_a_header_that_swaps_the_sides_gives_the_other_side(small_scan, quick_study):
    flipped = Volume(small_scan.array, np.diag([-1.0, 1.0, 1.0, 1.0]) @ small_scan.affine)
    study = score(flipped, options=QUICK)
    given = quick_study.images.regions.array
    np.testing.assert_array_equal(study.images.regions.array, swap_sides(given))
    np.testing.assert_array_equal(study.images.regions.affine, flipped.affine)
    assert table(study) == with_sides_swapped(table(quick_study))
    assert study.result.aspects.score == quick_study.result.aspects.score
    assert study.result.aspects.side == "right"


@pytest.mark.parametrize(("order", "flips"), AXIS_ORDERS)
def test_every_order_of_the_axes_gives_the_same_table(
    small_scan, quick_study, tmp_path, order, flips
):
    write_image(reordered(small_scan, order, flips), tmp_path / "scan.nii.gz")
    assert_is_scored_alike(read_scan(tmp_path / "scan.nii.gz"), quick_study, QUICK)


def test_networks_see_the_same_in_another_order_of_the_axes(small_scan, small_study):
    scan = Scan(reordered(small_scan, *AXIS_ORDERS[-1]), ("scan.nii.gz",))
    assert_is_scored_alike(scan, small_study, ScoreOptions())


def assert_is_scored_alike(scan, given, options):
    """Assert that a scan in another order of the axes has the table, the regions and the key slices of a study."""
    study = score_study(scan, options)
    assert regions_csv(study.result) == regions_csv(given.result)
    regions = study.images.regions
    assert regions.array.shape == scan.volume.array.shape
    np.testing.assert_array_equal(regions.affine, scan.volume.affine)
    np.testing.assert_array_equal(canonicalize(regions).volume.array, given.images.regions.array)
    assert key_slice_labels(study) == key_slice_labels(given)


def key_slice_labels(study):
    """Return the label counts of both key slices, which tell whether they are the same ones."""
    key_slices, labels = study.result.key_slices, study.images.regions.array
    return [
        np.bincount(labels.take(index, axis=2 - key_slices.axis).ravel()).tolist()
        for index in (key_slices.ganglionic, key_slices.supraganglionic)
    ]


def test_an_oblique_header_gives_the_same_table(small_scan, quick_study):
    oblique = rotated(small_scan, degrees=20.0)
    study = score(oblique, options=QUICK)
    assert table(study) == table(quick_study)
    np.testing.assert_array_equal(study.images.regions.array, quick_study.images.regions.array)
    np.testing.assert_array_equal(study.images.regions.affine, oblique.affine)


@pytest.mark.parametrize("modality", sorted(set(Modality) - {m.inputs[0] for m in METHODS}))
def test_what_no_method_scores_is_refused_before_any_work(small_scan, modality):
    reports = []
    progress = Progress(lambda name, _fraction: reports.append(name))
    with pytest.raises(InputRefusedError, match=modality.value) as caught:
        score_study(Scan(small_scan, ("scan",), modality), progress=progress)
    assert caught.value.code is ErrorCode.METHOD_UNAVAILABLE
    assert reports == []


def test_why_automatic_took_the_method_is_in_the_result(small_scan, small_study):
    reason = small_study.result.method.reason
    assert reason == method_for("auto", {Modality.NCCT}).reason
    named = score(small_scan, options=ScoreOptions(method=small_study.result.method.name))
    assert named.result.method.reason is None
    assert named.result.regions == small_study.result.regions


def test_an_unknown_method_is_refused():
    with pytest.raises(UsageError, match=r"dwi-unet3d, .*, got guess") as caught:
        ScoreOptions(method="guess")
    assert caught.value.code is ErrorCode.METHOD_UNAVAILABLE


def test_stages_come_in_order_and_are_timed(small_run):
    names, fractions = zip(*small_run.reports, strict=True)
    assert names == STAGES
    assert list(fractions) == sorted(fractions)
    assert set(small_run.progress.timings_s) >= set(STAGES[:-1])


@pytest.mark.parametrize("stage", STAGES)
def test_cancelling_stops_in_the_stage_that_runs(small_scan, stage):
    reports = []
    with pytest.raises(CancelledError):
        score(small_scan, progress=cancelled_in(stage, reports))
    assert reports[-1] == stage


@pytest.mark.parametrize("stage", WRITING_STAGES)
def test_cancelling_while_files_are_written_leaves_nothing(
    small_scan, small_study, tmp_path, monkeypatch, stage
):
    monkeypatch.setattr("ASPECTSLib.pipeline.score_study", lambda *_: small_study)
    scan, reports = Scan(small_scan, ("scan.nii.gz",)), []
    with pytest.raises(CancelledError):
        score_to_folder(
            scan, ScoreOptions(), tmp_path / "new" / "result", cancelled_in(stage, reports)
        )
    assert reports[-1] == stage
    assert list(tmp_path.iterdir()) == []


def test_an_atlas_that_does_not_fit_gives_no_score_and_no_calls(small_scan, monkeypatch):
    monkeypatch.setattr(quality, "MIN_BRAIN_DICE", 1.01)
    result = score(small_scan, options=QUICK).result
    assert result.quality.abstained
    aspects = result.aspects
    assert (aspects.score, aspects.side, aspects.left, aspects.right) == (None,) * 4
    for info in result.regions:
        assert (info.affected, info.probability, info.unsure) == (None, None, False)
    warning = next(w for w in result.quality.warnings if w.code == "LOW_REGISTRATION_QUALITY")
    assert "brain overlap" in warning.message


@pytest.mark.parametrize("half", ["top", "bottom"])
def test_half_a_head_is_refused_as_partial(synthetic_patient, half):
    scan = synthetic_patient.scan
    middle = len(scan.array) // 2
    part = scan.array[middle:] if half == "top" else scan.array[:middle]
    with pytest.raises(ContentRefusedError, match="all ASPECTS regions") as caught:
        score(Volume(part, scan.affine))
    assert caught.value.code is ErrorCode.PARTIAL_COVERAGE


def test_age_given_by_the_user_wins_over_the_header(small_study, written):
    assert small_study.result.input.age_years is None
    assert written[0].input.age_years == 71.0


def test_thick_slices_are_warned_of(small_study):
    codes = {warning.code for warning in small_study.result.quality.warnings}
    assert "THICK_SLICES" in codes


def test_files_on_disk_are_those_of_the_study(small_scan, quick_study, written):
    result, folder = written
    assert regions_csv(result) == regions_csv(quick_study.result)
    regions = read_image(folder / "regions.nii.gz")
    np.testing.assert_array_equal(regions.array, quick_study.images.regions.array)
    np.testing.assert_allclose(regions.affine, small_scan.affine, atol=1e-4)


def devices_taken(monkeypatch, device, *, is_full):
    """Score with a system that notes the device, on a machine with a GPU; return the devices and what came."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name in ("allow_tf32", "deterministic"):
        monkeypatch.setattr(torch.backends.cudnn, name, getattr(torch.backends.cudnn, name))
    taken = []

    def system(*_arguments):
        taken.append(current_device())
        if is_full and taken[-1] == "cuda":
            raise torch.OutOfMemoryError
        raise ContentRefusedError(ErrorCode.NO_BRAIN, "it came to an end")

    monkeypatch.setattr(pipeline, "SYSTEMS", {"classical": system})
    error = ResourceError if is_full and device == "cuda" else ContentRefusedError
    scan = Scan(Volume(np.zeros((2, 2, 2), np.float32), np.eye(4)), ("scan.nii.gz",))
    with pytest.raises(error) as caught:
        score_study(scan, ScoreOptions("classical", device=device))
    return taken, caught.value.code


@pytest.mark.parametrize(
    ("device", "is_full", "taken", "code"),
    [
        ("auto", False, ["cuda"], ErrorCode.NO_BRAIN),
        ("cpu", False, ["cpu"], ErrorCode.NO_BRAIN),
        ("auto", True, ["cuda", "cpu"], ErrorCode.NO_BRAIN),
        ("cuda", True, ["cuda"], ErrorCode.GPU_MEMORY),
    ],
)
def test_a_gpu_is_taken_where_there_is_one_and_a_full_one_left_for_the_cpu(
    monkeypatch, device, is_full, taken, code
):
    assert devices_taken(monkeypatch, device, is_full=is_full) == (taken, code)
