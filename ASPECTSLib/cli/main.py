"""The command `aspects`: parses, runs a subcommand, and turns errors into sentences and exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ASPECTSLib import __version__
from ASPECTSLib.cli import (
    atlas,
    batch,
    demo,
    evaluate,
    info,
    models,
    score,
    study,
    synthesize,
    train,
    truth,
)
from ASPECTSLib.cli.console import Console
from ASPECTSLib.errors import ASPECTSError, CancelledError, ErrorCode, ExitCode

SUBCOMMANDS = (score, batch, evaluate, demo, models, synthesize, truth, train, study, atlas, info)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        Without the program's name; those of the process when left out.

    Returns
    -------
    int
        The exit code: 0 result there, 2 usage, 3 input refused, 4 abstained, 130 cancelled, 1 anything else.
    """
    parsed = _parser().parse_args(arguments)
    console = Console(as_json=getattr(parsed, "progress", "text") == "json")
    try:
        return int(parsed.run(parsed, console))
    except ASPECTSError as error:
        console.show_error(error.code, error.message)
        return int(error.exit_code)
    except KeyboardInterrupt:
        console.show_error(ErrorCode.CANCELLED, CancelledError().message)
        return int(ExitCode.CANCELLED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aspects",
        description="Alberta Stroke Programme Early CT Score of head scans. Research use only.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for subcommand in SUBCOMMANDS:
        subcommand.add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
