"""`aspects evaluate`: compare the results of a cohort with readers."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ASPECTSLib.cli.console import Console, interruptible
from ASPECTSLib.errors import ExitCode


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "evaluate",
        help="compare the results of a cohort with readers",
        description="Compare the results of `aspects batch` with readers, and readers with each other, and write a "
        "report, tables and figures to a new folder. Same command, same files. docs/evaluation.md describes them.",
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="folder of aspects batch")
    parser.add_argument(
        "readers",
        type=Path,
        metavar="READERS",
        help="table with a row for each case and reader, or folder of aspects synthesize",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="new folder"
    )
    parser.add_argument(
        "--reference",
        metavar="NAME",
        help="reader whose calls are held for true, or consensus (default: the first, or the consensus of three)",
    )
    parser.add_argument(
        "--cut", type=int, metavar="N", help="scores of at most N are low (default 6)"
    )
    parser.add_argument(
        "--beside",
        type=Path,
        nargs="+",
        default=(),
        metavar="RESULTS",
        help="results of other methods on the same cases",
    )
    parser.add_argument(
        "--masks", type=Path, metavar="DIR", help="infarct masks, CASE.nii.gz, to compare with"
    )
    parser.add_argument(
        "--clinical", type=Path, metavar="TABLE", help="numbers of each case, such as nihss"
    )
    parser.add_argument("--progress", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    """Evaluate as the arguments say."""
    with interruptible(console) as progress:
        progress.stage("loading", 0.0)
        from ASPECTSLib.evaluation.run import (
            REPORT_FILE,
            EvaluationOptions,
            evaluate_cohort,
            write_evaluation,
        )
        from ASPECTSLib.report.staging import check_output

        options = EvaluationOptions(
            arguments.reference,
            beside=arguments.beside,
            masks=arguments.masks,
            clinical=arguments.clinical,
        )
        if arguments.cut is not None:
            options = replace(options, cut=arguments.cut)
        check_output(arguments.output)
        evaluation = evaluate_cohort(arguments.results, arguments.readers, options, progress)
        write_evaluation(evaluation, arguments.output, progress)
    if arguments.progress != "json":
        console.show("\n".join([*evaluation.flow, str(arguments.output / REPORT_FILE)]))
    return ExitCode.RESULT
