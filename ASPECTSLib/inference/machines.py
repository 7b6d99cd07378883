"""Support vector machines by name: files of plain numbers in the folders of the models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.inference.registry import model_folders

MACHINES_FOLDER = "radiomics"
"""Within a folder of models: whatever lies in that itself is a network, with a card of another form."""

_SUFFIX = ".json"


def machine_path(folder: Path, name: str) -> Path:
    """Return where the machines of a name lie in a folder of models."""
    return folder / MACHINES_FOLDER / f"{name}{_SUFFIX}"


def find_machines(name: str, folders: Sequence[Path] | None = None) -> Path:
    """Return the file of the machines of a name: the first of the folders that has one counts.

    Parameters
    ----------
    name
        Such as `cta-svm`.
    folders
        Those of `ASPECTSLib.inference.registry.model_folders` when left out: the site's, then the one that ships.

    Raises
    ------
    ResourceError
        MODEL_NOT_FOUND if there is none.
    UsageError
        MODEL_NOT_FOUND if one of the site's folders is not there.
    """
    for folder in model_folders() if folders is None else folders:
        path = machine_path(folder, name)
        if path.is_file():
            return path
    message = f"expected the support vectors {name}, which are missing from this installation"
    raise ResourceError(ErrorCode.MODEL_NOT_FOUND, message)
