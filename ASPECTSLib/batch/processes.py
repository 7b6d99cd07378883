"""Worker processes on this machine, seen from the program that starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

import ASPECTSLib
from ASPECTSLib.batch.task import Stopped, Task
from ASPECTSLib.batch.worker import READY, STOPPED
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.process_tree import kill_group, own_group
from ASPECTSLib.progress import Progress

_MODULE = "ASPECTSLib.batch.worker"
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)
_ATTEMPTS = 2  # a worker may be killed for another's memory; who kills two has a fault of its own
_POLL_S = 0.1
_END_S = 5.0


@dataclass(frozen=True)
class Finished:
    """A task that a worker is done with.

    Parameters
    ----------
    task
        As it was given.
    lost
        Whether workers ended in the midst of it, so that nothing is written.
    stopped
        Why no other task can be done.
    """

    task: Task
    lost: bool = False
    stopped: Stopped | None = None


class Worker:
    """A worker process.

    Parameters
    ----------
    python
        Interpreter with what the library needs.
    threads
        That it may use.
    """

    def __init__(self, python: str, threads: int) -> None:
        library = str(Path(ASPECTSLib.__file__).parents[1])
        paths = [library, os.environ.get("PYTHONPATH", "")]
        environment = {name: str(threads) for name in _THREAD_VARIABLES}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        self._process = subprocess.Popen(
            [python, "-m", _MODULE],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            **own_group(),  # Ctrl-C is for the program that started it
        )
        self.is_ready = self._answer() == {"answer": READY}

    def do(self, task: Task) -> Finished:
        """Let it do a task, and wait for that."""
        try:
            self._process.stdin.write(json.dumps(task.to_dict()) + "\n")
            self._process.stdin.flush()
        except OSError:
            return Finished(task, lost=True)
        answer = self._answer()
        if answer is None:
            return Finished(task, lost=True)
        if answer["answer"] == STOPPED:
            return Finished(task, stopped=Stopped(answer["code"], answer["message"]))
        return Finished(task)

    def end(self) -> None:
        """End it now, whatever it does; twice does no harm."""
        if self._process.poll() is None:
            kill_group(self._process)
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)

    def _answer(self) -> dict[str, str] | None:
        """Wait for its next answer, whatever else it prints; None if it has ended."""
        try:
            for line in self._process.stdout:
                with suppress(ValueError):  # what a library printed, or a line that was cut off
                    answer = json.loads(line)
                    if isinstance(answer, dict) and "answer" in answer:
                        return answer
        except (OSError, ValueError):  # closed
            pass
        return None


class Processes:
    """Several worker processes on this machine.

    Parameters
    ----------
    count
        How many at most.
    threads
        That each may use.
    python
        Their interpreter; the one of this process if not given.
    """

    def __init__(self, count: int, threads: int = 1, python: str | None = None) -> None:
        self._count, self._threads = count, threads
        self._python = python or sys.executable
        self._lock = threading.Lock()
        self._workers: list[Worker] = []
        self._is_ended = self._is_stopped = False

    def run(self, tasks: Sequence[Task], progress: Progress) -> Iterator[Finished]:
        """Do tasks, begun in their order, and yield each when it is done.

        Raises
        ------
        ResourceError
            WORKER_LOST if no worker can be started.
        CancelledError
            If the work was cancelled; workers are ended at once.
        """
        waiting, done = SimpleQueue[Task](), SimpleQueue[Finished | None]()
        for task in tasks:
            waiting.put(task)
        threads = [
            threading.Thread(target=self._serve, args=(waiting, done), daemon=True)
            for _ in range(min(self._count, len(tasks)))
        ]
        try:
            for thread in threads:
                thread.start()
            for _ in tasks:
                yield _next(done, progress)
        finally:
            self._end()
            for thread in threads:
                thread.join(_END_S)

    def _serve(self, waiting: SimpleQueue[Task], done: SimpleQueue[Finished | None]) -> None:
        """Take tasks and have them done by a worker of its own."""
        worker = None
        while not (self._is_ended or self._is_stopped):
            try:
                task = waiting.get_nowait()
            except Empty:
                break
            worker, finished = self._attempt(task, worker)
            if finished is not None and finished.stopped is not None:
                self._is_stopped = True  # no task is begun after that one
            done.put(finished)
        if worker is not None:
            worker.end()

    def _attempt(self, task: Task, worker: Worker | None) -> tuple[Worker | None, Finished | None]:
        """Have a task done, by another worker where one ends over it; None where no worker can be started."""
        finished = None
        for _ in range(_ATTEMPTS):
            worker = worker or self._start()
            if worker is None:
                break
            if worker.is_ready:
                finished = worker.do(task)
                if not finished.lost:
                    break
            worker.end()
            worker = None
        return worker, finished

    def _start(self) -> Worker | None:
        """Start a worker; None if the work has ended meanwhile, or there is no such interpreter."""
        with self._lock:
            if self._is_ended:
                return None
            try:
                worker = Worker(self._python, self._threads)
            except OSError:
                return None
            self._workers.append(worker)
            return worker

    def _end(self) -> None:
        with self._lock:
            self._is_ended = True
        for worker in self._workers:
            worker.end()


def _next(done: SimpleQueue[Finished | None], progress: Progress) -> Finished:
    while True:
        progress.check()
        try:
            finished = done.get(timeout=_POLL_S)
        except Empty:
            continue
        if finished is None:
            message = (
                f"expected worker processes, but they do not start; `python -m {_MODULE}` says why"
            )
            raise ResourceError(ErrorCode.WORKER_LOST, message)
        return finished
