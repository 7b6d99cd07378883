"""Batches by number: which samples belong to a step, and how they are loaded."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from ASPECTSLib.errors import ASPECTSError, ErrorCode, UsageError
from ASPECTSLib.training.distributed import Cluster

START_METHOD = "spawn"
"""A forked worker inherits locks of torch's, CUDA's and SimpleITK's threads, and may wait for one forever; workers live
as long as the run, so that starting them anew costs seconds once."""


class Samples(Protocol):
    """What the trainer draws from: any map-style data set of torch.

    A sample is a mapping with `image`, float32 of shape (C, D, H, W), and `labels`, integers as the loss takes them,
    and depends on its index only.
    """

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        """Return a sample."""
        ...


class SizedSamples(Samples, Protocol):
    """Samples that end."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...


class Batch(NamedTuple):
    """Samples of one step: image (B, C, D, H, W) and labels (B, ...), (B, D, H, W) in segmentation."""

    image: torch.Tensor
    labels: torch.Tensor

    def to(self, device: torch.device, *, channels_last: bool) -> Batch:
        """Copy to a device."""
        layout = torch.channels_last_3d if channels_last else torch.contiguous_format
        image = self.image.to(device, non_blocking=True).contiguous(memory_format=layout)
        return Batch(image, self.labels.to(device, non_blocking=True))


class Batches:
    """Batches in the order of their indices, as often as asked for.

    Parameters
    ----------
    loader
        Of batches made by `_BatchMaker`.
    """

    def __init__(self, loader: DataLoader[Batch | ASPECTSError]) -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[Batch]:
        """Go through the batches; what a sample raises of the project's errors is raised here."""
        for batch in self._loader:
            if isinstance(batch, ASPECTSError):
                raise batch
            yield batch


class _BatchMaker:
    """Make a whole batch at once, in a worker or here.

    An error of the project is handed out as the batch: torch would let only its text out of a worker.
    """

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def __getitems__(self, indices: Sequence[int]) -> Batch | ASPECTSError:  # torch's name for it
        try:
            return collate([self._samples[index] for index in indices])
        except ASPECTSError as error:
            return error


class StepIndices(Sampler[list[int]]):
    """The samples of each step: sample n of step s has index s × batch + n.

    Parameters
    ----------
    steps
        The steps to come, counted from 0 at the beginning of the whole run.
    batch
        Samples of each step over all processes.
    cluster
        Each process takes its part of each step.
    """

    def __init__(self, steps: range, batch: int, cluster: Cluster) -> None:
        self._steps = steps
        self._batch = batch
        self._share = cluster.share(batch)
        self._offset = cluster.rank * self._share

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps:
            first = step * self._batch + self._offset
            yield list(range(first, first + self._share))

    def __len__(self) -> int:
        return len(self._steps)


class CaseIndices(Sampler[list[int]]):
    """The cases of a validation, one at a time, dealt out to the processes.

    Every process gets as many, the last case twice where they do not divide: `counts` tells which are not repeats.
    """

    def __init__(self, cases: int, cluster: Cluster) -> None:
        rounds = math.ceil(cases / cluster.size)
        dealt = [turn * cluster.size + cluster.rank for turn in range(rounds)]
        self.counts = [case < cases for case in dealt]
        self._cases = [min(case, cases - 1) for case in dealt]

    def __iter__(self) -> Iterator[list[int]]:
        return iter([[case] for case in self._cases])

    def __len__(self) -> int:
        return len(self._cases)


def load_batches(
    samples: Samples, indices: Sampler[list[int]], workers: int, device: torch.device
) -> Batches:
    """Load batches in the order of their indices.

    Parameters
    ----------
    samples
        Must be possible to send to another process where there are workers.
    indices
        `StepIndices` or `CaseIndices`.
    workers
        Processes that make samples; 0 makes them in this one.
    device
        Where the batches go to; memory is pinned for a GPU.
    """
    options: dict[str, Any] = {}
    if workers:
        options = {
            "num_workers": workers,
            "multiprocessing_context": START_METHOD,
            "persistent_workers": True,
            "worker_init_fn": leave_interrupts_to_the_first,
        }
    loader = DataLoader(
        _BatchMaker(samples),
        batch_sampler=indices,
        collate_fn=_as_made,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # else each pass draws from the global one
        **options,
    )
    return Batches(loader)


def collate(samples: Sequence[Mapping[str, Any]]) -> Batch:
    """Stack samples.

    Raises
    ------
    UsageError
        RECIPE_INVALID if their images or their labels are not of one shape; whether both lie on one grid is for the
        loss to say.
    """
    images = [torch.from_numpy(np.asarray(sample["image"], np.float32)) for sample in samples]
    labels = [torch.from_numpy(np.asarray(sample["labels"])) for sample in samples]
    first = tuple(images[0].shape), tuple(labels[0].shape)
    for image, label in zip(images, labels, strict=True):
        shapes = tuple(image.shape), tuple(label.shape)
        if shapes != first or image.ndim != 4:
            message = (
                "expected samples of one shape, images (C, D, H, W) and labels, "
                f"got an image of {shapes[0]} and labels of {shapes[1]} beside {first[0]} and {first[1]}"
            )
            raise UsageError(ErrorCode.RECIPE_INVALID, message)
    return Batch(torch.stack(images), torch.stack(labels))


def _as_made(batch: Batch | ASPECTSError) -> Batch | ASPECTSError:
    return batch


def leave_interrupts_to_the_first(_worker: int) -> None:
    """Ignore Ctrl-C in a worker, which a terminal sends to every process: the first ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
