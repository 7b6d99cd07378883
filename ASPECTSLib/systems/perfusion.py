"""The method `ctp-cbf`: the infarct core on a map of cerebral blood flow, and the regions that it covers.

Core is where the flow is below 30 % of the other side's, and a region is affected above a share of it, as in the truth
of Cao et al. 2022, doi:10.1002/hbm.25845, section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.atlas import NamedAtlas, load_atlas
from ASPECTSLib.delineation import Delineation, delineate_stripped
from ASPECTSLib.evidence import COMPARED, LEFT_OUT, SignalEvidence
from ASPECTSLib.geometry import Volume, resample
from ASPECTSLib.inference.card import ModelFile
from ASPECTSLib.io.flow import covered_by
from ASPECTSLib.io.scan import Modality, Scan, ScanNote
from ASPECTSLib.methods import CTP_CBF
from ASPECTSLib.preprocessing.frames import in_order, sample, world_from_image, world_grid
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.compose import Findings, compose_result
from ASPECTSLib.report.looks import HeatKind
from ASPECTSLib.report.perfusion_warnings import perfusion_warnings
from ASPECTSLib.report.result import CoreInfo, WarningInfo
from ASPECTSLib.report.writer import StudyImages
from ASPECTSLib.scoring.haemorrhage import NO_HAEMORRHAGE, Haemorrhage
from ASPECTSLib.scoring.perfusion_core import CoreRule
from ASPECTSLib.scoring.perfusion_maps import late_tissue, relative_volume
from ASPECTSLib.systems.coverage import coverage_warnings
from ASPECTSLib.systems.flow_core import FlowCore, core_beside_ct, core_of_map
from ASPECTSLib.systems.head_ct import HeadCt, prepare_head_ct
from ASPECTSLib.systems.study import (
    ScoredStudy,
    ScoreOptions,
    is_resampled,
    key_slices_of,
    model_infos,
)

RULE = CoreRule()


@dataclass(frozen=True, eq=False)
class _Patient:
    """A patient on the grid of the map, in the image frame.

    Parameters
    ----------
    core
        What the map says.
    found
        The regions; their label map lies on the grid of the map.
    coverage
        Warnings of regions that the map does not hold as a whole.
    atlas
        That the regions come from.
    head
        The head CT beside the map; None where there is none.
    """

    core: FlowCore
    found: Delineation
    coverage: tuple[WarningInfo, ...]
    atlas: NamedAtlas
    head: HeadCt | None = None
    models: tuple[ModelFile, ...] = ()
    notes: tuple[ScanNote, ...] = ()
    ct_warnings: tuple[WarningInfo, ...] = ()
    haemorrhage: Haemorrhage = field(default=NO_HAEMORRHAGE)
    old_infarct_ml: float = 0.0


def score_perfusion(scan: Scan, options: ScoreOptions, progress: Progress) -> ScoredStudy:
    """Score maps of CT perfusion by the core that they show.

    Parameters
    ----------
    scan
        As read by `ASPECTSLib.io.perfusion.read_perfusion`.
    options
        The user's choices.
    progress
        Told of each stage, and asked for cancellation.

    Raises
    ------
    InputRefusedError
        If map or head CT cannot be scored, or lie elsewhere than the other.
    CancelledError
        If the work was cancelled.
    """
    ct = scan.companions.get(Modality.NCCT)
    patient = _patient(scan, ct, options, progress)
    progress.stage("scoring", 0.82)
    findings = _findings(scan, patient, options)
    return ScoredStudy(compose_result(scan, findings), _images(patient, is_resampled(scan)))


def _patient(scan: Scan, ct: Volume | None, options: ScoreOptions, progress: Progress) -> _Patient:
    if ct is None:
        return _by_map_alone(scan, options, progress)
    return _by_ct(scan, ct, options, progress)


def _by_map_alone(scan: Scan, options: ScoreOptions, progress: Progress) -> _Patient:
    atlas = load_atlas()
    progress.stage("brain mask", 0.10)
    core, filled = core_of_map(scan.volume, RULE)
    found = delineate_stripped(filled, core.brain, Modality.CBF, atlas, options.regions, progress)
    coverage = tuple(coverage_warnings(found.labels, core.covered))
    return _Patient(core, found, coverage, atlas, models=found.models)


def _by_ct(scan: Scan, ct: Volume, options: ScoreOptions, progress: Progress) -> _Patient:
    """Find brain and regions on the CT, and carry them to the map."""
    head = prepare_head_ct(Scan(ct, (), Modality.NCCT), options, progress)
    core = core_beside_ct(scan.volume, head.canonical, head.found.prepared, RULE)
    world = world_grid(head.canonical)
    covered = resample(covered_by(in_order(scan.volume)), world, order=0).array
    coverage = tuple(coverage_warnings(head.found.labels, covered))
    ct_from_map = np.linalg.inv(world_from_image(head.canonical)) @ world_from_image(core.canonical)
    labels = resample(head.found.labels, core.grid, ct_from_map, order=0)
    return _Patient(
        core,
        replace(head.found, labels=labels),
        coverage,
        head.by_atlas.atlas,
        head,
        models=(*head.key_slices.models, *head.found.models),
        notes=head.notes,
        ct_warnings=(*head.by_atlas.warnings, *head.key_slices.warnings),
        haemorrhage=head.no_go.haemorrhage,
        old_infarct_ml=head.no_go.old_infarct_ml,
    )


def _findings(scan: Scan, patient: _Patient, options: ScoreOptions) -> Findings:
    core, found = patient.core, patient.found
    info = _core_info(scan, core)
    evidence = SignalEvidence(core.grid, core.tissue, options.affected_fraction)
    outside = core.core & (found.labels.array == 0)
    low = core.low_on_both & (found.labels.array > 0)
    said = perfusion_warnings(
        outside_ml=_volume_ml(outside, core.grid),
        core_ml=info.volume_ml or 0.0,
        low_on_both_ml=_volume_ml(low, core.grid),
        is_bilateral=core.is_bilateral,
        has_ct=patient.head is not None,
        relative_cbv=info.relative_cbv,
    )
    return Findings(
        calls=evidence.call_regions(found.labels, core.core),
        quality=found.quality,
        midplane=found.prepared.midplane,
        key_slices=key_slices_of(core.canonical, found),
        method=CTP_CBF,
        options={
            "age_years": options.age_years,
            "regions": found.source.value,
            "registration": found.registration.value,
            **({} if patient.head is None else patient.head.by_atlas.options),
            "anatomy": (Modality.CBF if patient.head is None else Modality.NCCT).value,
            "affected_fraction": options.affected_fraction,
            "core_below": RULE.below,
            "least_ml": RULE.least_ml,
        },
        models=model_infos(patient.models),
        agreement=found.agreement,
        regions_doubtful=found.is_doubtful,
        atlas=patient.atlas,
        notes=(*scan.notes, *patient.notes),
        heatmap=HeatKind.FLOW_LOSS,
        haemorrhage=patient.haemorrhage,
        old_infarct_ml=patient.old_infarct_ml,
        core=info,
        warnings=(*said, *patient.coverage, *patient.ct_warnings),
    )


def _core_info(scan: Scan, core: FlowCore) -> CoreInfo:
    """Measure the core, and what the maps beside the flow say of it."""
    late_ml = relative_cbv = None
    tmax, cbv = (_on_map(scan.companions.get(m), core) for m in (Modality.TMAX, Modality.CBV))
    if tmax is not None:
        late_ml = _volume_ml(late_tissue(tmax, core.tissue, core.core), core.grid)
    if cbv is not None:
        relative_cbv = relative_volume(cbv, core.core, core.tissue, core.reflection)
    return CoreInfo(
        _volume_ml(core.core, core.grid), hypoperfused_ml=late_ml, relative_cbv=relative_cbv
    )


def _on_map(volume: Volume | None, core: FlowCore) -> Volume | None:
    """Bring a companion, which lies in the world, to the grid of the flow."""
    if volume is None:
        return None
    ordered = in_order(volume)
    return core.grid.with_array(sample(ordered, core.grid, world_from_image(core.canonical)))


def _images(patient: _Patient, resampled: bool) -> StudyImages:
    core, restore = patient.core, patient.core.canonical.restore
    loss = np.where(core.compared, 1.0 - core.relative, 0.0).clip(0.0, 1.0)
    compared = np.where(core.tissue, COMPARED, LEFT_OUT) * core.brain
    return StudyImages(
        scan=restore(core.grid.array),
        regions=restore(patient.found.labels.array),
        heatmap=restore(loss.astype(np.float32)),
        compared=restore(compared.astype(np.uint8)),
        infarct=restore(core.core.astype(np.uint8)),
        scan_is_resampled=resampled,
    )


def _volume_ml(mask: NDArray[np.bool_], grid: Volume) -> float:
    return float(np.count_nonzero(mask)) * grid.voxel_volume_ml
