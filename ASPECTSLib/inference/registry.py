"""Models by name or path: found, listed, checked against their cards, and opened as networks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ASPECTSLib.device import current_device
from ASPECTSLib.errors import ASPECTSError, ErrorCode, ResourceError, UsageError
from ASPECTSLib.inference.card import (
    CARD_SUFFIX,
    MAX_CARD_BYTES,
    WEIGHTS_SUFFIX,
    ModelCard,
    ModelFile,
    is_model_name,
)
from ASPECTSLib.inference.weights import read_weights, refuse_unsafe

if TYPE_CHECKING:
    import torch
    from torch import nn

MODELS_FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "Models"
MODELS_VARIABLE = "ASPECTS_MODELS"
RUN_FILE = "run.json"
"""In the folder of a training run: what was trained, on what."""

_SUFFIXES = (CARD_SUFFIX, WEIGHTS_SUFFIX)
# Files of weights that people have and that are never opened: most of them can run code.
_OTHER_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".zip", ".npz", ".h5")
_STEMS_OF_RUN = ("run", "checkpoint", "weights")  # `aspects train` writes them beside the model
_SHOWN_DIFFERENCES = 3
_KEPT_NETWORKS = 8  # all that one method needs, and some of another

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of a network's tensors by name."""


def model_folders(environment: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Return the folders that are searched for models, first one first: the site's, then the one that ships.

    Parameters
    ----------
    environment
        Its ASPECTS_MODELS names the site's folders, separated by `os.pathsep`.

    Raises
    ------
    UsageError
        MODEL_NOT_FOUND if one of them is not there: another model than the site's own must not take its place.
    """
    named = [Path(part) for part in environment.get(MODELS_VARIABLE, "").split(os.pathsep) if part]
    for folder in named:
        if not folder.is_dir():
            message = f"expected existing folders in {MODELS_VARIABLE}, got {folder.name}, which is not there"
            raise UsageError(ErrorCode.MODEL_NOT_FOUND, message)
    return (*named, MODELS_FOLDER)


def model_stems(folders: Sequence[Path] | None = None) -> list[Path]:
    """Return FOLDER/NAME of each model, good or bad, without opening any; of one name the first folder's counts.

    Parameters
    ----------
    folders
        Those of `model_folders` when left out.
    """
    found: dict[str, Path] = {}
    for folder in model_folders() if folders is None else folders:
        passed_over = _STEMS_OF_RUN if (folder / RUN_FILE).is_file() else ()
        for path in sorted(folder.glob("*")):
            is_one = path.suffix in _SUFFIXES and path.stem not in passed_over
            if is_one and is_model_name(path.stem):
                found.setdefault(path.stem, path.with_suffix(""))
    return list(found.values())


def find_optional_model(name: str, folders: Sequence[Path] | None = None) -> ModelFile | None:
    """Find a model as `find_model` does; None if there is none of that name, but not if it is damaged."""
    try:
        return find_model(name, folders)
    except ResourceError as error:
        if error.code is not ErrorCode.MODEL_NOT_FOUND:
            raise
        return None


def list_models(folders: Sequence[Path] | None = None) -> list[ModelFile]:
    """Return all models, the site's first; only their cards are read.

    Parameters
    ----------
    folders
        Those of `model_folders` when left out.

    Raises
    ------
    ResourceError
        As `open_card`, for the first model without a good card.
    """
    return [open_card(stem) for stem in model_stems(folders)]


def find_model(name_or_path: str | Path, folders: Sequence[Path] | None = None) -> ModelFile:
    """Find a model; its card is read, its weights are looked at but not hashed.

    Parameters
    ----------
    name_or_path
        A name, which is looked up in the folders and nowhere else, or the path of the weights, of the card, or
        FOLDER/NAME. A `Path` is always a path.
    folders
        Those of `model_folders` when left out.

    Raises
    ------
    ResourceError
        MODEL_NOT_FOUND if there is no such model or one of its two files is missing; MODEL_UNSAFE if the weights are
        a pickle, an archive or too large; MODEL_DAMAGED if the card is damaged; MODEL_MISMATCH if it names another
        model.
    """
    if isinstance(name_or_path, str) and is_model_name(name_or_path):
        stem = _stem_of_name(name_or_path, model_folders() if folders is None else folders)
    else:
        stem = _stem_of_path(Path(name_or_path))
    weights = stem.with_name(f"{stem.name}{WEIGHTS_SUFFIX}")
    if not weights.is_file():
        _refuse_other_formats(stem)
        message = f"expected the weights {weights.name} beside the card of {stem.name}, found none"
        raise ResourceError(ErrorCode.MODEL_NOT_FOUND, message)
    refuse_unsafe(weights)
    return open_card(stem)


def open_card(stem: Path) -> ModelFile:
    """Open a model by its card alone.

    Parameters
    ----------
    stem
        FOLDER/NAME.

    Raises
    ------
    ResourceError
        MODEL_NOT_FOUND if there is no card; MODEL_DAMAGED if it is no card of a known schema; MODEL_MISMATCH if it is
        that of another model, as after renaming the files.
    """
    path = stem.with_name(f"{stem.name}{CARD_SUFFIX}")
    card = _read_card(path)
    if card.name != stem.name:
        message = f"expected the card of {stem.name}, got that of {card.name}; a renamed model is not taken"
        raise ResourceError(ErrorCode.MODEL_MISMATCH, message)
    return ModelFile(card, stem.parent)


def verify_model(model: ModelFile) -> None:
    """Check a model's weights: SHA-256, then form; needs no torch.

    Raises
    ------
    ResourceError
        As `ASPECTSLib.inference.weights.read_weights`.
    """
    read_weights(model.weights_path, model.card.sha256)


def load_weights(model: ModelFile) -> dict[str, torch.Tensor]:
    """Load a model's weights as they are stored, on the CPU.

    Raises
    ------
    ResourceError
        TORCH_MISSING without torch, else as `ASPECTSLib.inference.weights.read_weights`.
    """
    torch = require_torch()
    arrays = read_weights(model.weights_path, model.card.sha256)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def load_network(model: ModelFile, device: torch.device | str | None = None) -> nn.Module:
    """Load a model as a network in evaluation mode, its numbers in 32 bits.

    It lies on the device that is given, or else on that of `ASPECTSLib.device.computing_on`. The same file on the same
    device is read once in a process and the network shared: it is to be looked through, not changed. Torch's random
    numbers are those that they would be without this call.

    Raises
    ------
    ResourceError
        MODEL_MISMATCH if the tensors are not those of the card's architecture, else as `load_weights`.
    UsageError
        MODEL_MISMATCH if the card's architecture or its options are unknown.
    """
    require_torch()
    path, card = model.weights_path, model.card
    try:
        state = path.stat()
        written = state.st_mtime_ns, state.st_size
    except OSError:
        written = None  # reading it says why
    options = f"{card.architecture} {sorted(card.options.items())}"
    return _network(
        _Wanted((path, written, card.sha256, options, str(device or current_device())), model)
    )


@dataclass(frozen=True)
class _Wanted:
    """A network by its file and place, and the model that it is made of."""

    identity: tuple[object, ...]
    model: ModelFile = field(compare=False)


@lru_cache(maxsize=_KEPT_NETWORKS)
def _network(wanted: _Wanted) -> nn.Module:
    torch = require_torch()
    from ASPECTSLib.networks.build import build_network
    from ASPECTSLib.networks.without_memory import without_memory

    model = wanted.model
    weights = load_weights(model)
    card = model.card
    try:
        with without_memory():
            expected = _shapes(build_network(card.architecture, card.options).state_dict())
    except RuntimeError as error:  # torch's word for sizes beyond its numbers
        message = f"expected options of {card.architecture} that make a network, got {str(card.options)[:80]}"
        raise ResourceError(ErrorCode.MODEL_MISMATCH, message) from error
    _check_tensors(model, expected, _shapes(weights))
    with torch.random.fork_rng(devices=[]):
        network = build_network(card.architecture, card.options)
    network.load_state_dict(weights, strict=True)
    return network.to(wanted.identity[-1]).eval()


def require_torch() -> ModuleType:
    """Return torch.

    Raises
    ------
    ResourceError
        TORCH_MISSING if it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        message = (
            "expected PyTorch, which is not installed; the method classical works without it, and in Slicer the "
            "PyTorch extension installs it"
        )
        raise ResourceError(ErrorCode.TORCH_MISSING, message) from error
    return torch


def _stem_of_name(name: str, folders: Sequence[Path]) -> Path:
    for folder in folders:
        if any((folder / f"{name}{suffix}").is_file() for suffix in _SUFFIXES):
            return folder / name
    for folder in folders:
        _refuse_other_formats(folder / name)
    searched = ", ".join(folder.name for folder in folders)
    message = f"expected a model named {name} in the folders {searched}, found none; `aspects models list` shows all"
    raise ResourceError(ErrorCode.MODEL_NOT_FOUND, message)


def _stem_of_path(path: Path) -> Path:
    stem = path.with_suffix("") if path.suffix in _SUFFIXES else path
    if stem == path and path.is_file():
        raise _other_format(path)
    files = [stem.with_name(f"{stem.name}{suffix}") for suffix in _SUFFIXES if stem.name]
    if not any(file.is_file() for file in files):
        _refuse_other_formats(stem)
        message = f"expected a model's weights or card at {path.name!a}, found none"
        raise ResourceError(ErrorCode.MODEL_NOT_FOUND, message)
    return stem


def _refuse_other_formats(stem: Path) -> None:
    """Say what is wrong where the weights are there in a form that is never opened."""
    for suffix in _OTHER_SUFFIXES if stem.name else ():
        path = stem.with_name(f"{stem.name}{suffix}")
        if path.is_file():
            raise _other_format(path)


def _other_format(path: Path) -> ASPECTSError:
    message = (
        f"expected weights in NAME{WEIGHTS_SUFFIX}, got {path.name!a}; other forms, such as pickles, can run "
        "code and are never opened"
    )
    return ResourceError(ErrorCode.MODEL_UNSAFE, message)


def _read_card(path: Path) -> ModelCard:
    if not path.is_file():
        message = f"expected the card {path.name} beside the weights, found none"
        raise ResourceError(ErrorCode.MODEL_NOT_FOUND, message)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CARD_BYTES + 1)
    except OSError as error:
        raise _damaged_card(path, error.strerror or type(error).__name__) from error
    if len(content) > MAX_CARD_BYTES:
        raise _damaged_card(path, f"it is larger than {MAX_CARD_BYTES // 10**6} MB")
    try:
        return ModelCard.from_json(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _damaged_card(path, "it is not in UTF-8") from error
    except ResourceError as error:
        raise _damaged_card(path, error.message) from error


def _damaged_card(path: Path, reason: str) -> ResourceError:
    message = f"the model card {path.name} is damaged: {reason}"
    return ResourceError(ErrorCode.MODEL_DAMAGED, message)


def _shapes(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _check_tensors(model: ModelFile, expected: Shapes, got: Shapes) -> None:
    """Refuse weights of another network, and say where they differ first."""
    missing = [f"{name} is missing" for name in expected if name not in got]
    surplus = [f"{name!a} is unknown" for name in got if name not in expected]
    shared = [name for name in expected if name in got and got[name] != expected[name]]
    other = [f"{name} is {list(got[name])} instead of {list(expected[name])}" for name in shared]
    differences = [*missing, *surplus, *other]
    if differences:
        shown = "; ".join(differences[:_SHOWN_DIFFERENCES])
        more = len(differences) - _SHOWN_DIFFERENCES
        rest = f"; and {more} more" if more > 0 else ""
        message = f"expected the tensors of {model.card.architecture}, got those of another network: {shown}{rest}"
        raise ResourceError(ErrorCode.MODEL_MISMATCH, message)
