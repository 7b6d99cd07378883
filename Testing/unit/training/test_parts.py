"""Work by several processes: the same answers in the same order, errors, an end in the midst, and cancellation."""

from __future__ import annotations

import os
import signal

import pytest
import work_in_parts
from work_in_parts import COUNT

from ASPECTSLib.errors import (
    CancelledError,
    ContentRefusedError,
    ErrorCode,
    ResourceError,
    UsageError,
)
from ASPECTSLib.progress import Progress
from ASPECTSLib.training.parts import Part, in_parts


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_parts_hold_every_item_once(count):
    parts = [Part(number, count).of(range(COUNT)) for number in range(count)]
    assert sorted(item for part in parts for item in part) == list(range(COUNT))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("workers", [1, 3])
def test_answers_come_in_the_order_of_one_process(workers):
    stages = []
    progress = Progress(lambda stage, fraction: stages.append((stage, fraction)))
    found = in_parts(work_in_parts.squares, workers, progress)
    assert found == [number**2 for number in range(COUNT)]
    assert {stage for stage, _ in stages} == {f"number {number}" for number in range(COUNT)}
    assert all(0 <= fraction < 1 for _, fraction in stages)


def test_processes_are_others_and_share_the_cores():
    (one, *threads), (other, *_) = in_parts(work_in_parts.process_and_threads, 2, Progress())
    assert len({one, other, os.getpid()}) == 3
    assert max(threads) <= max((os.cpu_count() or 2) // 2, 1)


def test_what_one_process_refuses_is_refused():
    with pytest.raises(ContentRefusedError, match="got a knee") as refused:
        in_parts(work_in_parts.refused_in_the_second, 2, Progress())
    assert refused.value.code is ErrorCode.NO_BRAIN


def test_a_process_that_ends_in_the_midst_is_told():
    with pytest.raises(ResourceError, match="one ended") as refused:
        in_parts(work_in_parts.ended_in_the_second, 2, Progress())
    assert refused.value.code is ErrorCode.WORKER_LOST


def test_cancellation_ends_the_processes():
    told = []
    progress = Progress(lambda stage, _: told.append(int(stage)), lambda: len(told) > 3)
    with pytest.raises(CancelledError):
        in_parts(work_in_parts.endless, 2, progress)
    assert told
    assert not any(map(is_running, told))


def test_an_error_on_the_way_ends_the_processes():
    def broken(stage, _fraction):
        told.append(int(stage))
        signal.raise_signal(signal.SIGUSR1)

    def interrupt(_signal, _frame):
        raise KeyboardInterrupt

    told = []
    previous = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            in_parts(work_in_parts.endless, 2, Progress(broken))
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert not any(map(is_running, told))


def test_less_than_one_process_is_refused():
    with pytest.raises(UsageError, match="at least one worker, got 0"):
        in_parts(work_in_parts.squares, 0, Progress())
