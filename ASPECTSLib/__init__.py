"""ASPECTS for 3D Slicer: the library behind the module and the command line."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_OFFERED = {
    "score_cohort": "ASPECTSLib.batch.run",
    "BatchOptions": "ASPECTSLib.batch.run",
    "evaluate_cohort": "ASPECTSLib.evaluation.run",
}
"""What people call from a console, by the module that it is in; that is imported when it is asked for."""


def __getattr__(name: str) -> Any:
    """Return what `_OFFERED` names: `ASPECTSLib.score_cohort`."""
    if name not in _OFFERED:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_OFFERED[name]), name)
