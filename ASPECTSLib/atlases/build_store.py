"""Where the building of an atlas keeps what it has done, so that a stopped run goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.atlas import sha256_of
from ASPECTSLib.atlases.build_cases import BuildCase
from ASPECTSLib.errors import ErrorCode, OutputError

Arrays = Mapping[str, NDArray[np.generic]]

_FINGERPRINT_LENGTH = 16


class BuildStore:
    """A folder of arrays for one set of cases and options; of others there may be more beside it.

    Parameters
    ----------
    folder
        Made when something is kept; nothing is kept when left out.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @property
    def is_on_disk(self) -> bool:
        """Whether anything is kept."""
        return self._folder is not None

    def read(self, name: str) -> Arrays | None:
        """Return what was kept under a name; None for nothing, or what was damaged."""
        if self._folder is None:
            return None
        try:
            with np.load(self._folder / f"{name}.npz") as kept:
                return {key: kept[key] for key in kept.files}
        except (OSError, ValueError, EOFError, KeyError):
            return None

    def keep(self, name: str, arrays: Arrays) -> None:
        """Keep arrays under a name, whole or not at all.

        Raises
        ------
        OutputError
            OUTPUT_NOT_WRITABLE if the folder does not take them.
        """
        if self._folder is None:
            return
        path = self._folder / f"{name}.npz"
        staged = path.with_name(f".writing-{os.getpid()}-{path.name}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(staged, **arrays)
            staged.replace(path)
        except OSError as error:
            with suppress(OSError):
                staged.unlink()
            message = f"expected to keep work in {self._folder.name}, but it does not take files"
            raise OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, message) from error


def store_for(
    work: Path | None, cases: Sequence[BuildCase], options: Mapping[str, object]
) -> BuildStore:
    """Return the store of a set of cases: the same files and options find what they kept before.

    Parameters
    ----------
    work
        Folder for all stores; nothing is kept when left out.
    cases
        Whose files are read.
    options
        All that changes the result; plain values.
    """
    if work is None:
        return BuildStore()
    files = [(c.name, sha256_of(c.image), sha256_of(c.labels)) for c in cases]
    text = json.dumps([files, options], sort_keys=True)
    return BuildStore(work / hashlib.sha256(text.encode()).hexdigest()[:_FINGERPRINT_LENGTH])
