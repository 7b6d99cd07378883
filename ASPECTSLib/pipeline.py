"""The one place that knows the order of the steps from a scan to a scored study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ASPECTSLib.atlas.atlas import Atlas, load_atlas
from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.atlas.tissues import NCCT_CONTRAST_HU
from ASPECTSLib.errors import ContentRefusedError, ErrorCode, InputRefusedError
from ASPECTSLib.evidence import (
    average_slices,
    averaged_slices,
    call_regions,
    compared_map,
    gather_evidence,
)
from ASPECTSLib.geometry import (
    CanonicalVolume,
    Volume,
    canonicalize,
    expand,
    paste,
    resample,
)
from ASPECTSLib.io.scan import Modality, NoteCode, Scan, ScanNote
from ASPECTSLib.methods import AUTO, CLASSICAL, check_method
from ASPECTSLib.preprocessing.brain import brain_mask, check_brain
from ASPECTSLib.preprocessing.continuity import check_continuity
from ASPECTSLib.preprocessing.handedness import is_heavier_on_the_left, mirror
from ASPECTSLib.preprocessing.intensity import registration_image
from ASPECTSLib.preprocessing.midplane import Midplane, find_midplane
from ASPECTSLib.preprocessing.units import to_hounsfield
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.affine import register_affine
from ASPECTSLib.registration.deformable import register_deformable
from ASPECTSLib.registration.mapping import warp_labels
from ASPECTSLib.registration.quality import RegistrationQuality, measure_quality
from ASPECTSLib.report.compose import Findings, compose_result
from ASPECTSLib.report.result import KeySlicesInfo, StudyResult
from ASPECTSLib.report.writer import StudyImages, write_study
from ASPECTSLib.scoring.asymmetry import SMOOTHING_MM, side_difference
from ASPECTSLib.scoring.haemorrhage import largest_hyperdense_ml
from ASPECTSLib.scoring.key_slices import find_key_slices

MIN_REGION_COVERAGE = 0.90
"""Share of the regions' volume that must lie in the scan."""

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

    Raises
    ------
    UsageError
        METHOD_UNAVAILABLE if there is no such method.
    """

    method: str = AUTO
    age_years: float | None = None

    def __post_init__(self) -> None:
        check_method(self.method)


@dataclass(frozen=True, eq=False)
class ScoredStudy:
    """A result with its images, which lie on the grid of the scan as it was given."""

    result: StudyResult
    images: StudyImages


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A head CT in the image frame with its brain and its midsagittal plane."""

    volume: Volume
    mask: Volume
    midplane: Midplane


@dataclass(frozen=True, eq=False)
class _Mapped:
    """A prepared head CT with its regions on the scan's own slices, and how well they fit."""

    prepared: _Prepared
    labels: Volume
    quality: RegistrationQuality


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
    mapped = _map_regions(canonical.volume, atlas, progress)
    progress.stage("scoring", 0.80)
    notes = scan.notes + notes + jump_notes
    study = _score(scan, notes, options, atlas, canonical, mapped)
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


def _map_regions(volume: Volume, atlas: Atlas, progress: Progress) -> _Mapped:
    """Find the regions, working on the mirror image where that is the agreed handedness."""
    working = average_slices(volume)
    if not is_heavier_on_the_left(working):
        return _register(_prepare(working, progress), volume, atlas, progress)
    mapped = _register(_prepare(mirror(working), progress), volume, atlas, progress)
    prepared = _Prepared(working, mirror(mapped.prepared.mask), mapped.prepared.midplane.mirrored())
    labels = mirror(mapped.labels)
    return _Mapped(prepared, labels.with_array(swap_sides(labels.array)), mapped.quality)


def _factors(grid: Volume) -> tuple[int, int, int]:
    return 1, 1, averaged_slices(grid)


def _prepare(volume: Volume, progress: Progress) -> _Prepared:
    progress.stage("brain mask", 0.10)
    mask = brain_mask(volume)
    check_brain(volume, mask)
    progress.stage("symmetric pose", 0.18)
    return _Prepared(volume, mask, find_midplane(volume))


def _register(prepared: _Prepared, grid: Volume, atlas: Atlas, progress: Progress) -> _Mapped:
    """Register the atlas, and carry its regions to a grid that may have thinner slices."""
    progress.stage("affine registration", 0.30)
    template, brain = atlas.render(NCCT_CONTRAST_HU), atlas.brain_probability()
    typical_hu = float(np.median(template.array[brain.array > 0.5]))
    fixed = registration_image(prepared.volume, prepared.mask, typical_hu)
    matrix = register_affine(fixed, template, prepared.midplane.pose, progress)
    progress.stage("deformable registration", 0.40)
    mapping = register_deformable(fixed, template, matrix, progress)
    progress.stage("regions", 0.65)
    quality = measure_quality(fixed, mapping, template, brain, atlas.regions)
    if quality.region_coverage < MIN_REGION_COVERAGE:
        message = (
            f"expected all ASPECTS regions in the scan, but {1 - quality.region_coverage:.0%} "
            "of them lie beyond its ends"
        )
        raise ContentRefusedError(ErrorCode.PARTIAL_COVERAGE, message)
    mask = expand(prepared.mask.array, _factors(grid), grid)
    return _Mapped(prepared, warp_labels(atlas.regions, mapping, mask), quality)


def _score(
    scan: Scan,
    notes: tuple[ScanNote, ...],
    options: ScoreOptions,
    atlas: Atlas,
    canonical: CanonicalVolume,
    mapped: _Mapped,
) -> ScoredStudy:
    prepared, grid = mapped.prepared, canonical.volume
    evidence = gather_evidence(prepared.volume, prepared.mask, averaged_slices(grid))
    calls = call_regions(evidence, mapped.labels)
    smoothed = evidence.smoothed
    reflected = resample(smoothed, smoothed, prepared.midplane.reflection)
    heatmap = side_difference(smoothed, reflected, evidence.mask.array)
    hyperdense_ml = largest_hyperdense_ml(smoothed, evidence.mask.array)
    key_slices = find_key_slices(mapped.labels.array, float(grid.spacing_mm[2]))
    findings = Findings(
        calls=calls,
        quality=mapped.quality,
        midplane=prepared.midplane,
        hyperdense_ml=hyperdense_ml,
        key_slices=KeySlicesInfo(
            axis=canonical.slice_axis,
            ganglionic=canonical.restore_slice(key_slices.ganglionic),
            supraganglionic=canonical.restore_slice(key_slices.supraganglionic),
        ),
        method=CLASSICAL,
        options={"age_years": options.age_years, "smoothing_mm": SMOOTHING_MM},
        atlas=atlas,
        notes=notes,
    )
    difference = paste(heatmap.array, evidence.box, prepared.volume)
    compared = compared_map(evidence, prepared.volume, grid)
    images = StudyImages(
        scan=canonical.restore(grid.array),
        regions=canonical.restore(mapped.labels.array),
        heatmap=canonical.restore(expand(difference.array, _factors(grid), grid).array),
        compared=canonical.restore(compared.array),
        scan_is_resampled=any(note.code in _RESAMPLING_NOTES for note in scan.notes),
    )
    return ScoredStudy(compose_result(scan, findings), images)
