"""The method `ncct-combined`: three measures of each region on non-contrast CT, called together.

How much darker it is than the other side (`classical`), how much of it the infarct of a network covers (`ncct-unet`),
and what a network says that compares the sides (`ncct-danet`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.evidence import PooledEvidence
from ASPECTSLib.inference.card import ModelFile
from ASPECTSLib.inference.plain_models import PlainKind, find_plain, read_plain
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.methods import NCCT_COMBINED
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.compose import compose_result
from ASPECTSLib.report.looks import HeatKind
from ASPECTSLib.report.result import DECIMALS, ModelInfo
from ASPECTSLib.scoring.overlap import infarct_fractions
from ASPECTSLib.scoring.pooled_call import Measures, Pool, WeighedRegion, read_pool
from ASPECTSLib.systems.danet import DANET_MODELS, compare_sides
from ASPECTSLib.systems.head_ct import Called, HeadCt, findings_of, images_of, prepare_head_ct
from ASPECTSLib.systems.models import required_models
from ASPECTSLib.systems.slices import INFARCT_MODEL, core_of, segment_infarct
from ASPECTSLib.systems.study import ScoredStudy, ScoreOptions

if TYPE_CHECKING:
    from ASPECTSLib.inference.infarct import PredictedInfarct

COMBINED_MODELS = (*DANET_MODELS, INFARCT_MODEL)
"""Names of the networks."""

POOL = "ncct-combined"
"""Name of the weights."""

SUSPECTED_PROBABILITY = 0.3
"""From which on a pixel counts as suspected: below that of the infarct that is shown, as a region of which much is a
little suspicious is as telling as one of which a little is certain. Shares from 0.2 to 0.4 order the regions of
synthetic patients alike, 0.5 worse; see decision 22."""


def score_by_all(scan: Scan, options: ScoreOptions, progress: Progress) -> ScoredStudy:
    """Score one non-contrast head CT by three measures of each region together.

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
        If PyTorch, a model or the weights are missing or damaged.
    CancelledError
        If the work was cancelled.
    """
    models = required_models(NCCT_COMBINED, COMBINED_MODELS)
    pool, info = load_pool()
    head = prepare_head_ct(scan, options, progress)
    progress.stage("infarct and asymmetry", 0.82)
    called = call_by_all(head, models, pool, options.affected_fraction, (info,))
    findings = findings_of(head, called, options.age_years)
    return ScoredStudy(compose_result(scan, findings), images_of(head, called))


def call_by_all(
    head: HeadCt,
    models: Mapping[str, ModelFile],
    pool: Pool,
    affected_fraction: float,
    infos: tuple[ModelInfo, ...] = (),
) -> Called:
    """Call the regions of a head by a pool of measures.

    Parameters
    ----------
    head
        Made ready.
    models
        Those of `COMBINED_MODELS`, by name.
    pool
        How much each measure counts.
    affected_fraction
        Where a person draws infarct later: a region with more than this share infarcted is affected.
    infos
        What the result says of the pool.
    """
    infarct = segment_infarct(head, models[INFARCT_MODEL])
    measures = measures_of(head, models, infarct)
    fractions = infarct_fractions(head.found.labels.array, infarct.mask.array)
    weighed = tuple(
        WeighedRegion(
            _rounded(probability),
            round(pool.threshold_of(region.code.value), DECIMALS),
            round(float(suspected), DECIMALS),
            _rounded(asymmetry),
            covered=(fractions[region] or 0.0) > affected_fraction,
        )
        for region, probability, suspected, asymmetry in zip(
            REGIONS,
            pool.probability(measures),
            measures.suspected,
            measures.asymmetry,
            strict=True,
        )
    )
    return Called(
        method=NCCT_COMBINED,
        options={
            "affected_fraction": affected_fraction,
            "weighed": [asdict(region) for region in weighed],
        },
        evidence=PooledEvidence(head.evidence, weighed, affected_fraction),
        heatmap=infarct.probability,
        heat_kind=HeatKind.PROBABILITY,
        models=(*(models[name] for name in COMBINED_MODELS), *infos),
        infarct=infarct.mask,
        core=core_of(infarct.mask),
    )


def measures_of(
    head: HeadCt, models: Mapping[str, ModelFile], infarct: PredictedInfarct
) -> Measures:
    """Return the measures of the twenty regions of a head.

    Parameters
    ----------
    head
        Made ready.
    models
        Those of `DANET_MODELS` among them, by name.
    infarct
        Of the head, by `segment_infarct`.
    """
    labels = head.found.labels
    shares = infarct_fractions(labels.array, infarct.probability.array >= SUSPECTED_PROBABILITY)
    drops_hu = [measure.drop for measure in head.evidence.measure(labels)]
    sides = compare_sides(head, tuple(models[name] for name in DANET_MODELS))
    return Measures(
        np.array([np.nan if drop is None else drop for drop in drops_hu]),
        np.array([shares[region] or 0.0 for region in REGIONS]),
        sides.probability,
    )


def load_pool(path: Path | None = None) -> tuple[Pool, ModelInfo]:
    """Return weights of measures, and their name and hash.

    Parameters
    ----------
    path
        Their file; those of the first folder of models that has some when left out.

    Raises
    ------
    ResourceError
        MODEL_NOT_FOUND or MODEL_DAMAGED.
    """
    path = find_plain(PlainKind.POOL, POOL) if path is None else path
    text, sha256 = read_plain(PlainKind.POOL, path)
    return read_pool(text), ModelInfo(path.stem, sha256)


def _rounded(value: float) -> float | None:
    """Return a number as the result will hold it: scoring again must not turn a call over by a digit that it lacks."""
    return None if np.isnan(value) else round(float(value), DECIMALS)
