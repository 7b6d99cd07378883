"""`aspects atlas`: evaluate mapped regions against raters, bring published atlases, and build one's own."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ASPECTSLib.cli.console import Console, interruptible
from ASPECTSLib.errors import ErrorCode, ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ASPECTSLib.atlases.build import BuildOptions
    from ASPECTSLib.atlases.build_output import Built
    from ASPECTSLib.atlases.evaluation import EvaluationOptions
    from ASPECTSLib.progress import Progress
    from ASPECTSLib.statistics.bootstrap import Bootstrap

_WRITING = 0.97  # of the work is done before
_BUILT = 0.8  # of the work, where there is something to validate on
_DEFAULT_RATER = "rater"
_WITHOUT_MATPLOTLIB = "matplotlib is not installed: there are no pictures"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "atlas",
        help="evaluate mapped regions, bring or build an atlas",
        description="Evaluate mapped regions against raters, bring published atlases, and build one's own. "
        "docs/atlases.md describes files and tables.",
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    _add_evaluate(actions)
    _add_import(actions)
    _add_build(actions)


def _add_evaluate(actions: argparse._SubParsersAction) -> None:
    parser = actions.add_parser(
        "evaluate",
        help="hold mapped regions against raters' labels",
        description="Compare label maps with those of raters, case by case and region by region: Dice, Hausdorff "
        "distance and volume error, and a cross-table of all readers. A folder holds CASE.nii.gz or "
        "CASE/regions.nii.gz for each case. Same command, same files.",
    )
    parser.add_argument("mapped", type=Path, metavar="MAPPED_DIR", help="label maps to evaluate")
    parser.add_argument(
        "--rater",
        action="append",
        required=True,
        metavar="[NAME=]DIR",
        help="label maps of a rater; once for each",
    )
    parser.add_argument(
        "--drawn-slices",
        action="store_true",
        help="compare only slices on which both have drawn, as on the two key slices",
    )
    _add_bootstrap(parser)
    _add_output(parser)
    parser.set_defaults(run=run_evaluate)


def _add_import(actions: argparse._SubParsersAction) -> None:
    parser = actions.add_parser(
        "import",
        help="bring the published ASPECTS-281 files",
        description="Check the published files of the ASPECTS-281 atlas (doi:10.6084/m9.figshare.26819290) and write "
        "them, with the labels of this project, to a new folder that `aspects score --atlas` takes.",
    )
    parser.add_argument(
        "published", type=Path, metavar="DIR", help="with BGL_image_10_29.nii.gz and so on"
    )
    _add_output(parser)
    parser.set_defaults(run=run_import)


def _add_build(actions: argparse._SubParsersAction) -> None:
    parser = actions.add_parser(
        "build",
        help="build an atlas from labelled head CT",
        description="Build a template and its regions from labelled head CT: symmetric alignment, brain, groupwise "
        "registration, majority vote. Writes the atlas, its entropy and pictures to a new folder. A stopped run goes "
        "on where it was. Faster and better where PyTorch is installed.",
    )
    parser.add_argument(
        "cohort", type=Path, metavar="COHORT", help="with CASE/ncct/image.nii.gz and regions.nii.gz"
    )
    parser.add_argument(
        "--validate",
        type=Path,
        metavar="COHORT",
        help="other labelled cases: map the atlas to them",
    )
    parser.add_argument(
        "--by-age", action="store_true", help="an atlas for each age group that has three cases"
    )
    parser.add_argument("--name", help="of the atlas (default site-atlas)")
    parser.add_argument("--iterations", type=int, metavar="N", help="(default 4)")
    parser.add_argument(
        "--no-sharpening", action="store_true", help="leave the averages as blurred as they are"
    )
    parser.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="keep what is done there (default DIR-work beside the output, removed at the end)",
    )
    _add_bootstrap(parser)
    _add_output(parser)
    parser.set_defaults(run=run_build)


def _add_bootstrap(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--resamples", type=int, metavar="N", help="of the bootstrap (default 2000)"
    )
    parser.add_argument("--seed", type=int, help="of the bootstrap (default 1)")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="new folder"
    )
    parser.add_argument("--progress", choices=("text", "json"), default="text")


def run_evaluate(arguments: argparse.Namespace, console: Console) -> ExitCode:
    """Evaluate the label maps that the arguments name."""
    raters = _raters(arguments.rater)
    with interruptible(console) as progress:
        progress.stage("loading", 0.0)
        from ASPECTSLib.atlases.evaluation import evaluate_folders
        from ASPECTSLib.atlases.evaluation_output import evaluation_lines, write_evaluation
        from ASPECTSLib.report.staging import check_output, publish, staging_folder

        options = _evaluation_options(arguments)
        check_output(arguments.output)
        evaluation = evaluate_folders(arguments.mapped, raters, options, progress)
        progress.stage("writing", _WRITING)
        with staging_folder(arguments.output) as staging:
            write_evaluation(evaluation, staging)
            publish(staging, arguments.output)
        progress.finish()
    if arguments.progress != "json":
        for line in evaluation_lines(evaluation):
            console.show(line)
        console.show(str(arguments.output))
    return ExitCode.RESULT


def run_import(arguments: argparse.Namespace, console: Console) -> ExitCode:
    """Bring the published atlas that the arguments name."""
    with interruptible(console) as progress:
        progress.stage("reading", 0.0)
        from ASPECTSLib.atlas.atlas_import import import_published
        from ASPECTSLib.atlas.slice_atlas import write_slice_atlas
        from ASPECTSLib.report.staging import check_output, publish, staging_folder

        check_output(arguments.output)
        atlas = import_published(arguments.published)
        progress.stage("writing", _WRITING)
        with staging_folder(arguments.output) as staging:
            write_slice_atlas(atlas, staging)
            publish(staging, arguments.output)
        progress.finish()
    if arguments.progress != "json":
        groups = ", ".join(group.value for group in atlas.groups)
        console.show(f"{atlas.name}: two slices each for the ages {groups}")
        console.show(str(arguments.output))
    return ExitCode.RESULT


def run_build(arguments: argparse.Namespace, console: Console) -> ExitCode:
    """Build the atlas that the arguments describe."""
    with interruptible(console) as progress:
        progress.stage("loading", 0.0)
        from ASPECTSLib.atlases.build_output import build_lines, write_build
        from ASPECTSLib.report.staging import check_output, publish, staging_folder

        options, bootstrap = _build_options(arguments), _bootstrap(arguments)
        check_output(arguments.output)
        work = arguments.work or arguments.output.with_name(f"{arguments.output.name}-work")
        built = _build(arguments, options, bootstrap, work, progress)
        progress.stage("writing", _WRITING)
        with staging_folder(arguments.output) as staging:
            has_pictures = write_build(built, staging)
            publish(staging, arguments.output)
        if arguments.work is None:
            shutil.rmtree(work, ignore_errors=True)
        progress.finish()
    if arguments.progress != "json":
        for line in build_lines(built):
            console.show(line)
        console.show(str(arguments.output) if has_pictures else _WITHOUT_MATPLOTLIB)
    return ExitCode.RESULT


def _build(
    arguments: argparse.Namespace,
    options: BuildOptions,
    bootstrap: Bootstrap,
    work: Path,
    progress: Progress,
) -> Built:
    from ASPECTSLib.atlas.atlas import load_atlas
    from ASPECTSLib.atlases.build import by_age_group
    from ASPECTSLib.atlases.build_cases import check_names, find_build_cases
    from ASPECTSLib.atlases.build_output import Built, build_groups
    from ASPECTSLib.atlases.progress_part import PartOfProgress
    from ASPECTSLib.atlases.validation import validate_atlases

    base, cases = load_atlas(), find_build_cases(arguments.cohort)
    unseen = find_build_cases(arguments.validate) if arguments.validate else ()
    check_names(cases, unseen)
    groups = by_age_group(cases) if arguments.by_age else {None: cases}
    built = _BUILT if unseen else _WRITING
    building, validating = (
        PartOfProgress(progress, *ends) for ends in ((0.0, built), (built, _WRITING))
    )
    atlases = build_groups(groups, base, options, work, building)
    validation = None
    if unseen:
        templates = {group: one.atlas for group, one in atlases.items()}
        validation = validate_atlases(templates, unseen, base, bootstrap, validating)
    return Built(atlases, options, validation)


def _build_options(arguments: argparse.Namespace) -> BuildOptions:
    from ASPECTSLib.atlases.build import BuildOptions

    given = {name: getattr(arguments, name) for name in ("name", "iterations")}
    asked = {name: value for name, value in given.items() if value is not None}
    return BuildOptions(**asked, sharpen=not arguments.no_sharpening)


def _raters(given: list[str]) -> Mapping[str, Path]:
    """Return the folder of each rater; one without a name is numbered."""
    raters: dict[str, Path] = {}
    for number, text in enumerate(given, start=1):
        name, separator, folder = text.partition("=")
        if not separator:
            name, folder = _DEFAULT_RATER if len(given) == 1 else f"rater{number}", text
        if not name or not folder or name in raters:
            expected = "expected --rater NAME=DIR, each name once"
            raise UsageError(ErrorCode.USAGE, f"{expected}, got {text}")
        raters[name] = Path(folder)
    return raters


def _evaluation_options(arguments: argparse.Namespace) -> EvaluationOptions:
    from ASPECTSLib.atlases.evaluation import EvaluationOptions

    return EvaluationOptions(arguments.drawn_slices, _bootstrap(arguments))


def _bootstrap(arguments: argparse.Namespace) -> Bootstrap:
    from ASPECTSLib.statistics.bootstrap import Bootstrap

    given = {name: getattr(arguments, name) for name in ("resamples", "seed")}
    return Bootstrap(**{name: value for name, value in given.items() if value is not None})
