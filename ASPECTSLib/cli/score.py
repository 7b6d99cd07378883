"""`aspects score`: score one study."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ASPECTSLib.atlas.age_groups import MAX_AGE_YEARS, age_of
from ASPECTSLib.cli.console import Console, end_with_standard_input, interruptible
from ASPECTSLib.cli.scans import add_scan_arguments, check_scan_arguments, read_scans
from ASPECTSLib.cli.scoring import add_scoring_arguments, options_of
from ASPECTSLib.errors import ExitCode

if TYPE_CHECKING:
    from ASPECTSLib.report.result import StudyResult


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "score",
        help="score a head scan",
        description="Score a head scan and write result.json, regions, heat map, table and picture to a new folder.",
    )
    add_scan_arguments(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="new folder"
    )
    add_scoring_arguments(parser)
    parser.add_argument(
        "--age", type=_age, metavar="N", help="age in years, if the header has none"
    )
    parser.add_argument("--progress", choices=("text", "json"), default="text")
    parser.add_argument(
        "--end-with-input",
        action="store_true",
        help="stop when standard input closes, for programs that call this one",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    """Score the study that the arguments name."""
    check_scan_arguments(arguments)
    if arguments.end_with_input:
        end_with_standard_input()
    with interruptible(console) as progress:
        progress.stage("loading", 0.0)
        from ASPECTSLib.pipeline import score_to_folder
        from ASPECTSLib.report.staging import check_output

        options = replace(options_of(arguments), age_years=arguments.age)
        check_output(arguments.output)
        progress.stage("reading", 0.02)
        scan = read_scans(arguments, options.method)
        result = score_to_folder(
            scan, options, arguments.output, progress, picture=not arguments.no_picture
        )
        progress.finish()
    if arguments.progress != "json":
        console.show(summary(result, arguments.output))
    return ExitCode.ABSTAINED if result.quality.abstained else ExitCode.RESULT


def summary(result: StudyResult, folder: Path) -> str:
    """Return the result in a few lines of words."""
    from ASPECTSLib.report.wording import contrast_lines, core_lines, headline

    lines = [headline(result)]
    said = (*core_lines(result.core), *contrast_lines(result.contrast))
    lines += [f"  {line}" for line in said]
    for side in ("right", "left"):
        affected = [info.region for info in result.regions if info.side == side and info.final_call]
        lines.append(f"  {side:<5} {', '.join(affected) or '-'}")
    lines += [f"  ! {warning.message}" for warning in result.quality.warnings]
    lines.append(f"  {folder}")
    return "\n".join(lines)


def _age(text: str) -> float:
    age_years = age_of(text)
    if age_years is None:
        message = f"expected an age of 0 to {MAX_AGE_YEARS:.0f} years, got {text}"
        raise argparse.ArgumentTypeError(message)
    return age_years
