"""Labelled cohorts: folders of scans with region maps, checked before anything is trained on them.

`docs/cohorts.md` describes the folders, which are those that `ASPECTSLib.synthesis.cohort` writes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS, Side
from ASPECTSLib.errors import ASPECTSError, ErrorCode, InputRefusedError
from ASPECTSLib.geometry import Volume, apply_affine, canonicalize
from ASPECTSLib.inference.card import TrainingSource
from ASPECTSLib.io.images import read_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.preprocessing.units import to_hounsfield
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis.cohort import (
    BRAIN_FILE,
    COHORT_FILE,
    IMAGE_FILE,
    INFARCT_FILE,
    REGIONS_FILE,
)
from ASPECTSLib.training.patients import MAIN_IMAGE
from ASPECTSLib.training.sources import source_from, source_of

MODALITY_FOLDERS: Mapping[str, Modality] = MappingProxyType(
    {m.value.lower(): m for m in MAIN_IMAGE}
)
"""Names of the folders within a case."""

SPLIT_FILE = "split.json"
TRAINING_PART, VALIDATION_PART, TEST_PART = "training", "validation", "test"

_SAME_PLACE_MM = 0.1  # headers in single precision, rounded by a program or two, differ by less
_MIN_REGIONS_IN_BRAIN = 0.5  # a mask of this very scan holds nearly all of the regions

Split = Mapping[str, tuple[str, ...]]
"""Names of the cases of each part."""


@dataclass(frozen=True)
class LabelledScan:
    """The files of a scan.

    Parameters
    ----------
    case
        Name of the patient's folder.
    modality
        Of the scan.
    folder
        Where its files lie.
    has_brain
        Whether there is a brain mask.
    """

    case: str
    modality: Modality
    folder: Path
    has_brain: bool

    @property
    def name(self) -> str:
        """Case and modality, for messages."""
        return f"case {self.case}, {self.folder.name}"


@dataclass(frozen=True, eq=False)
class LabelledVolumes:
    """A scan with its labels on one grid in the image frame.

    Parameters
    ----------
    image
        HU for CT, as they are for others.
    regions
        uint8 label map, 0 to 20.
    brain
        uint8, 0 or 1; None where there is no mask.
    """

    image: Volume
    regions: Volume
    brain: Volume | None


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
        _refuse(f"expected a folder of labelled cases, got no folder named {folder.name}")
    scans = tuple(scan for case in _folders(folder) for scan in _scans_of(case))
    if not scans:
        _refuse(f"expected a folder for each case in {folder.name}, found none")
    split = _read_split(folder, {scan.case for scan in scans})
    record = _read_json(folder / COHORT_FILE) if (folder / COHORT_FILE).is_file() else {}
    for scan in scans:
        progress.check()
        read_labelled(scan)
        _check_infarct(scan)
    entries = record.get("made_from") or []
    sources = tuple(source_from(entry, folder) for entry in entries) or (source_of(folder),)
    is_synthetic = record.get("synthetic") is True
    return Cohort(folder.resolve().name, scans, is_synthetic, sources, split)


def read_labelled(scan: LabelledScan) -> LabelledVolumes:
    """Read a scan and its labels.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID if a file cannot be read, grids differ, labels are not those of the regions, a side is missing,
        sides are exchanged, or the voxels are not those of the modality.
    """
    given = _read(scan, IMAGE_FILE)
    regions = _labels(scan, given)
    brain = _mask(scan, given, BRAIN_FILE) if scan.has_brain else None
    if brain is not None:
        held = float(brain.array[regions.array > 0].mean())
        if held < _MIN_REGIONS_IN_BRAIN:
            message = f"expected a brain that holds the regions, got one that holds {held:.0%}"
            _refuse_file(scan, BRAIN_FILE, message)
    canonical = canonicalize(given)
    image = _in_units(scan, canonical.volume)
    return LabelledVolumes(
        image=image,
        regions=image.with_array(canonical.reorder(regions.array)),
        brain=None if brain is None else image.with_array(canonical.reorder(brain.array)),
    )


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _scans_of(case: Path) -> list[LabelledScan]:
    known = ", ".join(MODALITY_FOLDERS)
    folders = _folders(case)
    if not folders:
        _refuse(f"case {case.name}: expected a folder named {known}, found none")
    scans = []
    for folder in folders:
        if folder.name not in MODALITY_FOLDERS:
            _refuse(f"case {case.name}: expected folders named {known}, got {folder.name}")
        has_brain = (folder / BRAIN_FILE).is_file()
        scan = LabelledScan(case.name, MODALITY_FOLDERS[folder.name], folder, has_brain)
        for name in (IMAGE_FILE, REGIONS_FILE):
            if not (folder / name).is_file():
                _refuse(f"{scan.name}: expected a file {name}, found none")
        scans.append(scan)
    return scans


def _read(scan: LabelledScan, name: str) -> Volume:
    try:
        return read_image(scan.folder / name)
    except ASPECTSError as error:
        raise _refusal(scan, name, error.message) from error


def _read_on_grid(scan: LabelledScan, image: Volume, name: str) -> Volume:
    volume = _read(scan, name)
    if volume.size != image.size:
        sizes = f"expected a grid of {image.size} voxels as in {IMAGE_FILE}, got {volume.size}"
        _refuse_file(scan, name, sizes)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in image.size])).reshape(3, -1).T
    apart = apply_affine(image.affine, corners) - apply_affine(volume.affine, corners)
    apart_mm = float(np.linalg.norm(apart, axis=1).max())
    if apart_mm > _SAME_PLACE_MM:
        message = f"expected the grid of {IMAGE_FILE}, got one whose corners lie {apart_mm:.1f} mm from there"
        _refuse_file(scan, name, message)
    return volume


def _labels(scan: LabelledScan, image: Volume) -> Volume:
    volume = _read_on_grid(scan, image, REGIONS_FILE)
    wrong = volume.array[(volume.array < 0) | (volume.array > len(REGIONS)) | _broken(volume.array)]
    if wrong.size:
        message = f"expected labels 0 to {len(REGIONS)}, got {float(wrong.flat[0]):g}"
        _refuse_file(scan, REGIONS_FILE, message)
    labels = volume.with_array(volume.array.astype(np.uint8))
    if not labels.array.any():
        _refuse_file(scan, REGIONS_FILE, "expected regions, got a map of background only")
    right_mm, left_mm = (_middle_x_mm(scan, labels, side) for side in (Side.RIGHT, Side.LEFT))
    if right_mm <= left_mm:
        message = (
            "expected labels 1 to 10 on the patient's right of labels 11 to 20, got them on the left: the labels or "
            "the scan's header are mirrored"
        )
        _refuse_file(scan, REGIONS_FILE, message)
    return labels


def _broken(array: NDArray[Any]) -> NDArray[np.bool_] | bool:
    return False if array.dtype.kind in "iu" else array != np.rint(array)


def _middle_x_mm(scan: LabelledScan, labels: Volume, side: Side) -> float:
    wanted = [region.label for region in REGIONS if region.side is side]
    found = np.argwhere(np.isin(labels.array, wanted))
    if not len(found):
        message = f"expected regions of both sides, got none of the {side.value} side"
        _refuse_file(scan, REGIONS_FILE, message)
    return float(apply_affine(labels.affine, found.mean(axis=0)[::-1])[0])


def _mask(scan: LabelledScan, image: Volume, name: str) -> Volume:
    volume = _read_on_grid(scan, image, name)
    values = np.unique(volume.array)
    if values[0] < 0 or len(values) > 2 or (len(values) == 2 and values[0] != 0):
        _refuse_file(scan, name, "expected a mask of 0 and one other value, got other values")
    return volume.with_array((volume.array != 0).astype(np.uint8))


def _check_infarct(scan: LabelledScan) -> None:
    if (scan.folder / INFARCT_FILE).is_file():
        _mask(scan, _read(scan, REGIONS_FILE), INFARCT_FILE)  # which lie where the image lies


def _in_units(scan: LabelledScan, image: Volume) -> Volume:
    if scan.modality.dicom_modality != "CT":
        if not (image.array > 0).any():
            _refuse_file(scan, IMAGE_FILE, "expected a head, got no voxel above 0")
        return image
    try:
        return to_hounsfield(image)[0]
    except ASPECTSError as error:
        raise _refusal(scan, IMAGE_FILE, error.message) from error


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
        _refuse(f"expected lists of cases named {', '.join(parts)} in {SPLIT_FILE}, got others")
    named = [name for names in content.values() for name in names]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        _refuse(f"expected each case once in {SPLIT_FILE}, got {twice[0]} more than once")
    unknown = sorted(set(named) - set(cases))
    if unknown:
        _refuse(f"expected cases of the cohort in {SPLIT_FILE}, got {unknown[0]}, which is not one")
    return {part: tuple(content.get(part, ())) for part in parts}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        content = None
    if not isinstance(content, dict):
        _refuse(f"expected a JSON object in {path.name}, got something else")
    return content


def _refuse_file(scan: LabelledScan, name: str, message: str) -> NoReturn:
    raise _refusal(scan, name, message)


def _refusal(scan: LabelledScan, name: str, message: str) -> InputRefusedError:
    return InputRefusedError(ErrorCode.COHORT_INVALID, f"{scan.name}, {name}: {message}")


def _refuse(message: str) -> NoReturn:
    raise InputRefusedError(ErrorCode.COHORT_INVALID, message)
