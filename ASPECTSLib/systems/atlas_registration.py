"""The method `atlas-registration`: regions by an atlas of the patient's age, in space or on the two key slices.

The system of Sun et al. 2024 (doi:10.1038/s41597-024-03973-y), with a registration and, unless `--atlas` names the
published one, an atlas of this project's own. Regions are called as `classical` calls them.
"""

from __future__ import annotations

from dataclasses import replace

from ASPECTSLib.io.scan import Scan
from ASPECTSLib.methods import ATLAS_REGISTRATION
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.compose import compose_result
from ASPECTSLib.systems.classical import call_classically
from ASPECTSLib.systems.head_ct import findings_of, images_of, prepare_head_ct
from ASPECTSLib.systems.study import ScoredStudy, ScoreOptions


def score_by_atlas(scan: Scan, options: ScoreOptions, progress: Progress) -> ScoredStudy:
    """Score one non-contrast head CT by the difference of its sides in the regions of an atlas.

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
    ResourceError
        If an atlas is missing or damaged.
    CancelledError
        If the work was cancelled.
    """
    head = prepare_head_ct(scan, replace(options, method=ATLAS_REGISTRATION), progress)
    called = replace(call_classically(head), method=ATLAS_REGISTRATION)
    findings = findings_of(head, called, options.age_years)
    return ScoredStudy(compose_result(scan, findings), images_of(head, called))
