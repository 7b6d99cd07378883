"""The same cohort on a Dask cluster on this machine, of which a worker is killed in the midst of its work."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from ASPECTSLib.batch.cases import Case
from ASPECTSLib.batch.run import BatchCancelledError, BatchOptions, score_cohort
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.progress import Progress

TESTING = Path(__file__).parents[2]


def use_quick_scores(testing):
    """Let a worker of the cluster do what `quick_worker` says."""
    sys.path.insert(0, testing)
    import quick_worker

    from ASPECTSLib.batch import task

    task.score_to_folder, task.read_given = quick_worker.quick_score, quick_worker.quick_read


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.register_plugin(_quick_plugin())
        yield client


def _quick_plugin():
    from distributed import WorkerPlugin

    class Quick(WorkerPlugin):
        """On each worker, also on those that take the place of killed ones."""

        def setup(self, worker):  # noqa: ARG002 - the name is Dask's
            use_quick_scores(str(TESTING))

    Quick.__module__ = "__main__"  # travels whole: the workers cannot import this file
    use_quick_scores.__module__ = "__main__"
    return Quick()


def test_a_killed_worker_of_the_cluster_costs_no_case(client, cohort, tmp_path):
    cases = cohort(*(f"score-{n % 11}" for n in range(8)), "once-3", "knee")
    killed = []

    def kill_one(words, _fraction):
        """Kill a worker once three cases are done; one that has just ended by itself is none to be killed."""
        if killed or int(words.split()[0]) < 3:
            return
        for pid in client.run(os.getpid, on_error="ignore").values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                return

    batch = BatchOptions(client=client)
    scored = score_cohort(cases, tmp_path / "out", batch=batch, progress=Progress(kill_one))
    assert killed
    scores = [r.result.aspects.score for r in scored.records if r.result is not None]
    assert scores == [*(n % 11 for n in range(8)), 3]
    assert dict(scored.refusals) == {ErrorCode.NO_BRAIN: 1}


def test_what_stops_every_case_stops_the_cluster_too(client, cohort, tmp_path):
    with pytest.raises(ResourceError) as stopped:
        score_cohort(cohort("full"), tmp_path / "out", batch=BatchOptions(client=client))
    assert stopped.value.code is ErrorCode.OUTPUT_NOT_WRITABLE


def test_a_run_on_a_cluster_can_be_cancelled(client, tmp_path):
    cancelled = threading.Event()
    threading.Timer(1.0, cancelled.set).start()
    started_s = time.monotonic()
    with pytest.raises(BatchCancelledError):
        score_cohort(
            [Case(f"slow-{n}", {None: Path("slow.nii")}) for n in range(2)],
            tmp_path / "out",
            batch=BatchOptions(client=client),
            progress=Progress(is_cancelled=cancelled.is_set),
        )
    assert time.monotonic() - started_s < 20.0
