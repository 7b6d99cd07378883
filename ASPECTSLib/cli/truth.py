"""`aspects truth`: make a labelled case of a patient, by a perfusion map or by an infarct mask."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ASPECTSLib.cli.console import Console, interruptible
from ASPECTSLib.errors import ErrorCode, ExitCode, UsageError

if TYPE_CHECKING:
    from ASPECTSLib.atlas.atlas import Atlas
    from ASPECTSLib.progress import Progress
    from ASPECTSLib.truth.case import Truth
    from ASPECTSLib.truth.make import TruthOptions

_COMBINATIONS = (
    {"ncct", "cbf"},
    {"cbf"},
    {"ncct", "infarct"},
    {"cta", "cbf"},
    {"cta", "infarct"},
    {"dwi", "infarct"},
    {"dwi", "adc", "infarct"},
)
_EXPECTED = (
    "expected --ncct and --cbf, --cbf alone, --ncct and --infarct (or --cta in the place of --ncct), or --dwi (with "
    "--adc) and --infarct"
)
_WITHOUT_MATPLOTLIB = "matplotlib is not installed: there is no picture"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "truth",
        help="make a labelled case of a perfusion map or an infarct mask",
        description="Find the regions of a scan and, by a map of cerebral blood flow or an infarct mask, which of them "
        "are affected; write them to a new folder as a case that `aspects train --data` reads. All files of a patient "
        "lie in one frame. docs/truth.md describes rule and folder. Research use only.",
    )
    _add_inputs(parser)
    _add_options(parser)
    parser.set_defaults(run=run)


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    inputs = {
        "ncct": "non-contrast head CT",
        "cta": "CT angiography, source images",
        "cbf": "map of cerebral blood flow, mL/100 g/min, of any coverage that holds the regions",
        "dwi": "diffusion-weighted MRI, b about 1000 s/mm2",
        "adc": "ADC map that belongs to --dwi",
    }
    for name, meaning in inputs.items():
        parser.add_argument(
            f"--{name}", type=Path, metavar="PATH", help=f"{meaning}: file or DICOM folder"
        )
    parser.add_argument(
        "--infarct",
        type=Path,
        metavar="MASK",
        help="infarct mask, as drawn on DWI: an image file of 0 and one other value, registered to the scan",
    )
    parser.add_argument(
        "--series", metavar="NAME", help="number or description of the scan's DICOM series"
    )
    parser.add_argument(
        "--cbf-series", metavar="NAME", help="number or description of the map's DICOM series"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="CASE", help="new folder of the case"
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--core-below",
        type=float,
        metavar="SHARE",
        help="core is where blood flow is below this share of the other side's (default 0.3)",
    )
    parser.add_argument(
        "--least-ml", type=float, metavar="ML", help="smallest body of core (default 1)"
    )
    parser.add_argument(
        "--affected-fraction",
        type=float,
        metavar="F",
        help="a region is affected when more than this share of it is infarcted (default 0.1)",
    )
    parser.add_argument(
        "--regions",
        choices=("auto", "network", "registration"),
        default="auto",
        help="where the regions come from; auto (default) takes the networks where PyTorch is installed",
    )
    parser.add_argument("--progress", choices=("text", "json"), default="text")
    parser.add_argument("--no-picture", action="store_true", help="leave out truth.png")


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    """Make the case that the arguments name."""
    _check(arguments)
    with interruptible(console) as progress:
        progress.stage("loading", 0.0)
        from ASPECTSLib.atlas.atlas import load_atlas
        from ASPECTSLib.report.staging import check_output
        from ASPECTSLib.truth.make import truth_to_folder

        options, atlas = _options(arguments), load_atlas()
        check_output(arguments.output)
        progress.stage("reading", 0.02)
        truth = _truth(arguments, options, atlas, progress)
        progress.stage("writing", 0.92)
        has_picture = truth_to_folder(
            truth, atlas, arguments.output, picture=not arguments.no_picture
        )
        progress.finish()
    if arguments.progress != "json":
        console.show(summary(truth, arguments.output))
        if not has_picture:
            console.show(_WITHOUT_MATPLOTLIB)
    return ExitCode.RESULT


def summary(truth: Truth, folder: Path) -> str:
    """Return the truth in a few lines of words."""
    score = truth.score
    lines = [
        f"ASPECTS {score.score} / 10   (right {score.right}, left {score.left})   by {truth.source}",
        f"  core {truth.core_ml:.1f} mL",
    ]
    for side in ("right", "left"):
        affected = [region.code.value for region in truth.affected if region.side == side]
        lines.append(f"  {side:<5} {', '.join(affected) or '-'}")
    lines += [f"  ! {warning.message}" for warning in truth.warnings]
    lines.append(f"  {folder}")
    return "\n".join(lines)


def _check(arguments: argparse.Namespace) -> None:
    """Refuse arguments that do not name one scan and one source of its truth."""
    given = {
        name
        for name in ("ncct", "cta", "cbf", "dwi", "adc", "infarct")
        if getattr(arguments, name) is not None
    }
    if given not in _COMBINATIONS:
        got = ", ".join(f"--{name}" for name in sorted(given)) or "none of them"
        raise UsageError(ErrorCode.USAGE, f"{_EXPECTED}; got {got}")
    paths = [getattr(arguments, name) for name in given]
    files = [path.resolve() for path in paths if path.is_file()]
    if len(set(files)) < len(files):
        message = f"expected a file each for scan, map and mask, got {files[0].name} twice"
        raise UsageError(ErrorCode.USAGE, message)


def _options(arguments: argparse.Namespace) -> TruthOptions:
    """Return the options; what was not asked for is as they have it."""
    from ASPECTSLib.delineation import RegionSource
    from ASPECTSLib.scoring.perfusion_core import CoreRule
    from ASPECTSLib.truth.make import TruthOptions

    def asked(**names: str) -> dict:
        given = {field: getattr(arguments, name) for field, name in names.items()}
        return {field: value for field, value in given.items() if value is not None}

    return TruthOptions(
        rule=CoreRule(**asked(below="core_below", least_ml="least_ml")),
        regions=RegionSource(arguments.regions),
        **asked(affected_fraction="affected_fraction"),
    )


def _truth(
    arguments: argparse.Namespace, options: TruthOptions, atlas: Atlas, progress: Progress
) -> Truth:
    from ASPECTSLib.io.diffusion import read_diffusion
    from ASPECTSLib.io.flow import read_flow
    from ASPECTSLib.io.masks import read_mask
    from ASPECTSLib.io.modality import Modality
    from ASPECTSLib.io.scan import read_scan
    from ASPECTSLib.truth.make import truth_from_flow, truth_from_mask

    # The small files first: what is wrong with them is said at once.
    mask = None if arguments.infarct is None else read_mask(arguments.infarct)
    flow = None
    if arguments.cbf is not None:
        flow = read_flow(arguments.cbf, series=arguments.cbf_series)
    if arguments.dwi is not None:
        scan = read_diffusion(arguments.dwi, arguments.adc, series=arguments.series)
    elif arguments.ncct is not None:
        scan = read_scan(arguments.ncct, series=arguments.series, modality=Modality.NCCT)
    elif arguments.cta is not None:
        scan = read_scan(arguments.cta, series=arguments.series, modality=Modality.CTA)
        scan = replace(scan, modality=Modality.CTA)  # not all files tell
    else:
        scan = None
    if mask is not None:
        return truth_from_mask(scan, mask, options, atlas, progress)
    return truth_from_flow(scan, flow, options, atlas, progress)
