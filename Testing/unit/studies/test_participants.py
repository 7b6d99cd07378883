from __future__ import annotations

import pytest

from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.studies.participants import Participant, read_participants

HEADER = "participant_id\tage\tnihss\tgs_rankin_6isdeath\n"


@pytest.fixture
def read(tmp_path):
    def read_text(text, encoding="utf-8"):
        path = tmp_path / "participants.tsv"
        path.write_bytes(text.encode(encoding))
        return read_participants(path)

    return read_text


def test_known_and_unknown_values_are_read(read):
    table = read(HEADER + "sub-1\t89+\t17.0\t6.0\nsub-2\t60\tn/a\t\nsub-3\tn/a\t0\tN/A\n")
    assert table == {
        "sub-1": Participant(17, 6),
        "sub-2": Participant(None, None),
        "sub-3": Participant(0, None),
    }


def test_the_order_of_columns_and_the_kind_of_line_ends_do_not_matter(read):
    assert read("nihss\tparticipant_id\r\n3\tsub-1\r\n") == {"sub-1": Participant(3, None)}
    marked = "\ufeff" + HEADER + "sub-1\t1\t2\t3\n"
    assert read(marked) == {"sub-1": Participant(2, 3)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("participant_id,nihss\nsub-1,2\n", "expected the tab-separated columns participant_id"),
        ("participant_id\tage\nsub-1\t2\n", "found no nihss"),
        (HEADER, "expected a row for each participant, got none"),
        (HEADER + "sub-1\t1\t43\t3\n", "whole number of 0 to 42 or n/a as nihss in line 2"),
        (HEADER + "sub-1\t1\t4.5\t3\n", "got '4.5'"),
        (HEADER + "sub-1\t1\tmild\t3\n", "got 'mild'"),
        (HEADER + "sub-1\t1\tnan\t3\n", "got 'nan'"),
        (HEADER + "sub-1\t1\t4\t7\n", "0 to 6 or n/a as gs_rankin_6isdeath in line 2, got '7'"),
        (HEADER + "sub-1\t1\t4\t1\nsub-1\t1\t4\t1\n", "line 3, got one that stands there before"),
        (HEADER + "\t1\t4\t1\n", "line 2, got none"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_line(read, text, words):
    with pytest.raises(FileRefusedError, match=words) as caught:
        read(text)
    assert "participants.tsv" in caught.value.message
    assert "sub-1" not in caught.value.message


def test_a_file_that_is_no_text_is_refused(read):
    with pytest.raises(FileRefusedError, match="UTF-8") as caught:
        read(HEADER + "sub-\u00e9\t1\t2\t3\n", "latin-1")
    assert caught.value.code is ErrorCode.FILE_UNREADABLE


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(FileRefusedError) as caught:
        read_participants(tmp_path / "participants.tsv")
    assert caught.value.code is ErrorCode.FILE_NOT_FOUND


def test_short_rows_are_unknown(read):
    assert read(HEADER + "sub-1\t60\n") == {"sub-1": Participant(None, None)}
