"""`aspects demo`: make a synthetic patient with a known infarct, score it, and show truth beside result."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ASPECTSLib.cli.console import Console, interruptible
from ASPECTSLib.errors import ExitCode

if TYPE_CHECKING:
    from ASPECTSLib.atlas.regions import Region
    from ASPECTSLib.report.result import StudyResult

SCAN_NAME = "synthetic-patient.nii.gz"
TRUTH_NAME = "true-regions.nii.gz"
RESULT_NAME = "result"

_INFARCT = ("I", "L", "M2")
_SEED = 1


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "demo",
        help="score a synthetic patient made on the spot",
        description=f"Make a synthetic head CT with a left infarct in {', '.join(_INFARCT)}, and score it.",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("demo-output"), metavar="DIR")
    parser.add_argument(
        "--seed", type=int, default=_SEED, help="another patient (default %(default)s)"
    )
    parser.add_argument("--progress", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    """Make the patient, score its file as any other, and compare."""
    with interruptible(console) as progress:
        progress.stage("loading", 0.0)
        import numpy as np

        from ASPECTSLib.atlas.atlas import load_atlas
        from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
        from ASPECTSLib.io.images import write_image
        from ASPECTSLib.io.scan import read_scan
        from ASPECTSLib.pipeline import ScoreOptions, score_to_folder
        from ASPECTSLib.report.staging import check_output, publish, staging_folder
        from ASPECTSLib.synthesis.patient import make_patient

        folder = arguments.output
        check_output(folder)
        progress.stage("making a synthetic patient", 0.01)
        affected = [region_of(RegionCode(code), Side.LEFT) for code in _INFARCT]
        patient = make_patient(load_atlas(), affected, np.random.default_rng(arguments.seed))
        with staging_folder(folder) as staging:
            write_image(patient.scan, staging / SCAN_NAME)
            write_image(patient.regions, staging / TRUTH_NAME)
            scan = read_scan(staging / SCAN_NAME)
            result = score_to_folder(scan, ScoreOptions(), staging / RESULT_NAME, progress)
            publish(staging, folder)
        progress.finish()
    if arguments.progress != "json":
        console.show(_comparison(result, patient.affected))
        console.show(
            f"scan and results are in {folder}; look at {folder / RESULT_NAME / 'report.png'}"
        )
    return ExitCode.ABSTAINED if result.quality.abstained else ExitCode.RESULT


def _comparison(result: StudyResult, affected: tuple[Region, ...]) -> str:
    """Return truth beside result, region by region."""
    truth = {(region.code.value, region.side.value) for region in affected}
    infos = {(info.region, info.side): info for info in result.regions}
    codes = [info.region for info in result.regions if info.side == "right"]
    lines = [
        "Synthetic patient: truth beside result",
        f"{'':8}{'right':^18}{'left':^18}",
        f"{'region':8}{'truth':>8} {'result':<9}{'truth':>8} {'result':<9}",
    ]
    for code in codes:
        cells = ""
        for side in ("right", "left"):
            true, found = (code, side) in truth, bool(infos[code, side].affected)
            mark = "" if true == found else " !"
            cells += f"{_word(true):>8} {_word(found) + mark:<9}"
        lines.append(f"{code:8}{cells}")
    true_score = 10 - len(truth)
    lines.append(
        f"ASPECTS truth {true_score} left, result {result.aspects.score} {result.aspects.side}"
    )
    return "\n".join(lines)


def _word(affected: bool) -> str:
    return "affected" if affected else "-"
