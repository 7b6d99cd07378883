"""Child processes with what they start in turn: a launcher's interpreter, a worker's helpers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress


def own_group() -> dict[str, int | bool]:
    """Return the options of `Popen` that make a child the head of its own group, without a console window."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill a child that was started with `own_group`, and all processes that it started."""
    if sys.platform == "win32":
        command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(command, check=False, capture_output=True)
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
