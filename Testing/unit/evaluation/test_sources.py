from __future__ import annotations

import json

import pytest
from result_phantoms import study_result

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.batch.cases import Case, with_folders
from ASPECTSLib.batch.folder import working_in, write_manifest
from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.evaluation.readings import Reader, Reading, consensus_of, score_of
from ASPECTSLib.evaluation.sources import REGION_COLUMNS, read_readers, read_results

LEFT_M1 = next(n for n, r in enumerate(REGIONS) if r.side.value == "left" and r.code.value == "M1")


@pytest.fixture
def table(tmp_path):
    def write(text, name="readers.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def calls(*affected):
    return tuple(n in affected for n in range(20))


def test_regions_may_stand_in_a_list(table):
    (reader,) = read_readers(table("case,affected\na,left M1; Left m4;right_IC\nb,none\n"))
    assert reader.name == "readers"
    a, b = reader.readings["a"], reader.readings["b"]
    assert a.affected[LEFT_M1]
    assert sum(a.affected) == 3
    assert (a.score, b.score, sum(b.affected)) == (8, 10, 0)


def test_regions_may_have_columns_of_their_own(table):
    header = ",".join(["case", "reader", *(c.upper() for c in REGION_COLUMNS)])
    row = ["0"] * 20
    row[LEFT_M1] = "yes"
    text = "\n".join([header, ",".join(["a", "anna", *row]), ",".join(["a", "bert", *[""] * 20])])
    anna, bert = read_readers(table(text))
    assert anna.readings["a"] == Reading(calls(LEFT_M1), 9)
    assert bert.readings["a"] == Reading()


def test_a_score_alone_is_a_reading(table):
    (reader,) = read_readers(table("case\tscore\tvolume_ml\na\t7\t12.5\nb\t\t\n", "r.tsv"))
    assert reader.readings == {"a": Reading(score=7, volume_ml=12.5), "b": Reading()}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("case,score\na,11\n", "a score of 0 to 10"),
        ("case,score\na,7.5\n", "a score of 0 to 10"),
        ("case,score\na,7\na,8\n", "has read a before"),
        ("case,score\n,7\n", "expected the name of a case"),
        ("case,score,affected\na,7,left M1\n", "the score is 7, but the regions give 9"),
        ("case,affected\na,left M7\n", "expected regions such as left M1"),
        ("case,score,volume_ml\na,7,-1\n", "expected a volume"),
        ("case,hello\na,7\n", "expected a column case"),
        ("name,score\na,7\n", "expected a column case"),
        ("case," + ",".join(REGION_COLUMNS) + "\na," + ",".join(["2"] * 20), "expected 1 or 0"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused_with_its_line(table, text, words):
    with pytest.raises(FileRefusedError) as refused:
        read_readers(table(text))
    assert refused.value.code is ErrorCode.COHORT_INVALID
    assert words in refused.value.message


def test_the_truth_of_synthetic_patients_is_a_reader(tmp_path):
    regions = [{"affected": n == LEFT_M1} for n in range(20)]
    truth = {"regions": regions, "aspects": {"score": 9}, "infarct": {"volume_ml": 4.5}}
    for name, content in (("case-1", truth), ("case-2", {**truth, "infarct": None})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "truth.json").write_text(json.dumps(content))
    (reader,) = read_readers(tmp_path)
    assert reader.readings["case-1"] == Reading(calls(LEFT_M1), 9, volume_ml=4.5)
    assert reader.readings["case-2"].volume_ml == 0.0
    (tmp_path / "case-2" / "truth.json").write_text("{}")
    with pytest.raises(FileRefusedError):
        read_readers(tmp_path)


def test_a_folder_without_truth_is_refused(tmp_path):
    with pytest.raises(FileRefusedError):
        read_readers(tmp_path)


def test_results_without_any_score_are_refused(tmp_path):
    cases = with_folders([Case("a")])
    with working_in(tmp_path):
        write_manifest(tmp_path, "", {}, cases)
        (tmp_path / "cases" / "a").mkdir()
        (tmp_path / "cases" / "a" / "result.json").write_text(
            study_result(abstained=True).to_json()
        )
    with pytest.raises(FileRefusedError) as refused:
        read_results(tmp_path)
    assert refused.value.code is ErrorCode.COHORT_INVALID


def test_a_folder_that_is_no_cohorts_is_refused(tmp_path):
    with pytest.raises(FileRefusedError) as refused:
        read_results(tmp_path)
    assert refused.value.code is ErrorCode.FILE_NOT_FOUND


def test_the_score_is_that_of_the_worse_side():
    assert score_of(calls(0, 1, 2, 10)) == 7
    assert score_of((*calls()[:-1], None)) is None
    assert score_of(()) is None


def test_most_readers_decide_and_a_split_decides_nothing():
    readers = [
        Reader(name, {"a": Reading(affected, score_of(affected))})
        for name, affected in (("x", calls(0, 1)), ("y", calls(0)), ("z", calls(5)))
    ]
    agreed = consensus_of(readers).readings["a"]
    assert agreed.affected == calls(0)
    assert agreed.score == 9
    split = consensus_of(readers[1:]).readings["a"]
    assert split.affected[0] is None
    assert split.affected[5] is None
    assert split.score == 9  # both gave it, for different regions
    scores = consensus_of(
        [Reader("x", {"a": Reading(score=7)}), Reader("y", {"a": Reading(score=8)})]
    )
    assert scores.readings["a"].score is None
