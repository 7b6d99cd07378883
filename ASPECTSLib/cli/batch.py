"""`aspects batch`: score a cohort."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ASPECTSLib.cli.console import Console, interruptible
from ASPECTSLib.cli.scoring import add_scoring_arguments, options_of
from ASPECTSLib.errors import ErrorCode, ExitCode, UsageError

if TYPE_CHECKING:
    from ASPECTSLib.batch.run import ScoredCohort


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "batch",
        help="score a cohort of head scans",
        description="Score the cases of a table or folder, several at once, and write their results and two tables to "
        "a folder. What is wrong with a case costs that case only. docs/batch.md says what the table or folder "
        "looks like.",
    )
    parser.add_argument("cohort", type=Path, metavar="COHORT", help="CSV or TSV table, or folder")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder")
    add_scoring_arguments(parser)
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: one for each core)"
    )
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="of each process (default 1)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument(
        "--retry", action="store_true", help="with --resume: try refused cases again"
    )
    parser.add_argument("--progress", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    """Score the cohort that the arguments name."""
    if arguments.retry and not arguments.resume:
        raise UsageError(ErrorCode.USAGE, "expected --resume with --retry, got --retry alone")
    with interruptible(console) as progress:
        progress.stage("loading", 0.0)
        from ASPECTSLib.batch.run import BatchOptions, score_cohort

        batch = BatchOptions(
            workers=arguments.workers,
            threads=arguments.threads,
            resume=arguments.resume,
            retry=arguments.retry,
            picture=not arguments.no_picture,
        )
        cohort = score_cohort(
            arguments.cohort, arguments.output, options_of(arguments), batch, progress
        )
    if arguments.progress != "json":
        console.show(summary(cohort))
    return ExitCode.RESULT


def summary(cohort: ScoredCohort) -> str:
    """Return what came of a cohort in a few lines of words."""
    from ASPECTSLib.batch.tables import CASES_TABLE, REGIONS_TABLE

    counts = ", ".join(f"{n} {status}" for status, n in cohort.counts.items())
    lines = [f"{len(cohort.records)} cases: {counts}"]
    lines += [f"  {n} x {code}" for code, n in cohort.refusals.items()]
    lines += [f"  {cohort.folder / name}" for name in (CASES_TABLE, REGIONS_TABLE)]
    return "\n".join(lines)
