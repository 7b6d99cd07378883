"""The text of a recipe: read, and its keys and values checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.training.options import require

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def read_text(path: Path) -> str:
    """Return the text of a recipe.

    Raises
    ------
    UsageError
        RECIPE_INVALID if it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"expected a recipe in a text file, but {path.name} cannot be read"
        raise UsageError(ErrorCode.RECIPE_INVALID, message) from error


def parse_toml(text: str) -> dict[str, Any]:
    """Return what a text in TOML says.

    Raises
    ------
    UsageError
        RECIPE_INVALID if it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = f"expected a recipe in TOML: {error}"
        raise UsageError(ErrorCode.RECIPE_INVALID, message) from error


def check_keys(
    prefix: str, table: Mapping[str, Any], known: tuple[str, ...], needed: tuple[str, ...]
) -> None:
    """Refuse a table with keys that are unknown, or without those that are needed.

    Raises
    ------
    UsageError
        RECIPE_INVALID, with the key.
    """
    for key in table:
        require(key in known, f"{prefix}{key}", f"a key of {', '.join(known)}", "another one")
    for key in needed:
        require(key in table, f"{prefix}{key}", "a value", "none")


def check_kind(key: str, value: object, kind: Any) -> None:
    """Refuse a value of another kind; a kind is a type or a Literal of texts.

    Raises
    ------
    UsageError
        RECIPE_INVALID, with the key.
    """
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        expected, met = f"one of {', '.join(choices)}", value in choices
    else:
        allowed = (int, float) if kind is float else kind
        is_truth = isinstance(value, bool)
        expected, met = _KINDS[kind], isinstance(value, allowed) and is_truth == (kind is bool)
    require(met, key, expected, repr(value))
