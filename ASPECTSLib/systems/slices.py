"""The method `ncct-unet`: infarct on slices of non-contrast CT by a network, and the regions that it covers.

The system of Upadhyay et al. (Deep-ASPECTS), with networks, regions and an atlas of this project's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ASPECTSLib.evidence import CoverageEvidence, averaged_slices
from ASPECTSLib.geometry import Volume, expand
from ASPECTSLib.inference.card import ModelFile
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.methods import NCCT_UNET
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.compose import compose_result
from ASPECTSLib.report.looks import HeatKind
from ASPECTSLib.report.result import CoreInfo
from ASPECTSLib.systems.head_ct import Called, HeadCt, findings_of, images_of, prepare_head_ct
from ASPECTSLib.systems.models import required_models
from ASPECTSLib.systems.study import ScoredStudy, ScoreOptions

if TYPE_CHECKING:
    from ASPECTSLib.inference.infarct import PredictedInfarct

INFARCT_MODEL = "ncct-infarct"


def score_by_slices(scan: Scan, options: ScoreOptions, progress: Progress) -> ScoredStudy:
    """Score one non-contrast head CT by the infarct that a network segments on its slices.

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
    models = required_models(NCCT_UNET, (INFARCT_MODEL,))
    head = prepare_head_ct(scan, options, progress)
    progress.stage("infarct", 0.82)
    called = call_by_slices(head, models[INFARCT_MODEL], options.affected_fraction)
    findings = findings_of(head, called, options.age_years)
    return ScoredStudy(compose_result(scan, findings), images_of(head, called))


def call_by_slices(head: HeadCt, model: ModelFile, affected_fraction: float) -> Called:
    """Segment the infarct of a head, and call the regions of which it covers more than a share."""
    predicted = segment_infarct(head, model)
    return Called(
        method=NCCT_UNET,
        options={"affected_fraction": affected_fraction},
        evidence=CoverageEvidence(head.evidence, affected_fraction),
        heatmap=predicted.probability,
        heat_kind=HeatKind.PROBABILITY,
        models=(model,),
        infarct=predicted.mask,
        core=core_of(predicted.mask),
    )


def segment_infarct(head: HeadCt, model: ModelFile) -> PredictedInfarct:
    """Segment the infarct of a head, on the grid of the canonical scan."""
    from ASPECTSLib.inference.registry import load_network
    from ASPECTSLib.inference.slice_inputs import pixels_of
    from ASPECTSLib.inference.slices import predict_ncct_infarct

    prepared, grid = head.found.prepared, head.canonical.volume
    return predict_ncct_infarct(
        load_network(model),
        prepared.volume,
        expand(prepared.mask.array, (1, 1, averaged_slices(grid)), grid),
        prepared.midplane,
        pixels_of(model.card.input),
    )


def core_of(mask: Volume) -> CoreInfo:
    """Return the core of an infarct mask."""
    return CoreInfo(float(mask.array.sum()) * mask.voxel_volume_ml)
