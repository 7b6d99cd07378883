from __future__ import annotations

import pytest

from ASPECTSLib.batch.case_folders import find_cases
from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.io.modality import Modality


@pytest.fixture
def folder(tmp_path):
    """Make empty files by their paths; a path that ends in / is a folder."""

    def make(*paths):
        for path in paths:
            place = tmp_path / "cohort" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.mkdir() if path.endswith("/") else place.write_bytes(b"x")
        return tmp_path / "cohort"

    return make


def scans_of(case, root):
    return {kind: path.relative_to(root).as_posix() for kind, path in case.scans.items()}


def test_folders_as_synthesize_writes_them(folder):
    root = folder(
        "case-0001/ncct/image.nii.gz",
        "case-0001/ncct/regions.nii.gz",
        "case-0001/truth.json",
        "case-0002/dwi/image.nii.gz",
        "case-0002/dwi/adc.nii.gz",
        "case-0002/dwi/infarct.nii.gz",
        "cohort.json",
        "montage.png",
    )
    first, second = find_cases(root)
    assert scans_of(first, root) == {Modality.NCCT: "case-0001/ncct/image.nii.gz"}
    assert scans_of(second, root) == {
        Modality.DWI: "case-0002/dwi/image.nii.gz",
        Modality.ADC: "case-0002/dwi/adc.nii.gz",
    }


def test_folders_as_bids_has_them_with_sessions_as_cases(folder):
    root = folder(
        "sub-01/ses-1/dwi/sub-01_ses-1_dwi.nii.gz",
        "sub-01/ses-1/dwi/sub-01_ses-1_adc.nii.gz",
        "sub-01/ses-1/dwi/sub-01_ses-1_dwi.bval",
        "sub-01/ses-2/ct/sub-01_ses-2_ct.nii.gz",
        "sub-02/ct/sub-02_ncct.nii",
        "sub-02/ct/sub-02_ncct_mask.nii",
    )
    names = {case.name: scans_of(case, root) for case in find_cases(root)}
    assert names == {
        "sub-01_ses-1": {
            Modality.DWI: "sub-01/ses-1/dwi/sub-01_ses-1_dwi.nii.gz",
            Modality.ADC: "sub-01/ses-1/dwi/sub-01_ses-1_adc.nii.gz",
        },
        "sub-01_ses-2": {Modality.NCCT: "sub-01/ses-2/ct/sub-01_ses-2_ct.nii.gz"},
        "sub-02": {Modality.NCCT: "sub-02/ct/sub-02_ncct.nii"},
    }


def test_a_folder_of_dicom_studies_and_loose_images(folder):
    root = folder("study b/series/1.dcm", "study b/series/2", "a.nii.gz", "c.nrrd", ".hidden/1.dcm")
    cases = find_cases(root)
    assert [(case.name, scans_of(case, root)) for case in cases] == [
        ("a", {None: "a.nii.gz"}),
        ("c", {None: "c.nrrd"}),
        ("study b", {None: "study b"}),
    ]


def test_one_image_of_any_name_is_the_scan(folder):
    root = folder("anna/head.nii.gz")
    (case,) = find_cases(root)
    assert scans_of(case, root) == {None: "anna/head.nii.gz"}


def test_an_empty_folder_and_one_of_several_images_are_cases_that_are_refused(folder):
    root = folder("a/", "b/one.nii.gz", "b/two.nii.gz", "c/x_dwi.nii.gz", "c/y_dwi.nii.gz")
    codes = {case.name: case.refusal.code for case in find_cases(root)}
    assert codes == {
        "a": ErrorCode.NO_IMAGES,
        "b": ErrorCode.SERIES_AMBIGUOUS,
        "c": ErrorCode.SERIES_AMBIGUOUS,
    }


def test_cases_stand_in_the_order_of_their_numbers(folder):
    root = folder("case-10/x.nii", "case-9/x.nii", "case-1/x.nii", "Case-2/x.nii")
    assert [case.name for case in find_cases(root)] == ["case-1", "Case-2", "case-9", "case-10"]


def test_a_table_is_a_cohort_too(folder):
    root = folder("a.nii.gz")
    (root / "cohort.csv").write_text("case,scan\nanna,a.nii.gz\n")
    (case,) = find_cases(root / "cohort.csv")
    assert (case.name, case.folder, scans_of(case, root)) == ("anna", "anna", {None: "a.nii.gz"})


def test_what_is_not_there_or_has_no_cases_is_refused(tmp_path):
    for path, code in (
        (tmp_path / "none", ErrorCode.FILE_NOT_FOUND),
        (tmp_path, ErrorCode.COHORT_INVALID),
    ):
        with pytest.raises(FileRefusedError) as refused:
            find_cases(path)
        assert refused.value.code is code
