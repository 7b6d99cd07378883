"""Diffusion weightings: which volumes of a series are read, and where image files state them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import (
    ContentRefusedError,
    ErrorCode,
    FileRefusedError,
    GeometryRefusedError,
)
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.notes import NoteCode, ScanNote

STROKE_B_VALUE = 1000.0
"""What infarcts are imaged with, s/mm2; trials and thresholds of the ADC refer to it.

Source: Wintermark et al., AJNR Am J Neuroradiol 2008;29:E23-30.
"""

WEIGHTED_B_VALUES = (700.0, 1500.0)
"""Below, T2 and perfusion show through; above, signal sinks to noise and no longer falls by one exponential.

Source for the fall at high b-values: Mulkern et al., NMR Biomed 1999;12:51-62. The limits are round numbers.
"""

MAX_B0 = 50.0
"""Of an image without weighting: imaging gradients alone make 5 to 30 s/mm2, some protocols take 50."""

SAME_SHELL = 50.0
"""Values that differ by less are one weighting: Siemens states those that gradients really made, within 20."""

SAME_B0 = 5.0
"""Values that differ by less from the lowest are unweighted as well; b = 10 to 50 measures perfusion."""

JSON_KEYS = ("DiffusionBValue", "BValue", "BValues", "bval", "bvals")
"""Keys of a sidecar, in any case and with any `-`, `_` or space between words: DICOM's, BIDS's and FSL's names."""

_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
_TEXT_SUFFIXES = (".bval", ".bvals")
_FSL_NAMES = ("bvals", "bval")
_NORMALISED_KEYS = frozenset(key.lower() for key in JSON_KEYS)


@dataclass(frozen=True)
class PickedVolumes:
    """Which volumes of a series are the weighted one and the unweighted one.

    Parameters
    ----------
    weighted
        Indices of the volumes with the weighting nearest to `STROKE_B_VALUE`: one, or one a direction.
    b0
        Indices of those without weighting; empty if there are none.
    b_value
        Of the weighted ones, s/mm2.
    """

    weighted: tuple[int, ...]
    b0: tuple[int, ...]
    b_value: float


@dataclass(frozen=True, eq=False)
class DiffusionImages:
    """The images of one acquisition, with and without diffusion weighting, as they were read.

    Parameters
    ----------
    weighted
        With the weighting nearest to `STROKE_B_VALUE`, directions combined; affine to RAS mm.
    b_value
        Of `weighted`, s/mm2; None where nothing states it.
    b0
        Without weighting; None if the acquisition has none, or nothing tells which it is.
    files
        Names of the files read, relative to the folder that was given.
    notes
        What was picked, changed or assumed.
    age_years, description
        As in the header; None and empty for image files.
    """

    weighted: Volume
    b_value: float | None
    b0: Volume | None
    files: tuple[str, ...]
    notes: tuple[ScanNote, ...] = ()
    age_years: float | None = None
    description: str = ""


def pick_volumes(b_values: Sequence[float | None]) -> PickedVolumes:
    """Pick the volumes to read by their b-values, in s/mm2; those of unknown b-value are left out.

    Raises
    ------
    ContentRefusedError
        If none lies within `WEIGHTED_B_VALUES`.
    """
    known = [value for value in b_values if value is not None]
    fitting = [value for value in known if is_stroke_weighting(value)]
    if not fitting:
        raise _no_weighting(known)
    nearest = min(fitting, key=lambda value: (abs(value - STROKE_B_VALUE), value))
    is_near = [value is not None and abs(value - nearest) <= SAME_SHELL for value in b_values]
    weighted = tuple(index for index, near in enumerate(is_near) if near)
    mean = float(np.mean([value for value in known if abs(value - nearest) <= SAME_SHELL]))
    return PickedVolumes(weighted, unweighted_of(b_values), mean)


def unweighted_of(b_values: Sequence[float | None]) -> tuple[int, ...]:
    """Return the indices of the volumes without diffusion weighting; none if all have some."""
    lowest = min((value for value in b_values if value is not None), default=math.inf)
    if lowest > MAX_B0:
        return ()
    highest = lowest + SAME_B0
    return tuple(i for i, value in enumerate(b_values) if value is not None and value <= highest)


def picked_notes(b_values: Sequence[float | None], directions: int) -> tuple[ScanNote, ...]:
    """Return a note if there was something to choose from, or to combine.

    Parameters
    ----------
    b_values
        Of all volumes, or of all slices; s/mm2.
    directions
        How many images were combined at each place.
    """
    known = [value for value in b_values if value is not None]
    others = sorted({round(value) for value in known if not _is_read(value, known)})
    said = []
    if others:
        said.append(f"images with b = {', '.join(map(str, others))} s/mm2 were not used")
    if directions > 1:
        said.append(f"{directions} directions of diffusion were combined to their geometric mean")
    return (ScanNote(NoteCode.VOLUMES_PICKED, "; ".join(said)),) if said else ()


def is_stroke_weighting(b_value: float) -> bool:
    """Return whether infarcts show at a b-value as readers and networks know them."""
    lowest, highest = WEIGHTED_B_VALUES
    return lowest <= b_value <= highest


def check_weighting(b_value: float) -> None:
    """Refuse a single volume with another weighting than is read.

    Raises
    ------
    ContentRefusedError
        If it is not within `WEIGHTED_B_VALUES`.
    """
    if not is_stroke_weighting(b_value):
        raise _no_weighting([b_value])


def b_values_beside(path: Path, volumes: int) -> tuple[float, ...] | None:
    """Return the b-values of an image file from the text or JSON file beside it.

    Looked for are, for `scan.nii.gz`: `scan.bval` and `scan.bvals` (numbers with spaces between
    them, as FSL writes them), `scan.json` (see `JSON_KEYS`), and for a series FSL's `bvals`.

    Parameters
    ----------
    path
        The image file.
    volumes
        How many it has.

    Returns
    -------
    tuple or None
        One a volume, s/mm2; None if nothing beside the file states them.

    Raises
    ------
    FileRefusedError
        If such a file cannot be read as numbers of at least 0.
    GeometryRefusedError
        If it states another number of values than there are volumes.
    """
    stem = _stem(path)
    for suffix in _TEXT_SUFFIXES:
        beside = path.with_name(stem + suffix)
        if beside.is_file():
            return _checked(_read_text(beside), volumes, beside.name)
    sidecar = path.with_name(stem + ".json")
    stated = _read_json(sidecar) if sidecar.is_file() else None
    if stated is not None:
        return _checked(stated, volumes, sidecar.name)
    for name in _FSL_NAMES if volumes > 1 else ():
        beside = path.with_name(name)
        if beside.is_file():
            return _checked(_read_text(beside), volumes, name)
    return None


def geometric_mean(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the trace image of several directions: the geometric mean, 0 where one has no signal.

    Its logarithm is the mean of theirs, so that the ADC made of it is the mean of their ADC.

    Parameters
    ----------
    arrays
        Signal of one shape.

    Returns
    -------
    numpy.ndarray
        float32; a single array is returned as it is.
    """
    if len(arrays) == 1:
        return arrays[0]
    total = np.zeros(arrays[0].shape, np.float32)
    has_signal = np.ones(arrays[0].shape, bool)
    for array in arrays:
        positive = array > 0
        has_signal &= positive
        total += np.log(array, out=np.zeros(array.shape, np.float32), where=positive)
    return np.where(has_signal, np.exp(total / len(arrays)), np.float32(0.0)).astype(np.float32)


def arithmetic_mean(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the mean of repeated images, float32; a single array is returned as it is."""
    if len(arrays) == 1:
        return arrays[0]
    total = np.zeros(arrays[0].shape, np.float32)
    for array in arrays:
        total += array
    return total / len(arrays)


def _is_read(value: float, known: Sequence[float]) -> bool:
    picked = pick_volumes([*known, value])
    return len(known) in {*picked.weighted, *picked.b0}


def _no_weighting(b_values: Sequence[float]) -> ContentRefusedError:
    lowest, highest = WEIGHTED_B_VALUES
    got = ", ".join(f"{value:.0f}" for value in sorted(set(b_values))) or "none"
    message = (
        f"expected a volume with a b-value near {STROKE_B_VALUE:.0f} s/mm2 "
        f"({lowest:.0f} to {highest:.0f}), got {got}"
    )
    return ContentRefusedError(ErrorCode.WRONG_MODALITY, message)


def _stem(path: Path) -> str:
    name = path.name
    suffix = next((one for one in _SUFFIXES if name.lower().endswith(one)), "")
    return name[: len(name) - len(suffix)]


def _read_text(path: Path) -> tuple[float, ...]:
    try:
        words = path.read_text(encoding="utf-8-sig").replace(",", " ").split()
        return tuple(float(word) for word in words)
    except (OSError, ValueError) as error:
        raise _not_numbers(path.name) from error


def _read_json(path: Path) -> tuple[float, ...] | None:
    """Return the values under the first key that states b-values; None if no key does."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        message = f"expected a JSON file, but {path.name} cannot be read as one"
        raise FileRefusedError(ErrorCode.FILE_UNREADABLE, message) from error
    for key, value in content.items() if isinstance(content, dict) else ():
        if re.sub(r"[-_ ]", "", str(key)).lower() in _NORMALISED_KEYS:
            try:
                return tuple(float(one) for one in (value if isinstance(value, list) else [value]))
            except (TypeError, ValueError) as error:
                raise _not_numbers(path.name) from error
    return None


def _checked(b_values: tuple[float, ...], volumes: int, name: str) -> tuple[float, ...]:
    if not all(math.isfinite(value) and value >= 0.0 for value in b_values):
        raise _not_numbers(name)
    if len(b_values) != volumes:
        message = f"expected {volumes} b-values in {name}, one a volume, got {len(b_values)}"
        raise GeometryRefusedError(ErrorCode.NOT_THREE_DIMENSIONAL, message)
    return b_values


def _not_numbers(name: str) -> FileRefusedError:
    message = f"expected b-values of at least 0 with spaces between them in {name}, got other text"
    return FileRefusedError(ErrorCode.FILE_UNREADABLE, message)
