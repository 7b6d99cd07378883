"""Worker and task in this process; the scoring is that of `quick_worker`."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path

import pytest
import quick_worker

from ASPECTSLib.batch import task as task_module
from ASPECTSLib.batch.cases import Case
from ASPECTSLib.batch.records import Status, read_record
from ASPECTSLib.batch.task import Task, do_task
from ASPECTSLib.batch.worker import work
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.systems.study import ScoreOptions


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(task_module, "score_to_folder", quick_worker.quick_score)
    monkeypatch.setattr(task_module, "read_given", quick_worker.quick_read)


@pytest.fixture
def task_of(tmp_path):
    def make(name, **options):
        case = Case(name, {None: Path(f"{name}.nii.gz")}, folder=name)
        return Task(case, tmp_path, ScoreOptions(**options), picture=False)

    return make


def lines_of(*tasks):
    return io.StringIO("".join(json.dumps(task.to_dict()) + "\n" for task in tasks))


def answers_to(tasks):
    answers = io.StringIO()
    work(tasks, answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_a_task_goes_to_another_process_and_back(task_of):
    task = task_of("a", method="classical", regions=RegionSource.REGISTRATION, mirroring=True)
    assert Task.from_dict(json.loads(json.dumps(task.to_dict()))) == task


def test_each_task_is_answered_when_its_folder_is_there(task_of, tmp_path):
    tasks = [task_of(name) for name in ("score-7", "knee", "broken", "abstained")]
    held = _HeldOpen(lines_of(*tasks), answers=5)
    work(held, held.answers)
    words = [json.loads(line)["answer"] for line in held.answers.getvalue().splitlines()]
    assert words == ["ready", "done", "done", "done", "done"]
    found = [read_record(task.case, tmp_path).status for task in tasks]
    assert found == [Status.SCORED, Status.REFUSED, Status.REFUSED, Status.ABSTAINED]


def test_what_stops_every_case_is_said_and_the_case_is_not_finished(task_of, tmp_path):
    held = _HeldOpen(lines_of(task_of("full")), answers=2)
    work(held, held.answers)
    answer = json.loads(held.answers.getvalue().splitlines()[-1])
    assert (answer["answer"], answer["code"]) == ("stopped", "OUTPUT_NOT_WRITABLE")
    assert read_record(task_of("full").case, tmp_path) is None


def test_the_timings_of_a_case_are_its_own(task_of, monkeypatch):
    seen = []

    def score_once(_scan, _options, _folder, progress, **_):
        progress.stage("scoring", 0.5)
        progress.finish()
        seen.append((progress, dict(progress.timings_s)))

    monkeypatch.setattr(task_module, "score_to_folder", score_once)
    held = _HeldOpen(lines_of(task_of("a"), task_of("b")), answers=3)
    work(held, held.answers)
    (first, _), (second, _) = seen
    assert first is not second


def test_when_the_input_ends_the_task_is_given_up(task_of, tmp_path):
    assert answers_to(lines_of(task_of("slow"))) == [{"answer": "ready"}]
    assert not list(tmp_path.glob("cases/*"))


def test_a_finished_case_is_not_done_again(task_of, tmp_path):
    task = task_of("score-7")
    assert do_task(task) is None
    written = (tmp_path / "cases" / "score-7" / "result.json").stat().st_mtime_ns
    assert do_task(task) is None
    assert (tmp_path / "cases" / "score-7" / "result.json").stat().st_mtime_ns == written


def test_a_case_that_another_worker_finished_meanwhile_is_done(task_of, monkeypatch):
    task = task_of("score-7")

    def score_twice(*arguments, **options):
        quick_worker.quick_score(*arguments, **options)
        quick_worker.quick_score(*arguments, **options)

    monkeypatch.setattr(task_module, "score_to_folder", score_twice)
    assert do_task(task) is None


def test_the_age_is_the_cases_own(task_of, monkeypatch):
    seen = []
    monkeypatch.setattr(
        task_module, "score_to_folder", lambda _scan, options, *_, **__: seen.append(options)
    )
    task = task_of("a", age_years=50.0)
    do_task(task)
    aged = Case("b", {None: Path("b.nii")}, 71.0, folder="b")
    do_task(Task(aged, task.output, task.options))
    assert [options.age_years for options in seen] == [50.0, 71.0]


class _HeldOpen:
    """Lines that end only when so many answers are there: an input that ends gives up the task."""

    def __init__(self, lines, answers):
        self._lines, self._count = lines, answers
        self._is_answered = threading.Event()
        self.answers = _Counted(answers, self._is_answered)

    def __iter__(self):
        yield from self._lines
        assert self._is_answered.wait(30.0)


class _Counted(io.StringIO):
    def __init__(self, wanted, reached):
        super().__init__()
        self._wanted, self._reached = wanted, reached

    def flush(self):
        if self.getvalue().count("\n") >= self._wanted:
            self._reached.set()
