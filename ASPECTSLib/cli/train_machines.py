"""What `aspects train` does with a recipe of support vector machines."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ASPECTSLib.errors import ErrorCode, UsageError

if TYPE_CHECKING:
    from ASPECTSLib.progress import Progress
    from ASPECTSLib.training.machines import Learned, TrainedMachines

_OF_NETWORKS = ("resume", "steps", "init", "anatomy", "lesions", "cache")
_SHOWN = 10  # features of a screening


def train_by_machine_recipe(text: str, arguments: argparse.Namespace, progress: Progress) -> str:
    """Train as a recipe and the arguments say; return what came of it, for a person.

    Raises
    ------
    UsageError
        USAGE without a cohort, or with an option that only networks have; RECIPE_INVALID.
    InputRefusedError
        COHORT_INVALID if the cohort cannot be learned from.
    """
    from ASPECTSLib.training.cohort import read_cohort
    from ASPECTSLib.training.machine_recipe import parse_machine_recipe
    from ASPECTSLib.training.machines import check_machine_run, train_machines

    recipe = parse_machine_recipe(text)
    _check(arguments)
    folder = arguments.output or Path(f"{recipe.name}-run")
    check_machine_run(recipe, folder)
    progress.stage("checking the cohort", 0.0)
    cohort = read_cohort(arguments.data, progress)
    trained = train_machines(recipe, cohort, folder, progress)
    progress.finish()
    return summary(trained)


def summary(run: TrainedMachines) -> str:
    """Return a run in some lines: what was selected, and how right the machines are on patients held out."""
    lines = [f"{run.path.stem}: {run.patients} patients"]
    for kind, learned in run.learned.items():
        lines += [f"{kind} regions: {learned.regions}, {learned.affected} of them affected"]
        lines += [f"  {line}" for line in (*_screened(learned), *_trained(learned))]
    folder = run.path.parents[1]
    lines += [f"  {run.path}", f"  ASPECTS_MODELS={folder} lets cta-radiomics take these"]
    return "\n".join(lines)


def _screened(learned: Learned) -> list[str]:
    found = learned.screening
    if found is None:
        return []
    kept = list(zip(found.selected, found.weights, strict=True))
    named = ", ".join(f"{name} {weight:+.3f}" for name, weight in kept[:_SHOWN]) or "none"
    more = f" and {len(kept) - _SHOWN} more" * (len(kept) > _SHOWN)
    return [
        f"screening: {len(found.differing)} of {len(found.p_values)} features differ, Lasso keeps {named}{more}"
    ]


def _trained(learned: Learned) -> list[str]:
    trained, choice = learned.trained, learned.trained.choice
    gamma = f", gamma {choice.gamma:g}" if choice.kernel == "rbf" else ""
    area = trained.area
    areas = ", ".join(f"{value:.3f}" for value in trained.fold_areas)
    return [
        f"features: {', '.join(trained.machine.features)}",
        f"machine: {choice.kernel}, cost {choice.cost:g}{gamma}; threshold {trained.machine.threshold:.3f}",
        f"AUC, cross-validated: {area.value:.3f} ({area.low:.3f} to {area.high:.3f}); folds {areas}",
    ]


def _check(arguments: argparse.Namespace) -> None:
    given = [f"--{name}" for name in _OF_NETWORKS if getattr(arguments, name) not in (None, False)]
    if given:
        message = (
            f"expected a recipe of a network with {', '.join(given)}, got one of support vectors"
        )
        raise UsageError(ErrorCode.USAGE, message)
    if arguments.data is None:
        message = "expected a labelled cohort, --data DIR, to train support vectors on, got none"
        raise UsageError(ErrorCode.USAGE, message)
