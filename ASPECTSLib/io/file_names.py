"""What an image file is by its name, where its header does not say, as names of BIDS do (`sub-01_dwi.nii.gz`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ASPECTSLib.io.images import IMAGE_SUFFIXES
from ASPECTSLib.io.modality import Modality

KIND_NAMES: Mapping[str, Modality] = {m.value.lower(): m for m in Modality}
"""Kinds of scans by their names."""

_SYNONYMS: Mapping[str, Modality] = {"ct": Modality.NCCT, "nect": Modality.NCCT, **KIND_NAMES}
_NO_SCANS = ("age", "brain", "infarct", "lesion", "mask", "msk", "regions", "seg", "tissue")
_BETWEEN_WORDS = re.compile(r"[^A-Za-z0-9]+")


def kind_by_name(path: Path) -> Modality | None:
    """Return the kind of scan that an image file's name says; None if it says none, several, or that it is no scan."""
    words = [word for word in _BETWEEN_WORDS.split(image_stem(path).lower()) if word]
    kinds = {_SYNONYMS[word] for word in words if word in _SYNONYMS}
    if len(kinds) != 1 or any(word in _NO_SCANS for word in words):
        return None
    return kinds.pop()


def image_stem(path: Path) -> str:
    """Return the name of an image file without its suffix, which can have two parts; empty for other files."""
    lower = path.name.lower()
    for suffix in IMAGE_SUFFIXES:
        if lower.endswith(suffix) and not lower.startswith("."):
            return path.name[: -len(suffix)]
    return ""
