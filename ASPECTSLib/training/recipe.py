"""Recipes: how a network is trained, as a small TOML file that is checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.networks.without_memory import without_memory
from ASPECTSLib.training.losses import Loss, build_loss
from ASPECTSLib.training.options import TrainingOptions, require
from ASPECTSLib.training.recipe_text import check_keys, check_kind, parse_toml, read_text

_TABLES = ("network", "data", "loss", "optimisation")
_TEXTS = ("name", "task")


@dataclass(frozen=True)
class NetworkRecipe:
    """Which network: a name of `ASPECTSLib.networks.build.ARCHITECTURES`, and its options without the channels."""

    architecture: str
    options: Mapping[str, object]


@dataclass(frozen=True)
class LossRecipe:
    """Which loss: a name of `ASPECTSLib.training.losses.LOSSES`, and its keywords."""

    name: str
    options: Mapping[str, object]

    def build(self) -> Loss:
        """Make the loss."""
        return build_loss(self.name, self.options)


@dataclass(frozen=True)
class Recipe:
    """A complete recipe.

    Parameters
    ----------
    name
        Of the recipe, and of the model that comes of it.
    task
        What is learned.
    network, loss, optimisation
        How.
    data
        On what: whatever the task takes.
    """

    name: str
    task: str
    network: NetworkRecipe
    data: Mapping[str, object]
    loss: LossRecipe
    optimisation: TrainingOptions


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from a TOML file.

    Raises
    ------
    UsageError
        RECIPE_INVALID if it cannot be read, or as `parse_recipe` says.
    """
    return parse_recipe(read_text(path))


def parse_recipe(text: str) -> Recipe:
    """Check the text of a recipe.

    Raises
    ------
    UsageError
        RECIPE_INVALID if it is not TOML, a key is unknown or missing, or a value is of another kind or out of its
        range; the message names the key and what it takes.
    """
    content = parse_toml(text)
    check_keys("", content, known=(*_TEXTS, *_TABLES), needed=(*_TEXTS, *_TABLES))
    for key in _TEXTS:
        check_kind(key, content[key], str)
    for key in _TABLES:
        require(isinstance(content[key], dict), key, f"a table [{key}]", content[key])
    return Recipe(
        name=content["name"],
        task=content["task"],
        network=_network(content["network"]),
        data=content["data"],
        loss=_loss(content["loss"]),
        optimisation=_optimisation(content["optimisation"]),
    )


def _network(table: Mapping[str, Any]) -> NetworkRecipe:
    options = dict(table)
    architecture = _take_text("network", options, "architecture")
    for key in ("in_channels", "out_channels"):
        is_absent = key not in options
        require(is_absent, f"network.{key}", "no such key, as the task decides it", "one")
    try:
        with without_memory():
            build_network(architecture, {"in_channels": 4, "out_channels": 2, **options})
    except UsageError as error:
        message = f"network: {error.message}"
        raise UsageError(ErrorCode.RECIPE_INVALID, message) from error
    return NetworkRecipe(architecture, options)


def _loss(table: Mapping[str, Any]) -> LossRecipe:
    options = dict(table)
    recipe = LossRecipe(_take_text("loss", options, "name"), options)
    recipe.build()
    return recipe


def _optimisation(table: Mapping[str, Any]) -> TrainingOptions:
    kinds = get_type_hints(TrainingOptions)
    needed = [field.name for field in fields(TrainingOptions) if field.default is MISSING]
    check_keys("optimisation.", table, known=tuple(kinds), needed=tuple(needed))
    for key, value in table.items():
        check_kind(f"optimisation.{key}", value, kinds[key])
    return TrainingOptions(**table)


def _take_text(table: str, options: dict[str, Any], key: str) -> str:
    check_keys(f"{table}.", options, known=tuple(options), needed=(key,))
    check_kind(f"{table}.{key}", options[key], str)
    return options.pop(key)
