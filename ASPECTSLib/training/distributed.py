"""One training run on several processes, as torch's own launcher (`torchrun`) starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ASPECTSLib.device import find_device
from ASPECTSLib.training.options import require


@dataclass(frozen=True)
class Cluster:
    """The processes of a run, and the place of this one.

    Parameters
    ----------
    device
        Where this process computes.
    rank, size
        Number of this process, from 0, and of all.
    """

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def is_leader(self) -> bool:
        """Whether this is the process that writes files and reports progress."""
        return self.rank == 0

    def share(self, batch: int) -> int:
        """Return how many samples of a batch each process takes.

        Raises
        ------
        UsageError
            RECIPE_INVALID if they cannot all take as many.
        """
        require(batch % self.size == 0, "batch", f"a multiple of {self.size} processes", batch)
        return batch // self.size

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """Sum a tensor over the processes; every process must ask."""
        if self.size == 1:
            return values
        sums = values.detach().to(self.device, copy=True)
        distributed.all_reduce(sums)
        return sums.to(values.device)

    def any(self, flag: bool) -> bool:
        """Tell whether the flag is set in any process; every process must ask."""
        if self.size == 1:
            return flag
        return bool(self.total(torch.tensor(float(flag))) > 0)

    def wait(self) -> None:
        """Wait until every process has come here."""
        self.any(False)

    def spread(self, network: nn.Module) -> nn.Module:
        """Wrap a network so that the gradients of all processes are averaged."""
        if self.size == 1:
            return network
        return DistributedDataParallel(network)


@contextmanager
def join_cluster(device: str) -> Iterator[Cluster]:
    """Join the processes that the launcher started, or stay alone where there is none.

    The launcher is known by the environment: RANK, WORLD_SIZE and LOCAL_RANK. GPUs talk through NCCL, processors
    through Gloo.

    Parameters
    ----------
    device
        As in `TrainingOptions`; on several GPUs each process takes the one of its local rank.

    Raises
    ------
    UsageError
        RECIPE_INVALID if there is no such device here.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Cluster(torch.device(find_device(device)))
        return
    place = torch.device(find_device(device))
    if place.type == "cuda":
        place = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(place)
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Cluster(place, distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()
