"""What data are, and under which licence: told by a small file in their folder, and passed on to model cards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ASPECTSLib.atlas.atlas import ATLAS_FOLDER, CARD_FILE
from ASPECTSLib.errors import ErrorCode, ResourceError, UsageError
from ASPECTSLib.inference.card import TrainingSource

SOURCE_FILE = "source.json"
NOT_STATED = "not stated"

_KEYS = {"name", "licence", "doi"}


def source_of(folder: Path) -> TrainingSource:
    """Return what a folder's `source.json` says of its data; its own name, and no licence, where it has none.

    Raises
    ------
    UsageError
        COHORT_INVALID if the file is there and does not say name and licence.
    """
    path = folder / SOURCE_FILE
    if not path.is_file():
        return TrainingSource(folder.resolve().name, NOT_STATED)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _no_source(folder) from error
    return source_from(content, folder)


def source_from(content: Any, folder: Path) -> TrainingSource:
    """Check an entry with name, licence and, where there is one, DOI.

    Raises
    ------
    UsageError
        COHORT_INVALID, naming the folder, if it is none.
    """
    if not isinstance(content, dict) or not {"name", "licence"} <= content.keys() <= _KEYS:
        raise _no_source(folder)
    try:
        return TrainingSource(**content)
    except ResourceError as error:
        raise _no_source(folder) from error


def atlas_sources(folder: Path = ATLAS_FOLDER) -> tuple[TrainingSource, ...]:
    """Return what the atlas was made from: every synthetic patient has its regions drawn by the atlas's rule."""
    card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    return tuple(_atlas_source(name, terms) for name, terms in card["sources"].items())


def _atlas_source(name: str, terms: str) -> TrainingSource:
    licence, _, doi = terms.partition(", doi:")
    return TrainingSource(f"{name} (in the atlas)", licence, doi or None)


def _no_source(folder: Path) -> UsageError:
    message = (
        f"expected name, licence and perhaps doi, each a text, in the file {SOURCE_FILE} of {folder.name}, "
        "got something else"
    )
    return UsageError(ErrorCode.COHORT_INVALID, message)
