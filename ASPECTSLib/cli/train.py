"""`aspects train`: train a network, or support vectors, by a recipe, on synthetic patients or on a labelled cohort."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ASPECTSLib.cli.console import Console, interruptible
from ASPECTSLib.cli.synthesize import WITHOUT_CACHE, add_source_arguments, open_material
from ASPECTSLib.cli.train_machines import train_by_machine_recipe
from ASPECTSLib.device import find_device
from ASPECTSLib.errors import ErrorCode, ExitCode, UsageError

if TYPE_CHECKING:
    from ASPECTSLib.progress import Progress
    from ASPECTSLib.training.launch import Trained
    from ASPECTSLib.training.lessons import Lesson
    from ASPECTSLib.training.recipe import Recipe

RECIPES_FOLDER = Path(__file__).resolve().parents[2] / "recipes"

_SUFFIX = ".toml"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "train",
        help="train a network by a recipe",
        description="Train a network on synthetic patients, or with --data on a labelled cohort, and export it as a "
        "model into the run's folder; or the support vectors of cta-radiomics, on a cohort. docs/cohorts.md describes "
        "the folders. Needs PyTorch.",
    )
    parser.add_argument("recipe", metavar="RECIPE", help="a TOML file, or a name in recipes/")
    parser.add_argument("--data", type=Path, metavar="DIR", help="labelled cohort to learn from")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="folder of the run (default RECIPE-run)"
    )
    add_source_arguments(parser)
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument("--steps", type=int, metavar="N", help="instead of the recipe's")
    parser.add_argument("--init", metavar="MODEL", help="model whose weights to begin with")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    """Train as the arguments say."""
    if arguments.data and (arguments.anatomy or arguments.lesions):
        message = "expected --data, or --anatomy and --lesions, got both"
        raise UsageError(ErrorCode.USAGE, message)
    with interruptible(console) as progress:
        progress.stage("loading", 0.0)
        from ASPECTSLib.inference.registry import require_torch

        require_torch()
        from ASPECTSLib.training.machine_recipe import is_of_machines
        from ASPECTSLib.training.recipe_text import read_text

        text = read_text(find_recipe(arguments.recipe))
        if is_of_machines(text):
            said = train_by_machine_recipe(text, arguments, progress)
        else:
            said = _train_network(text, arguments, console, progress)
    if arguments.progress != "json":
        console.show(said)
    return ExitCode.RESULT


def find_recipe(name_or_path: str) -> Path:
    """Return the file of a recipe: a path, or a name of those that come with the project.

    Raises
    ------
    UsageError
        RECIPE_INVALID if there is none.
    """
    path = Path(name_or_path)
    if path.suffix == _SUFFIX or len(path.parts) > 1:
        return path
    shipped = RECIPES_FOLDER / f"{name_or_path}{_SUFFIX}"
    if not shipped.is_file():
        names = ", ".join(sorted(p.stem for p in RECIPES_FOLDER.glob(f"*{_SUFFIX}"))) or "none"
        message = f"expected a TOML file or a recipe of these: {names}; got {name_or_path}"
        raise UsageError(ErrorCode.RECIPE_INVALID, message)
    return shipped


def _train_network(
    text: str, arguments: argparse.Namespace, console: Console, progress: Progress
) -> str:
    from ASPECTSLib.inference.registry import find_model
    from ASPECTSLib.training.launch import check_run, train

    recipe = _recipe(text, arguments)
    folder = arguments.output or Path(f"{recipe.name}-run")
    check_run(recipe, folder, resume=arguments.resume)
    init = None if arguments.init is None else find_model(arguments.init)
    if arguments.progress != "json" and arguments.anatomy and not arguments.cache:
        console.show(WITHOUT_CACHE)
    lesson = _lesson(recipe, arguments, progress)
    return _summary(train(recipe, lesson, folder, progress, resume=arguments.resume, init=init))


def _recipe(text: str, arguments: argparse.Namespace) -> Recipe:
    from ASPECTSLib.training.recipe import parse_recipe

    recipe = parse_recipe(text)
    options = recipe.optimisation
    if arguments.steps is not None:
        warmup_steps = min(options.warmup_steps, max(arguments.steps, 0))
        options = replace(options, steps=arguments.steps, warmup_steps=warmup_steps)
    if arguments.device is not None:
        options = replace(options, device=arguments.device)
    find_device(options.device)
    return replace(recipe, optimisation=options)


def _lesson(recipe: Recipe, arguments: argparse.Namespace, progress: Progress) -> Lesson:
    from ASPECTSLib.training.cohort import read_cohort
    from ASPECTSLib.training.lessons import cohort_lesson, synthetic_lesson
    from ASPECTSLib.training.sources import source_of

    if arguments.data:
        progress.stage("checking the cohort", 0.0)
        cohort = read_cohort(arguments.data, progress)
        return cohort_lesson(recipe, cohort, open_material(None, None, None, progress))
    progress.stage("reading anatomies and lesions", 0.0)
    folders = [folder for folder in (arguments.anatomy, arguments.lesions) if folder]
    sources = [source_of(folder) for folder in folders]
    material = open_material(arguments.anatomy, arguments.lesions, arguments.cache, progress)
    return synthetic_lesson(recipe, material, sources, progress)


def _summary(trained: Trained) -> str:
    standing, model = trained.result.standing, trained.model
    lines = [f"{model.name}: {standing.step} steps"]
    if standing.best_step is not None:
        lines[0] += f", the weights of step {standing.best_step} were the best"
    for metric in model.card.metrics:
        low, high = metric.interval
        number = f"{metric.value:.3f} ({low:.3f} to {high:.3f}), n = {metric.n}"
        lines.append(f"  {metric.metric}: {number}, {metric.data}")
    lines += [f"  ! {note}" for note in trained.result.notes]
    lines.append(f"  {model.weights_path}")
    lines.append(f"  ASPECTS_MODELS={model.folder} lets the other commands find it")
    return "\n".join(lines)
