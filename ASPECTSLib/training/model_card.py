"""What the card of a trained model says, as far as a run knows it."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import torch

from ASPECTSLib import __version__
from ASPECTSLib.device import find_device
from ASPECTSLib.inference.asymmetry_inputs import PAIRS
from ASPECTSLib.inference.card import Metric
from ASPECTSLib.inference.infarct_inputs import INFARCT_SPACING_MM
from ASPECTSLib.inference.inputs import (
    BRAIN_SHAPE,
    BRAIN_SPACING_MM,
    CT_WINDOW_HU,
    HEAD_SHAPE,
    HEAD_SPACING_MM,
    MR_RANGE,
    REGION_SHAPE,
    REGION_SPACING_MM,
)
from ASPECTSLib.inference.slice_finder_inputs import STACK_SPACING_MM, WINDOWS_HU
from ASPECTSLib.inference.slice_inputs import (
    BRAIN_WINDOW_HU,
    STROKE_WINDOW_HU,
)
from ASPECTSLib.training.infarct_view import WHOLE_SHAPE
from ASPECTSLib.training.lessons import Lesson
from ASPECTSLib.training.precision import computing_precision
from ASPECTSLib.training.slice_finder_view import STACK_SHAPE
from ASPECTSLib.training.slice_views import usual_grid
from ASPECTSLib.training.standing import TrainingResult
from ASPECTSLib.training.tasks import parse_data, view_as

_GRIDS: Mapping[str, tuple[Sequence[float], Sequence[int]]] = MappingProxyType(
    {
        "brain": (BRAIN_SPACING_MM, BRAIN_SHAPE),
        "infarct": (INFARCT_SPACING_MM, WHOLE_SHAPE),
        "regions-coarse": (HEAD_SPACING_MM, HEAD_SHAPE),
        "regions-fine": (REGION_SPACING_MM, REGION_SHAPE),
        "slice-finder": (STACK_SPACING_MM, STACK_SHAPE),
    }
)
_NORMALISATION = (
    f"CT {CT_WINDOW_HU[0]:g} to {CT_WINDOW_HU[1]:g} HU to 0 to 1; others in multiples of the foreground's median, "
    f"0 to {MR_RANGE:g} to 0 to 1"
)
_INFARCT_NORMALISATION = (
    "signal at b = 1000 s/mm2 over twice the median of the brain, ADC over the commonest of the brain times 0.8, and "
    "whether there is an ADC"
)
_PATCH_NORMALISATION = (
    "level and width of window_hu to -1 to 1, -1 outside of the brain; of each side, left and then right, mirrored: "
    "density, and the region as 0 and 1 if shows_region"
)
_SLICE_NORMALISATION = (
    f"{BRAIN_WINDOW_HU[0]:g} to {BRAIN_WINDOW_HU[1]:g} HU, {STROKE_WINDOW_HU[0]:g} to {STROKE_WINDOW_HU[1]:g} HU and "
    "the latter of the mirrored slice, to 0 to 1, 0 outside of the brain; for the anatomy also the place in it, in dm, "
    "for the infarct the smoothed density and its difference of the sides, see ASPECTSLib.inference.slice_inputs"
)
_STACK_NORMALISATION = "CT in windows of level and width " + ", ".join(
    f"{level:g}/{width:g}" for level, width in WINDOWS_HU
)
_NORMALISATIONS = {
    "infarct": _INFARCT_NORMALISATION,
    "ncct-anatomy": _SLICE_NORMALISATION,
    "ncct-infarct": _SLICE_NORMALISATION,
    "slice-finder": _STACK_NORMALISATION,
    **dict.fromkeys(PAIRS, _PATCH_NORMALISATION),
}
_USE = "Research only. Not a medical device. Made by `aspects train`; whoever trained it knows what it is for."
_SYNTHETIC_LIMITS = (
    "Trained and validated on synthetic patients: nothing is known of scans of people. The validation chose the "
    "weights, so that its Dice is too good."
)
_COHORT_LIMITS = (
    "Known only on scans like those of its cohort. The validation chose the weights, so that its Dice "
    "is too good."
)


@dataclass(frozen=True)
class RunFacts:
    """Seconds that a run took, and the model it began with, if any."""

    seconds: float
    init: Mapping[str, str] | None


def card_fields(
    recipe: Mapping[str, Any],
    lesson: Lesson,
    result: TrainingResult,
    metrics: Sequence[Metric],
    facts: RunFacts,
) -> dict[str, Any]:
    """Return the card's JSON object without schema version and SHA-256.

    Parameters
    ----------
    recipe
        As `ASPECTSLib.training.launch.recipe_record` tells it.
    lesson
        What was learned from.
    result, facts
        What the run came to.
    metrics
        What was measured.
    """
    return {
        "name": recipe["name"],
        "version": __version__,
        "task": recipe["task"],
        "architecture": recipe["network"]["architecture"],
        "options": dict(lesson.prepared.options),
        "input": _input(recipe, lesson),
        "training": {
            "data": [asdict(source) for source in lesson.sources],
            "recipe": dict(recipe),
            "seed": recipe["optimisation"]["seed"],
            "steps": result.standing.step,
            "samples": result.standing.step * recipe["optimisation"]["batch"],
            "best_step": result.standing.best_step,
            "stopped_early": result.stopped_early,
            "device": _device(recipe["optimisation"]),
            "seconds": round(facts.seconds, 1),
            "began_with": None if facts.init is None else dict(facts.init),
            **lesson.facts,
        },
        "metrics": [asdict(metric) for metric in metrics],
        "intended_use": _USE,
        "limits": _SYNTHETIC_LIMITS if lesson.synthetic else _COHORT_LIMITS,
    }


def _input(recipe: Mapping[str, Any], lesson: Lesson) -> dict[str, Any]:
    data = parse_data(recipe["data"])
    content = {
        "modalities": sorted(set(data.modalities)),
        "channels": lesson.prepared.options["in_channels"],
        "normalisation": _NORMALISATIONS.get(recipe["task"], _NORMALISATION),
    }
    if recipe["task"] in PAIRS:
        content |= data.patches.to_json()
    pixels = view_as(recipe["task"], data).pixels
    grid = _GRIDS.get(recipe["task"]) if pixels is None else usual_grid(pixels)
    if grid is not None:
        spacing_mm, shape = grid
        content |= {"spacing_mm": list(spacing_mm), "shape_kji": list(shape)}
    return content


def _device(optimisation: Mapping[str, Any]) -> str:
    device = torch.device(find_device(optimisation["device"]))
    precision = computing_precision(optimisation["precision"], device)
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {precision}"
    return f"{device.type}, {platform.machine()}, {torch.get_num_threads()} threads, {precision}"
