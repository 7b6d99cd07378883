"""What the methods on non-contrast CT share: a head with its regions and its evidence, and what is told of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ASPECTSLib.delineation import Delineation
from ASPECTSLib.evidence import (
    DensityEvidence,
    Evidence,
    averaged_slices,
    compared_map,
    gather_evidence,
)
from ASPECTSLib.geometry import CanonicalVolume, Volume, canonicalize, expand, paste
from ASPECTSLib.inference.card import ModelFile
from ASPECTSLib.io.scan import Scan, ScanNote
from ASPECTSLib.preprocessing.continuity import check_continuity
from ASPECTSLib.preprocessing.contrast_agent import refuse_contrast
from ASPECTSLib.preprocessing.head_part import head_of
from ASPECTSLib.preprocessing.units import to_hounsfield
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.compose import Findings
from ASPECTSLib.report.looks import HeatKind
from ASPECTSLib.report.result import CoreInfo, ModelInfo, WarningInfo
from ASPECTSLib.report.writer import StudyImages
from ASPECTSLib.scoring.asymmetry import side_difference
from ASPECTSLib.systems.key_slices import KeySliceCheck, check_key_slices
from ASPECTSLib.systems.no_go import NoGo, look_for_no_go
from ASPECTSLib.systems.region_atlas import AtlasRegions, find_by_atlas
from ASPECTSLib.systems.study import ScoreOptions, is_resampled, key_slices_of, model_infos


@dataclass(frozen=True, eq=False)
class HeadCt:
    """A head CT, made ready to be scored.

    Parameters
    ----------
    scan
        As it was given.
    in_hu
        The same in HU.
    canonical
        Its head, in the image frame.
    found
        Its regions.
    evidence
        The density of its two sides, old infarcts left out.
    no_go
        Blood and old infarcts.
    key_slices
        What a network says to the slices of the regions.
    notes
        Of reader and checks.
    by_atlas
        The atlas that the regions come from, and why that.
    """

    scan: Scan
    in_hu: Volume
    canonical: CanonicalVolume
    found: Delineation
    evidence: DensityEvidence
    no_go: NoGo
    key_slices: KeySliceCheck
    notes: tuple[ScanNote, ...]
    by_atlas: AtlasRegions


@dataclass(frozen=True, eq=False)
class Called:
    """What a method makes of a head CT.

    Parameters
    ----------
    method
        Its name.
    options
        Of the run, beside those that all methods have.
    evidence
        What its calls rest on.
    models
        Of its own: networks, and what the result says of other models.
    heatmap
        On the grid of the canonical scan.
    heat_kind
        What that holds.
    infarct
        Mask on the same grid; None where the method segments none.
    core
        Of the infarct.
    warnings
        Of its own.
    """

    method: str
    options: dict[str, Any]
    evidence: Evidence
    heatmap: Volume
    heat_kind: HeatKind
    models: tuple[ModelFile | ModelInfo, ...] = ()
    infarct: Volume | None = None
    core: CoreInfo = field(default_factory=CoreInfo)
    warnings: tuple[WarningInfo, ...] = ()


def prepare_head_ct(scan: Scan, options: ScoreOptions, progress: Progress) -> HeadCt:
    """Find the regions of a head CT, and compare the density of its sides.

    Raises
    ------
    InputRefusedError
        If the scan is not one that can be scored.
    CancelledError
        If the work was cancelled.
    """
    mapped = map_head_ct(scan, options, progress)
    canonical, found = mapped.canonical, mapped.by_atlas.found
    refuse_contrast(found.prepared.volume, found.prepared.mask)
    key_slices = check_key_slices(canonical.volume, found.labels.array, progress)
    progress.stage("scoring", 0.80)
    head = found.prepared
    gathered = gather_evidence(head.volume, head.mask, averaged_slices(canonical.volume))
    no_go = look_for_no_go(found, gathered)
    return HeadCt(
        scan=scan,
        in_hu=mapped.in_hu,
        canonical=canonical,
        found=found,
        evidence=gathered.leaving_out(no_go.left_out),
        no_go=no_go,
        key_slices=key_slices,
        notes=mapped.notes,
        by_atlas=mapped.by_atlas,
    )


@dataclass(frozen=True, eq=False)
class MappedCt:
    """A CT of the head, with contrast agent or without, and its regions.

    Parameters
    ----------
    in_hu
        As it was given, in HU.
    canonical
        Its head, in the image frame.
    by_atlas
        The regions.
    notes
        Of reader and checks.
    """

    in_hu: Volume
    canonical: CanonicalVolume
    by_atlas: AtlasRegions
    notes: tuple[ScanNote, ...]


def map_head_ct(scan: Scan, options: ScoreOptions, progress: Progress) -> MappedCt:
    """Check a CT of the head and find its regions; errors as `prepare_head_ct`."""
    progress.stage("checking", 0.05)
    in_hu, notes = to_hounsfield(scan.volume)
    canonical = head_of(canonicalize(in_hu))
    jump_notes = check_continuity(canonical.volume)
    age_years = scan.age_years if options.age_years is None else options.age_years
    by_atlas = find_by_atlas(canonical.volume, options, age_years, progress)
    return MappedCt(in_hu, canonical, by_atlas, scan.notes + notes + jump_notes)


def difference_map(head: HeadCt) -> Volume:
    """Return the density less that of the mirrored side, HU, on the grid of the canonical scan."""
    prepared, grid, evidence = head.found.prepared, head.canonical.volume, head.evidence
    smoothed = evidence.smoothed
    reflected = smoothed.with_array(head.no_go.reflected)
    heatmap = side_difference(smoothed, reflected, evidence.mask.array)
    difference = paste(heatmap.array, evidence.box, prepared.volume)
    return expand(difference.array, (1, 1, averaged_slices(grid)), grid)


def findings_of(head: HeadCt, called: Called, age_years: float | None) -> Findings:
    """Return what is told of a head and its calls."""
    found = head.found
    infarct = None if called.infarct is None else called.infarct.array
    return Findings(
        calls=called.evidence.call_regions(found.labels, infarct),
        quality=found.quality,
        midplane=found.prepared.midplane,
        heatmap=called.heat_kind,
        haemorrhage=head.no_go.haemorrhage,
        old_infarct_ml=head.no_go.old_infarct_ml,
        key_slices=key_slices_of(head.canonical, found),
        method=called.method,
        options={
            "age_years": age_years,
            "regions": found.source.value,
            "registration": found.registration.value,
            **head.by_atlas.options,
            **called.options,
        },
        models=model_infos((*called.models, *head.key_slices.models, *found.models)),
        agreement=found.agreement,
        regions_doubtful=found.is_doubtful,
        atlas=head.by_atlas.atlas,
        notes=head.notes,
        core=called.core,
        warnings=(*called.warnings, *head.by_atlas.warnings, *head.key_slices.warnings),
    )


def images_of(head: HeadCt, called: Called) -> StudyImages:
    """Return the images of a study, on the grid of the scan as it was given."""
    grid, restore = head.canonical.volume, head.canonical.restore
    compared = compared_map(head.evidence, head.found.prepared.volume, grid)
    infarct = None if called.infarct is None else restore(called.infarct.array.astype("uint8"))
    return StudyImages(
        scan=head.in_hu,
        regions=restore(head.found.labels.array),
        heatmap=restore(called.heatmap.array),
        compared=restore(compared.array),
        infarct=infarct,
        scan_is_resampled=is_resampled(head.scan),
    )
