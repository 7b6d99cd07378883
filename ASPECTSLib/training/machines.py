"""A whole training of support vectors: from recipe and cohort to a folder that `cta-radiomics` reads them from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ASPECTSLib import __version__
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.inference.card import is_model_name
from ASPECTSLib.inference.plain_models import PlainKind, plain_path
from ASPECTSLib.inference.registry import RUN_FILE
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.tables import csv_text
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.staging import check_output, publish, staging_folder
from ASPECTSLib.scoring.support_vectors import KINDS
from ASPECTSLib.synthesis.cohort import INFARCT_FILE, REGIONS_FILE
from ASPECTSLib.training.cohort import Cohort
from ASPECTSLib.training.cohort_parts import split_cohort
from ASPECTSLib.training.cohort_scan import LabelledScan, refuse, refuse_file
from ASPECTSLib.training.feature_screening import Screening, candidates, screen_features
from ASPECTSLib.training.machine_recipe import MachineRecipe
from ASPECTSLib.training.options import require
from ASPECTSLib.training.radiomics_table import FeatureTable, measure_cases
from ASPECTSLib.training.support_vectors import TrainedMachine, train_machine

SCREENING_FILE, GRID_FILE, FOLDS_FILE = "screening.csv", "grid.csv", "folds.csv"

_SCREENING_COLUMNS = ("machine", "feature", "p_value", "differs", "lasso_weight", "used")
_GRID_COLUMNS = ("machine", "kernel", "cost", "gamma", "auc", "best")
_FOLD_COLUMNS = ("machine", "fold", "patients", "regions", "affected", "auc", "features")
_SCHEMA_VERSION = 1
_DECIMALS = 4
_MEASURED = 0.9  # share of the time
_INTENDED_USE = "research: calls of the ASPECTS regions on CT angiography source images"
_LIMITS = "cross-validated on the patients that it is trained on; not measured on others"


@dataclass(frozen=True, eq=False)
class Learned:
    """What came of the regions of one kind.

    Parameters
    ----------
    trained
        The machine.
    screening
        Of the features, where there was one.
    regions, affected
        How many sides of regions there were to learn from.
    """

    trained: TrainedMachine
    screening: Screening | None
    regions: int
    affected: int


@dataclass(frozen=True, eq=False)
class TrainedMachines:
    """A run.

    Parameters
    ----------
    learned
        By the kind of the regions, one of `KINDS`.
    patients
        That were trained on.
    path
        The file of the machines.
    """

    learned: Mapping[str, Learned]
    patients: int
    path: Path


def check_machine_run(recipe: MachineRecipe, folder: Path) -> None:
    """Refuse a folder or a recipe's name before anything is read, or a machine that lacks the library.

    Raises
    ------
    UsageError
        OUTPUT_EXISTS if there is something of the folder's name, RECIPE_INVALID if no model can have the recipe's.
    ResourceError
        METHOD_UNAVAILABLE without scikit-learn.
    OutputError
        OUTPUT_NOT_WRITABLE if the folder cannot be made.
    """
    good = "small letters, digits and hyphens, as it names a model"
    require(is_model_name(recipe.name), "name", good, recipe.name)
    check_output(folder)
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        message = "expected scikit-learn, which is not installed; the extra `training` of this project has it"
        raise ResourceError(ErrorCode.METHOD_UNAVAILABLE, message) from error


def train_machines(
    recipe: MachineRecipe, cohort: Cohort, folder: Path, progress: Progress
) -> TrainedMachines:
    """Train the machines of `cta-radiomics`, and write them with what chose them into a new folder.

    Parameters
    ----------
    recipe
        How.
    cohort
        Labelled CT angiographies, each with regions and infarct mask; of a split, the part `training`.
    folder
        Of the run; as a folder of `ASPECTS_MODELS`, its machines take the place of those that ship.
    progress
        Told of each patient, and asked for cancellation.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID, with the case where it is one, for what cannot be learned from.
    CancelledError
        If the work was cancelled.
    UsageError, OutputError
        As `check_machine_run`.
    """
    check_machine_run(recipe, folder)
    started_s = perf_counter()
    scans = _scans(cohort)
    table = measure_cases([scan.folder.parent for scan in scans], _measured(recipe), progress)
    learned = {}
    for number, kind in enumerate(KINDS):
        progress.stage(f"training, {kind} regions", _MEASURED + 0.05 * number)
        learned[kind] = _learn(recipe, table.where(table.cortical == (kind == "cortical")), kind)
    run = TrainedMachines(learned, len(scans), plain_path(folder, PlainKind.MACHINES, recipe.name))
    record = {
        "schema_version": _SCHEMA_VERSION,
        "recipe": recipe.record(),
        "data": {"cohort": cohort.name, "cases": [scan.case for scan in scans]},
        "seconds": round(perf_counter() - started_s, 1),
    }
    _write(run, recipe, cohort, record, folder)
    return run


def _scans(cohort: Cohort) -> tuple[LabelledScan, ...]:
    """Return the angiographies to train on; none is held out, as they are cross-validated."""
    scans = split_cohort(cohort, [Modality.CTA], 0.0).training
    for scan in scans:
        for name, what in ((REGIONS_FILE, "regions"), (INFARCT_FILE, "an infarct mask")):
            if name not in scan.files:
                message = f"expected {what} to learn which regions are affected, found none"
                refuse_file(scan, name, message)
    return scans


def _measured(recipe: MachineRecipe) -> tuple[str, ...]:
    screened = candidates() if recipe.is_screened else ()
    return tuple(dict.fromkeys((*recipe.features, *screened)))


def _learn(recipe: MachineRecipe, table: FeatureTable, kind: str) -> Learned:
    def chosen(part: FeatureTable) -> tuple[str, ...]:
        found = screen_features(part, recipe.grid.seed).selected
        if not found:
            message = f"expected features that tell affected {kind} regions from others, got none by t-test and Lasso"
            refuse(message)
        return found

    both = 0 < table.affected.sum() < len(table.affected)
    screened = table.chosen(candidates()) if recipe.is_screened else None
    if recipe.features:
        trained = train_machine(table.chosen(recipe.features), recipe.grid)
    else:
        trained = train_machine(screened, recipe.grid, chosen)
    screening = screen_features(screened, recipe.grid.seed) if screened and both else None
    return Learned(trained, screening, len(table.affected), int(table.affected.sum()))


def _write(
    run: TrainedMachines,
    recipe: MachineRecipe,
    cohort: Cohort,
    record: Mapping[str, Any],
    folder: Path,
) -> None:
    files = {
        str(plain_path(Path(), PlainKind.MACHINES, recipe.name)): _json(
            _content(run, recipe, cohort)
        ),
        RUN_FILE: _json(record),
        GRID_FILE: csv_text(_GRID_COLUMNS, _grid_rows(run.learned)),
        FOLDS_FILE: csv_text(_FOLD_COLUMNS, _fold_rows(run.learned)),
    }
    if recipe.is_screened:
        files[SCREENING_FILE] = csv_text(_SCREENING_COLUMNS, _screening_rows(run.learned))
    with staging_folder(folder) as staging:
        for name, text in files.items():
            path = staging / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        publish(staging, folder)


def _content(run: TrainedMachines, recipe: MachineRecipe, cohort: Cohort) -> dict[str, Any]:
    """Return machines and what is known of them, without names of cases."""
    learned = run.learned
    kind = "synthetic patients" if cohort.synthetic else "patients"
    return {
        "schema_version": _SCHEMA_VERSION,
        "name": recipe.name,
        "version": __version__,
        "intended_use": _INTENDED_USE,
        "limits": f"{run.patients} {kind}; {_LIMITS}",
        "training": {
            "patients": run.patients,
            "synthetic": cohort.synthetic,
            "cross_validated_auc": {
                kind: [round(area, _DECIMALS) for area in one.trained.fold_areas]
                for kind, one in learned.items()
            },
            "choice": {kind: asdict(one.trained.choice) for kind, one in learned.items()},
            "recipe": recipe.record(),
            "data": [
                {k: v for k, v in asdict(source).items() if v is not None}
                for source in cohort.sources
            ],
        },
        "machines": {kind: one.trained.machine.as_dict() for kind, one in learned.items()},
    }


def _screening_rows(learned: Mapping[str, Learned]) -> Iterator[tuple[object, ...]]:
    for kind, one in learned.items():
        found, used = one.screening, one.trained.machine.features
        weights = dict(zip(found.selected, found.weights, strict=True))
        for name, p_value in zip(candidates(), found.p_values, strict=True):
            weight = f"{weights[name]:.{_DECIMALS}f}" if name in weights else None
            said = (_yes(name in found.differing), weight, _yes(name in used))
            yield (kind, name, f"{p_value:.3g}", *said)


def _grid_rows(learned: Mapping[str, Learned]) -> Iterator[tuple[object, ...]]:
    for kind, one in learned.items():
        for choice, value in one.trained.tried:
            gamma = f"{choice.gamma:g}" if choice.kernel == "rbf" else None
            is_best = _yes(choice == one.trained.choice)
            cost = f"{choice.cost:g}"
            yield (kind, choice.kernel, cost, gamma, f"{value:.{_DECIMALS}f}", is_best)


def _fold_rows(learned: Mapping[str, Learned]) -> Iterator[tuple[object, ...]]:
    for kind, one in learned.items():
        for number, fold in enumerate(one.trained.folds, start=1):
            counts = (fold.patients, fold.samples, fold.affected)
            area = f"{fold.area:.{_DECIMALS}f}"
            yield (kind, number, *counts, area, " ".join(fold.features))


def _yes(met: bool | np.bool_) -> str:
    return "yes" if met else "no"


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
