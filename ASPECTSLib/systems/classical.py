"""The method `classical`: regions on non-contrast CT, and the difference of density between the sides."""

from __future__ import annotations

from ASPECTSLib.atlas.atlas import Atlas, load_atlas
from ASPECTSLib.delineation import Delineation, delineate
from ASPECTSLib.evidence import averaged_slices, compared_map, gather_evidence
from ASPECTSLib.geometry import CanonicalVolume, canonicalize, expand, paste, resample
from ASPECTSLib.io.scan import Scan, ScanNote
from ASPECTSLib.methods import CLASSICAL
from ASPECTSLib.preprocessing.continuity import check_continuity
from ASPECTSLib.preprocessing.units import to_hounsfield
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.compose import Findings, compose_result
from ASPECTSLib.report.writer import StudyImages
from ASPECTSLib.scoring.asymmetry import SMOOTHING_MM, side_difference
from ASPECTSLib.scoring.haemorrhage import largest_hyperdense_ml
from ASPECTSLib.systems.study import (
    ScoredStudy,
    ScoreOptions,
    is_resampled,
    key_slices_of,
    model_infos,
)


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
    progress.stage("checking", 0.05)
    atlas = load_atlas()
    in_hu, notes = to_hounsfield(scan.volume)
    canonical = canonicalize(in_hu)
    jump_notes = check_continuity(canonical.volume)
    found = delineate(canonical.volume, atlas, options.regions, progress)
    progress.stage("scoring", 0.80)
    notes = scan.notes + notes + jump_notes
    return _score(scan, notes, options, atlas, canonical, found)


def _score(
    scan: Scan,
    notes: tuple[ScanNote, ...],
    options: ScoreOptions,
    atlas: Atlas,
    canonical: CanonicalVolume,
    found: Delineation,
) -> ScoredStudy:
    prepared, grid = found.prepared, canonical.volume
    evidence = gather_evidence(prepared.volume, prepared.mask, averaged_slices(grid))
    calls = evidence.call_regions(found.labels)
    smoothed = evidence.smoothed
    reflected = resample(smoothed, smoothed, prepared.midplane.reflection)
    heatmap = side_difference(smoothed, reflected, evidence.mask.array)
    hyperdense_ml = largest_hyperdense_ml(smoothed, evidence.mask.array)
    findings = Findings(
        calls=calls,
        quality=found.quality,
        midplane=prepared.midplane,
        hyperdense_ml=hyperdense_ml,
        key_slices=key_slices_of(canonical, found),
        method=CLASSICAL,
        options={
            "age_years": options.age_years,
            "smoothing_mm": SMOOTHING_MM,
            "regions": found.source.value,
        },
        models=model_infos(found.models),
        agreement=found.agreement,
        regions_doubtful=found.is_doubtful,
        atlas=atlas,
        notes=notes,
    )
    slices = (1, 1, averaged_slices(grid))
    difference = paste(heatmap.array, evidence.box, prepared.volume)
    compared = compared_map(evidence, prepared.volume, grid)
    images = StudyImages(
        scan=canonical.restore(grid.array),
        regions=canonical.restore(found.labels.array),
        heatmap=canonical.restore(expand(difference.array, slices, grid).array),
        compared=canonical.restore(compared.array),
        scan_is_resampled=is_resampled(scan),
    )
    return ScoredStudy(compose_result(scan, findings), images)
