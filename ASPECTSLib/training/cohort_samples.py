"""Training samples of a labelled cohort, seen as synthetic patients are."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.utils.data import Dataset

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.evidence import average_slices, averaged_slices
from ASPECTSLib.geometry import Volume, expand, resample
from ASPECTSLib.inference.asymmetry_inputs import PAIRS
from ASPECTSLib.inference.inputs import (
    REST_OF_BRAIN,
    RegionPrior,
    intensities,
    on_grid,
    region_prior,
)
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.preprocessing.brain import brain_mask
from ASPECTSLib.synthesis.cohort import BRAIN_FILE, INFARCT_FILE, REGIONS_FILE
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.training.cohort import Cohort
from ASPECTSLib.training.cohort_parts import Parts, split_cohort
from ASPECTSLib.training.cohort_scan import (
    LabelledScan,
    LabelledVolumes,
    brain_of_diffusion,
    read_labelled,
    refuse,
    refuse_file,
)
from ASPECTSLib.training.labelled import Labelled
from ASPECTSLib.training.losses import IGNORED
from ASPECTSLib.training.recipe import Recipe
from ASPECTSLib.training.tasks import TRAINING, VALIDATION, Prepared, parse_data, view_as
from ASPECTSLib.training.views import View

NEEDED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "asymmetry-cortical": (INFARCT_FILE, "an infarct mask"),
        "asymmetry-subcortical": (INFARCT_FILE, "an infarct mask"),
        "brain": (BRAIN_FILE, "a brain mask"),
        "infarct": (INFARCT_FILE, "an infarct mask"),
        "ncct-anatomy": (REGIONS_FILE, "regions"),
        "ncct-infarct": (INFARCT_FILE, "an infarct mask"),
        "regions-coarse": (REGIONS_FILE, "regions"),
        "regions-fine": (REGIONS_FILE, "regions"),
        "slice-finder": (REGIONS_FILE, "regions"),
    }
)
"""By task: the file of labels that every scan has to have, and what it holds."""

# Of the machine's memory, in each process: reading a scan takes ten times as long as a look at it.
_KEPT_SHARE = 0.35
_KEPT_BYTES = 2**30  # where the machine does not tell its memory
_BYTES_A_VOXEL = 9  # image, and labels as they are read and as they are seen
_AIR = 0.05  # of the range of intensities: 4 HU


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
        self._most_bytes = _most_bytes()

    def __getstate__(self) -> dict[str, object]:
        """Return what goes to workers: not the scans that are kept."""
        return {**self.__dict__, "_kept": OrderedDict()}

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
        while len(self._kept) > 1 and self._bytes() > self._most_bytes:
            self._kept.popitem(last=False)
        return self._kept[scan]

    def _bytes(self) -> int:
        return _BYTES_A_VOXEL * sum(scan.image.array.size for scan in self._kept.values())


def _most_bytes() -> int:
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return _KEPT_BYTES
    return int(_KEPT_SHARE * memory)


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
        COHORT_INVALID if the cohort lacks the modalities, labels, infarcts or cases that the recipe needs.
    """
    data = parse_data(recipe.data)
    view = view_as(recipe.task, data)
    practised = view.cut_as(data.patches, data.painted)
    modalities = [Modality(name) for name in data.modalities]
    parts = split_cohort(cohort, modalities, data.validation_share)
    _require_labels(parts, recipe.task)
    prior = region_prior(atlas)
    steps = recipe.optimisation.steps * recipe.optimisation.batch
    training = CohortDataset(parts.training, practised, prior, (TRAINING, data.seed), steps)
    validation = None
    if parts.validation:
        seed, count = (VALIDATION, data.seed), len(parts.validation) * view.validation_looks
        validation = CohortDataset(parts.validation, view, prior, seed, count)
    channels = {"in_channels": view.channels, "out_channels": view.classes}
    options = {**recipe.network.options, **channels}
    network = build_network(recipe.network.architecture, options)
    return Prepared(network, options, training, validation, view.measure)


def labelled_scan(volumes: LabelledVolumes, modality: Modality) -> Labelled:
    """Return a scan with labels that tells them on any grid, by nearest neighbours.

    Without a region map `regions_on` refuses: tasks that learn regions are not given such scans.
    """
    brain = volumes.brain

    def head_on(grid: Volume) -> NDArray[np.bool_]:
        return inside_head(on_grid(intensities(volumes.image, modality), grid))

    def on(labels: Volume | None, grid: Volume) -> NDArray[np.uint8]:
        if labels is None:
            refuse("expected scans with regions to learn this task")
        return resample(labels, grid, order=0).array

    return Labelled(
        image=volumes.image,
        modality=modality,
        regions_on=lambda grid: on(volumes.regions, grid),
        brain_on=lambda grid: head_on(grid) if brain is None else on(brain, grid) > 0,
        infarct_on=None if volumes.infarct is None else lambda g: on(volumes.infarct, g) > 0,
        adc=volumes.adc,
        measured_in=_brain_of(volumes, modality) if brain is None else None,
    )


def _brain_of(
    volumes: LabelledVolumes, modality: Modality
) -> Callable[[], NDArray[np.bool_]] | None:
    """Return how the brain is found where there is no mask of it, as it is found in use."""
    if modality is Modality.DWI:
        return lambda: brain_of_diffusion(volumes)
    if modality is Modality.NCCT:
        return lambda: _brain_of_ct(volumes.image)
    return None


def _brain_of_ct(image: Volume) -> NDArray[np.bool_]:
    mask = brain_mask(average_slices(image))
    return expand(mask.array, (1, 1, averaged_slices(image)), image).array


def inside_head(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return what lies within the outline of the head in each slice, from intensities of 0 to 1, shape (k, j, i)."""
    return np.stack([ndimage.binary_fill_holes(part > _AIR) for part in image])


def _require_labels(parts: Parts, task: str) -> None:
    regions = ((REGIONS_FILE, "regions"),) if task in PAIRS else ()  # beside the infarct
    for name, what in (NEEDED[task], *regions):
        for scan in (*parts.training, *parts.validation):
            if name not in scan.files:
                refuse_file(scan, name, f"expected {what} to learn the task {task}, found none")
    if NEEDED[task][0] != INFARCT_FILE:
        return
    for part, scans in (("training", parts.training), ("validation", parts.validation)):
        if scans and not any(read_labelled(scan).infarct.array.any() for scan in scans):
            refuse(f"expected an infarct in one scan of the {part} at least, got empty masks only")
