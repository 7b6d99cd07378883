"""Where networks and the registration in torch compute: on the CPU, or on a GPU where somebody asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ASPECTSLib.errors import ErrorCode, ResourceError, UsageError

AUTO, CPU = "auto", "cpu"

_chosen: ContextVar[str] = ContextVar("device", default=CPU)


@contextmanager
def computing_on(name: str) -> Iterator[None]:
    """Let all networks that are opened in the block, and all registrations, compute on a device.

    On a GPU sums keep 32 bits and one order, so that a scan gives the same result twice.

    Parameters
    ----------
    name
        As in `find_device`; `auto` is looked up when something first asks for it, as torch takes seconds to load.

    Raises
    ------
    UsageError
        DEVICE_NOT_FOUND if there is no such device here.
    ResourceError
        GPU_MEMORY if the GPU has too little memory.
    """
    before = _chosen.set(name if name in {AUTO, CPU} else find_device(name))
    try:
        yield
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, which may not be installed
            raise
        message = "expected enough free memory on the GPU, which is full; use --device cpu"
        raise ResourceError(ErrorCode.GPU_MEMORY, message) from error
    finally:
        _chosen.reset(before)


def current_device() -> str:
    """Return the device to compute on, in torch's words; needs torch."""
    name = find_device(_chosen.get())
    if name.startswith("cuda"):
        from torch import backends

        backends.cudnn.allow_tf32 = False
        backends.cudnn.deterministic = True
    return name


def find_device(name: str) -> str:
    """Return the device of a name, in torch's words.

    Parameters
    ----------
    name
        `auto`, a GPU of CUDA where there is one and else the CPU, or `cpu`, `cuda`, `cuda:1` or `mps`.

    Raises
    ------
    UsageError
        DEVICE_NOT_FOUND if there is no such device here, or no torch to use it.
    """
    if name == CPU:
        return CPU
    there = _devices()
    if name == AUTO:
        return "cuda" if there["cuda"] else CPU
    kind, _, index = name.partition(":")
    number = int(index) if index.isdigit() else 0 if not index else -1
    if not 0 <= number < there.get(kind, 0):
        devices = ", ".join(f"{kind} ({count})" for kind, count in there.items() if count)
        message = f"device: expected auto or one that is here: {devices}; got {name!r}"
        raise UsageError(ErrorCode.DEVICE_NOT_FOUND, message)
    return name


def _devices() -> dict[str, int]:
    """Return how many devices of each kind torch can compute on."""
    try:
        import torch
    except ImportError:
        return {CPU: 1, "cuda": 0, "mps": 0}
    return {
        CPU: 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
