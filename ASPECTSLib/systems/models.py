"""The models that a method cannot do without, and those that it takes where they are there."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ASPECTSLib.errors import ErrorCode, ResourceError

if TYPE_CHECKING:
    from ASPECTSLib.inference.card import ModelFile


def required_models(method: str, names: Sequence[str]) -> dict[str, ModelFile]:
    """Return the models of a method by name.

    Raises
    ------
    ResourceError
        TORCH_MISSING if PyTorch is not installed; else as `ASPECTSLib.inference.registry.find_model`.
    """
    if not _has_torch():
        message = f"expected PyTorch for the method {method}, which is not installed"
        raise ResourceError(ErrorCode.TORCH_MISSING, message)
    from ASPECTSLib.inference.registry import find_model

    return {name: find_model(name) for name in names}


def optional_model(name: str) -> ModelFile | None:
    """Return a model; None where it or PyTorch is not installed.

    Raises
    ------
    ResourceError
        As `ASPECTSLib.inference.registry.find_model`, if the model is there and damaged.
    """
    if not _has_torch():
        return None
    from ASPECTSLib.inference.registry import find_optional_model

    return find_optional_model(name)


def _has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None
