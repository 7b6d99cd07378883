"""Scoring again after regions or infarct were edited: milliseconds, with nothing but numpy and scipy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ContentRefusedError, ErrorCode, GeometryRefusedError
from ASPECTSLib.evidence import (
    COMPARED,
    CoverageEvidence,
    DensityEvidence,
    Evidence,
    NetworkEvidence,
    PooledEvidence,
    SignalEvidence,
    average_slices,
    averaged_slices,
    gather_evidence,
    gather_signal,
    middle_slices,
)
from ASPECTSLib.geometry import CanonicalVolume, Volume, canonicalize
from ASPECTSLib.methods import (
    CTA_RADIOMICS,
    CTA_RATIO,
    CTP_CBF,
    DWI_UNET3D,
    NCCT_COMBINED,
    NCCT_DANET,
    NCCT_UNET,
)
from ASPECTSLib.preprocessing.head_part import head_of
from ASPECTSLib.preprocessing.units import to_hounsfield
from ASPECTSLib.report.calls import automatic_totals, settle
from ASPECTSLib.report.compose import region_info
from ASPECTSLib.report.result import CoreInfo, EditInfo, RegionInfo, StudyResult
from ASPECTSLib.scoring.pooled_call import WeighedRegion

_SAME_PLACE_MM = 1e-3
_SOURCES = {NCCT_DANET: "network", CTA_RADIOMICS: "radiomics", CTA_RATIO: "cut-points"}
"""Methods whose probabilities stay as they are, and what gave them."""


@dataclass(frozen=True, eq=False)
class ReviewedScan:
    """A scored scan, made ready for scoring again: its evidence, and the order of its axes."""

    canonical: CanonicalVolume
    evidence: Evidence


def prepare_review(result: StudyResult, scan: Volume, compared: Volume) -> ReviewedScan:
    """Gather the evidence of a scored scan once more; takes a second or so.

    Parameters
    ----------
    result
        Says how it was scored.
    scan
        The scan as it was scored.
    compared
        The map of compared voxels that came with the result, on the grid of the scan.

    Raises
    ------
    GeometryRefusedError
        GEOMETRY_INVALID if the two grids are not the same.
    ContentRefusedError
        If the scan is no CT, or the map is empty.
    """
    if scan.array.shape != compared.array.shape or not np.allclose(
        scan.affine, compared.affine, atol=_SAME_PLACE_MM
    ):
        message = "expected the scan that was scored, got one of another size or at another place"
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    if not compared.array.any():
        raise ContentRefusedError(ErrorCode.NO_BRAIN, "expected a map with compared voxels")
    if result.method.name == DWI_UNET3D:
        canonical = canonicalize(scan)
        brain = canonical.reorder(compared.array) > 0
        fraction = float(result.method.options["affected_fraction"])
        return ReviewedScan(canonical, gather_signal(canonical.volume, brain, fraction))
    if result.method.name == CTP_CBF:
        canonical = canonicalize(scan)
        tissue = canonical.reorder(compared.array) == COMPARED
        fraction = float(result.method.options["affected_fraction"])
        return ReviewedScan(canonical, SignalEvidence(canonical.volume, tissue, fraction))
    canonical = head_of(canonicalize(to_hounsfield(scan)[0]))
    averaged, count = average_slices(canonical.volume), averaged_slices(canonical.volume)
    # What was left out may rest on regions that were edited since: the map is the truth.
    selection = middle_slices(canonical.reorder(compared.array), count)
    mask = averaged.with_array(selection > 0)
    density = gather_evidence(averaged, mask, count, selection == COMPARED)
    return ReviewedScan(canonical, _evidence_on_ct(result, density))


def _evidence_on_ct(result: StudyResult, density: DensityEvidence) -> Evidence:
    """Return what the calls of a method rest on; a network is not asked again."""
    name, options = result.method.name, result.method.options
    if name in _SOURCES:
        probabilities = tuple(info.probability for info in result.regions)
        thresholds = tuple(map(float, options["thresholds"]))
        return NetworkEvidence(density, probabilities, thresholds, _SOURCES[name])
    if name == NCCT_COMBINED:
        weighed = tuple(WeighedRegion(**region) for region in options["weighed"])
        return PooledEvidence(density, weighed, float(options["affected_fraction"]))
    if name == NCCT_UNET:
        return CoverageEvidence(density, float(options["affected_fraction"]))
    return density


def rescore(
    result: StudyResult,
    scan: ReviewedScan,
    regions: NDArray[np.uint8],
    infarct: NDArray[np.bool_] | None = None,
    edit: EditInfo | None = None,
) -> StudyResult:
    """Measure and call all regions again; overrides stay as they are.

    Regions that nobody touched give the result that they gave before. Where thin slices are
    averaged, the middle slice of each block stands for it in the densities; volumes count all.

    Parameters
    ----------
    result
        The present result.
    scan
        From `prepare_review`.
    regions
        Region label map [k, j, i], 0 to 20, on the grid of the scan.
    infarct
        Infarct mask on the same grid. An empty one counts as none where the method made none.
    edit
        What was changed, by whom and when; noted in the result.
    """
    given = infarct if infarct is not None and _counts(infarct, result) else None
    labels = scan.canonical.volume.with_array(scan.canonical.reorder(regions))
    infarcted = None if given is None else scan.canonical.reorder(given)
    calls = scan.evidence.call_regions(labels, infarcted)
    abstained = result.quality.abstained
    updated = tuple(
        _keep_override(region_info(call, abstained=abstained), info)
        for call, info in zip(calls, result.regions, strict=True)
    )
    return settle(
        replace(
            result,
            regions=updated,
            core=_core(result.core, given, labels.voxel_volume_ml),
            automatic=result.automatic if edit is None else automatic_totals(result),
            edits=_edits(result, edit),
        )
    )


def _counts(infarct: NDArray[Any], result: StudyResult) -> bool:
    return bool(infarct.any()) or result.outputs.get("infarct") is not None


def _keep_override(updated: RegionInfo, before: RegionInfo) -> RegionInfo:
    return replace(updated, override=before.override)


def _core(core: CoreInfo, infarct: NDArray[np.bool_] | None, voxel_ml: float) -> CoreInfo:
    if infarct is None:
        return replace(core, volume_ml=None)
    return replace(core, volume_ml=float(np.count_nonzero(infarct)) * voxel_ml)


def _edits(result: StudyResult, edit: EditInfo | None) -> tuple[EditInfo, ...]:
    if edit is None:
        return result.edits
    others = (old for old in result.edits if (old.what, old.by) != (edit.what, edit.by))
    return (*others, edit)
