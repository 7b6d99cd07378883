"""Calibration of the methods on NCCT, on patients that their networks were neither trained nor measured on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.errors import ErrorCode, OutputError, ResourceError, UsageError
from ASPECTSLib.inference.asymmetry_inputs import PAIRS
from ASPECTSLib.inference.calibration import DEFAULT_THRESHOLD, Calibration
from ASPECTSLib.inference.card import ModelFile
from ASPECTSLib.inference.plain_models import PlainKind, find_plain, plain_path, read_plain
from ASPECTSLib.inference.registry import find_model
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.pooled_call import Measures, Pool, read_pool
from ASPECTSLib.statistics.calibration import fit_logistic, logits_of
from ASPECTSLib.statistics.thresholds import Aim, ThresholdRule
from ASPECTSLib.systems.combined import COMBINED_MODELS, POOL, measures_of
from ASPECTSLib.systems.danet import DANET_MODELS
from ASPECTSLib.systems.slices import INFARCT_MODEL, segment_infarct
from ASPECTSLib.training.call_benchmarks import Compared
from ASPECTSLib.training.call_cases import CallPatients, RegionCalls, call_cases
from ASPECTSLib.training.parts import Part, in_parts
from ASPECTSLib.training.pooling import pool_of, thresholds_of
from ASPECTSLib.training.tasks import VALIDATION

PATIENTS = CallPatients(infarcted=60, healthy=20, stream=VALIDATION, seed=2026)
"""More with infarct than without: each region needs some that are affected."""

RULE = ThresholdRule(Aim.YOUDEN, minimum_specificity=0.95, least_patients=10)
"""A score is ten regions of the worse side: with one in twenty of them called wrongly, a healthy side loses half a
point on average. Cao 2022 (doi:10.1002/hbm.25845) reports a specificity of 0.92 over all regions."""


@dataclass(frozen=True)
class Calibrated:
    """What makes the probabilities of the methods on NCCT mean something.

    Parameters
    ----------
    cards
        Calibration of the networks that compare the sides, by the name of the model.
    pool
        Weights of the measures of `ncct-combined`, of which what those networks say is one.
    patients
        How many it was measured on.
    """

    cards: Mapping[str, Calibration]
    pool: Pool
    patients: int


def calibrate(data: Path, progress: Progress, workers: int = 1) -> Calibrated:
    """Measure the calibration of the installed models of DA-Net, and the weights of the measures of `ncct-combined`.

    Parameters
    ----------
    data
        Folder with the public data, as `docs/cohorts.md` lays it out.
    progress
        Told of each case, and asked for cancellation.
    workers
        Processes that share the patients.

    Raises
    ------
    UsageError
        USAGE if too few of the patients could be scored.
    ResourceError
        If a model is missing or damaged.
    """
    every = in_parts(partial(_measured, data), workers, progress)
    scored = [one for one in every if one.measures is not None]
    if len(scored) < RULE.least_patients:
        message = (
            f"expected at least {RULE.least_patients} patients with a score, got {len(scored)}"
        )
        raise UsageError(ErrorCode.USAGE, message)
    truth = [one.affected for one in scored]
    found = Compared(truth, [_uncalibrated_calls(one.measures) for one in scored])
    tasks = {find_model(name).card.task: name for name in DANET_MODELS}
    by_task = {task: calibration_of(found, task) for task in tasks}
    pool = pool_of([_calibrated(one.measures, by_task) for one in scored], found.truth)
    cards = {name: by_task[task] for task, name in tasks.items()}
    return Calibrated(cards, pool, len(scored))


@dataclass(frozen=True, eq=False)
class _Patient:
    """What is true of a patient's regions, and what is measured of them; None if there is no score."""

    affected: NDArray[np.bool_]
    measures: Measures | None


def _measured(data: Path, part: Part, progress: Progress) -> Iterator[_Patient]:
    """Yield the patients of a part."""
    models = {name: _uncalibrated(find_model(name)) for name in COMBINED_MODELS}
    for case in call_cases(data, PATIENTS, progress, part):
        measures = None
        if case.has_score:
            infarct = segment_infarct(case.head, models[INFARCT_MODEL])
            measures = measures_of(case.head, models, infarct)
        yield _Patient(case.affected, measures)


def _uncalibrated_calls(measures: Measures) -> RegionCalls:
    probability = np.nan_to_num(measures.asymmetry)
    return RegionCalls(probability, probability >= DEFAULT_THRESHOLD)


def calibration_of(found: Compared, task: str) -> Calibration:
    """Return the calibration of a task's network, from what it said uncalibrated.

    One logistic curve serves all of its regions; each region has a threshold of its own, both sides together.
    """
    codes = PAIRS[task]
    chosen = [region.code in codes for region in REGIONS]
    truth, logits = found.truth[:, chosen], logits_of(found.probability[:, chosen])
    curve = fit_logistic(logits.ravel(), truth.ravel())
    said = curve.probabilities(logits_of(found.probability))
    return Calibration(
        round(curve.temperature, 4),
        round(curve.offset, 4),
        thresholds_of(said, found.truth, codes, RULE),
    )


def write_calibration(model: ModelFile, calibration: Calibration) -> None:
    """Write a model's card anew, with a calibration.

    Raises
    ------
    OutputError
        OUTPUT_NOT_WRITABLE if it cannot be written; the card is then as it was.
    """
    text = replace(model.card, calibration=calibration).to_json()
    _replace_file(model.card_path, text)


def write_pool(folder: Path, found: Calibrated) -> None:
    """Write the weights of `ncct-combined` into a folder of models: beside the networks that they were measured with.

    What the file that is in use says beside the weights stays.

    Raises
    ------
    ResourceError
        MODEL_DAMAGED if that file is.
    OutputError
        OUTPUT_NOT_WRITABLE if it cannot be written; a file that is there is then as it was.
    """
    content = _content_of_pool() | {"patients": found.patients, "pool": found.pool.as_dict()}
    _replace_file(plain_path(folder, PlainKind.POOL, POOL), json.dumps(content, indent=1) + "\n")


def _content_of_pool() -> dict[str, Any]:
    try:
        text, _ = read_plain(PlainKind.POOL, find_plain(PlainKind.POOL, POOL))
    except ResourceError as error:
        if error.code is not ErrorCode.MODEL_NOT_FOUND:
            raise
        return {"schema_version": 1, "name": POOL}
    read_pool(text)  # refused if damaged
    return json.loads(text)


def _replace_file(path: Path, text: str) -> None:
    staged = path.with_name(f".writing-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staged.write_text(text, encoding="utf-8", newline="")
        staged.replace(path)
    except OSError as error:
        message = f"the file {path.name} cannot be written: {error.strerror}"
        raise OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, message) from error


def _calibrated(measures: Measures, by_task: Mapping[str, Calibration]) -> Measures:
    """Return measures in which what the networks say is calibrated."""
    asymmetry = measures.asymmetry.copy()
    for task, calibration in by_task.items():
        chosen = np.array([region.code in PAIRS[task] for region in REGIONS])
        asymmetry[chosen] = calibration.probability(logits_of(asymmetry[chosen]))
    return replace(measures, asymmetry=asymmetry)


def _uncalibrated(model: ModelFile) -> ModelFile:
    return replace(model, card=replace(model.card, calibration=None))
