"""The pictures of an evaluation: each program beside the reference, and beside it two readers as the ceiling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGION_GROUPS, REGIONS
from ASPECTSLib.evaluation.agreement import Compared
from ASPECTSLib.evaluation.readings import Reader
from ASPECTSLib.report.agreement_figures import (
    bland_altman_png,
    box_png,
    confusion_png,
    difference_png,
    roc_png,
)
from ASPECTSLib.report.reliability_figure import ReliabilityPoint, reliability_png
from ASPECTSLib.statistics.pairs import complete
from ASPECTSLib.statistics.reliability import reliability
from ASPECTSLib.statistics.roc import MIN_GROUP, Direction, area, marker, roc_curve

_FEWEST = 2  # cases of which differences have a spread
_CURVES = ("all", "cortical", "subcortical")


def draw_pictures(compared: Compared) -> Mapping[str, bytes]:
    """Return PNG pictures by name; those that the cases are too few for are left out, and all without matplotlib."""
    pictures: dict[str, bytes] = {}
    try:
        for number, program in enumerate(compared.programs, start=1):
            end = "" if number == 1 else f"-{number}"
            for name, draw in _pictures_of(compared, program).items():
                pictures[f"{name}{end}"] = draw()
    except ImportError:
        return {}
    return pictures


def _pictures_of(compared: Compared, program: Reader) -> dict[str, Callable[[], bytes]]:
    cases, reference = compared.cases, compared.reference
    names = reference.name, program.name
    true, said = complete(reference.scores(cases), program.scores(cases))
    pictures: dict[str, Callable[[], bytes]] = {}
    if len(true) >= _FEWEST:
        pictures |= {
            "scores": partial(box_png, true, said, names),
            "confusion": partial(confusion_png, true, said, names),
            "bland-altman": partial(bland_altman_png, true, said, names, "points"),
            "differences": partial(difference_png, true, said, names),
        }
    true_ml, said_ml = complete(reference.volumes_ml(cases), program.volumes_ml(cases))
    if len(true_ml) >= _FEWEST:
        pictures["volumes"] = partial(bland_altman_png, true_ml, said_ml, names, "mL")
    curves = _curves(compared, program)
    if curves:
        pictures["roc"] = partial(roc_png, curves)
    points = _reliability(compared, program)
    if points:
        pictures["reliability"] = partial(reliability_png, {program.name: points})
    return pictures


def _curves(compared: Compared, program: Reader) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    truth = compared.reference.calls(compared.cases)
    strength = program.probabilities(compared.cases)
    curves = {}
    for group in _CURVES:
        chosen = [region.code in REGION_GROUPS[group] for region in REGIONS]
        known = (np.isfinite(truth) & np.isfinite(strength))[:, chosen]
        positive, values = truth[:, chosen][known] > 0, strength[:, chosen][known]
        if min(positive.sum(), (~positive).sum()) < MIN_GROUP:
            continue
        measure = marker(values, positive, Direction.HIGHER)
        curve = roc_curve(measure)
        rates = np.concatenate([[0.0], 1 - curve.specificity, [1.0]])
        label = f"{group}: AUC {area(measure).value:.2f}"
        curves[label] = rates, np.concatenate([[0.0], curve.sensitivity, [1.0]])
    return curves


def _reliability(compared: Compared, program: Reader) -> list[ReliabilityPoint]:
    truth = compared.reference.calls(compared.cases)
    said = program.probabilities(compared.cases)
    known = np.isfinite(truth) & np.isfinite(said)
    return reliability_points(said[known], truth[known] > 0) if known.any() else []


def reliability_points(
    probabilities: NDArray[np.float64], truth: NDArray[np.bool_]
) -> list[ReliabilityPoint]:
    """Return the table of `ASPECTSLib.statistics.reliability.reliability` as points to be drawn."""
    return [
        ReliabilityPoint(
            one.predicted, one.observed.value, one.observed.low, one.observed.high, one.observed.n
        )
        for one in reliability(probabilities, truth)
    ]
