"""Files of tensors and a JSON state, written whole or not at all, and checked when read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ASPECTSLib.errors import ErrorCode, OutputError, TrainingError

_STATE = "state"
_DIGEST = "sha256"
_TEMPORARY_SUFFIX = ".part"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Tensors by name, and what else there is to remember as JSON holds it."""

    tensors: Mapping[str, torch.Tensor]
    state: Mapping[str, Any]


def write_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint in one file, safetensors with the state as metadata; an older one is replaced in one step.

    Parameters
    ----------
    checkpoint
        Tensors of any device and memory layout; the file holds them contiguous.
    path
        The final name.

    Raises
    ------
    OutputError
        OUTPUT_NOT_WRITABLE if it cannot be written.
    """
    # A copy, also because safetensors refuses tensors that share memory.
    tensors = {
        name: tensor.detach().to("cpu", copy=True).contiguous()
        for name, tensor in checkpoint.tensors.items()
    }
    state = json.dumps(checkpoint.state, allow_nan=False, sort_keys=True)
    metadata = {_STATE: state, _DIGEST: _digest(tensors, state)}
    temporary = path.with_name(path.name + _TEMPORARY_SUFFIX)
    try:
        save_file(tensors, temporary, metadata)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            temporary.unlink()
        message = f"the file {path.name} cannot be written: {error}"
        raise OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, message) from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Returns
    -------
    Checkpoint
        Its tensors lie on the CPU.

    Raises
    ------
    TrainingError
        CHECKPOINT_INVALID if there is none, or it is not as it was written.
    """
    if not path.is_file():
        message = f"expected a checkpoint {path.name} in the folder {path.parent.name}, found none"
        raise TrainingError(ErrorCode.CHECKPOINT_INVALID, message)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        state = json.loads(metadata[_STATE])
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise _damaged(path) from error
    if metadata.get(_DIGEST) != _digest(tensors, metadata[_STATE]):
        raise _damaged(path)
    return Checkpoint(tensors, state)


def _damaged(path: Path) -> TrainingError:
    message = f"the checkpoint {path.name} is damaged: expected the file as training wrote it"
    return TrainingError(ErrorCode.CHECKPOINT_INVALID, message)


def _digest(tensors: Mapping[str, torch.Tensor], state: str) -> str:
    digest = hashlib.sha256(state.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
