"""A worker: a process that scores one case after the other, as it is told on standard input.

`python -m ASPECTSLib.batch.worker` reads a task a line and answers with a line, both JSON. It ends when its input does:
when the program that started it has gone.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TextIO

from ASPECTSLib.batch.task import Task, do_task
from ASPECTSLib.errors import CancelledError
from ASPECTSLib.progress import Progress

READY, DONE, STOPPED = "ready", "done", "stopped"
"""Answers: once at the beginning, and after each task."""


def main() -> None:
    """Work until there are no more tasks."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    work(sys.stdin, answers)


def work(tasks: TextIO, answers: TextIO) -> None:
    """Do tasks as they come, and answer each.

    Parameters
    ----------
    tasks
        `Task.to_dict` as JSON, one a line; at its end the task that is worked on is given up.
    answers
        One JSON object a line.
    """
    ended, lines = threading.Event(), SimpleQueue[str | None]()
    threading.Thread(target=_read, args=(tasks, lines, ended), daemon=True).start()
    say = _speaker(answers)
    say({"answer": READY})
    while (line := lines.get()) is not None:
        try:
            # A progress of its own for each: the timings are those of the case.
            progress = Progress(is_cancelled=ended.is_set)
            stopped = do_task(Task.from_dict(json.loads(line)), progress)
        except CancelledError:
            return
        say({"answer": DONE} if stopped is None else {"answer": STOPPED, **stopped.to_dict()})


def _read(tasks: TextIO, lines: SimpleQueue[str | None], ended: threading.Event) -> None:
    for line in tasks:
        lines.put(line)
    ended.set()
    lines.put(None)


def _speaker(answers: TextIO) -> Callable[[dict[str, str]], None]:
    def say(answer: dict[str, str]) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    return say


if __name__ == "__main__":
    main()
