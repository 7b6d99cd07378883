"""The one place that knows the order of the steps from a scan to a scored study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ASPECTSLib.atlas.atlas import Atlas, load_atlas
from ASPECTSLib.delineation import Delineation, RegionSource, delineate
from ASPECTSLib.errors import ErrorCode, InputRefusedError
from ASPECTSLib.evidence import (
    averaged_slices,
    call_regions,
    compared_map,
    gather_evidence,
)
from ASPECTSLib.geometry import (
    CanonicalVolume,
    canonicalize,
    expand,
    paste,
    resample,
)
from ASPECTSLib.io.scan import Modality, NoteCode, Scan, ScanNote
from ASPECTSLib.methods import AUTO, CLASSICAL, check_method
from ASPECTSLib.preprocessing.continuity import check_continuity
from ASPECTSLib.preprocessing.units import to_hounsfield
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.compose import Findings, compose_result
from ASPECTSLib.report.result import KeySlicesInfo, ModelInfo, StudyResult
from ASPECTSLib.report.writer import StudyImages, write_study
from ASPECTSLib.scoring.asymmetry import SMOOTHING_MM, side_difference
from ASPECTSLib.scoring.haemorrhage import largest_hyperdense_ml
from ASPECTSLib.scoring.key_slices import find_key_slices

_RESAMPLING_NOTES = frozenset({NoteCode.RESAMPLED_TILT, NoteCode.RESAMPLED_SPACING})


@dataclass(frozen=True)
class ScoreOptions:
    """Choices of the user.

    Parameters
    ----------
    method
        A name of `ASPECTSLib.methods`; `auto` takes the best for the modality.
    age_years
        Overrides the age of the scan's header.
    regions
        Where the twenty regions come from.

    Raises
    ------
    UsageError
        METHOD_UNAVAILABLE if there is no such method.
    """

    method: str = AUTO
    age_years: float | None = None
    regions: RegionSource = RegionSource.AUTO

    def __post_init__(self) -> None:
        check_method(self.method)


@dataclass(frozen=True, eq=False)
class ScoredStudy:
    """A result with its images, which lie on the grid of the scan as it was given."""

    result: StudyResult
    images: StudyImages


def score_study(
    scan: Scan, options: ScoreOptions | None = None, progress: Progress | None = None
) -> ScoredStudy:
    """Score one non-contrast head CT.

    Parameters
    ----------
    scan
        As read by `ASPECTSLib.io.scan.read_scan`.
    options
        Defaults when left out.
    progress
        Told of each stage, and asked for cancellation.

    Returns
    -------
    ScoredStudy
        With `result.quality.abstained` set, and no score, where the atlas did not fit.

    Raises
    ------
    InputRefusedError
        If the scan is not one that can be scored.
    CancelledError
        If the work was cancelled.
    """
    options, progress = options or ScoreOptions(), progress or Progress()
    _check_modality(scan)
    progress.stage("checking", 0.05)
    atlas = load_atlas()
    in_hu, notes = to_hounsfield(scan.volume)
    canonical = canonicalize(in_hu)
    jump_notes = check_continuity(canonical.volume)
    found = delineate(canonical.volume, atlas, options.regions, progress)
    progress.stage("scoring", 0.80)
    notes = scan.notes + notes + jump_notes
    study = _score(scan, notes, options, atlas, canonical, found)
    progress.check()
    return study


def score_to_folder(
    scan: Scan,
    options: ScoreOptions,
    folder: Path,
    progress: Progress | None = None,
    *,
    picture: bool = True,
) -> StudyResult:
    """Score a study and write its files to a new folder, all of them or none.

    Parameters
    ----------
    scan, options, progress
        As in `score_study`.
    folder
        Must not exist; check it first with `ASPECTSLib.report.staging.check_output`.
    picture
        Whether to draw the picture.

    Raises
    ------
    InputRefusedError
        If the scan is not one that can be scored.
    OutputError
        If the folder cannot be written.
    CancelledError
        If the work was cancelled.
    """
    progress = progress or Progress()
    study = score_study(scan, options, progress)
    return write_study(study.result, study.images, folder, progress, picture=picture)


def _check_modality(scan: Scan) -> None:
    if scan.modality is None or scan.modality is Modality.NCCT:
        return
    message = (
        f"expected a non-contrast head CT, got {scan.modality.value}; "
        "no method of this version scores it"
    )
    raise InputRefusedError(ErrorCode.METHOD_UNAVAILABLE, message)


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
    calls = call_regions(evidence, found.labels)
    smoothed = evidence.smoothed
    reflected = resample(smoothed, smoothed, prepared.midplane.reflection)
    heatmap = side_difference(smoothed, reflected, evidence.mask.array)
    hyperdense_ml = largest_hyperdense_ml(smoothed, evidence.mask.array)
    key_slices = find_key_slices(found.labels.array, float(grid.spacing_mm[2]))
    findings = Findings(
        calls=calls,
        quality=found.quality,
        midplane=prepared.midplane,
        hyperdense_ml=hyperdense_ml,
        key_slices=KeySlicesInfo(
            axis=canonical.slice_axis,
            ganglionic=canonical.restore_slice(key_slices.ganglionic),
            supraganglionic=canonical.restore_slice(key_slices.supraganglionic),
        ),
        method=CLASSICAL,
        options={
            "age_years": options.age_years,
            "smoothing_mm": SMOOTHING_MM,
            "regions": found.source.value,
        },
        models=tuple(ModelInfo(model.name, model.card.sha256) for model in found.models),
        agreement=found.agreement,
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
        scan_is_resampled=any(note.code in _RESAMPLING_NOTES for note in scan.notes),
    )
    return ScoredStudy(compose_result(scan, findings), images)
