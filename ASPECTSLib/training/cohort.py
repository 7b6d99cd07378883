"""Labelled cohorts: folders of scans with labels, checked before anything is trained on them.

`docs/cohorts.md` describes the folders, which are those that `ASPECTSLib.synthesis.cohort` writes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ASPECTSLib.inference.card import TrainingSource
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis.cohort import (
    BRAIN_FILE,
    COHORT_FILE,
    IMAGE_FILE,
    INFARCT_FILE,
    REGIONS_FILE,
)
from ASPECTSLib.training.cohort_scan import ADC_FILE, LabelledScan, check_labelled, refuse
from ASPECTSLib.training.patients import MAIN_IMAGE
from ASPECTSLib.training.sources import source_from, source_of

MODALITY_FOLDERS: Mapping[str, Modality] = MappingProxyType(
    {m.value.lower(): m for m in MAIN_IMAGE}
)
"""Names of the folders within a case."""

SPLIT_FILE = "split.json"
TRAINING_PART, VALIDATION_PART, TEST_PART = "training", "validation", "test"

_LABEL_FILES = (REGIONS_FILE, INFARCT_FILE)  # at least one of them
_KNOWN_FILES = (IMAGE_FILE, *_LABEL_FILES, BRAIN_FILE)

Split = Mapping[str, tuple[str, ...]]
"""Names of the cases of each part."""


@dataclass(frozen=True)
class Cohort:
    """A labelled cohort that was checked.

    Parameters
    ----------
    name
        Of its folder.
    scans
        By case and modality.
    synthetic
        Whether the patients are synthetic, as `cohort.json` says.
    sources
        What the data are, or are made from.
    split
        From `split.json`; None where there is none.
    """

    name: str
    scans: tuple[LabelledScan, ...]
    synthetic: bool
    sources: tuple[TrainingSource, ...]
    split: Split | None

    @property
    def cases(self) -> tuple[str, ...]:
        """Names of the cases."""
        return tuple(dict.fromkeys(scan.case for scan in self.scans))


def read_cohort(folder: Path, progress: Progress | None = None) -> Cohort:
    """Find the scans of a cohort, and read every file once to check it.

    Parameters
    ----------
    folder
        With a folder for each case.
    progress
        Asked between scans whether to go on.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID, with case and file, for what is missing or cannot be used.
    """
    progress = progress or Progress()
    if not folder.is_dir():
        refuse(f"expected a folder of labelled cases, got no folder named {folder.name}")
    scans = tuple(scan for case in _folders(folder) for scan in _scans_of(case))
    if not scans:
        refuse(f"expected a folder for each case in {folder.name}, found none")
    split = _read_split(folder, {scan.case for scan in scans})
    record = _read_json(folder / COHORT_FILE) if (folder / COHORT_FILE).is_file() else {}
    for scan in scans:
        progress.check()
        check_labelled(scan)
    entries = record.get("made_from") or []
    sources = tuple(source_from(entry, folder) for entry in entries) or (source_of(folder),)
    is_synthetic = record.get("synthetic") is True
    return Cohort(folder.resolve().name, scans, is_synthetic, sources, split)


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _scans_of(case: Path) -> list[LabelledScan]:
    known = ", ".join(MODALITY_FOLDERS)
    folders = _folders(case)
    if not folders:
        refuse(f"case {case.name}: expected a folder named {known}, found none")
    for folder in folders:
        if folder.name not in MODALITY_FOLDERS:
            refuse(f"case {case.name}: expected folders named {known}, got {folder.name}")
    return [_scan_of(case, folder) for folder in folders]


def _scan_of(case: Path, folder: Path) -> LabelledScan:
    modality = MODALITY_FOLDERS[folder.name]
    known = (*_KNOWN_FILES, ADC_FILE) if modality is Modality.DWI else _KNOWN_FILES
    files = frozenset(name for name in known if (folder / name).is_file())
    scan = LabelledScan(case.name, modality, folder, files)
    if IMAGE_FILE not in files:
        refuse(f"{scan.name}: expected a file {IMAGE_FILE}, found none")
    if not files.intersection(_LABEL_FILES):
        refuse(f"{scan.name}: expected a file {' or '.join(_LABEL_FILES)}, found neither")
    return scan


def _read_split(folder: Path, cases: Collection[str]) -> Split | None:
    """Return the parts of `split.json`; cases that it does not name take no part."""
    if not (folder / SPLIT_FILE).is_file():
        return None
    content = _read_json(folder / SPLIT_FILE)
    parts = (TRAINING_PART, VALIDATION_PART, TEST_PART)
    lists = all(
        key in parts and isinstance(names, list) and all(isinstance(n, str) for n in names)
        for key, names in content.items()
    )
    if not lists or not content.get(TRAINING_PART):
        refuse(f"expected lists of cases named {', '.join(parts)} in {SPLIT_FILE}, got others")
    named = [name for names in content.values() for name in names]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        refuse(f"expected each case once in {SPLIT_FILE}, got {twice[0]} more than once")
    unknown = sorted(set(named) - set(cases))
    if unknown:
        refuse(f"expected cases of the cohort in {SPLIT_FILE}, got {unknown[0]}, which is not one")
    return {part: tuple(content.get(part, ())) for part in parts}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        content = None
    if not isinstance(content, dict):
        refuse(f"expected a JSON object in {path.name}, got something else")
    return content
