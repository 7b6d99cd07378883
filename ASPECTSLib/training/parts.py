"""Work on many patients by several processes, each of which does a part of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import SimpleITK as sitk
import torch

from ASPECTSLib.errors import ASPECTSError, ErrorCode, ResourceError, UsageError
from ASPECTSLib.progress import Progress
from ASPECTSLib.training.batches import START_METHOD, leave_interrupts_to_the_first

_POLL_S = 0.2

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Part:
    """Which patients a process takes: one in every `count`, from the one with index `number` on."""

    number: int = 0
    count: int = 1

    def of(self, items: Iterable[Item]) -> list[Item]:
        """Return those of its part."""
        return list(items)[self.number :: self.count]


ALL = Part()
"""All patients, by one process."""

Work = Callable[[Part, Progress], Iterable[Answer]]
"""What is done: yields an answer for each item of its part, in order. A process of its own can be sent it: a function
of a module, or a `functools.partial` of one."""


def in_parts(work: Work[Answer], workers: int, progress: Progress) -> list[Answer]:
    """Do work in this process, or in several that share the cores.

    Parameters
    ----------
    work
        Answers must be picklable where there are workers.
    workers
        Processes, 1 or more; with 1 it is done in this one.
    progress
        Told of the stages of all of them, and asked for cancellation, which ends them at once.

    Returns
    -------
    list
        One answer for each item, in the order that a single process gives, whatever the number of workers.

    Raises
    ------
    UsageError
        USAGE for fewer than one worker.
    ResourceError
        WORKER_LOST if a process ended in the midst of its work.
    ASPECTSError
        What the work raised.
    """
    if workers < 1:
        raise UsageError(ErrorCode.USAGE, f"expected at least one worker, got {workers}")
    if workers == 1:
        return list(work(ALL, progress))
    context = get_context(START_METHOD)
    threads = max(torch.get_num_threads() // workers, 1)
    processes, pipes = [], []
    try:
        for number in range(workers):
            ours, theirs = context.Pipe(duplex=False)
            task = (work, Part(number, workers), threads, theirs)
            pipes.append(ours)
            process = context.Process(target=_do, args=task, daemon=True)
            process.start()
            processes.append(process)
            theirs.close()  # so that the pipe ends with the process
        parts = _collect(pipes, progress)
    finally:
        for process in processes:
            process.kill()
            process.join()
        for pipe in pipes:
            pipe.close()
    return _in_order(parts)


def _do(work: Work[Any], part: Part, threads: int, pipe: Connection) -> None:
    """Work in a process of its own: send stages with fractions, and at last the answers or what was refused.

    A pipe that breaks, as its reader has gone, ends the process.
    """
    leave_interrupts_to_the_first(part.number)
    torch.set_num_threads(threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    progress = Progress(lambda stage, fraction: pipe.send((stage, fraction)))
    try:
        pipe.send(list(work(part, progress)))
    except ASPECTSError as error:
        pipe.send(error)


def _collect(pipes: Sequence[Connection], progress: Progress) -> list[list[Any]]:
    """Return the answers of each process, telling stages meanwhile; the fraction is the mean of all."""
    answers: dict[Connection, list[Any]] = {}
    fractions = dict.fromkeys(pipes, 0.0)
    while len(answers) < len(pipes):
        progress.check()
        for pipe in connection.wait([p for p in pipes if p not in answers], _POLL_S):
            message = _received(pipe)
            if isinstance(message, list):
                answers[pipe] = message
                fractions[pipe] = 1.0
            else:
                stage, fractions[pipe] = message
                progress.stage(stage, sum(fractions.values()) / len(pipes))
    return [answers[pipe] for pipe in pipes]


def _received(pipe: Connection) -> list[Any] | tuple[str, float]:
    try:
        message = pipe.recv()
    except (EOFError, OSError) as error:
        text = (
            "expected the worker processes to finish, but one ended: was there too little memory?"
        )
        raise ResourceError(ErrorCode.WORKER_LOST, text) from error
    if isinstance(message, ASPECTSError):
        raise message
    return message


def _in_order(parts: Sequence[Sequence[Answer]]) -> list[Answer]:
    """Return the answers as one process would have given them."""
    placed: list[Any] = [None] * sum(map(len, parts))
    for number, answers in enumerate(parts):
        placed[number :: len(parts)] = answers
    return placed
