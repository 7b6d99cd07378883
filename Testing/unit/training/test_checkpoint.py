from __future__ import annotations

import pytest
import torch

from ASPECTSLib.errors import ErrorCode, OutputError, TrainingError
from ASPECTSLib.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

TENSORS = {
    "weight": torch.arange(24.0).reshape(1, 2, 3, 2, 2).to(memory_format=torch.channels_last_3d),
    "step": torch.tensor(7.0),
    "count": torch.tensor([1, 2]),
    "half": torch.tensor([0.1], dtype=torch.bfloat16),
}
STATE = {"step": 7, "loss": 0.1 + 0.2, "none": None}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    write_checkpoint(Checkpoint(TENSORS, STATE), path)
    return path


def test_tensors_and_state_come_back_to_the_bit(path):
    checkpoint = read_checkpoint(path)
    assert checkpoint.state == STATE
    assert checkpoint.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(checkpoint.tensors[name], tensor)
        assert checkpoint.tensors[name].dtype == tensor.dtype


def test_tensors_that_share_memory_can_be_written(tmp_path):
    tensor = torch.ones(3)
    path = tmp_path / "shared.safetensors"
    write_checkpoint(Checkpoint({"one": tensor, "same": tensor, "part": tensor[:2]}, {}), path)
    assert torch.equal(read_checkpoint(path).tensors["part"], torch.ones(2))


@pytest.mark.parametrize("place", [0, 12, 0.5, -1])
def test_a_flipped_byte_is_refused(path, place):
    content = bytearray(path.read_bytes())
    content[int(place * len(content)) if isinstance(place, float) else place] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(TrainingError, match="is damaged") as refused:
        read_checkpoint(path)
    assert refused.value.code is ErrorCode.CHECKPOINT_INVALID


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_file_cut_short_is_refused(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(TrainingError, match="is damaged"):
        read_checkpoint(path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(b"\x80\x04\x95 a pickle")
    with pytest.raises(TrainingError, match="is damaged"):
        read_checkpoint(path)


def test_safetensors_without_a_state_are_refused(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "checkpoint.safetensors"
    save_file({"weight": torch.ones(1)}, path)
    with pytest.raises(TrainingError, match="is damaged"):
        read_checkpoint(path)


def test_a_checkpoint_that_is_not_there_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"expected a checkpoint last.st .*, found none"):
        read_checkpoint(tmp_path / "last.st")


def test_a_failed_write_leaves_the_older_checkpoint_and_nothing_else(path, monkeypatch):
    def full(_tensors, temporary, _metadata):
        temporary.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ASPECTSLib.training.checkpoint.save_file", full)
    with pytest.raises(OutputError, match="No space left") as refused:
        write_checkpoint(Checkpoint({}, {}), path)
    assert refused.value.code is ErrorCode.OUTPUT_NOT_WRITABLE
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert read_checkpoint(path).state == STATE


def test_a_state_that_json_cannot_hold_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_checkpoint(Checkpoint({}, {"loss": float("nan")}), tmp_path / "checkpoint")
    assert not list(tmp_path.iterdir())
