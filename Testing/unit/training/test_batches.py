from __future__ import annotations

import numpy as np
import pytest
import torch
from training_problems import Unreadable

from ASPECTSLib.errors import ErrorCode, FileRefusedError, UsageError
from ASPECTSLib.training.batches import CaseIndices, StepIndices, collate, load_batches
from ASPECTSLib.training.distributed import Cluster, join_cluster

CPU = torch.device("cpu")


def sample(*size, channels=1, labels=None):
    return {
        "image": np.zeros((channels, *size), np.float32),
        "labels": np.zeros(labels or size, np.uint8),
        "name": "not for the trainer",
    }


def test_each_process_takes_its_part_of_each_step():
    parts = [list(StepIndices(range(2, 4), 4, Cluster(CPU, rank, 2))) for rank in (0, 1)]
    assert parts == [[[8, 9], [12, 13]], [[10, 11], [14, 15]]]
    assert list(StepIndices(range(2, 4), 4, Cluster(CPU))) == [[8, 9, 10, 11], [12, 13, 14, 15]]


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(UsageError, match="batch: expected a multiple of 2 processes, got 3"):
        StepIndices(range(1), 3, Cluster(CPU, 0, 2))


def test_every_case_counts_once_and_every_process_has_as_many():
    dealt = [CaseIndices(4, Cluster(CPU, rank, 3)) for rank in range(3)]
    assert [list(indices) for indices in dealt] == [[[0], [3]], [[1], [3]], [[2], [3]]]
    assert [indices.counts for indices in dealt] == [[True, True], [True, False], [True, False]]


def test_batches_hold_image_and_labels_in_the_order_of_the_indices():
    samples = [{"image": np.full((1, 1, 1, 1), n, np.float32), "labels": np.full((1, 1, 1), n)}
               for n in range(4)]  # fmt: skip
    loaded = list(load_batches(samples, StepIndices(range(1, 2), 2, Cluster(CPU)), 0, CPU))
    assert loaded[0].image.flatten().tolist() == [2.0, 3.0]
    assert loaded[0].labels.flatten().tolist() == [2, 3]


def test_loading_draws_no_random_numbers():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    list(load_batches([sample(1, 1, 1)], CaseIndices(1, Cluster(CPU)), 0, CPU))
    assert torch.equal(torch.rand(1), expected)


def test_tensors_and_labels_of_any_integers_are_taken():
    batch = collate([{"image": torch.zeros(1, 2, 2, 2), "labels": torch.zeros(2, 2, 2).long()}])
    assert (batch.image.dtype, batch.labels.dtype) == (torch.float32, torch.int64)
    assert collate([sample(2, 2, 2)]).labels.dtype == torch.uint8


@pytest.mark.parametrize(
    "samples",
    [
        [sample(2, 2, 2), sample(2, 2, 4)],
        [sample(2, 2, 2), sample(2, 2, 2, labels=(2, 2, 4))],
        [sample(2, 2)],
        [sample(2, 2, 2), sample(2, 2, 2, channels=2)],
    ],
)
def test_samples_that_do_not_fit_together_are_refused(samples):
    with pytest.raises(UsageError, match="expected samples of one shape"):
        collate(samples)


@pytest.mark.parametrize("workers", [0, 1])
def test_what_a_sample_is_refused_for_is_told_from_a_worker_too(workers):
    batches = load_batches(Unreadable(), StepIndices(range(1), 1, Cluster(CPU)), workers, CPU)
    with pytest.raises(FileRefusedError, match="expected an image") as refused:
        list(batches)
    assert refused.value.code is ErrorCode.FILE_UNREADABLE


def test_channels_last_is_a_matter_of_memory_only():
    batch = collate([sample(2, 3, 4, channels=2)]).to(CPU, channels_last=True)
    assert batch.image.is_contiguous(memory_format=torch.channels_last_3d)
    assert batch.image.shape == (1, 2, 2, 3, 4)


def test_a_process_alone_has_no_others_to_ask(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_cluster("cpu") as cluster:
        assert (cluster.rank, cluster.size, cluster.is_leader) == (0, 1, True)
        assert cluster.any(True)
        assert not cluster.any(False)
        assert cluster.total(torch.ones(2)).tolist() == [1.0, 1.0]
