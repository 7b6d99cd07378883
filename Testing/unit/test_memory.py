from __future__ import annotations

import subprocess
import sys

import pytest

from ASPECTSLib.memory import keep_freed_memory

COUNT_FAULTS = """
import resource, sys
import numpy as np
from ASPECTSLib.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
np.ones(2**22)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(2**22)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    command = [sys.executable, "-c", COUNT_FAULTS, how]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux")
def test_pages_of_freed_arrays_are_used_again():
    assert faults("keep") < 0.1 * faults("as it is")


def test_where_there_is_another_c_library_nothing_happens(monkeypatch):
    def without_mallopt(_name):
        return object()

    monkeypatch.setattr("ASPECTSLib.memory.ctypes.CDLL", without_mallopt)
    keep_freed_memory()
