"""The benchmark of the slice finder, on heads whose level is known and with answers that are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from work_in_parts import parts_as_sent

from ASPECTSLib.errors import CancelledError, ErrorCode, UsageError
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.key_slices import KeySlices
from ASPECTSLib.training import slice_benchmarks
from ASPECTSLib.training.slice_benchmarks import SLICE_BENCHMARKS

NAME = "synthetic-slices"
VOLUME = Volume(
    np.zeros((20, 4, 4), np.float32), centred_affine((20, 4, 4), np.array([1.0, 1.0, 5.0]))
)
TRUE = KeySlices(8, 12)


@pytest.fixture(autouse=True)
def answers(monkeypatch):
    """Let the network see the level so many mm away, one patient after another."""
    state = SimpleNamespace(apart_mm=[0.0, 5.0, 10.0, 0.0, 5.0, 0.0])
    remaining = iter(())

    def compare(found, key_slices, slice_mm):
        assert (found, key_slices, slice_mm) == ("level", TRUE, 5.0)
        return next(remaining)

    def cases(*_arguments):
        nonlocal remaining
        remaining = iter(state.apart_mm)
        return ((VOLUME, TRUE) for _ in state.apart_mm)

    def find(name):
        return SimpleNamespace(card=SimpleNamespace(task=name))

    monkeypatch.setattr(slice_benchmarks, "find_model", find)
    monkeypatch.setattr(slice_benchmarks, "load_network", lambda _file: "network")
    monkeypatch.setattr(slice_benchmarks, "find_ganglionic", lambda _network, _volume: "level")
    monkeypatch.setattr(slice_benchmarks, "compare_key_slices", compare)
    monkeypatch.setattr(slice_benchmarks, "slice_cases", cases)
    return state


def run(models=("slice-finder",), data=Path("anywhere"), workers=1):
    found = SLICE_BENCHMARKS[NAME](NAME, list(models), data, Progress(), workers)
    return {metric.metric: metric for metric in found}


def test_distances_are_told_in_mm_and_in_slices():
    found = run()
    mean = found["ganglionic slice, mean distance in mm"]
    assert mean.value == pytest.approx(20 / 6, abs=1e-4)
    assert mean.interval[0] < mean.value < mean.interval[1]
    assert found["ganglionic slice, share at most one slice off"].value == pytest.approx(
        5 / 6, abs=1e-4
    )
    assert all((m.benchmark, m.n, m.synthetic) == (NAME, 6, True) for m in found.values())


def test_processes_share_the_patients(monkeypatch):
    """Each patient is as many mm off as its number says."""
    grid = np.diag([1.0, 1.0, 1.0, 1.0])

    def cases(_data, count, _progress, part):
        return ((Volume(np.full((20, 4, 4), n), grid), TRUE) for n in part.of(range(count)))

    monkeypatch.setattr(slice_benchmarks, "slice_cases", cases)
    monkeypatch.setattr(slice_benchmarks, "find_ganglionic", lambda _n, v: float(v.array[0, 0, 0]))
    monkeypatch.setattr(slice_benchmarks, "compare_key_slices", lambda found, *_: found)
    alone = run()
    assert alone["ganglionic slice, mean distance in mm"].value == np.arange(60).mean()
    monkeypatch.setattr(slice_benchmarks, "in_parts", parts_as_sent)
    assert run(workers=4) == alone


def test_a_perfect_finder_is_nowhere_off(answers):
    answers.apart_mm[:] = [0.0] * 6
    found = run()
    assert found["ganglionic slice, mean distance in mm"].value == 0.0
    assert found["ganglionic slice, share at most one slice off"].interval == (1.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"data": None}, "--data DIR for the benchmark synthetic-slices"),
        ({"models": ("brain",)}, "one slice finder, got 0"),
    ],
)
def test_without_data_or_a_finder_it_is_said_what_is_missing(arguments, words):
    with pytest.raises(UsageError, match=words) as refused:
        run(**arguments)
    assert refused.value.code is ErrorCode.USAGE


def test_making_patients_can_be_cancelled(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(slice_benchmarks, "unseen_sources", lambda *_: None)
    with pytest.raises(CancelledError):
        next(slice_benchmarks.slice_cases(Path("x"), 1, Progress(is_cancelled=lambda: True)))
