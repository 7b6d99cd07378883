from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil

import numpy as np
import pytest
from axis_orders import reordered
from truth_phantoms import CORE, core_mask, flow_map

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.cli.main import main
from ASPECTSLib.errors import ErrorCode, ExitCode
from ASPECTSLib.io.images import read_image, write_image
from ASPECTSLib.io.modality import Modality

FILES = {
    "ncct",
    "ncct/brain.nii.gz",
    "ncct/image.nii.gz",
    "ncct/infarct.nii.gz",
    "ncct/regions.nii.gz",
    "truth.csv",
    "truth.json",
    "truth.png",
}
JSON = ("--progress", "json")
RECIPE = """
name = "tiny"
task = "{task}"
[network]
architecture = "vbnet"
widths = [8, 8]
planar_stages = 0
blocks = [0, 1]
[data]
modalities = ["NCCT"]
validation_share = 0.5
[loss]
name = "dice_ce"
[optimisation]
steps = 2
batch = 1
"""


@pytest.fixture(scope="module")
def inputs(synthetic_patient, small_scan, tmp_path_factory):
    """Return the folder with a scan whose axes are in another order, its map of flow and its infarct mask."""
    folder = tmp_path_factory.mktemp("doe")
    scan = reordered(small_scan, (1, 0, 2), (True, False, True))
    write_image(scan, folder / "doe.nii.gz")
    write_image(flow_map(synthetic_patient), folder / "cbf.nrrd")
    write_image(core_mask(synthetic_patient), folder / "mask.nii.gz")
    return folder


@pytest.fixture(scope="module")
def case(inputs, tmp_path_factory):
    """Return exit code, standard output and folder of a case by its map."""
    folder = tmp_path_factory.mktemp("cohort") / "data" / "case-a"
    out, err = io.StringIO(), io.StringIO()
    arguments = ["truth", "--ncct", inputs / "doe.nii.gz", "--cbf", inputs / "cbf.nrrd"]
    arguments += ["-o", folder, "--regions", "registration"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        exit_code = main([str(argument) for argument in arguments])
    return exit_code, out.getvalue(), folder


def contents(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_a_case_has_all_its_files(case):
    exit_code, out, folder = case
    assert exit_code == ExitCode.RESULT
    assert contents(folder) == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["case-a"]
    assert out.splitlines()[0].startswith("ASPECTS 7 / 10   (right 10, left 7)")
    assert "left  L, I, M2" in out


def test_table_and_record_say_the_same_of_twenty_regions(case):
    folder = case[2]
    rows = list(csv.DictReader(io.StringIO((folder / "truth.csv").read_text(encoding="utf-8"))))
    record = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    assert [(row["region"], row["side"]) for row in rows] == [
        (region.code.value, region.side.value) for region in REGIONS
    ]
    assert [row["affected"] == "yes" for row in rows] == [r["affected"] for r in record["regions"]]
    assert {r["region"] for r in record["regions"] if r["affected"]} == set(CORE)
    shares = [float(row["infarct_fraction"]) for row in rows]
    assert shares == [r["infarct_fraction"] for r in record["regions"]]
    assert record["aspects"] == {"score": 7, "side": "left", "left": 7, "right": 10}
    assert record["options"]["core_below"] == 0.3


def test_nothing_in_a_case_names_the_files_that_it_came_from(case):
    for name in ("truth.csv", "truth.json"):
        assert "doe" not in (case[2] / name).read_text(encoding="utf-8").lower()


def test_labels_lie_on_the_grid_of_the_scan(case, inputs):
    scan = read_image(inputs / "doe.nii.gz")
    for name in ("image", "regions", "infarct", "brain"):
        volume = read_image(case[2] / "ncct" / f"{name}.nii.gz")
        assert volume.size == scan.size
        np.testing.assert_allclose(volume.affine, scan.affine, atol=1e-4)
    np.testing.assert_array_equal(read_image(case[2] / "ncct" / "image.nii.gz").array, scan.array)


def test_training_takes_the_case(case, atlas):
    pytest.importorskip("torch")
    from ASPECTSLib.training.cohort import read_cohort
    from ASPECTSLib.training.cohort_samples import prepare_cohort
    from ASPECTSLib.training.cohort_scan import read_labelled
    from ASPECTSLib.training.recipe import parse_recipe

    cohort_folder = case[2].parent.with_name("learned")
    for name in ("case-a", "case-b"):
        shutil.copytree(case[2], cohort_folder / name)
    cohort = read_cohort(cohort_folder)
    assert cohort.cases == ("case-a", "case-b")
    assert cohort.scans[0].modality is Modality.NCCT
    volumes = read_labelled(cohort.scans[0])
    record = json.loads((case[2] / "truth.json").read_text(encoding="utf-8"))
    core_ml = volumes.infarct.array.sum() * volumes.infarct.voxel_volume_ml
    assert core_ml == pytest.approx(record["core_volume_ml"], abs=0.01)
    prepared = prepare_cohort(parse_recipe(RECIPE.format(task="regions-coarse")), cohort, atlas)
    labels = prepared.training[0]["labels"].numpy()
    assert set(range(1, len(REGIONS) + 1)) <= set(np.unique(labels))


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["--ncct"],
        ["--infarct"],
        ["--ncct", "--cbf", "--infarct"],
        ["--ncct", "--dwi", "--infarct"],
        ["--dwi", "--cbf"],
        ["--ncct", "--adc", "--infarct"],
    ],
)
def test_files_that_make_no_truth_are_a_usage_error(inputs, tmp_path, run, given):
    paths = [argument for flag in given for argument in (flag, inputs / "doe.nii.gz")]
    outcome = run("truth", *paths, "-o", tmp_path / "case", *JSON)
    assert outcome.exit_code == ExitCode.USAGE
    assert outcome.error["code"] == ErrorCode.USAGE
    assert "expected --ncct and --cbf" in outcome.error["message"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--core-below", "30"], ErrorCode.USAGE),
        (["--affected-fraction", "10"], ErrorCode.USAGE),
        (["--least-ml", "-1"], ErrorCode.USAGE),
    ],
)
def test_options_that_cannot_be_are_a_usage_error(inputs, tmp_path, run, options, code):
    given = ("--ncct", inputs / "doe.nii.gz", "--cbf", inputs / "cbf.nrrd")
    outcome = run("truth", *given, "-o", tmp_path / "case", *JSON, *options)
    assert (outcome.exit_code, outcome.error["code"]) == (ExitCode.USAGE, code)
    assert list(tmp_path.iterdir()) == []


def _several_values(folder, inputs):
    mask = read_image(inputs / "mask.nii.gz")
    mask.array[::2] *= 3
    write_image(mask, folder / "labels.nii.gz")
    return ["--ncct", inputs / "doe.nii.gz", "--infarct", folder / "labels.nii.gz"]


def _no_flow(folder, inputs):
    flow = read_image(inputs / "cbf.nrrd")
    write_image(flow.with_array(0 * flow.array), folder / "cbf.nii.gz")
    return ["--ncct", inputs / "doe.nii.gz", "--cbf", folder / "cbf.nii.gz"]


def _ct_as_flow(folder, inputs):
    shutil.copy(inputs / "doe.nii.gz", folder / "cbf.nii.gz")
    return ["--ncct", inputs / "doe.nii.gz", "--cbf", folder / "cbf.nii.gz"]


def _flow_as_ct(folder, inputs):
    flow = read_image(inputs / "cbf.nrrd")
    write_image(flow.with_array(flow.array * 17.0), folder / "ncct.nii.gz")
    return ["--ncct", folder / "ncct.nii.gz", "--infarct", inputs / "mask.nii.gz"]


def _missing(_folder, inputs):
    return ["--ncct", inputs / "doe.nii.gz", "--cbf", inputs / "none.nii.gz"]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (_several_values, ErrorCode.COHORT_INVALID),
        (_no_flow, ErrorCode.NO_SIGNAL),
        (_ct_as_flow, ErrorCode.IMPLAUSIBLE_UNITS),
        (_flow_as_ct, ErrorCode.WRONG_MODALITY),
        (_missing, ErrorCode.FILE_NOT_FOUND),
    ],
)
def test_files_that_are_something_else_are_refused_and_nothing_is_written(
    inputs, tmp_path, run, make, code
):
    arguments = make(tmp_path, inputs)
    before = set(tmp_path.rglob("*"))
    outcome = run("truth", *arguments, "-o", tmp_path / "new" / "case", *JSON)
    assert outcome.exit_code == ExitCode.REFUSED
    assert outcome.error["code"] == code
    assert str(tmp_path) not in outcome.error["message"]
    assert set(tmp_path.rglob("*")) == before


def test_one_file_for_two_things_is_a_usage_error(inputs, tmp_path, run):
    scan = inputs / "doe.nii.gz"
    outcome = run("truth", "--ncct", scan, "--cbf", scan, "-o", tmp_path / "case", *JSON)
    assert (outcome.exit_code, outcome.error["code"]) == (ExitCode.USAGE, ErrorCode.USAGE)
    assert "twice" in outcome.error["message"]


def test_a_case_that_exists_is_left_alone(case, inputs, run):
    before = contents(case[2])
    given = ("--ncct", inputs / "doe.nii.gz", "--infarct", inputs / "mask.nii.gz")
    outcome = run("truth", *given, "-o", case[2], *JSON)
    assert (outcome.exit_code, outcome.error["code"]) == (ExitCode.USAGE, ErrorCode.OUTPUT_EXISTS)
    assert contents(case[2]) == before
