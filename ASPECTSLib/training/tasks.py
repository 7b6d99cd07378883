"""From a recipe to what a trainer takes: network, loss and samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from torch import nn

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.inference.asymmetry_inputs import PatchSpec
from ASPECTSLib.inference.inputs import RegionPrior, region_prior
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.synthesis.acquisition import AcquisitionRange
from ASPECTSLib.synthesis.any_contrast import AnyContrastScanner
from ASPECTSLib.synthesis.distractors import DistractorRates
from ASPECTSLib.synthesis.generator import PatientRange, Sources
from ASPECTSLib.synthesis.lesions import InfarctOptions
from ASPECTSLib.synthesis.placement import ShapeRange
from ASPECTSLib.synthesis.scanners import SCANNERS
from ASPECTSLib.training.batches import Samples, SizedSamples
from ASPECTSLib.training.options import require
from ASPECTSLib.training.patients import MAIN_IMAGE, PatientDataset, PatientStream
from ASPECTSLib.training.recipe import Recipe
from ASPECTSLib.training.validation import Measure
from ASPECTSLib.training.views import VIEWS, View

Head = TypeVar("Head")  # an anatomy, or its name

TRAINING, VALIDATION, TEST = 0, 1, 2
"""First number of the seeds of patients that are trained on, that stop the training, and that cards report on."""


@dataclass(frozen=True)
class PatientRecipe:
    """What the table `[data]` of a recipe says of synthetic patients.

    Parameters
    ----------
    modalities
        Names of `Modality`, all as likely.
    seed
        Of the patients.
    validation_cases
        Patients of the validation, made of anatomies that are not trained on.
    hold_out_every
        Every so manieth anatomy, by name, is kept for validation and test; 0 keeps none.
    in_plane_mm, slice_mm
        Pixel spacing and slice distance of the synthetic scans, smallest and largest.
    healthy
        Share of patients without an acute infarct.
    mca_share
        Share of the infarcts with real shapes that are drawn from the territory of the middle cerebral artery only.
    infarct_hours
        Time since onset, shortest and longest.
    looks
        Samples made of each scan, one after another; best a multiple or a divisor of the batch.
    patients_at_once
        Patients that are looked at by turns, for tasks whose samples are small parts of a scan: a batch then shows
        several patients. Best the batch, with `looks` a multiple of it and one worker: each worker makes its own.
    contrast
        `modality` imitates the scanners; `any` draws the brightness of each tissue, in healthy patients without
        distractors, which is many times faster. `modalities` must then be NCCT alone.
    max_tilt_deg
        Largest rotation of the head about each axis.
    atlas_heads
        How many heads are drawn from the atlas where no anatomies are given.
    validation_share
        Share of the cases of a labelled cohort that is not trained on; synthetic patients go by the keys above.
    patch_shape, patch_spacing_mm, patch_window_hu, patch_region
        Of tasks that see a region at a time: `shape_kji`, `spacing_mm`, `window_hu` and `shows_region` of
        `ASPECTSLib.inference.asymmetry_inputs.PatchSpec`.
    painted
        Share of the healthy ones of these that are trained on with an infarct painted into one side.
    pixel_mm
        Of networks of slices, the pixels that they see; 0 leaves them to the task.
    registered
        Of the task `regions-fine`, the share of the looks that begin with the atlas as it is deformed to the patient.

    Raises
    ------
    UsageError
        RECIPE_INVALID if a value is out of its range.
    """

    modalities: tuple[str, ...] = ("NCCT", "CTA", "DWI")
    seed: int = 1
    validation_cases: int = 16
    hold_out_every: int = 5
    in_plane_mm: tuple[float, float] = (1.2, 1.8)
    slice_mm: tuple[float, float] = (2.0, 7.0)
    healthy: float = 0.25
    mca_share: float = 0.7
    infarct_hours: tuple[float, float] = (0.5, 24.0)
    looks: int = 1
    patients_at_once: int = 1
    contrast: str = "modality"
    max_tilt_deg: float = 20.0
    atlas_heads: int = 2
    validation_share: float = 0.2
    patch_shape: tuple[int, int, int] = PatchSpec.shape_kji
    patch_spacing_mm: tuple[float, float, float] = PatchSpec.spacing_mm
    patch_window_hu: tuple[float, float] = PatchSpec.window_hu
    patch_region: bool = PatchSpec.shows_region
    painted: float = 0.0
    pixel_mm: float = 0.0
    registered: float = 0.0

    def __post_init__(self) -> None:
        known = [modality.value for modality in MAIN_IMAGE]
        for name in self.modalities or ("none",):
            _check(name in known, "modalities", f"names out of {', '.join(known)}", name)
        kinds = ("modality", "any")
        _check(self.contrast in kinds, "contrast", f"one of {', '.join(kinds)}", self.contrast)
        is_plain = self.modalities == (Modality.NCCT.value,)
        _check(
            self.contrast == "modality" or is_plain,
            "modalities",
            "NCCT alone with the contrast any",
            self.modalities,
        )
        for key in ("in_plane_mm", "slice_mm"):
            low, high = getattr(self, key)
            _check(0.2 <= low <= high <= 12.0, key, "two rising numbers of 0.2 to 12", (low, high))
        _check(0.0 <= self.healthy <= 1.0, "healthy", "0 to 1", self.healthy)
        low, high = self.infarct_hours
        _check(0.0 < low <= high, "infarct_hours", "two rising numbers above 0", (low, high))
        _check(0.0 <= self.mca_share <= 1.0, "mca_share", "0 to 1", self.mca_share)
        _check(0.0 <= self.max_tilt_deg <= 45.0, "max_tilt_deg", "0 to 45", self.max_tilt_deg)
        _check(self.looks >= 1, "looks", "1 or more", self.looks)
        at_once = self.patients_at_once
        _check(at_once >= 1, "patients_at_once", "1 or more", at_once)
        _check(self.validation_cases >= 0, "validation_cases", "0 or more", self.validation_cases)
        held = self.hold_out_every
        _check(held == 0 or held >= 2, "hold_out_every", "0, or 2 or more", held)
        _check(self.seed >= 0, "seed", "0 or more", self.seed)
        _check(self.atlas_heads >= 1, "atlas_heads", "1 or more", self.atlas_heads)
        share = self.validation_share
        _check(0.0 <= share < 1.0, "validation_share", "0 to less than 1", share)
        _check(0.0 <= self.painted <= 1.0, "painted", "0 to 1", self.painted)
        pixel_mm = self.pixel_mm
        _check(pixel_mm == 0.0 or 0.4 <= pixel_mm <= 4.0, "pixel_mm", "0, or 0.4 to 4", pixel_mm)
        _check(0.0 <= self.registered <= 1.0, "registered", "0 to 1", self.registered)
        _ = self.patches

    @property
    def patches(self) -> PatchSpec:
        """How patches are cut.

        Raises
        ------
        UsageError
            RECIPE_INVALID if the numbers make no patch.
        """
        try:
            return PatchSpec(
                self.patch_shape, self.patch_spacing_mm, self.patch_window_hu, self.patch_region
            )
        except UsageError as error:
            message = f"data.patch: {error.message}"
            raise UsageError(ErrorCode.RECIPE_INVALID, message) from error

    def patients(self) -> PatientRange:
        """Return how the recipe's patients differ."""
        if self.contrast == "any":
            return self._in_any_contrast()
        scanners = {}
        for modality, scanner in SCANNERS.items():
            # The console's grid matters little at the networks' spacing; a coarse one is fast to make.
            scans = replace(scanner.scans, in_plane_mm=self.in_plane_mm, slice_mm=self.slice_mm)
            scanners[modality] = replace(scanner, scans=scans)
        shape = ShapeRange(max_tilt_deg=self.max_tilt_deg)
        return PatientRange(
            healthy=self.healthy, shape=shape, infarcts=self._infarcts(), scanners=scanners
        )

    def _infarcts(self) -> InfarctOptions:
        return InfarctOptions(mca_share=self.mca_share, age_hours=self.infarct_hours)

    def _in_any_contrast(self) -> PatientRange:
        scans = AcquisitionRange(self.in_plane_mm, self.slice_mm)
        none = DistractorRates(**{f.name: (0.0, 0.0) for f in fields(DistractorRates)})
        return PatientRange(
            healthy=1.0,
            shape=ShapeRange(max_tilt_deg=self.max_tilt_deg),
            distractors=none,
            scanners={Modality.NCCT: AnyContrastScanner(scans)},
        )


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a trainer takes."""

    network: nn.Module
    options: Mapping[str, object]
    training: Samples
    validation: SizedSamples | None
    measure: Measure


def view_of(task: str) -> View:
    """Return what the networks of a task see.

    Raises
    ------
    UsageError
        RECIPE_INVALID if there is no such task.
    """
    require(task in VIEWS, "task", f"one of {', '.join(VIEWS)}", task)
    return VIEWS[task]


def view_as(task: str, data: PatientRecipe) -> View:
    """Return what the networks of a task see as a recipe has it, in validation.

    Raises
    ------
    UsageError
        RECIPE_INVALID if there is no such task.
    """
    view = view_of(task).registering(data.registered)
    return view.cut_as(data.patches).with_pixels(data.pixel_mm)


def parse_data(table: Mapping[str, Any]) -> PatientRecipe:
    """Check the table `[data]` of a recipe.

    Raises
    ------
    UsageError
        RECIPE_INVALID if a key is unknown or a value cannot be used.
    """
    known = {field.name: field.default for field in fields(PatientRecipe)}
    values = {}
    for key, value in table.items():
        _check(key in known, key, f"a key of {', '.join(known)}", "another one")
        values[key] = _like(key, value, known[key])
    return PatientRecipe(**values)


def split(
    anatomies: Sequence[Head], hold_out_every: int
) -> tuple[tuple[Head, ...], tuple[Head, ...]]:
    """Return anatomies (or their names) to train on, and those held out; with none to hold out, all serve both."""
    if hold_out_every == 0 or len(anatomies) < hold_out_every:
        return tuple(anatomies), tuple(anatomies)
    held_out = tuple(anatomies[hold_out_every - 1 :: hold_out_every])
    trained = tuple(a for a in anatomies if a not in held_out)
    return trained, held_out


def prepare(recipe: Recipe, sources: Sources, atlas: Atlas) -> Prepared:
    """Build the network of a recipe and the samples that it learns from.

    Parameters
    ----------
    recipe
        Its task says what is seen.
    sources
        Anatomies and infarct shapes.
    atlas
        Gives the pose of the fine view.

    Raises
    ------
    UsageError
        RECIPE_INVALID if task, data or network of the recipe cannot be used.
    """
    data = parse_data(recipe.data)
    view = view_as(recipe.task, data)
    practised = view.cut_as(data.patches, data.painted)
    options = {
        **recipe.network.options,
        "in_channels": view.channels,
        "out_channels": view.classes,
    }
    trained, held_out = split(sources.anatomies, data.hold_out_every)
    steps = recipe.optimisation.steps * recipe.optimisation.batch
    prior = region_prior(atlas)
    trained_on = replace(sources, anatomies=trained)
    training = _dataset(data, trained_on, practised, prior, (TRAINING, steps))
    validation = None
    if data.validation_cases:
        count = (VALIDATION, data.validation_cases * view.validation_looks)
        validation = _dataset(data, replace(sources, anatomies=held_out), view, prior, count)
    network = build_network(recipe.network.architecture, options)
    return Prepared(network, options, training, validation, view.measure)


def _dataset(
    data: PatientRecipe, sources: Sources, view: View, prior: RegionPrior, part: tuple[int, int]
) -> PatientDataset:
    which, count = part
    modalities = [Modality(name) for name in data.modalities]
    stream = PatientStream(
        sources,
        data.patients(),
        modalities,
        (which, data.seed),
        data.looks if which == TRAINING else view.validation_looks,
        data.patients_at_once if which == TRAINING else 1,
    )
    return PatientDataset(stream, view, prior, count)


def _like(key: str, value: Any, default: Any) -> Any:
    """Return a value of TOML as the type of a default."""
    if isinstance(default, tuple):
        kind = type(default[0])
        is_right = isinstance(value, list) and all(_is(item, kind) for item in value)
        is_right = is_right and (kind is str or len(value) == len(default))
        _check(is_right, key, f"a list like {list(default)}", value)
        return tuple(kind(item) for item in value)
    _check(_is(value, type(default)), key, f"a value like {default}", repr(value))
    return type(default)(value)


def _is(value: Any, kind: type) -> bool:
    allowed = (int, float) if kind is float else kind
    return isinstance(value, allowed) and isinstance(value, bool) == (kind is bool)


def _check(holds: bool, key: str, expected: str, got: object) -> None:
    require(holds, f"data.{key}", expected, got)
