"""Training samples of a labelled cohort, seen as synthetic patients are."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.utils.data import Dataset

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.errors import ErrorCode, InputRefusedError
from ASPECTSLib.geometry import Volume, resample
from ASPECTSLib.inference.inputs import (
    REST_OF_BRAIN,
    RegionPrior,
    intensities,
    on_grid,
    region_prior,
)
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.training.cohort import (
    TRAINING_PART,
    VALIDATION_PART,
    Cohort,
    LabelledScan,
    LabelledVolumes,
    read_labelled,
)
from ASPECTSLib.training.labelled import Labelled
from ASPECTSLib.training.losses import IGNORED
from ASPECTSLib.training.recipe import Recipe
from ASPECTSLib.training.tasks import TRAINING, VALIDATION, Prepared, parse_data, view_of
from ASPECTSLib.training.views import View

NEED_BRAIN = frozenset({"brain"})
"""Tasks that cannot be learned without brain masks."""

_KEPT_SCANS = 16  # some 0.5 GB of thick slices in each process
_AIR = 0.05  # of the range of intensities: 4 HU
_HASH_RANGE = 2**64


@dataclass(frozen=True)
class Parts:
    """The scans that are trained on, and those that stop the training: of different patients."""

    training: tuple[LabelledScan, ...]
    validation: tuple[LabelledScan, ...]


class CohortDataset(Dataset):
    """Samples of a cohort as one network sees them; scans are read when they are asked for, and the last ones kept.

    Without a brain mask, what lies inside the head and in no region is unknown, not background.

    Parameters
    ----------
    scans
        At least one. In training they come in an order that is drawn anew each time that all have come.
    view
        What the network sees.
    prior
        Gives the pose of the fine view.
    seed
        Of the order of the scans and of how each is seen.
    count
        How many samples there are.
    """

    def __init__(
        self,
        scans: Sequence[LabelledScan],
        view: View,
        prior: RegionPrior,
        seed: tuple[int, int],
        count: int,
    ) -> None:
        self._scans, self._view, self._prior = tuple(scans), view, prior
        self._seed, self._count = seed, count
        self._kept: OrderedDict[LabelledScan, Labelled] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of samples."""
        return self._count

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Return image (channels, k, j, i), float32, and labels (k, j, i), uint8, of a sample."""
        turn, place = divmod(index, len(self._scans))
        order = Draw((*self._seed, turn)).part("order").generator.permutation(len(self._scans))
        scan = self._scans[order[place]]
        draw = Draw((*self._seed, index)).part("look")
        image, labels = self._view.look(self._labelled(scan), self._prior, draw)
        if not scan.has_brain:
            labels = np.where(labels == REST_OF_BRAIN, IGNORED, labels).astype(np.uint8)
        return {"image": torch.from_numpy(image), "labels": torch.from_numpy(labels)}

    def _labelled(self, scan: LabelledScan) -> Labelled:
        if scan not in self._kept:
            self._kept[scan] = labelled_scan(read_labelled(scan), scan.modality)
        self._kept.move_to_end(scan)
        while len(self._kept) > _KEPT_SCANS:
            self._kept.popitem(last=False)
        return self._kept[scan]


def prepare_cohort(recipe: Recipe, cohort: Cohort, atlas: Atlas) -> Prepared:
    """Build the network of a recipe and the samples that it learns from a cohort.

    Parameters
    ----------
    recipe
        Its task says what is seen; of its data, `modalities`, `seed` and `validation_share` count.
    cohort
        As `read_cohort` checked it.
    atlas
        Gives the pose of the fine view.

    Raises
    ------
    UsageError
        RECIPE_INVALID if task, data or network of the recipe cannot be used.
    InputRefusedError
        COHORT_INVALID if the cohort lacks the modalities, brain masks or cases that the recipe needs.
    """
    view, data = view_of(recipe.task), parse_data(recipe.data)
    modalities = [Modality(name) for name in data.modalities]
    parts = split_cohort(cohort, modalities, data.validation_share)
    if recipe.task in NEED_BRAIN:
        _require_brains((*parts.training, *parts.validation), recipe.task)
    prior = region_prior(atlas)
    steps = recipe.optimisation.steps * recipe.optimisation.batch
    training = CohortDataset(parts.training, view, prior, (TRAINING, data.seed), steps)
    validation = None
    if parts.validation:
        seed, count = (VALIDATION, data.seed), len(parts.validation)
        validation = CohortDataset(parts.validation, view, prior, seed, count)
    channels = {"in_channels": view.channels, "out_channels": view.classes}
    options = {**recipe.network.options, **channels}
    network = build_network(recipe.network.architecture, options)
    return Prepared(network, options, training, validation)


def split_cohort(cohort: Cohort, modalities: Sequence[Modality], share: float) -> Parts:
    """Divide the scans of a cohort by patient.

    A case belongs to the validation when a hash of its name lies in the wanted share of all hashes: other cases that
    come or go do not move it. Only a cohort so small that this leaves a part empty gives it its nearest case.

    Parameters
    ----------
    cohort
        Its own split, where it has one, counts.
    modalities
        To be taken; one that is named twice is trained on twice as often.
    share
        Of the cases for validation; 0 for none.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID if no scan is of these modalities, or there are too few cases to hold one out.
    """
    of_modality = [scan for scan in cohort.scans if scan.modality in modalities]
    if not of_modality:
        wanted = ", ".join(dict.fromkeys(m.value.lower() for m in modalities))
        _refuse(f"expected scans of {wanted} in {cohort.name}, as the recipe says, found none")
    cases = sorted({scan.case for scan in of_modality})
    if cohort.split:
        trained, held_out = (set(cohort.split[p]) for p in (TRAINING_PART, VALIDATION_PART))
    else:
        held_out = _held_out(cases, share)
        trained = set(cases) - held_out
    weighted = [s for m in modalities for s in of_modality if s.modality is m and s.case in trained]
    if not weighted:
        _refuse(f"expected scans to train on in {cohort.name}, got none in the split's training")
    return Parts(tuple(weighted), tuple(s for s in of_modality if s.case in held_out))


def labelled_scan(volumes: LabelledVolumes, modality: Modality) -> Labelled:
    """Return a scan with labels that tells them on any grid, by nearest neighbours."""
    regions, brain = volumes.regions, volumes.brain

    def head_on(grid: Volume) -> NDArray[np.bool_]:
        return inside_head(on_grid(intensities(volumes.image, modality), grid))

    def brain_on(grid: Volume) -> NDArray[np.bool_]:
        return head_on(grid) if brain is None else resample(brain, grid, order=0).array > 0

    return Labelled(
        image=volumes.image,
        modality=modality,
        regions_on=lambda grid: resample(regions, grid, order=0).array,
        brain_on=brain_on,
    )


def inside_head(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return what lies within the outline of the head in each slice, from intensities of 0 to 1, shape (k, j, i)."""
    return np.stack([ndimage.binary_fill_holes(part > _AIR) for part in image])


def _held_out(cases: Sequence[str], share: float) -> set[str]:
    if share == 0:
        return set()
    if len(cases) < 2:
        message = (
            "expected at least two cases, one of them for validation, got one; data.validation_share = 0 trains "
            "without validation"
        )
        _refuse(message)
    by_hash = sorted(cases, key=_place)
    held_out = {case for case in cases if _place(case) < share} or {by_hash[0]}
    return held_out - {by_hash[-1]}


def _place(case: str) -> float:
    """Return a number of 0 to 1 that a name always has."""
    digest = hashlib.sha256(case.encode()).digest()
    return int.from_bytes(digest[:8], "big") / _HASH_RANGE


def _require_brains(scans: Sequence[LabelledScan], task: str) -> None:
    for scan in scans:
        if not scan.has_brain:
            _refuse(f"{scan.name}: expected a brain mask to learn the task {task}, found none")


def _refuse(message: str) -> None:
    raise InputRefusedError(ErrorCode.COHORT_INVALID, message)
