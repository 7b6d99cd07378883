"""The method `ncct-danet`: each region on non-contrast CT compared with that of the other side by a network.

The system of Cao et al. 2022, doi:10.1002/hbm.25845, with networks, regions and an atlas of this project's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ASPECTSLib.evidence import NetworkEvidence
from ASPECTSLib.inference.card import ModelFile
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.methods import NCCT_DANET
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.compose import compose_result
from ASPECTSLib.report.looks import HeatKind
from ASPECTSLib.report.result import DECIMALS
from ASPECTSLib.systems.head_ct import Called, HeadCt, findings_of, images_of, prepare_head_ct
from ASPECTSLib.systems.models import required_models
from ASPECTSLib.systems.study import ScoredStudy, ScoreOptions

if TYPE_CHECKING:
    from ASPECTSLib.inference.asymmetry import AsymmetryCalls

DANET_MODELS = ("danet-cortical", "danet-subcortical")
"""Names of the models, one for M1 to M6 and one for C, L, IC and I."""


def score_by_danet(scan: Scan, options: ScoreOptions, progress: Progress) -> ScoredStudy:
    """Score one non-contrast head CT by networks that compare its sides.

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
        If PyTorch or a model is missing or damaged.
    CancelledError
        If the work was cancelled.
    """
    models = required_models(NCCT_DANET, DANET_MODELS)
    head = prepare_head_ct(scan, options, progress)
    progress.stage("asymmetry by network", 0.82)
    called = call_by_danet(head, tuple(models.values()))
    findings = findings_of(head, called, options.age_years)
    return ScoredStudy(compose_result(scan, findings), images_of(head, called))


def call_by_danet(head: HeadCt, models: tuple[ModelFile, ...]) -> Called:
    """Call the regions of a head by the networks of `DANET_MODELS`."""
    calls = compare_sides(head, models)
    # Called from what `result.json` will hold: scoring again must not turn a call over by a digit that it lacks.
    probabilities = tuple(
        None if np.isnan(p) else round(float(p), DECIMALS) for p in calls.probability
    )
    thresholds = tuple(round(float(threshold), DECIMALS) for threshold in calls.threshold)
    return Called(
        method=NCCT_DANET,
        options={"thresholds": list(thresholds)},
        evidence=NetworkEvidence(head.evidence, probabilities, thresholds),
        heatmap=calls.heatmap,
        heat_kind=HeatKind.PROBABILITY,
        models=models,
    )


def compare_sides(head: HeadCt, models: tuple[ModelFile, ...]) -> AsymmetryCalls:
    """Let the networks of `DANET_MODELS` compare the regions of a head with those of the other side."""
    from ASPECTSLib.inference.asymmetry import asymmetry_model, call_by_asymmetry
    from ASPECTSLib.inference.registry import load_network

    networks = [asymmetry_model(load_network(model), model.card) for model in models]
    prepared = head.found.prepared
    return call_by_asymmetry(
        networks, prepared.volume, prepared.mask, head.found.labels, prepared.midplane
    )
