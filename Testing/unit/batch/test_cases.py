from __future__ import annotations

from pathlib import Path

import pytest

from ASPECTSLib.batch.cases import Case, Refusal, with_folders
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.io.modality import Modality


def test_a_plain_name_is_the_folders_name():
    (case,) = with_folders([Case("sub-01_ses.2")])
    assert case.folder == "sub-01_ses.2"


@pytest.mark.parametrize(
    "name", ["../../etc", "Müller, Anna", "a/b", ".hidden", "x" * 200, "", "a."]
)
def test_a_name_that_is_no_file_name_gets_a_safe_folder_of_its_own(name):
    first, second = with_folders([Case(name), Case(name + "?")])
    for case in (first, second):
        assert Path(case.folder).name == case.folder
        assert not case.folder.startswith(".")
        assert 0 < len(case.folder) < 80
    assert first.folder != second.folder
    assert (first.name, second.refusal) == (name, None)


def test_the_second_case_of_a_name_is_refused_whatever_its_letters_case():
    first, other, again, third = with_folders(map(Case, ("anna", "berta", "Anna", "anna")))
    assert first.refusal is other.refusal is None
    assert again.refusal.code == third.refusal.code == ErrorCode.CASE_DUPLICATE
    assert "cases 1 and 3" in again.refusal.message
    folders = {case.folder.casefold() for case in (first, other, again, third)}
    assert len(folders) == 4


def test_a_case_that_cannot_be_read_keeps_its_own_reason():
    refusal = Refusal("COHORT_INVALID", "line 3: nothing")
    _, again = with_folders([Case("anna"), Case("anna", refusal=refusal)])
    assert again.refusal is refusal


def test_a_case_goes_to_another_process_and_back():
    scans = {Modality.DWI: Path("/data/dwi.nii.gz"), Modality.ADC: Path("/data/adc.nii.gz")}
    case = Case("anna", scans, 71.5, "3", "anna-2")
    assert Case.from_dict(case.to_dict()) == case
    bare = Case("berta", {None: Path("/data/scan")}, folder="berta")
    assert Case.from_dict(bare.to_dict()) == bare


def test_scans_are_given_as_one_or_by_kind():
    assert Case("a", {None: Path("scan")}).given().scan == Path("scan")
    assert Case("a", {Modality.NCCT: Path("ct")}).given().by_kind == {Modality.NCCT: Path("ct")}
    with pytest.raises(UsageError):
        Case("a").given()
