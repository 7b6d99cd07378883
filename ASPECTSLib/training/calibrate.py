"""Calibration of the networks that compare the sides, on patients that they were neither trained nor measured on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.errors import ErrorCode, OutputError, UsageError
from ASPECTSLib.inference.asymmetry_inputs import PAIRS
from ASPECTSLib.inference.calibration import Calibration
from ASPECTSLib.inference.card import ModelFile
from ASPECTSLib.inference.registry import find_model
from ASPECTSLib.methods import NCCT_DANET
from ASPECTSLib.progress import Progress
from ASPECTSLib.statistics.calibration import fit_logistic, logits_of
from ASPECTSLib.statistics.thresholds import Aim, ThresholdRule, region_thresholds
from ASPECTSLib.systems.danet import DANET_MODELS
from ASPECTSLib.training.call_benchmarks import Compared, compare_calls
from ASPECTSLib.training.call_cases import CallPatients, call_cases
from ASPECTSLib.training.tasks import VALIDATION

PATIENTS = CallPatients(infarcted=60, healthy=20, stream=VALIDATION, seed=2026)
"""More with infarct than without: each region needs some that are affected."""

RULE = ThresholdRule(Aim.YOUDEN, minimum_specificity=0.95, least_patients=10)
"""A score is ten regions of the worse side: with one in twenty of them called wrongly, a healthy side loses half a
point on average. Cao 2022 (doi:10.1002/hbm.25845) reports a specificity of 0.92 over all regions."""


def calibrate(data: Path, progress: Progress) -> dict[str, Calibration]:
    """Measure the calibration of the installed models of DA-Net.

    Parameters
    ----------
    data
        Folder with the public data, as `docs/cohorts.md` lays it out.
    progress
        Told of each case, and asked for cancellation.

    Returns
    -------
    dict
        By the name of the model.

    Raises
    ------
    UsageError
        USAGE if too few of the patients could be scored.
    ResourceError
        If a model is missing or damaged.
    """
    models = {name: _uncalibrated(find_model(name)) for name in DANET_MODELS}
    cases = call_cases(data, PATIENTS, progress)
    outcome = compare_calls(cases, [NCCT_DANET], models)
    found = outcome.methods[NCCT_DANET]
    if len(found.calls) < RULE.least_patients:
        message = (
            f"expected at least {RULE.least_patients} patients with a score, got {len(found.calls)}"
        )
        raise UsageError(ErrorCode.USAGE, message)
    return {name: calibration_of(found, model.card.task) for name, model in models.items()}


def calibration_of(found: Compared, task: str) -> Calibration:
    """Return the calibration of a task's network, from what it said uncalibrated.

    One logistic curve serves all of its regions; each region has a threshold of its own, both sides together.
    """
    codes = PAIRS[task]
    chosen = [region.code in codes for region in REGIONS]
    truth, logits = found.truth[:, chosen], logits_of(found.probability[:, chosen])
    curve = fit_logistic(logits.ravel(), truth.ravel())
    both_sides = [
        np.stack([table[:, [r.code is code for r in REGIONS]].ravel() for code in codes], axis=1)
        for table in (curve.probabilities(logits_of(found.probability)), found.truth)
    ]
    thresholds = region_thresholds(*both_sides, RULE)
    return Calibration(
        round(curve.temperature, 4),
        round(curve.offset, 4),
        {code.value: _rounded(t.cutoff) for code, t in zip(codes, thresholds, strict=True)},
    )


def write_calibration(model: ModelFile, calibration: Calibration) -> None:
    """Write a model's card anew, with a calibration.

    Raises
    ------
    OutputError
        OUTPUT_NOT_WRITABLE if it cannot be written; the card is then as it was.
    """
    path = model.card_path
    staged = path.with_name(f".writing-{path.name}")
    try:
        text = replace(model.card, calibration=calibration).to_json()
        staged.write_text(text, encoding="utf-8", newline="")
        staged.replace(path)
    except OSError as error:
        message = f"the card {path.name} cannot be written: {error.strerror}"
        raise OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, message) from error


def _uncalibrated(model: ModelFile) -> ModelFile:
    return replace(model, card=replace(model.card, calibration=None))


def _rounded(threshold: float) -> float:
    return float(np.clip(round(threshold, 4), 1e-4, 1 - 1e-4))
