"""Prepared arrays kept in a folder, so that they are made once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ErrorCode, OutputError


def keep_arrays(arrays: Mapping[str, NDArray[np.generic]], path: Path, what: str) -> None:
    """Write arrays to a compressed .npz file, whole or not at all.

    Parameters
    ----------
    arrays
        By name.
    path
        Replaced if it is there; its folder is made when missing.
    what
        What the arrays are, for the error's sentence.

    Raises
    ------
    OutputError
        OUTPUT_NOT_WRITABLE if the file cannot be written.
    """
    staged = path.with_name(f".writing-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(staged, **arrays)
        staged.replace(path)
    except OSError as error:
        with suppress(OSError):
            staged.unlink()
        message = f"expected to keep {what} in {path.parent.name}, but it does not take files"
        raise OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, message) from error
