"""Packages that Slicer does not bundle: looked for, and installed when the user asks for it."""

from __future__ import annotations

import importlib.util
from contextlib import suppress

import slicer
from slicer.i18n import tr as _

PICTURE_REQUIREMENT = "matplotlib>=3.8"
MONAI_REQUIREMENT = "monai>=1.5"
_PYTORCH_MODULE = "PyTorchUtils"


def hasPictures() -> bool:
    """Return whether the report picture can be drawn."""
    return importlib.util.find_spec("matplotlib") is not None


def hasNetworks() -> bool:
    """Return whether methods with neural networks can run: PyTorch is there, and MONAI with parts of networks."""
    return all(importlib.util.find_spec(package) for package in ("torch", "monai"))


def installPictures() -> str:
    """Install matplotlib after the user consents, and return the sentence to show."""
    with suppress(RuntimeError):  # how `pip_ensure` says that the user declined
        _ensure(PICTURE_REQUIREMENT)
    importlib.invalidate_caches()
    if not hasPictures():
        return _("matplotlib was not installed.")
    return _("The report picture can be drawn now.")


def installNetworks() -> str:
    """Install PyTorch through Slicer's PyTorch extension, and MONAI, and return the sentence to show."""
    if importlib.util.find_spec(_PYTORCH_MODULE) is None:
        return _(
            "Install the extension PyTorch from the Extensions Manager first, and restart Slicer."
        )
    import PyTorchUtils

    torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True)
    if torch is None:
        return _("PyTorch was not installed.")
    with suppress(RuntimeError):  # declined
        _ensure(MONAI_REQUIREMENT)
    importlib.invalidate_caches()
    if not hasNetworks():
        return _("PyTorch is installed; MONAI was not, which head CT is scored best with.")
    return _("PyTorch and MONAI are installed.")


def _ensure(requirement: str) -> None:
    try:
        from slicer.packaging import pip_ensure  # Slicer 5.12
    except ImportError:
        _ensureBefore512(requirement)
    else:
        pip_ensure(requirement, requester="ASPECTS")


def _ensureBefore512(requirement: str) -> None:
    question = _("Install {package}? It is fetched from the Python Package Index.")
    if not slicer.util.confirmOkCancelDisplay(question.format(package=requirement)):
        raise RuntimeError(requirement)
    slicer.util.pip_install(requirement)
