from __future__ import annotations

import pytest

from ASPECTSLib.batch.case_table import read_case_table
from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.io.modality import Modality


@pytest.fixture
def table(tmp_path):
    def write(text, name="cohort.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_scans_are_found_from_the_tables_own_folder(table, tmp_path):
    path = table("case,scan,age\nanna,ct/anna.nii.gz,71\nberta,/data/berta,\n")
    anna, berta = read_case_table(path)
    assert anna.scans == {None: tmp_path / "ct" / "anna.nii.gz"}
    assert anna.age_years == 71.0
    assert str(berta.scans[None]) == "/data/berta"
    assert berta.age_years is None


def test_scans_may_have_columns_of_their_kind_as_bids_tables_do(table, tmp_path):
    path = table(
        "participant_id\tSex\tDWI\tadc\nsub-01\tF\td.nii\ta.nii\nsub-02\tM\tx.nii\tn/a\n",
        "cohort.tsv",
    )
    first, second = read_case_table(path)
    assert first.scans == {Modality.DWI: tmp_path / "d.nii", Modality.ADC: tmp_path / "a.nii"}
    assert second.scans == {Modality.DWI: tmp_path / "x.nii"}
    assert first.refusal is second.refusal is None


def test_empty_lines_and_a_byte_order_mark_do_no_harm(table):
    cases = read_case_table(table("\ufeffid,scan\n\na,x.nii\n,\n , \nb,y.nii\n"))
    assert [case.name for case in cases] == ["a", "b"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (",x.nii,,", "expected a name"),
        ("a,,,", "expected the path of a scan"),
        ("a,x.nii,y.nii,", "got both"),
        ("a,x.nii,,old", "expected an age"),
        ("a,x.nii,,-3", "expected an age"),
        ("a,x.nii,,nan", "expected an age"),
    ],
)
def test_a_row_that_cannot_be_used_costs_its_case_only(table, row, words):
    bad, good = read_case_table(table(f"case,scan,ncct,age\n{row}\nb,z.nii,,50\n"))
    assert bad.refusal.code == ErrorCode.COHORT_INVALID
    assert words in bad.refusal.message
    assert "line 2" in bad.refusal.message
    assert good.refusal is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", ErrorCode.FILE_EMPTY),
        ("case,scan\n", ErrorCode.COHORT_INVALID),
        ("name,scan\na,x.nii\n", ErrorCode.COHORT_INVALID),
        ("case,path\na,x.nii\n", ErrorCode.COHORT_INVALID),
    ],
)
def test_what_is_no_table_of_cases_is_refused(table, text, code):
    with pytest.raises(FileRefusedError) as refused:
        read_case_table(table(text))
    assert refused.value.code is code


def test_a_table_in_another_encoding_is_refused(table):
    with pytest.raises(FileRefusedError) as refused:
        read_case_table(table("case,scan\nmüller,x.nii\n", encoding="latin-1"))
    assert refused.value.code is ErrorCode.FILE_UNREADABLE


def test_a_row_with_too_many_cells_is_read_by_its_columns(table):
    (case,) = read_case_table(table("case,scan\na,x.nii,more,and more\n"))
    assert case.refusal is None
