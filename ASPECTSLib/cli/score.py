"""`aspects score`: score one study."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ASPECTSLib.cli.console import Console, end_with_standard_input, interruptible
from ASPECTSLib.errors import ErrorCode, ExitCode, InputRefusedError, UsageError

if TYPE_CHECKING:
    from ASPECTSLib.report.result import StudyResult

_OTHER_MODALITIES = ("cta", "dwi", "adc", "b0", "cbf")
_MAX_AGE_YEARS = 130.0


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "score",
        help="score a head scan",
        description="Score a head scan and write result.json, regions, heat map, table and picture to a new folder.",
    )
    parser.add_argument(
        "scan", nargs="?", type=Path, metavar="SCAN", help="image file or DICOM folder"
    )
    parser.add_argument(
        "--ncct", type=Path, metavar="PATH", help="non-contrast head CT: file or DICOM folder"
    )
    for name in _OTHER_MODALITIES:
        parser.add_argument(
            f"--{name}", type=Path, metavar="PATH", help="not scored by this version"
        )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="new folder"
    )
    parser.add_argument("--method", default="auto", help="auto (default) or classical")
    parser.add_argument(
        "--regions",
        choices=("auto", "network", "registration"),
        default="auto",
        help="where the regions come from; auto (default) takes the networks where PyTorch is installed",
    )
    parser.add_argument(
        "--age", type=_age, metavar="N", help="age in years, if the header has none"
    )
    parser.add_argument(
        "--series", metavar="NAME", help="number or description of the DICOM series"
    )
    parser.add_argument("--frame", type=int, metavar="N", help="frame of a 4-D file, from 0")
    parser.add_argument("--progress", choices=("text", "json"), default="text")
    parser.add_argument("--no-picture", action="store_true", help="leave out report.png")
    parser.add_argument(
        "--end-with-input",
        action="store_true",
        help="stop when standard input closes, for programs that call this one",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    """Score the study that the arguments name."""
    path = _scan_path(arguments)
    if arguments.end_with_input:
        end_with_standard_input()
    with interruptible(console) as progress:
        progress.stage("loading", 0.0)
        from ASPECTSLib.delineation import RegionSource
        from ASPECTSLib.io.scan import Modality, read_scan
        from ASPECTSLib.pipeline import ScoreOptions, score_to_folder
        from ASPECTSLib.report.staging import check_output

        options = ScoreOptions(arguments.method, arguments.age, RegionSource(arguments.regions))
        check_output(arguments.output)
        progress.stage("reading", 0.02)
        modality = Modality.NCCT if arguments.ncct else None
        scan = read_scan(path, series=arguments.series, frame=arguments.frame, modality=modality)
        result = score_to_folder(
            scan, options, arguments.output, progress, picture=not arguments.no_picture
        )
        progress.finish()
    if arguments.progress != "json":
        console.show(summary(result, arguments.output))
    return ExitCode.ABSTAINED if result.quality.abstained else ExitCode.RESULT


def summary(result: StudyResult, folder: Path) -> str:
    """Return the result in a few lines of words."""
    from ASPECTSLib.report.wording import headline

    lines = [headline(result)]
    for side in ("right", "left"):
        affected = [info.region for info in result.regions if info.side == side and info.final_call]
        lines.append(f"  {side:<5} {', '.join(affected) or '-'}")
    lines += [f"  ! {warning.message}" for warning in result.quality.warnings]
    lines.append(f"  {folder}")
    return "\n".join(lines)


def _scan_path(arguments: argparse.Namespace) -> Path:
    others = [name for name in _OTHER_MODALITIES if getattr(arguments, name) is not None]
    if others:
        message = f"no method of this version scores {', '.join(others).upper()}; give a non-contrast head CT"
        raise InputRefusedError(ErrorCode.METHOD_UNAVAILABLE, message)
    given = [path for path in (arguments.scan, arguments.ncct) if path is not None]
    if len(given) != 1:
        raise UsageError(ErrorCode.USAGE, "expected one scan: aspects score SCAN -o DIR")
    return given[0]


def _age(text: str) -> float:
    try:
        age_years = float(text)
    except ValueError:
        age_years = -1.0
    if not 0 <= age_years <= _MAX_AGE_YEARS:
        message = f"expected an age of 0 to {_MAX_AGE_YEARS:.0f} years, got {text}"
        raise argparse.ArgumentTypeError(message)
    return age_years
