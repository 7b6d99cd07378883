from __future__ import annotations

import json

import numpy as np
import pytest
from cohort_phantoms import labelled_images, write_labelled_scan

from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.errors import CancelledError, ErrorCode, ExitCode, InputRefusedError, UsageError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import write_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.progress import Progress
from ASPECTSLib.training.cohort import read_cohort
from ASPECTSLib.training.cohort_scan import LabelledScan, read_labelled
from ASPECTSLib.training.sources import NOT_STATED, atlas_sources

FILES = frozenset(f"{name}.nii.gz" for name in ("image", "regions", "brain", "infarct"))


@pytest.fixture
def cohort(tmp_path):
    """Return a cohort of two cases."""
    folder = tmp_path / "cohort"
    for case in ("one", "two"):
        write_labelled_scan(folder, case)
    return folder


def refusal(folder):
    with pytest.raises(InputRefusedError) as refused:
        read_cohort(folder)
    assert refused.value.code is ErrorCode.COHORT_INVALID
    assert refused.value.exit_code is ExitCode.REFUSED
    return refused.value.message


def changed(folder, name, change):
    """Replace a file by what a function makes of it."""
    write_image(change(labelled_images()[name]), folder / name)


def with_array(function):
    return lambda volume: volume.with_array(function(volume.array))


def moved(volume):
    affine = volume.affine.copy()
    affine[1, 3] += 2.0
    return Volume(volume.array, affine)


def cut(volume):
    return Volume(volume.array[1:], volume.affine)


def one_side(array):
    return np.where(array > 10, array, 0).astype(np.uint8)


def at_the_corner(array):
    moved_array = np.zeros_like(array)
    moved_array[:5, :5, :5] = 1
    return moved_array


def marked(array, value):
    changed_array = array.copy()
    changed_array[0, 0, 0] = value
    return changed_array


def test_a_cohort_is_found_by_case_and_modality(cohort):
    write_labelled_scan(cohort, "one", "dwi")
    found = read_cohort(cohort)
    assert [(s.case, s.modality) for s in found.scans] == [
        ("one", Modality.DWI),
        ("one", Modality.NCCT),
        ("two", Modality.NCCT),
    ]
    assert found.cases == ("one", "two")
    assert not found.synthetic
    assert [(s.name, s.licence) for s in found.sources] == [("cohort", NOT_STATED)]
    assert found.split is None


def test_files_of_other_programs_and_hidden_folders_are_left_aside(cohort):
    (cohort / ".git").mkdir()
    (cohort / "readme.txt").write_text("x", encoding="utf-8")
    (cohort / "one" / "truth.json").write_text("{}", encoding="utf-8")
    (cohort / "one" / "ncct" / "notes.txt").write_text("x", encoding="utf-8")
    assert len(read_cohort(cohort).scans) == 2


def test_every_order_of_axes_gives_the_same_volumes(tmp_path):
    scans = [
        LabelledScan(
            "one", Modality.NCCT, write_labelled_scan(tmp_path, order, order=order), files=FILES
        )
        for order in ("", "flipped")
    ]
    straight, flipped = map(read_labelled, scans)
    for name in ("image", "regions", "brain", "infarct"):
        one, other = getattr(straight, name), getattr(flipped, name)
        np.testing.assert_array_equal(one.array, other.array)
        np.testing.assert_array_equal(one.affine, other.affine)


def test_ct_with_an_offset_is_brought_to_hounsfield_units(cohort):
    folder = cohort / "one" / "ncct"
    changed(folder, "image.nii.gz", with_array(lambda a: (a + 1024).astype(np.int16)))
    scans = read_cohort(cohort).scans
    one, two = (read_labelled(scan).image.array for scan in scans)
    np.testing.assert_array_equal(one, np.maximum(two, -1024))


def test_a_scan_that_reaches_fewer_regions_is_taken(cohort):
    lower = with_array(lambda a: np.where(np.isin(a, (8, 9, 10, 18, 19, 20)), 0, a))
    changed(cohort / "one" / "ncct", "regions.nii.gz", lower)
    assert len(read_cohort(cohort).scans) == 2


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("regions", with_array(lambda a: marked(a, 21)), "labels 0 to 20, got 21"),
        (
            "regions",
            with_array(lambda a: marked(a.astype(np.float32), 0.5)),
            "labels 0 to 20, got 0.5",
        ),
        ("regions", with_array(np.zeros_like), "got a map of background only"),
        ("regions", with_array(one_side), "both sides, got none of the right side"),
        ("regions", with_array(swap_sides), "labels 1 to 10 on the patient's right"),
        ("regions", moved, "whose corners lie 2.0 mm from there"),
        ("regions", cut, "a grid of (33, 41, 33) voxels as in image.nii.gz, got (33, 41, 32)"),
        ("brain", moved, "whose corners lie 2.0 mm"),
        ("brain", with_array(lambda a: marked(a, 7)), "a mask of 0 and one other value"),
        ("brain", with_array(lambda a: 1 - a), "brain that holds the regions, got one that holds"),
        ("brain", with_array(np.zeros_like), "expected a brain, got an empty mask"),
        (
            "infarct",
            with_array(at_the_corner),
            "an infarct of the brain, got a mask of which 0% lies in it",
        ),
        ("infarct", with_array(lambda a: marked(a, 7)), "a mask of 0 and one other value"),
        ("infarct", cut, "got (33, 41, 32)"),
        ("image", with_array(np.zeros_like), "expected a head CT in Hounsfield units"),
    ],
)
def test_files_that_do_not_fit_are_refused_with_case_and_file(cohort, name, change, words):
    file = f"{name}.nii.gz"
    changed(cohort / "two" / "ncct", file, change)
    message = refusal(cohort)
    assert message.startswith(f"case two, ncct, {file}: ")
    assert words in message


@pytest.mark.parametrize("name", ["brain.nii.gz", "infarct.nii.gz", "regions.nii.gz"])
def test_one_kind_of_labels_is_enough(cohort, name):
    (cohort / "two" / "ncct" / name).unlink()
    found = read_cohort(cohort).scans[1]
    assert found.files == FILES - {name}
    assert getattr(read_labelled(found), name.split(".")[0]) is None


def test_a_missing_image_is_refused(cohort):
    (cohort / "two" / "ncct" / "image.nii.gz").unlink()
    assert refusal(cohort) == "case two, ncct: expected a file image.nii.gz, found none"


def test_a_scan_without_labels_is_refused(cohort):
    for name in ("regions", "infarct"):
        (cohort / "two" / "ncct" / f"{name}.nii.gz").unlink()
    expected = "expected a file regions.nii.gz or infarct.nii.gz, found neither"
    assert refusal(cohort) == f"case two, ncct: {expected}"


def test_a_file_that_is_no_image_is_refused(cohort):
    (cohort / "two" / "ncct" / "image.nii.gz").write_bytes(b"nothing")
    assert refusal(cohort).startswith("case two, ncct, image.nii.gz: expected an image")


def test_an_empty_diffusion_image_is_refused(cohort):
    folder = write_labelled_scan(cohort, "two", "dwi")
    changed(folder, "image.nii.gz", with_array(np.zeros_like))
    assert "case two, dwi, image.nii.gz: expected a head, got no voxel above 0" in refusal(cohort)


def test_a_folder_of_another_modality_is_refused(cohort):
    (cohort / "two" / "t1").mkdir()
    assert refusal(cohort).endswith("expected folders named ncct, cta, dwi, cbf, adc, b0, got t1")


def test_a_case_without_scans_is_refused(cohort):
    (cohort / "three").mkdir()
    assert refusal(cohort).startswith("case three: expected a folder named ncct")


def test_no_case_at_all_is_refused(tmp_path):
    assert refusal(tmp_path).startswith("expected a folder for each case")
    assert refusal(tmp_path / "none").endswith("got no folder named none")


def test_checking_can_be_cancelled(cohort):
    with pytest.raises(CancelledError):
        read_cohort(cohort, Progress(is_cancelled=lambda: True))


def test_a_split_is_read(cohort):
    split = {"training": ["one"], "validation": ["two"]}
    (cohort / "split.json").write_text(json.dumps(split), encoding="utf-8")
    assert read_cohort(cohort).split == {"training": ("one",), "validation": ("two",), "test": ()}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "expected a JSON object in split.json"),
        ("[]", "expected a JSON object in split.json"),
        ('{"training": []}', "lists of cases named training, validation, test"),
        ('{"training": "one"}', "lists of cases"),
        ('{"training": ["one"], "other": ["two"]}', "lists of cases"),
        ('{"training": ["one"], "validation": ["one"]}', "got one more than once"),
        ('{"training": ["one"], "validation": ["three"]}', "got three, which is not one"),
    ],
)
def test_a_split_that_cannot_be_used_is_refused(cohort, content, words):
    (cohort / "split.json").write_text(content, encoding="utf-8")
    assert words in refusal(cohort)


def test_a_synthetic_cohort_says_so_and_what_it_is_made_from(cohort):
    made_from = [{"name": "heads", "licence": "CC0-1.0"}]
    record = {"synthetic": True, "made_from": made_from}
    (cohort / "cohort.json").write_text(json.dumps(record), encoding="utf-8")
    found = read_cohort(cohort)
    assert found.synthetic
    assert [(s.name, s.licence, s.doi) for s in found.sources] == [("heads", "CC0-1.0", None)]


def test_the_source_of_a_cohort_is_told_by_its_file(cohort):
    source = {"name": "our hospital", "licence": "internal", "doi": "10.1000/x"}
    (cohort / "source.json").write_text(json.dumps(source), encoding="utf-8")
    assert vars(read_cohort(cohort).sources[0]) == source


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"name": "x"}', '{"name": "x", "licence": ""}', '{"licence": 1}']
)
def test_a_source_without_name_and_licence_is_refused(cohort, content):
    (cohort / "source.json").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="expected name, licence and perhaps doi") as refused:
        read_cohort(cohort)
    assert refused.value.code is ErrorCode.COHORT_INVALID


def test_the_sources_of_the_atlas_have_licences():
    sources = atlas_sources()
    assert len(sources) >= 2
    assert all(source.licence and source.doi for source in sources)
