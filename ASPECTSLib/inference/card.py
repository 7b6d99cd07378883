"""The card of a model: what its network is, what it was trained on, what was measured, what it is for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.inference.calibration import Calibration

SCHEMA_VERSION = 1
CARD_SUFFIX = ".json"
WEIGHTS_SUFFIX = ".safetensors"
MAX_CARD_BYTES = 1_000_000  # a hundred times a card; more is something else

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TRAINING_KEYS = ("data", "recipe", "seed")


@dataclass(frozen=True)
class TrainingSource:
    """Data that a network was trained on, their licence, and their DOI where they have one.

    Raises
    ------
    ResourceError
        MODEL_DAMAGED if a field is empty or of another kind.
    """

    name: str
    licence: str
    doi: str | None = None

    def __post_init__(self) -> None:
        _check_words(self, "name", "licence")
        if self.doi is not None:
            _check_words(self, "doi")


@dataclass(frozen=True)
class Metric:
    """A number that a benchmark measured.

    Parameters
    ----------
    benchmark
        Name of the benchmark that measures it again.
    metric
        What was measured, with its unit where it has one.
    value
        The number.
    interval
        Its confidence interval, lower and upper end, both included.
    n
        How many it was measured on: patients, unless the metric says otherwise.
    data
        What it was measured on.
    synthetic
        Whether the data are synthetic.

    Raises
    ------
    ResourceError
        MODEL_DAMAGED if a field is empty, of another kind or not finite, or the interval runs downwards.
    """

    benchmark: str
    metric: str
    value: float
    interval: tuple[float, float]
    n: int
    data: str
    synthetic: bool

    def __post_init__(self) -> None:
        _check_words(self, "benchmark", "metric", "data")
        _require(_is_number(self.value), "a finite number as value", self.value)
        pair = isinstance(self.interval, tuple) and len(self.interval) == 2
        ordered = (
            pair and all(map(_is_number, self.interval)) and self.interval[0] <= self.interval[1]
        )
        _require(ordered, "an interval of a lower and an upper number", self.interval)
        _require(type(self.n) is int and self.n > 0, "n of at least 1", self.n)
        _require(isinstance(self.synthetic, bool), "true or false as synthetic", self.synthetic)

    def covers(self, value: float) -> bool:
        """Tell whether a number lies in the interval, its ends included."""
        return self.interval[0] <= value <= self.interval[1]


@dataclass(frozen=True)
class Training:
    """How a network was trained.

    Parameters
    ----------
    data
        What it was trained on; at least one source.
    recipe
        JSON value: the recipe's name or the recipe itself.
    seed
        Seed of the run; None where it is not known.
    details
        Whatever else a card says of it, such as steps, device and number of patients.

    Raises
    ------
    ResourceError
        MODEL_DAMAGED if there are no data or a field is of another kind.
    """

    data: tuple[TrainingSource, ...]
    recipe: Any
    seed: int | None
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(len(self.data) > 0, "the training data with their licences", "none")
        twice = self.details.keys() & set(_TRAINING_KEYS)
        _require(not twice, "details beyond data, recipe and seed", sorted(twice))
        _require(self.seed is None or type(self.seed) is int, "a whole number as seed", self.seed)
        _check_printable("recipe", self.recipe)
        _check_printable("training", self.details)


@dataclass(frozen=True)
class ModelCard:
    """The card of a model.

    Parameters
    ----------
    name
        Also the name of its files: small letters, digits and hyphens.
    version
        Of the model.
    task
        What it is for, such as `brain`, `regions-fine` or `infarct-dwi`.
    architecture, options
        What `ASPECTSLib.networks.build.build_network` makes the network from.
    input
        JSON object: spacing, size, channels, modalities and normalisation of the image that it takes.
    training
        How it was trained.
    metrics
        What was measured.
    intended_use, limits
        For its users, in words.
    sha256
        Of the whole weight file, 64 small hexadecimal digits.
    calibration
        Of the network's logits, where it was measured.

    Raises
    ------
    ResourceError
        MODEL_DAMAGED if a field is empty or of another kind.
    """

    name: str
    version: str
    task: str
    architecture: str
    options: dict[str, Any]
    input: dict[str, Any]
    training: Training
    metrics: tuple[Metric, ...]
    intended_use: str
    limits: str
    sha256: str
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        _check_words(self, "name", "version", "task", "architecture", "intended_use", "limits")
        allowed = "a name of small letters, digits and hyphens"
        _require(is_model_name(self.name), allowed, self.name)
        for key in ("options", "input"):
            value = getattr(self, key)
            _require(isinstance(value, dict), f"{key} as an object", value)
            _check_printable(key, value)
        is_hash = isinstance(self.sha256, str) and _SHA256.fullmatch(self.sha256)
        _require(bool(is_hash), "a SHA-256 of 64 small hexadecimal digits", self.sha256)

    def to_json(self) -> str:
        """Return the card as JSON text, NaN not allowed."""
        content = {"schema_version": SCHEMA_VERSION} | asdict(self)
        content["training"] |= content["training"].pop("details")
        del content["calibration"]
        if self.calibration is not None:
            content["calibration"] = self.calibration.to_json()
        for source in content["training"]["data"]:
            if source["doi"] is None:
                del source["doi"]
        return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card; keys beyond those of the schema are left aside.

        Raises
        ------
        ResourceError
            MODEL_DAMAGED if the text is no card of this schema version.
        """
        try:
            return _card_from(strict_json(text))
        except ValueError as error:
            raise _damaged(str(error)) from error


@dataclass(frozen=True)
class ModelFile:
    """A model in a folder: its card, and the two files that bear its name."""

    card: ModelCard
    folder: Path

    @property
    def name(self) -> str:
        """Its name."""
        return self.card.name

    @property
    def card_path(self) -> Path:
        """File of the card."""
        return self.folder / f"{self.name}{CARD_SUFFIX}"

    @property
    def weights_path(self) -> Path:
        """File of the weights."""
        return self.folder / f"{self.name}{WEIGHTS_SUFFIX}"


def is_model_name(text: str) -> bool:
    """Tell whether a text can be a model's name, and so of no file outside a folder."""
    return _NAME.fullmatch(text) is not None


def strict_json(text: str) -> Any:
    """Read JSON that means one thing only: no NaN, no key twice, no nesting without end.

    Raises
    ------
    ValueError
        With what is wrong, in one line.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError:
        message = "expected JSON, got one that is nested too deeply"
        raise ValueError(message) from None


def _refuse_constant(name: str) -> NoReturn:
    message = f"expected numbers, got {name}"
    raise ValueError(message)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        message = "expected each key once, got one of them twice"
        raise ValueError(message)
    return found


def _card_from(content: Any) -> ModelCard:
    keys = ["schema_version", *(f.name for f in fields(ModelCard) if f.name != "calibration")]
    card = _taken(content, "card", keys)
    calibration = content.get("calibration")
    version = card.pop("schema_version")
    known = type(version) is int and version == SCHEMA_VERSION
    _require(known, f"schema version {SCHEMA_VERSION}", version)
    return ModelCard(
        **card
        | {
            "training": _training_from(card["training"]),
            "metrics": tuple(_metric_from(m) for m in _listed(card["metrics"], "metrics")),
            "calibration": None if calibration is None else Calibration.from_json(calibration),
        }
    )


def _training_from(content: Any) -> Training:
    known = _taken(content, "training", _TRAINING_KEYS)
    data = tuple(_source_from(source) for source in _listed(known["data"], "data"))
    details = {key: value for key, value in content.items() if key not in _TRAINING_KEYS}
    return Training(data, known["recipe"], known["seed"], details)


def _source_from(content: Any) -> TrainingSource:
    return TrainingSource(**_taken(content, "data", ("name", "licence")), doi=content.get("doi"))


def _metric_from(content: Any) -> Metric:
    metric = _taken(content, "metrics", [f.name for f in fields(Metric)])
    return Metric(**metric | {"interval": tuple(_listed(metric["interval"], "interval"))})


def _taken(content: Any, what: str, keys: Any) -> dict[str, Any]:
    """Return the keys that must be there."""
    _require(isinstance(content, Mapping), f"an object as {what}", content)
    for key in keys:
        _require(key in content, f"the key {key} in {what}", "none")
    return {key: content[key] for key in keys}


def _listed(value: Any, what: str) -> list[Any]:
    _require(isinstance(value, list), f"a list as {what}", value)
    return value


def _check_words(owner: object, *keys: str) -> None:
    for key in keys:
        value = getattr(owner, key)
        _require(isinstance(value, str) and bool(value.strip()), f"words as {key}", value)
        _check_printable(key, value)


def _check_printable(key: str, value: Any) -> None:
    """Refuse control characters anywhere in a JSON value: a card is shown in a terminal."""
    if isinstance(value, str):
        plain = all(letter.isprintable() or letter == "\n" for letter in value)
        _require(plain, f"printable characters in {key}", value)
    elif isinstance(value, Mapping):
        _check_printable(key, list(value))
        _check_printable(key, list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            _check_printable(key, item)


def _is_number(value: object) -> bool:
    whole_or_real = isinstance(value, int | float) and not isinstance(value, bool)
    return whole_or_real and math.isfinite(value)


def _require(met: bool, expected: str, got: object) -> None:
    if not met:
        message = f"expected {expected}, got {_shortened(got)}"
        raise _damaged(message)


def _shortened(value: object) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _damaged(message: str) -> ResourceError:
    return ResourceError(ErrorCode.MODEL_DAMAGED, message)
