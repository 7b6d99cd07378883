"""What a run learns from: synthetic patients or a labelled cohort, with what its model card says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils.data import Dataset

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.inference.card import ModelFile, TrainingSource
from ASPECTSLib.inference.registry import load_weights
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis.anatomy import Anatomy, atlas_anatomy
from ASPECTSLib.synthesis.cohort import Material
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.generator import Sources
from ASPECTSLib.training.batches import SizedSamples
from ASPECTSLib.training.cohort import Cohort
from ASPECTSLib.training.cohort_samples import prepare_cohort
from ASPECTSLib.training.recipe import Recipe
from ASPECTSLib.training.sources import atlas_sources
from ASPECTSLib.training.tasks import Prepared, parse_data, prepare

_HEADS = 4  # first number of the seeds of heads drawn from the atlas; patients have 0 to 3
_SHOWN_DIFFERENCES = 3


@dataclass(frozen=True, eq=False)
class Lesson:
    """Network and samples, and what is said of them.

    Parameters
    ----------
    prepared
        What a trainer takes.
    sources
        Data and their licences.
    synthetic
        Whether the patients are synthetic.
    record
        JSON object that tells one lesson from another: what there is to learn from, by name. It stays in the run's
        folder.
    facts
        JSON object for the card: how much there was to learn from, without names.
    """

    prepared: Prepared
    sources: tuple[TrainingSource, ...]
    synthetic: bool
    record: dict[str, Any]
    facts: dict[str, Any]


class Remembered(Dataset):
    """Samples that are made once and kept: a validation sees the same ones again and again.

    Parameters
    ----------
    samples
        Some megabytes each.
    """

    def __init__(self, samples: SizedSamples) -> None:
        self._samples = samples
        self._kept: dict[int, Any] = {}

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._samples)

    def __getitem__(self, index: int) -> Any:
        """Return a sample."""
        if index not in self._kept:
            self._kept[index] = self._samples[index]
        return self._kept[index]


def synthetic_lesson(
    recipe: Recipe,
    material: Material,
    sources: Sequence[TrainingSource] = (),
    progress: Progress | None = None,
) -> Lesson:
    """Prepare a run on synthetic patients, which are made while it learns.

    Parameters
    ----------
    recipe
        How.
    material
        Anatomies and infarcts; heads are drawn from the atlas where there are no anatomies.
    sources
        Data and licences of the material, the atlas aside.
    progress
        Told of each head that is prepared.

    Raises
    ------
    UsageError
        RECIPE_INVALID if the recipe cannot be used.
    """
    data = parse_data(recipe.data)
    heads = _heads(recipe, material, progress or Progress())
    _seed_weights(recipe)
    prepared = prepare(recipe, Sources(heads, material.shapes), material.atlas)
    record = {
        "synthetic": True,
        "anatomies": [head.name for head in heads],
        "infarct_shapes": 0 if material.shapes is None else len(material.shapes),
        "validation_patients": data.validation_cases,
        "atlas": dict(sorted(material.atlas.sha256.items())),
    }
    facts = {
        "samples_a_patient": data.looks,
        "anatomies": len(heads),
        "infarct_shapes": record["infarct_shapes"],
    }
    kept = _remembering(prepared)
    return Lesson(kept, (*atlas_sources(), *sources), True, record, facts)


def cohort_lesson(recipe: Recipe, cohort: Cohort, material: Material) -> Lesson:
    """Prepare a run on a labelled cohort.

    Parameters
    ----------
    recipe
        How.
    cohort
        As `read_cohort` checked it.
    material
        Gives the atlas.

    Raises
    ------
    UsageError
        RECIPE_INVALID if the recipe cannot be used.
    InputRefusedError
        COHORT_INVALID if the cohort lacks what the recipe needs.
    """
    _seed_weights(recipe)
    prepared = prepare_cohort(recipe, cohort, material.atlas)
    split = None if cohort.split is None else {k: list(v) for k, v in cohort.split.items()}
    record = {
        "synthetic": cohort.synthetic,
        "cohort": cohort.name,
        "scans": [f"{scan.case}/{scan.folder.name}" for scan in cohort.scans],
        "split": split,
    }
    wanted = [s for s in cohort.scans if s.modality.value in parse_data(recipe.data).modalities]
    facts = {"cases": len({scan.case for scan in wanted}), "scans": len(wanted)}
    return Lesson(_remembering(prepared), cohort.sources, cohort.synthetic, record, facts)


def begin_with(lesson: Lesson, model: ModelFile) -> None:
    """Put a model's weights into the network of a lesson.

    Raises
    ------
    UsageError
        MODEL_MISMATCH if the model is of another network.
    ResourceError
        If the model is damaged.
    """
    network = lesson.prepared.network
    weights = load_weights(model)
    own = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    other = sorted(name for name in own.keys() | given.keys() if own.get(name) != given.get(name))
    if other:
        shown = ", ".join(other[:_SHOWN_DIFFERENCES])
        message = (
            f"expected a model of the recipe's network to begin with, got {model.name} with other tensors: {shown}"
            + (f" and {len(other) - _SHOWN_DIFFERENCES} more" * (len(other) > _SHOWN_DIFFERENCES))
        )
        raise UsageError(ErrorCode.MODEL_MISMATCH, message)
    network.load_state_dict(weights)


def _heads(recipe: Recipe, material: Material, progress: Progress) -> tuple[Anatomy, ...]:
    data = parse_data(recipe.data)
    count = len(material.anatomies) or data.atlas_heads
    heads = []
    for number in range(count):
        progress.stage(f"preparing head {number + 1} of {count}", 0.0)
        if len(material.anatomies):
            heads.append(material.anatomies[number])
        else:
            draw = Draw((_HEADS, data.seed, number))
            heads.append(atlas_anatomy(material.atlas, draw.generator))
    return tuple(heads)


def _seed_weights(recipe: Recipe) -> None:
    torch.manual_seed(recipe.optimisation.seed)


def _remembering(prepared: Prepared) -> Prepared:
    validation = prepared.validation
    return replace(prepared, validation=None if validation is None else Remembered(validation))
