"""The method `classical`: regions on non-contrast CT, and the difference of density between the sides."""

from __future__ import annotations

from ASPECTSLib.io.scan import Scan
from ASPECTSLib.methods import CLASSICAL
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.compose import compose_result
from ASPECTSLib.report.looks import HeatKind
from ASPECTSLib.scoring.asymmetry import SMOOTHING_MM
from ASPECTSLib.systems.head_ct import (
    Called,
    HeadCt,
    difference_map,
    findings_of,
    images_of,
    prepare_head_ct,
)
from ASPECTSLib.systems.study import ScoredStudy, ScoreOptions


def score_classically(scan: Scan, options: ScoreOptions, progress: Progress) -> ScoredStudy:
    """Score one non-contrast head CT by the difference of its sides.

    Parameters
    ----------
    scan
        As read by `ASPECTSLib.io.scan.read_scan`.
    options
        The user's choices.
    progress
        Told of each stage, and asked for cancellation.

    Raises
    ------
    InputRefusedError
        If the scan is not one that can be scored.
    CancelledError
        If the work was cancelled.
    """
    head = prepare_head_ct(scan, options, progress)
    called = call_classically(head)
    findings = findings_of(head, called, options.age_years)
    return ScoredStudy(compose_result(scan, findings), images_of(head, called))


def call_classically(head: HeadCt) -> Called:
    """Call the regions of a head by the difference of its sides."""
    return Called(
        method=CLASSICAL,
        options={"smoothing_mm": SMOOTHING_MM},
        evidence=head.evidence,
        heatmap=difference_map(head),
        heat_kind=HeatKind.DIFFERENCE,
    )
