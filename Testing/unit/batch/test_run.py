"""A cohort from beginning to end, with quick workers, some of which end in the midst of their work."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ASPECTSLib.batch.cases import Case, Refusal
from ASPECTSLib.batch.folder import working_in
from ASPECTSLib.batch.records import Status, folder_of, write_refusal
from ASPECTSLib.batch.run import BatchCancelledError, BatchOptions, score_cohort
from ASPECTSLib.errors import ErrorCode, ExitCode, ResourceError, UsageError
from ASPECTSLib.progress import Progress
from ASPECTSLib.systems.study import ScoreOptions

ROOT = Path(__file__).parents[3]
WAIT_S = 60.0


@pytest.fixture
def score(quick_python, tmp_path):
    """Score cases with quick workers into the same folder again and again."""

    def run(cases, progress=None, options=None, **batch):
        batch = BatchOptions(**{"workers": 2, "python": quick_python, **batch})
        return score_cohort(cases, tmp_path / "out", options, batch, progress)

    return run


def rows_of(folder, name="cases.csv"):
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_case_has_a_line_whatever_comes_of_it(score, cohort):
    cases = cohort("score-7", "knee", "abstained", "broken", "killed", "score-10")
    scored = score(
        (
            *cases,
            Case("0-score-7", {None: Path("x")}),
            Case("empty", refusal=Refusal("NO_IMAGES", "none")),
        )
    )
    rows = rows_of(scored.folder)
    assert [(row["case"], row["status"], row["code"], row["score"]) for row in rows] == [
        ("0-score-7", "scored", "", "7"),
        ("1-knee", "refused", "NO_BRAIN", ""),
        ("2-abstained", "abstained", "", ""),
        ("3-broken", "refused", "INTERNAL_ERROR", ""),
        ("4-killed", "refused", "WORKER_LOST", ""),
        ("5-score-10", "scored", "", "10"),
        ("0-score-7", "refused", "CASE_DUPLICATE", ""),
        ("empty", "refused", "NO_IMAGES", ""),
    ]
    assert scored.counts == {Status.SCORED: 2, Status.ABSTAINED: 1, Status.REFUSED: 5}
    assert scored.refusals["CASE_DUPLICATE"] == 1
    assert len(rows_of(scored.folder, "regions.csv")) == 3 * 20


def test_an_error_that_nobody_thought_of_is_told_without_its_words(score, cohort):
    (record,) = score(cohort("broken")).records
    assert "KeyError in quick_worker.py" in record.refusal.message
    assert "name" not in record.refusal.message


def test_a_worker_that_is_killed_once_costs_no_case(score, cohort):
    scored = score(cohort("once-3", "score-4"))
    assert [record.result.aspects.score for record in scored.records] == [3, 4]


def test_what_stops_every_case_stops_the_run_and_is_no_cases_fault(score, cohort):
    with pytest.raises(ResourceError) as stopped:
        score(cohort("score-1", "full", "score-2"), workers=1)
    assert stopped.value.code is ErrorCode.OUTPUT_NOT_WRITABLE


def test_a_cohort_goes_on_where_it_was_stopped(score, cohort, tmp_path):
    cases = cohort("score-1", "full", "score-2")
    with pytest.raises(ResourceError):
        score(cases, workers=1)
    assert [row["case"] for row in rows_of(tmp_path / "out")] == ["0-score-1"]
    first = folder_of(Case("", folder="0-score-1"), tmp_path / "out") / "result.json"
    written = first.stat().st_mtime_ns
    mended = (cases[0], Case(cases[1].name, {None: Path("score-5.nii")}), cases[2])
    scored = score(mended, resume=True)
    assert [record.result.aspects.score for record in scored.records] == [1, 5, 2]
    assert first.stat().st_mtime_ns == written


def test_refused_cases_are_tried_again_on_request_only(score, cohort):
    (case,) = cohort("knee")
    score((case,))
    mended = Case(case.name, {None: Path("score-8.nii")})
    (again,) = score((mended,), resume=True).records
    assert again.status is Status.REFUSED
    (tried,) = score((mended,), resume=True, retry=True).records
    assert tried.result.aspects.score == 8


def test_a_folder_is_not_gone_on_with_unless_it_is_said(score, cohort):
    score(cohort("score-1"))
    with pytest.raises(UsageError) as refused:
        score(cohort("score-1"))
    assert refused.value.code is ErrorCode.OUTPUT_EXISTS
    assert "--resume" in refused.value.message


def test_results_of_other_options_are_not_mixed(score, cohort):
    score(cohort("score-1"))
    with pytest.raises(UsageError) as refused:
        score(cohort("score-1"), resume=True, options=ScoreOptions(affected_fraction=0.2))
    assert "affected_fraction 0.1, not 0.2" in refused.value.message


def test_a_folder_of_something_else_is_not_gone_on_with(score, cohort, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError):
        score(cohort("score-1"), resume=True)


def test_two_runs_do_not_work_in_one_folder(score, cohort, tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from ASPECTSLib.batch.folder import working_in\n"
        "with working_in(Path(sys.argv[1])):\n print('in', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "out")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline().strip() == "in"
        with pytest.raises(UsageError) as refused:
            score(cohort("score-1"))
        other.stdin.close()
    assert refused.value.code is ErrorCode.FOLDER_IN_USE
    with working_in(tmp_path / "out"):
        pass


def test_what_a_killed_run_left_goes_with_the_next_one(score, cohort, tmp_path):
    left = tmp_path / "out" / "cases" / ".aspects-left"
    score(cohort("score-1"))
    left.mkdir()
    score(cohort("score-1"), resume=True)
    assert not left.exists()


def test_a_damaged_result_costs_its_case_and_can_be_made_again(score, cohort, tmp_path):
    score(cohort("score-1", "score-2"))
    (tmp_path / "out" / "cases" / "0-score-1" / "result.json").write_text("{")
    damaged, whole = score(cohort("score-1", "score-2"), resume=True).records
    assert damaged.refusal.code == ErrorCode.FILE_UNREADABLE
    assert whole.result.aspects.score == 2
    mended, _ = score(cohort("score-1", "score-2"), resume=True, retry=True).records
    assert mended.result.aspects.score == 1


def test_cancelling_ends_the_workers_at_once_and_keeps_what_is_finished(score, cohort, tmp_path):
    told = []

    def cancelled():
        return any("1 of 2" in words for words, _ in told)

    progress = Progress(lambda *words: told.append(words), cancelled)
    started_s = time.monotonic()
    with pytest.raises(BatchCancelledError) as stopped:
        score(cohort("score-1", "slow"), progress, workers=1)
    assert time.monotonic() - started_s < 20.0
    assert "--resume" in stopped.value.message
    assert stopped.value.exit_code is ExitCode.CANCELLED
    assert [row["case"] for row in rows_of(tmp_path / "out")] == ["0-score-1"]


def test_progress_tells_how_many_are_done_and_how_long_the_rest_takes(score, cohort):
    told = []
    score(cohort("score-1", "score-2", "score-3"), Progress(lambda *words: told.append(words)))
    words = [one for one, _ in told]
    assert words[0] == "0 of 3 cases"
    assert words[1].startswith("1 of 3 cases, about ")
    assert words[-2:] == ["3 of 3 cases", "done"]
    assert [fraction for _, fraction in told] == sorted(fraction for _, fraction in told)


def test_workers_that_do_not_start_are_told_of(score, cohort, tmp_path):
    for python in ("/bin/false", str(tmp_path / "nothing")):
        with pytest.raises(ResourceError) as refused:
            score(cohort("score-1"), python=python, resume=True)
        assert refused.value.code is ErrorCode.WORKER_LOST


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"workers": -1}, {"threads": 0}])
def test_there_is_a_worker_and_a_thread_at_least(wrong):
    with pytest.raises(UsageError):
        BatchOptions(**wrong)


def test_results_are_the_same_for_any_number_of_workers(cohort, quick_python, tmp_path):
    cases = cohort(*(f"score-{n % 11}" for n in range(12)))
    tables = []
    for workers in (1, 3):
        out = tmp_path / f"out{workers}"
        score_cohort(cases, out, batch=BatchOptions(workers=workers, python=quick_python))
        tables.append((out / "cases.csv").read_text() + (out / "regions.csv").read_text())
    assert tables[0] == tables[1]


def test_a_run_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path, quick_python):
    names = [f"score-{n % 11}" for n in range(30)]
    table = tmp_path / "cohort.csv"
    lines = [f"case-{n},{name}.nii.gz" for n, name in enumerate(names)]
    table.write_text("\n".join(["case,scan", *lines, "case-3,score-1.nii.gz", "bad,knee.nii.gz"]))
    program = (
        "import sys; from ASPECTSLib.batch.run import *\n"
        "score_cohort(sys.argv[1], sys.argv[2], batch=BatchOptions(workers=2, python=sys.argv[3], resume=True))"
    )
    command = [sys.executable, "-c", program, str(table), str(tmp_path / "out"), quick_python]
    cases = tmp_path / "out" / "cases"
    for wanted in (4, 11, 19):
        with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as run:
            until = time.monotonic() + WAIT_S
            while len(list(cases.glob("[!.]*"))) < wanted and time.monotonic() < until:
                time.sleep(0.005)
            os.killpg(run.pid, signal.SIGKILL)
    subprocess.run(command, cwd=ROOT, check=True)
    rows = rows_of(tmp_path / "out")
    assert [row["score"] for row in rows[:30]] == [str(n % 11) for n in range(30)]
    assert [row["code"] for row in rows[30:]] == ["CASE_DUPLICATE", "NO_BRAIN"]
    assert len(list(cases.iterdir())) == 32


def test_the_workers_end_when_the_program_that_started_them_is_killed(tmp_path, quick_python):
    program = (
        "import sys; from pathlib import Path; from ASPECTSLib.batch.run import *\n"
        "from ASPECTSLib.batch.cases import Case\n"
        "cases = [Case('a', {None: Path('slow.nii')})]\n"
        "score_cohort(cases, sys.argv[1], batch=BatchOptions(workers=1, python=sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "out"), quick_python]
    with subprocess.Popen(command, cwd=ROOT) as run:
        time.sleep(0.2)
        worker = _wait_for_child(run.pid)
        run.kill()
    until = time.monotonic() + WAIT_S
    while Path(f"/proc/{worker}/cmdline").exists() and time.monotonic() < until:
        if "State:\tZ" in Path(f"/proc/{worker}/status").read_text():
            break
        time.sleep(0.05)
    assert time.monotonic() < until


def _wait_for_child(pid):
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            children = task.read_text().split()
            if children:
                return int(children[0])
        time.sleep(0.05)
    pytest.fail("no worker was started")


def test_a_case_that_was_finished_meanwhile_is_left_as_it_is(score, cohort, tmp_path):
    (case,) = cohort("score-3")
    placed = Case(case.name, case.scans, folder=case.name)
    with working_in(tmp_path / "out"):
        write_refusal(placed, Refusal("NO_BRAIN", "none"), tmp_path / "out")
    (tmp_path / "out" / "cohort.json").write_text(
        json.dumps({"version": "0.1.0", "options": {}, "cases": []})
    )
    with pytest.raises(UsageError):  # made with no options that are known
        score((case,), resume=True)


def test_threads_end_with_the_run(score, cohort):
    before = threading.active_count()
    score(cohort("score-1", "score-2"))
    assert threading.active_count() == before
