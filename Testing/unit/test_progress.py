from __future__ import annotations

import pytest

from ASPECTSLib import progress as progress_module
from ASPECTSLib.errors import CancelledError
from ASPECTSLib.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock by one that is set by hand, in seconds."""
    now = {"s": 0.0}
    monkeypatch.setattr(progress_module, "perf_counter", lambda: now["s"])
    return now


def test_stages_are_reported_in_order_with_the_fraction_done():
    reports = []
    progress = Progress(sink=lambda stage, fraction: reports.append((stage, fraction)))
    progress.stage("read", 0.0)
    progress.stage("register", 0.25)
    progress.finish()
    assert reports == [("read", 0.0), ("register", 0.25), ("done", 1.0)]


def test_each_stage_is_timed_until_the_next_begins(clock):
    progress = Progress()
    progress.stage("read", 0.0)
    clock["s"] = 2.0
    progress.stage("register", 0.5)
    clock["s"] = 5.0
    progress.finish()
    assert progress.timings_s == {"read": 2.0, "register": 3.0}


def test_a_stage_that_comes_twice_adds_up(clock):
    progress = Progress()
    for name, end_s in [("read", 1.0), ("register", 3.0), ("read", 7.0)]:
        progress.stage(name, 0.0)
        clock["s"] = end_s
    progress.finish()
    assert progress.timings_s == {"read": 5.0, "register": 2.0}


def test_finishing_twice_counts_no_time_twice(clock):
    progress = Progress()
    progress.stage("read", 0.0)
    clock["s"] = 1.0
    progress.finish()
    clock["s"] = 9.0
    progress.finish()
    assert progress.timings_s == {"read": 1.0}


def test_cancelled_work_stops_at_the_next_stage_and_does_not_report_it():
    reports, cancelled = [], []
    progress = Progress(lambda stage, _: reports.append(stage), lambda: bool(cancelled))
    progress.stage("read", 0.0)
    cancelled.append(True)
    with pytest.raises(CancelledError):
        progress.stage("register", 0.5)
    assert reports == ["read"]


def test_check_stops_cancelled_work_between_stages():
    Progress().check()
    with pytest.raises(CancelledError):
        Progress(is_cancelled=lambda: True).check()


def test_compiled_code_is_marked_only_while_it_runs():
    progress = Progress()
    with progress.native():
        assert progress.in_native_code
    assert not progress.in_native_code


def test_compiled_code_that_fails_runs_no_longer():
    progress = Progress()

    def fail():
        with progress.native():
            message = "inside"
            raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert not progress.in_native_code


def test_two_runs_share_no_timings():
    first, second = Progress(), Progress()
    first.stage("read", 0.0)
    first.finish()
    assert second.timings_s == {}
