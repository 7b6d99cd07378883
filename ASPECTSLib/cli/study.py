"""`aspects study`: repeat a study of the literature on a folder of data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ASPECTSLib.cli.console import Console, interruptible
from ASPECTSLib.errors import ExitCode

if TYPE_CHECKING:
    from ASPECTSLib.statistics.correlation import Correlation
    from ASPECTSLib.statistics.estimates import Estimate
    from ASPECTSLib.studies.severity import CohortFigures, SeverityStudy
    from ASPECTSLib.studies.severity_analysis import StudyOptions, Threshold

_WITHOUT_MATPLOTLIB = "matplotlib is not installed: there are no pictures"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "study",
        help="repeat a study of the literature on data of your own",
        description="Repeat a study of the literature on a folder of data.",
    )
    studies = parser.add_subparsers(title="studies", required=True, metavar="STUDY")
    _add_severity(studies)


def _add_severity(studies: argparse._SubParsersAction) -> None:
    parser = studies.add_parser(
        "severity",
        help="ASPECTS and core volume of infarct masks against NIHSS",
        description="Measure ASPECTS and core volume of infarct masks in MNI152 space, relate them to NIHSS, and write "
        "figures and tables to a new folder. Same command, same files. docs/severity-study.md describes them.",
    )
    parser.add_argument("masks", type=Path, metavar="MASKS_DIR", help="with PARTICIPANT_*.nii.gz")
    parser.add_argument(
        "participants", type=Path, metavar="PARTICIPANTS.tsv", help="with participant_id and nihss"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="new folder"
    )
    parser.add_argument(
        "--fraction",
        type=float,
        metavar="SHARE",
        help="a region is affected when more of it is infarcted (default 0.1)",
    )
    parser.add_argument(
        "--territory-ml",
        type=float,
        metavar="ML",
        help="infarct inside the regions that the main cohort has at least (default 1)",
    )
    parser.add_argument(
        "--nihss",
        type=int,
        nargs="+",
        metavar="N",
        help="NIHSS from which a stroke is moderate to severe, the main one first (default 6 5 8 16)",
    )
    parser.add_argument(
        "--resamples", type=int, metavar="N", help="of the bootstrap (default 2000)"
    )
    parser.add_argument("--seed", type=int, help="of the bootstrap (default 1)")
    parser.add_argument("--progress", choices=("text", "json"), default="text")
    parser.set_defaults(run=run_severity)


def run_severity(arguments: argparse.Namespace, console: Console) -> ExitCode:
    """Do the severity study as the arguments say."""
    with interruptible(console) as progress:
        progress.stage("loading", 0.0)
        from ASPECTSLib.atlas.atlas import load_atlas
        from ASPECTSLib.report.staging import check_output, publish, staging_folder
        from ASPECTSLib.studies.severity import run_severity_study
        from ASPECTSLib.studies.severity_output import write_study

        options, atlas = _options(arguments), load_atlas()
        check_output(arguments.output)
        folders = arguments.masks, arguments.participants
        study = run_severity_study(*folders, atlas, options, progress)
        progress.stage("writing", _WRITING)
        with staging_folder(arguments.output) as staging:
            has_pictures = write_study(study, atlas, staging)
            publish(staging, arguments.output)
        progress.finish()
    if arguments.progress != "json":
        for line in _summary(study):
            console.show(line)
        console.show(str(arguments.output) if has_pictures else _WITHOUT_MATPLOTLIB)
    return ExitCode.RESULT


_WRITING = 0.97  # of the work is done before


def _options(arguments: argparse.Namespace) -> StudyOptions:
    """Return the options of the study; what was not asked for is as the study has it."""
    from ASPECTSLib.statistics.bootstrap import Bootstrap
    from ASPECTSLib.studies.severity_analysis import StudyOptions

    def asked(*names: str) -> dict:
        given = {name: getattr(arguments, name) for name in names}
        return {name: value for name, value in given.items() if value is not None}

    options = asked("fraction", "territory_ml", "nihss")
    if "nihss" in options:
        options["nihss"] = tuple(options["nihss"])
    return StudyOptions(**options, bootstrap=Bootstrap(**asked("resamples", "seed")))


def _summary(study: SeverityStudy) -> list[str]:
    flow = study.flow
    left_out = f"{flow.without_row} not in the table, {flow.without_nihss} without NIHSS"
    territory = f"at least {study.options.territory_ml:g} mL in the regions"
    return [
        f"{flow.masks} masks: {flow.with_nihss} with NIHSS ({left_out})",
        *_cohort_lines(f"{flow.in_territory} with {territory}", study.territory),
        *_cohort_lines(f"all {flow.with_nihss}", study.everyone),
    ]


def _cohort_lines(name: str, figures: CohortFigures) -> list[str]:
    correlations = figures.correlations
    rho = [_rho(correlations[key]) for key in ("aspects_nihss", "core_volume_nihss")]
    heading = f"{name}: Spearman with NIHSS: ASPECTS {rho[0]}, core volume {rho[1]}"
    return [heading, *(_threshold_line(threshold) for threshold in figures.thresholds)]


def _rho(correlation: Correlation | None) -> str:
    return "not defined" if correlation is None else _words(correlation.rho, ".2f")


def _threshold_line(threshold: Threshold) -> str:
    groups = (
        f"  NIHSS >= {threshold.nihss} ({threshold.moderate_severe}) or below ({threshold.mild}): "
    )
    if threshold.aspects is None or threshold.core_volume is None:
        return groups + "too few patients"
    aspects, volume = threshold.aspects, threshold.core_volume
    return groups + (
        f"ASPECTS <= {_words(aspects.youden, '.0f')}, AUC {_words(aspects.area, '.2f')}; "
        f"core >= {_words(volume.youden, '.1f')} mL, AUC {_words(volume.area, '.2f')}"
    )


def _words(estimate: Estimate, form: str) -> str:
    low, high = format(estimate.low, form), format(estimate.high, form)
    return f"{estimate.value:{form}} ({low} to {high})"
