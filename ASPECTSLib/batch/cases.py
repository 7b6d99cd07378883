"""The cases of a cohort: their names, folders and scans."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ASPECTSLib.errors import ErrorCode
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.systems.given import GivenScans

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_KEPT_LETTERS = 40
_HASH_LETTERS = 8


@dataclass(frozen=True)
class Refusal:
    """Why a case has no result: a code for programs and a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True)
class Case:
    """One patient or study of a cohort.

    Parameters
    ----------
    name
        As the person who made the cohort calls it.
    scans
        Paths of the scans by kind; a single one of which the kind is to be recognised stands under None.
    age_years
        None where it is not known, or stands in the header.
    series
        Number or description of the DICOM series.
    folder
        Of its result, within the folder of all results; filled in by `with_folders`.
    refusal
        Why there is nothing to be scored, where the cohort's own table or folder shows it.
    """

    name: str
    scans: Mapping[Modality | None, Path] = field(default_factory=lambda: MappingProxyType({}))
    age_years: float | None = None
    series: str | None = None
    folder: str = ""
    refusal: Refusal | None = None

    def given(self) -> GivenScans:
        """Return the scans as they are read.

        Raises
        ------
        UsageError
            USAGE if there are none.
        """
        by_kind = {kind: path for kind, path in self.scans.items() if kind is not None}
        return GivenScans(self.scans.get(None), by_kind, series=self.series)

    def to_dict(self) -> dict[str, Any]:
        """Return what another process needs, as JSON can hold it."""
        return {
            "name": self.name,
            "scans": {"" if kind is None else kind.value: str(p) for kind, p in self.scans.items()},
            "age_years": self.age_years,
            "series": self.series,
            "folder": self.folder,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Case:
        """Read what `to_dict` gives."""
        scans = {Modality(kind) if kind else None: Path(p) for kind, p in data["scans"].items()}
        return cls(data["name"], scans, data["age_years"], data["series"], data["folder"])


def with_folders(cases: Iterable[Case]) -> tuple[Case, ...]:
    """Give each case a folder of its own, and refuse those whose name was there before.

    Names that differ by case only are the same: some file systems do not tell them apart. Names that are no file names
    are shortened and end in a part of their hash.
    """
    placed: list[Case] = []
    first: dict[str, int] = {}
    taken: set[str] = set()
    for number, case in enumerate(cases, start=1):
        folder = _folder_name(case.name)
        key, before = case.name.casefold(), first.get(case.name.casefold())
        if before is None:
            first[key] = number
            placed.append(replace(case, folder=_free(folder, taken)))
            continue
        message = f"expected each case once, got {case.name} as cases {before} and {number}; the first one counts"
        refusal = case.refusal or Refusal(ErrorCode.CASE_DUPLICATE, message)
        again = _free(f"{folder}.again", taken)
        placed.append(replace(case, folder=again, refusal=refusal))
    return tuple(placed)


def _folder_name(name: str) -> str:
    if _SAFE_NAME.fullmatch(name) and not name.endswith("."):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LETTERS]
    letters = _UNSAFE.sub("-", name).strip("-.")[:_KEPT_LETTERS]
    return f"{letters}-{digest}" if letters else digest


def _free(folder: str, taken: set[str]) -> str:
    """Return a folder name that no other case has, and take it."""
    free, number = folder, 1
    while free.casefold() in taken:
        number += 1
        free = f"{folder}-{number}"
    taken.add(free.casefold())
    return free
