from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest

from ASPECTSLib.batch.memory import give_back_memory


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory from /proc")
def test_what_arrays_leave_goes_back_to_the_system():
    kept = [np.ones(12_000) for _ in range(3000)]  # small ones come from the heap
    holes = kept[::2]
    del kept
    before = resident_pages()
    del holes
    give_back_memory()
    assert resident_pages() < before


def test_a_system_without_such_a_call_does_without(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    give_back_memory()


def resident_pages():
    return int(Path("/proc/self/statm").read_text().split()[1])
