"""Recipes of support vector machines: features and grid, as a small TOML file that is checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ASPECTSLib.methods import CTA_RADIOMICS
from ASPECTSLib.scoring.radiomics.features import feature_names
from ASPECTSLib.training.options import require
from ASPECTSLib.training.recipe_text import check_keys, check_kind, parse_toml
from ASPECTSLib.training.support_vectors import MachineGrid

MACHINE_TASK = CTA_RADIOMICS
"""The task of these recipes; all others are those of networks."""

_TABLES = ("features", "machine")


@dataclass(frozen=True)
class MachineRecipe:
    """A complete recipe.

    Parameters
    ----------
    name
        Of the recipe, and of the file of machines that comes of it.
    features
        What the machines see; empty for what a screening chooses.
    screening
        Whether a t-test and Lasso are reported where features are given.
    grid
        Which machines are tried.

    Raises
    ------
    UsageError
        RECIPE_INVALID if a feature is unknown or named twice.
    """

    name: str
    features: tuple[str, ...] = ()
    screening: bool = True
    grid: MachineGrid = field(default_factory=MachineGrid)

    def __post_init__(self) -> None:
        known = feature_names()
        for name in self.features:
            require(name in known, "features.names", f"features out of {', '.join(known)}", name)
        once = len(set(self.features)) == len(self.features)
        require(once, "features.names", "each feature once", list(self.features))

    @property
    def is_screened(self) -> bool:
        """Whether there is a screening: to report, or to choose."""
        return self.screening or not self.features

    def record(self) -> dict[str, Any]:
        """Return the recipe as JSON holds it."""
        return {
            "name": self.name,
            "task": MACHINE_TASK,
            "features": {"names": list(self.features), "screening": self.screening},
            "machine": asdict(self.grid),
        }


def is_of_machines(text: str) -> bool:
    """Tell whether a recipe is one of support vector machines.

    Raises
    ------
    UsageError
        RECIPE_INVALID if the text is not TOML.
    """
    return parse_toml(text).get("task") == MACHINE_TASK


def parse_machine_recipe(text: str) -> MachineRecipe:
    """Check the text of a recipe.

    Raises
    ------
    UsageError
        RECIPE_INVALID if it is not TOML, a key is unknown or missing, or a value is of another kind or out of its
        range; the message names the key and what it takes.
    """
    content = parse_toml(text)
    check_keys("", content, known=("name", "task", *_TABLES), needed=("name", "task"))
    check_kind("name", content["name"], str)
    require(content["task"] == MACHINE_TASK, "task", MACHINE_TASK, content["task"])
    for key in _TABLES:
        table = content.setdefault(key, {})
        require(isinstance(table, dict), key, f"a table [{key}]", table)
    features = content["features"]
    check_keys("features.", features, known=("names", "screening"), needed=())
    screening = features.get("screening", True)
    check_kind("features.screening", screening, bool)
    names = _list("features.names", features.get("names", []), str)
    return MachineRecipe(content["name"], names, screening, _grid(content["machine"]))


def _grid(table: Mapping[str, Any]) -> MachineGrid:
    defaults = {f.name: f.default for f in fields(MachineGrid)}
    check_keys("machine.", table, known=tuple(defaults), needed=())
    values: dict[str, Any] = {}
    for key, value in table.items():
        default = defaults[key]
        if isinstance(default, tuple):
            values[key] = _list(f"machine.{key}", value, type(default[0]))
        else:
            check_kind(f"machine.{key}", value, type(default))
            values[key] = value
    return MachineGrid(**values)


def _list(key: str, value: object, kind: type) -> tuple[Any, ...]:
    require(isinstance(value, list), key, "a list", repr(value))
    for item in value:
        check_kind(key, item, kind)
    return tuple(kind(item) for item in value)
