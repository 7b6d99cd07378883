"""A whole run: from recipe and lesson to a trained network, exported as a model that the program finds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from ASPECTSLib.device import find_device
from ASPECTSLib.errors import (
    CancelledError,
    ErrorCode,
    OutputError,
    TrainingError,
    UsageError,
)
from ASPECTSLib.inference.card import CARD_SUFFIX, Metric, ModelFile, is_model_name
from ASPECTSLib.inference.registry import RUN_FILE
from ASPECTSLib.inference.weights import export_model
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.progress import Progress
from ASPECTSLib.training.checkpoint import read_checkpoint
from ASPECTSLib.training.lessons import Lesson, begin_with
from ASPECTSLib.training.model_card import RunFacts, card_fields
from ASPECTSLib.training.options import require
from ASPECTSLib.training.recipe import Recipe
from ASPECTSLib.training.standing import TrainingResult
from ASPECTSLib.training.trainer import CHECKPOINT_FILE, Trainer

_SCHEMA_VERSION = 1
_REGIONS = 20
_RESAMPLES = 2000
_INTERVAL_PERCENT = (2.5, 97.5)
_MIN_CASES = 5  # with fewer, an interval goes from the lowest to the highest


@dataclass(frozen=True)
class Trained:
    """What a run came to, and the model that it left."""

    result: TrainingResult
    model: ModelFile


class RunCancelledError(CancelledError):
    """The user stopped a training run, which can be resumed."""

    def __init__(self, folder: Path) -> None:
        message = (
            f"cancelled; the run is kept in {folder}, and the same command with --resume goes on"
        )
        super().__init__(message)


def check_run(recipe: Recipe, folder: Path, *, resume: bool) -> None:
    """Refuse a folder or a recipe's name before anything is prepared.

    Raises
    ------
    UsageError
        OUTPUT_EXISTS if there is something in a new run's folder, or the run that is to be resumed is complete;
        RECIPE_INVALID if no model can have the recipe's name.
    TrainingError
        CHECKPOINT_INVALID if there is nothing to resume.
    """
    good = "small letters, digits and hyphens, as it names a model"
    require(is_model_name(recipe.name), "name", good, recipe.name)
    if resume:
        if (folder / f"{recipe.name}{CARD_SUFFIX}").exists():
            message = f"the run in {folder.name} is complete: its model is {recipe.name}"
            raise UsageError(ErrorCode.OUTPUT_EXISTS, message)
        if not (folder / CHECKPOINT_FILE).is_file():
            message = f"expected a run to resume in the folder {folder.name}, found none"
            raise TrainingError(ErrorCode.CHECKPOINT_INVALID, message)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = f"the folder {folder.name} is not empty; name a new one, or resume its run with --resume"
        raise UsageError(ErrorCode.OUTPUT_EXISTS, message)


def train(
    recipe: Recipe,
    lesson: Lesson,
    folder: Path,
    progress: Progress,
    *,
    resume: bool = False,
    init: ModelFile | None = None,
) -> Trained:
    """Train a network and export it into the folder of the run, as NAME.safetensors and NAME.json.

    Parameters
    ----------
    recipe
        How; its name is the model's.
    lesson
        From what.
    folder
        Of the run; see `check_run`.
    progress
        Told of the steps, and asked between them whether to stop.
    resume
        Whether to go on from the checkpoint in the folder.
    init
        A model whose weights to begin with.

    Raises
    ------
    CancelledError
        If the work was cancelled.
    TrainingError
        CHECKPOINT_INVALID if the run to be resumed had another recipe or other data, else as `Trainer.run`.
    UsageError
        MODEL_MISMATCH if the model to begin with is of another network.
    OutputError
        If a file cannot be written.
    """
    check_run(recipe, folder, resume=resume)
    if init is not None:
        begin_with(lesson, init)
    began_with = None if init is None else {"name": init.name, "sha256": init.card.sha256}
    identity = {"recipe": recipe_record(recipe), "data": lesson.record, "init": began_with}
    spent_s = _resumed(folder, identity) if resume else 0.0
    started_s = perf_counter()
    _write_run(folder, identity, spent_s)
    prepared = lesson.prepared
    trainer = Trainer(
        prepared.network,
        recipe.loss.build(),
        prepared.training,
        prepared.validation,
        recipe.optimisation,
        folder,
    )
    trainer.measure = prepared.measure
    try:
        result = trainer.run(progress, resume=resume)
    except CancelledError as error:
        raise RunCancelledError(folder) from error
    finally:
        spent_s += perf_counter() - started_s
        _write_run(folder, identity, spent_s)
    return Trained(result, _export(recipe, lesson, folder, result, RunFacts(spent_s, began_with)))


def recipe_record(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as JSON holds it."""
    return {
        "name": recipe.name,
        "task": recipe.task,
        "network": {"architecture": recipe.network.architecture, **recipe.network.options},
        "data": dict(recipe.data),
        "loss": {"name": recipe.loss.name, **recipe.loss.options},
        "optimisation": asdict(recipe.optimisation),
    }


def _export(
    recipe: Recipe, lesson: Lesson, folder: Path, result: TrainingResult, facts: RunFacts
) -> ModelFile:
    weights = read_checkpoint(result.weights).tensors
    metrics = _validated(recipe, lesson, weights)
    record = recipe_record(recipe)
    fields = card_fields(record, lesson, result, metrics, facts)
    return export_model(weights, fields, folder)


def _validated(
    recipe: Recipe, lesson: Lesson, weights: Mapping[str, torch.Tensor]
) -> tuple[Metric, ...]:
    """Measure the weights on the validation as they are shipped, in 16 bits."""
    prepared = lesson.prepared
    if prepared.validation is None:
        return ()
    device = find_device(recipe.optimisation.device)
    with torch.random.fork_rng(devices=[]):
        network = build_network(recipe.network.architecture, prepared.options)
    network.load_state_dict(
        {n: w.half().float() if w.is_floating_point() else w for n, w in weights.items()}
    )
    network = network.to(device).eval()
    values = []
    for number in range(len(prepared.validation)):
        sample = prepared.validation[number]
        with torch.inference_mode():
            logits = network(sample["image"][None].to(device)).float()
        dice = prepared.measure(logits, sample["labels"][None].to(device))[1 : _REGIONS + 1]
        if dice.isfinite().any():
            values.append(float(dice.nanmean()))
    return (_metric(values, lesson, prepared.options["out_channels"] > 2),) if values else ()


def _metric(values: list[float], lesson: Lesson, of_regions: bool) -> Metric:
    return Metric(
        benchmark="validation",
        metric=f"{'regions, mean ' if of_regions else ''}Dice on the network's grid, by scan",
        value=round(float(np.mean(values)), 4),
        interval=mean_interval(values),
        n=len(values),
        data="patients that were not trained on but chose the weights",
        synthetic=lesson.synthetic,
    )


def mean_interval(values: list[float]) -> tuple[float, float]:
    """Return the bootstrap interval (95 %) of a mean; with fewer than five values, the lowest and the highest."""
    if len(values) < _MIN_CASES:
        return round(min(values), 4), round(max(values), 4)
    rng = np.random.default_rng(0)
    means = rng.choice(np.array(values), (_RESAMPLES, len(values))).mean(axis=1)
    low, high = np.percentile(means, _INTERVAL_PERCENT)
    return round(float(low), 4), round(float(high), 4)


def _resumed(folder: Path, identity: Mapping[str, Any]) -> float:
    """Check that a run is the same, and return the seconds that it has taken."""
    try:
        before = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        spent_s = float(before["seconds"])
        recipe, data, init = (before[key] for key in ("recipe", "data", "init"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"expected the file {RUN_FILE} of the run to resume, which is missing or damaged"
        raise TrainingError(ErrorCode.CHECKPOINT_INVALID, message) from error
    now = json.loads(json.dumps(identity))
    # What may differ in the optimisation is the trainer's to say.
    parts = {key: (recipe.get(key), now["recipe"][key]) for key in now["recipe"]}
    del parts["optimisation"]
    parts |= {"its data": (data, now["data"]), "the model it began with": (init, now["init"])}
    for key, (then, here) in parts.items():
        if then != here:
            message = f"expected the run in {folder.name} as it began, got another: {key} differs"
            raise TrainingError(ErrorCode.CHECKPOINT_INVALID, message)
    return spent_s


def _write_run(folder: Path, identity: Mapping[str, Any], seconds: float) -> None:
    content = {"schema_version": _SCHEMA_VERSION, **identity, "seconds": round(seconds, 1)}
    staged = folder / f".writing-{RUN_FILE}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staged.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8", newline="")
        staged.replace(folder / RUN_FILE)
    except OSError as error:
        message = f"the folder {folder.name} cannot be written: {error.strerror}"
        raise OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, message) from error
