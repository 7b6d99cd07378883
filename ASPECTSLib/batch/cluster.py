"""Workers of a cluster, through a client of `dask.distributed` that the user brings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import sleep
from typing import TYPE_CHECKING, Any

from ASPECTSLib.batch.processes import Finished
from ASPECTSLib.batch.task import Stopped, Task, do_task
from ASPECTSLib.progress import Progress

if TYPE_CHECKING:
    from distributed import Client, Future

_POLL_S = 0.1


class Cluster:
    """The workers of a Dask cluster; scans and results lie where all of them see the same paths.

    Dask gives the task of a worker that ended to another one, three times by its own default.

    Parameters
    ----------
    client
        Of the cluster.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def run(self, tasks: Sequence[Task], progress: Progress) -> Iterator[Finished]:
        """Do tasks and yield each when it is done.

        Raises
        ------
        CancelledError
            If the work was cancelled; tasks that have not begun are taken back.
        """
        from distributed import as_completed

        futures = {self._submit(task): task for task in tasks}
        completed = as_completed(futures)
        try:
            for _ in tasks:
                future = _next(completed, progress)
                yield _finished(futures[future], future)
        finally:
            self._client.cancel(list(futures))

    def _submit(self, task: Task) -> Future:
        # Not pure: the answer is no function of the task alone, and the same cohort can be scored again.
        return self._client.submit(do_case, task.to_dict(), pure=False)


def do_case(task: dict[str, Any]) -> dict[str, str] | None:
    """Do a task on a worker of the cluster; return what stops all others, see `ASPECTSLib.batch.task.do_task`."""
    stopped = do_task(Task.from_dict(task))
    return None if stopped is None else stopped.to_dict()


def _next(completed: Any, progress: Progress) -> Future:
    while not completed.has_ready():
        progress.check()
        sleep(_POLL_S)
    return next(completed)


def _finished(task: Task, future: Future) -> Finished:
    if future.status != "finished":
        return Finished(task, lost=True)
    answer = future.result()
    return Finished(task, stopped=None if answer is None else Stopped(**answer))
