from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from build_phantoms import AGES, affine_only, coarse_atlas, mirrored, patient, write_case

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.atlas import load_atlas
from ASPECTSLib.atlas.label_order import check_label_order
from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.atlas.template_atlas import load_template_atlas
from ASPECTSLib.atlases.build import BuildOptions, build_atlas, by_age_group
from ASPECTSLib.atlases.build_cases import check_names, find_build_cases, prepare_case
from ASPECTSLib.atlases.build_output import Built, build_lines, build_record, dice_csv, write_build
from ASPECTSLib.atlases.build_store import store_for
from ASPECTSLib.atlases.validation import validate_atlases
from ASPECTSLib.errors import (
    CancelledError,
    ContentRefusedError,
    ErrorCode,
    FileRefusedError,
    GeometryRefusedError,
    InputRefusedError,
    UsageError,
)
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import write_image
from ASPECTSLib.progress import Progress
from ASPECTSLib.statistics.bootstrap import Bootstrap

ONE = BuildOptions(iterations=1, sharpen=False)


@pytest.fixture(scope="module")
def atlas():
    return coarse_atlas(load_atlas())


@pytest.fixture(scope="module")
def patients():
    return [patient(load_atlas(), seed) for seed in range(len(AGES))]


@pytest.fixture(scope="module")
def cohort(patients, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    for number, (scan, regions) in enumerate(patients):
        write_case(folder / f"case-{number}", scan, regions, AGES[number])
    return folder


@pytest.fixture(scope="module")
def cases(cohort):
    return find_build_cases(cohort)


@pytest.fixture(scope="module")
def built(cases, atlas):
    """Return an atlas of three cases."""
    options = BuildOptions(name="phantoms", iterations=1)
    return build_atlas(cases[1:], atlas, options, Progress(), register=affine_only)


@pytest.fixture(scope="module")
def validation(built, cases, atlas):
    return validate_atlases(
        {None: built.atlas}, cases[:1], atlas, Bootstrap(100), Progress(), affine_only
    )


def test_cases_are_found_with_their_ages(cases):
    assert [case.name for case in cases] == ["case-0", "case-1", "case-2", "case-3"]
    assert [case.age_years for case in cases] == list(AGES)
    assert [case.group for case in cases] == ["10-29", "50-69", "50-69", "50-69"]


def test_regions_of_an_unseen_case_are_found_by_the_built_atlas(validation):
    estimate = validation.estimate(None, AgeGroup.FROM_10)
    assert estimate.n == 1
    assert estimate.value > 0.8


def test_a_built_atlas_has_all_regions_in_their_places_and_is_symmetric(built):
    check_label_order(built.atlas.regions)
    labels = built.atlas.regions.array
    assert set(np.unique(labels)) == set(range(21))
    assert np.array_equal(swap_sides(labels[..., ::-1]), labels)
    image = built.atlas.template.array
    assert np.array_equal(image, image[..., ::-1])


def test_mirrored_cases_give_the_same_atlas(patients, atlas, tmp_path):
    for number, (scan, regions) in enumerate(patients[1:]):
        write_case(tmp_path / "straight" / f"{number}", scan, regions)
        exchanged = mirrored(scan), mirrored(regions, labels=True)
        write_case(tmp_path / "mirrored" / f"{number}", *exchanged)
    straight, exchanged = (
        build_atlas(
            find_build_cases(tmp_path / name), atlas, ONE, Progress(), register=affine_only
        ).atlas
        for name in ("straight", "mirrored")
    )
    assert np.array_equal(straight.template.array, exchanged.template.array)
    assert np.array_equal(straight.regions.array, exchanged.regions.array)


def test_a_stopped_build_goes_on_to_the_same_atlas(cases, atlas, tmp_path):
    options = BuildOptions(iterations=2)
    store = store_for(tmp_path / "work", cases[1:], options.record())
    calls = []

    def stopping(*arguments, **_):
        calls.append(1)
        if len(calls) == 5:
            raise CancelledError
        return affine_only(*arguments)

    with pytest.raises(CancelledError):
        build_atlas(cases[1:], atlas, options, Progress(), store, stopping)
    calls_before = len(calls)
    resumed = build_atlas(cases[1:], atlas, options, Progress(), store, stopping)
    whole = build_atlas(cases[1:], atlas, options, Progress(), register=affine_only)
    assert len(calls) - calls_before == 2
    assert np.array_equal(resumed.atlas.template.array, whole.atlas.template.array)
    assert np.array_equal(resumed.atlas.regions.array, whole.atlas.regions.array)


def test_only_the_last_iteration_registers_closely(cases, atlas):
    seen = []

    def watched(*arguments, closely):
        seen.append(closely)
        return affine_only(*arguments)

    build_atlas(cases[1:], atlas, BuildOptions(iterations=2), Progress(), register=watched)
    assert seen == [False] * 3 + [True] * 3


def test_other_options_keep_their_work_apart(cases, tmp_path):
    stores = [store_for(tmp_path, cases, BuildOptions(iterations=n).record()) for n in (1, 2)]
    stores[0].keep("x", {"a": np.ones(2)})
    assert stores[0].read("x")["a"].tolist() == [1.0, 1.0]
    assert stores[1].read("x") is None


def test_damaged_work_is_done_again(cases, tmp_path):
    store = store_for(tmp_path, cases, {})
    store.keep("x", {"a": np.ones(2)})
    next(tmp_path.rglob("x.npz")).write_bytes(b"damaged")
    assert store.read("x") is None


def test_a_case_that_cannot_be_used_is_left_out_and_told(cases, patients, atlas, tmp_path):
    scan, regions = patients[1]
    write_case(tmp_path / "bad", scan, mirrored(regions))
    bad = find_build_cases(tmp_path)
    found = build_atlas((*bad, *cases[1:]), atlas, ONE, Progress(), register=affine_only)
    assert found.cases == ("case-1", "case-2", "case-3")
    assert [(left.case, left.code) for left in found.left_out] == [("bad", ErrorCode.LABEL_ORDER)]


def test_too_few_cases_are_refused(cases, atlas):
    with pytest.raises(InputRefusedError, match="at least 3 cases to build from, got 2") as caught:
        build_atlas(cases[:2], atlas, ONE, Progress(), register=affine_only)
    assert caught.value.code is ErrorCode.COHORT_INVALID


def test_age_groups_with_enough_cases_are_built(cases):
    assert {group: len(members) for group, members in by_age_group(cases).items()} == {
        AgeGroup.FROM_50: 3
    }
    with pytest.raises(InputRefusedError, match="at least 3 cases of an age group"):
        by_age_group(cases[:2])


def test_labels_on_another_grid_are_refused(patients, atlas, tmp_path):
    scan, regions = patients[0]
    moved = Volume(regions.array, np.diag([1.0, 1.0, 1.1, 1.0]) @ regions.affine)
    write_case(tmp_path / "a", scan, moved)
    with pytest.raises(GeometryRefusedError, match="labels of a on the grid of its scan"):
        prepare_case(find_build_cases(tmp_path)[0], atlas)


def test_a_missing_region_is_refused(patients, atlas, tmp_path):
    scan, regions = patients[0]
    lacking = np.where(np.isin(regions.array, (3, 13)), 0, regions.array)
    write_case(tmp_path / "a", scan, regions.with_array(lacking))
    with pytest.raises(ContentRefusedError, match="right IC, left IC are missing") as caught:
        prepare_case(find_build_cases(tmp_path)[0], atlas)
    assert caught.value.code is ErrorCode.LABELS_INVALID


def test_cases_directly_in_their_folder_are_found(patients, tmp_path):
    scan, regions = patients[0]
    (tmp_path / "a").mkdir()
    write_image(scan, tmp_path / "a" / "image.nii.gz")
    write_image(regions, tmp_path / "a" / "regions.nii.gz")
    assert [(case.name, case.age_years) for case in find_build_cases(tmp_path)] == [("a", None)]


def test_folders_without_cases_are_refused(tmp_path):
    with pytest.raises(FileRefusedError, match="found none") as caught:
        find_build_cases(tmp_path)
    assert caught.value.code is ErrorCode.COHORT_INVALID
    with pytest.raises(FileRefusedError, match="no folder named nowhere"):
        find_build_cases(tmp_path / "nowhere")


def test_a_damaged_record_is_refused(patients, tmp_path):
    folder = write_case(tmp_path / "a", *patients[0])
    (folder / "truth.json").write_text("{", encoding="utf-8")
    with pytest.raises(FileRefusedError, match=r"a/truth.json"):
        find_build_cases(tmp_path)


def test_cases_are_not_built_from_and_validated_on(cases):
    check_names(cases[:2], cases[2:])
    with pytest.raises(ContentRefusedError, match="got 1 in both"):
        check_names(cases[:2], cases[1:])


@pytest.mark.parametrize("options", [{"iterations": 0}, {"name": ""}])
def test_options_that_cannot_be_are_a_usage_error(options):
    with pytest.raises(UsageError):
        BuildOptions(**options)


def test_the_files_say_what_was_built_and_measured(built, validation, tmp_path):
    pytest.importorskip("matplotlib")
    made = Built({None: built}, BuildOptions(name="phantoms", iterations=1), validation)
    assert write_build(made, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        *("card.json", "template.nii.gz", "brain.nii.gz", "regions.nii.gz", "build.json"),
        *("dice.csv", "atlas.png", "deformation.png"),
    }
    again = load_template_atlas(tmp_path)
    assert (again.name, again.age_groups) == ("phantoms", ())
    np.testing.assert_allclose(again.template.array, built.atlas.template.array, atol=1e-4)
    assert np.array_equal(again.regions.array, built.atlas.regions.array)
    record = json.loads((tmp_path / "build.json").read_text(encoding="utf-8"))
    assert record["atlases"]["all"]["cases"] == ["case-1", "case-2", "case-3"]
    assert [one["case"] for one in record["validation"]["cases"]] == ["case-0"]
    (row,) = csv.DictReader(io.StringIO(dice_csv(validation)))
    assert (row["atlas"], row["ages"], row["cases"]) == ("all", "10-29", "1")
    assert float(row["mean"]) == pytest.approx(
        record["validation"]["dice"][0]["mean"]["value"], abs=1e-3
    )
    assert any("entropy" in line for line in build_lines(made))


def test_age_groups_lie_side_by_side_in_one_folder(built, tmp_path):
    young = replace(built, atlas=replace(built.atlas, name="phantoms"))
    made = Built({AgeGroup.FROM_10: young, AgeGroup.FROM_50: built}, BuildOptions(), None)
    write_build(made, tmp_path)
    assert load_template_atlas(tmp_path, AgeGroup.FROM_50).name == "phantoms-50-69"
    with pytest.raises(ContentRefusedError, match="ages 70-89, got 10-29, 50-69") as caught:
        load_template_atlas(tmp_path, AgeGroup.FROM_70)
    assert caught.value.code is ErrorCode.METHOD_UNAVAILABLE
    assert build_record(made)["validation"] is None
