"""The methods: complete systems by name, and what each of them needs."""

from __future__ import annotations

from dataclasses import dataclass

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.io.modality import Modality

AUTO = "auto"
CLASSICAL = "classical"


@dataclass(frozen=True)
class Method:
    """A complete system.

    Parameters
    ----------
    name
        As `--method` takes it.
    title
        For a person.
    inputs
        The scans that it needs, all of them.
    """

    name: str
    title: str
    inputs: tuple[Modality, ...]


METHODS = (Method(CLASSICAL, "classical: atlas and difference of sides", (Modality.NCCT,)),)
"""The best for its modality first."""

METHOD_NAMES = (AUTO, *(method.name for method in METHODS))


def check_method(name: str) -> None:
    """Refuse a name that is no method's.

    Raises
    ------
    UsageError
        METHOD_UNAVAILABLE.
    """
    if name not in METHOD_NAMES:
        message = f"expected a method out of {', '.join(METHOD_NAMES)}, got {name}"
        raise UsageError(ErrorCode.METHOD_UNAVAILABLE, message)


def used_inputs(name: str) -> frozenset[Modality]:
    """Return the scans that a method takes; for `auto`, those that any method takes."""
    chosen = METHODS if name == AUTO else [m for m in METHODS if m.name == name]
    return frozenset(modality for method in chosen for modality in method.inputs)
