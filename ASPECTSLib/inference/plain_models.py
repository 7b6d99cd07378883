"""Models that are no networks: files of plain numbers in the folders of the models."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.inference.registry import model_folders

_SUFFIX = ".json"


class PlainKind(StrEnum):
    """What the numbers are; the value is the folder within one of models, where networks with their cards lie."""

    MACHINES = "radiomics"
    POOL = "pools"


_IN_WORDS = {PlainKind.MACHINES: "support vectors", PlainKind.POOL: "weights of measures"}


def plain_path(folder: Path, kind: PlainKind, name: str) -> Path:
    """Return where the numbers of a name lie in a folder of models."""
    return folder / kind / f"{name}{_SUFFIX}"


def find_plain(kind: PlainKind, name: str, folders: Sequence[Path] | None = None) -> Path:
    """Return the file of the numbers of a name: the first of the folders that has one counts.

    Parameters
    ----------
    kind
        What they are.
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
        path = plain_path(folder, kind, name)
        if path.is_file():
            return path
    message = f"expected the {_IN_WORDS[kind]} {name}, which are missing from this installation"
    raise ResourceError(ErrorCode.MODEL_NOT_FOUND, message)


def read_plain(kind: PlainKind, path: Path) -> tuple[str, str]:
    """Return the text of a file of numbers, and its SHA-256.

    Raises
    ------
    ResourceError
        MODEL_NOT_FOUND if it cannot be read, MODEL_DAMAGED if it is no text.
    """
    try:
        data = path.read_bytes()
        return data.decode("utf-8"), hashlib.sha256(data).hexdigest()
    except OSError as error:
        message = f"expected a file of {_IN_WORDS[kind]}, but {path.name} cannot be read"
        raise ResourceError(ErrorCode.MODEL_NOT_FOUND, message) from error
    except UnicodeDecodeError as error:
        message = f"expected a file of {_IN_WORDS[kind]}, but {path.name} is no text"
        raise ResourceError(ErrorCode.MODEL_DAMAGED, message) from error
