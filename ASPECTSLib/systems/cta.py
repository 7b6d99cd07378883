"""The methods on CT angiography: `cta-radiomics` by support vectors, `cta-ratio` by published cut-points.

The system of the paper on regions and radiomics of CTA source images, with regions of this project's own; its rule of
features is in `ASPECTSLib.scoring.cta`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.delineation import Delineation
from ASPECTSLib.evidence import (
    DensityEvidence,
    NetworkEvidence,
    averaged_slices,
    compared_map,
    gather_evidence,
    middle_slices,
)
from ASPECTSLib.geometry import (
    CanonicalVolume,
    Volume,
    crop,
    expand,
    paste,
    shrink,
    shrink_factors,
)
from ASPECTSLib.inference.plain_models import PlainKind, find_plain, read_plain
from ASPECTSLib.io.scan import Scan, ScanNote
from ASPECTSLib.methods import CTA_RADIOMICS, CTA_RATIO
from ASPECTSLib.preprocessing.contrast_agent import require_contrast
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.compose import Findings, compose_result
from ASPECTSLib.report.cta_warnings import cta_warnings
from ASPECTSLib.report.looks import HeatKind
from ASPECTSLib.report.result import DECIMALS, ContrastInfo, ModelInfo
from ASPECTSLib.report.writer import StudyImages
from ASPECTSLib.scoring.asymmetry import side_difference
from ASPECTSLib.scoring.contrast_phase import Contrast, measure_contrast
from ASPECTSLib.scoring.cta import (
    RatioCall,
    call_by_ratio,
    enhanced_tissue,
    region_features,
    side_differences,
    to_grey,
    vessels_of,
)
from ASPECTSLib.scoring.support_vectors import SupportVectors, read_machines
from ASPECTSLib.systems.head_ct import map_head_ct
from ASPECTSLib.systems.no_go import NoGo, look_for_no_go
from ASPECTSLib.systems.region_atlas import AtlasRegions
from ASPECTSLib.systems.study import (
    ScoredStudy,
    ScoreOptions,
    is_resampled,
    key_slices_of,
    model_infos,
)

MACHINES = "cta-svm"
"""Name of the support vectors."""

RATIO_SLOPE = 0.02
"""Width of the logistic curve from a ratio of densities to a probability: about the error of a ratio."""

_FEATURE_SPACING_MM = 0.9  # in the slice: runs are counted in voxels, whose size must not matter


@dataclass(frozen=True, eq=False)
class CtaHead:
    """A CT angiography, made ready to be scored.

    Parameters
    ----------
    in_hu
        As it was given, in HU.
    canonical
        Its head, in the image frame.
    by_atlas
        Its regions.
    evidence
        The density of its two sides between the vessels, old infarcts left out.
    no_go
        Blood and old infarcts.
    vessels
        bool on the grid of the evidence.
    contrast
        Density of arteries and veins.
    notes
        Of reader and checks.
    """

    in_hu: Volume
    canonical: CanonicalVolume
    by_atlas: AtlasRegions
    evidence: DensityEvidence
    no_go: NoGo
    vessels: NDArray[np.bool_]
    contrast: Contrast
    notes: tuple[ScanNote, ...]

    @property
    def found(self) -> Delineation:
        """Regions, midplane and brain."""
        return self.by_atlas.found

    @property
    def labels(self) -> NDArray[np.uint8]:
        """Region label map on the grid of the evidence."""
        evidence = self.evidence
        return middle_slices(self.found.labels.array, evidence.averaged_slices)[evidence.box]


def score_by_radiomics(scan: Scan, options: ScoreOptions, progress: Progress) -> ScoredStudy:
    """Score a CT angiography by features of its regions, left against right, and support vectors.

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
        If the scan is not one that can be scored; WRONG_MODALITY if it has no contrast agent.
    ResourceError
        If the support vectors are missing or damaged.
    CancelledError
        If the work was cancelled.
    """
    machines, model = load_machines()
    head = prepare_cta(scan, options, progress)
    probabilities = radiomics_probabilities(head, machines)
    # Rounded as in `result.json`: scoring again must not turn a call over by a digit that it lacks.
    limits = (_machine(machines, row).threshold for row in range(len(REGIONS)))
    thresholds = tuple(round(limit, DECIMALS) for limit in limits)
    evidence = NetworkEvidence(head.evidence, probabilities, thresholds, "radiomics")
    return _study(scan, head, evidence, (CTA_RADIOMICS, (model,)), options)


def score_by_cut_points(scan: Scan, options: ScoreOptions, progress: Progress) -> ScoredStudy:
    """Score a CT angiography by published cut-points of the density ratio; parameters as of `score_by_radiomics`."""
    head = prepare_cta(scan, options, progress)
    calls = ratio_calls(head)
    probabilities = tuple(map(_probability_of_ratio, calls))
    evidence = NetworkEvidence(head.evidence, probabilities, (0.5,) * len(REGIONS), "cut-points")
    return _study(scan, head, evidence, (CTA_RATIO, ()), options)


def prepare_cta(scan: Scan, options: ScoreOptions, progress: Progress) -> CtaHead:
    """Find brain and regions of a CT angiography, and the tissue between its vessels.

    Raises
    ------
    InputRefusedError
        If the scan is not one that can be scored; WRONG_MODALITY if it has no contrast agent.
    CancelledError
        If the work was cancelled.
    """
    mapped = map_head_ct(scan, options, progress)
    canonical, by_atlas = mapped.canonical, mapped.by_atlas
    prepared = by_atlas.found.prepared
    require_contrast(prepared.volume, prepared.mask)
    progress.stage("scoring", 0.80)
    evidence, vessels = gather_between_vessels(
        prepared.volume, prepared.mask, averaged_slices(canonical.volume)
    )
    no_go = look_for_no_go(by_atlas.found, evidence)
    return CtaHead(
        contrast=contrast_of(canonical.volume, by_atlas.found),
        in_hu=mapped.in_hu,
        canonical=canonical,
        by_atlas=by_atlas,
        evidence=evidence.leaving_out(no_go.left_out),
        no_go=no_go,
        vessels=vessels,
        notes=mapped.notes,
    )


def contrast_of(volume: Volume, found: Delineation) -> Contrast:
    """Measure how the vessels of a CT angiography are filled, on the grid of its own slices."""
    prepared, count = found.prepared, averaged_slices(volume)
    brain = expand(prepared.mask.array, (1, 1, count), volume).array
    return measure_contrast(volume, brain, found.labels.array, prepared.midplane.pose)


def gather_between_vessels(
    averaged: Volume, mask: Volume, count: int
) -> tuple[DensityEvidence, NDArray[np.bool_]]:
    """Smooth a brain between its vessels, and select the tissue to compare.

    Parameters
    ----------
    averaged
        CT angiography in HU, from `ASPECTSLib.evidence.average_slices`.
    mask
        Brain mask on the same grid, not empty.
    count
        How many slices of the scan were averaged into one.

    Returns
    -------
    evidence
        Of the tissue.
    vessels
        bool on its grid.
    """
    vessels = vessels_of(averaged, mask.array)
    parenchyma = mask.array & ~vessels
    evidence = gather_evidence(averaged, mask.with_array(parenchyma), count)
    tissue = enhanced_tissue(evidence.smoothed, evidence.mask.array)
    chosen = DensityEvidence(evidence.smoothed, tissue, evidence.mask, evidence.box, count)
    return chosen, vessels[evidence.box]


def measured_differences(
    evidence: DensityEvidence, labels: NDArray[np.uint8], names: tuple[str, ...]
) -> NDArray[np.float64]:
    """Return the features of all regions against the other side, as `ASPECTSLib.scoring.cta.side_differences`.

    Parameters
    ----------
    evidence
        From `gather_between_vessels`.
    labels
        Region label map on its grid.
    names
        Of the features.
    """
    i, j, _ = shrink_factors(evidence.smoothed, (_FEATURE_SPACING_MM,) * 3)
    grey = to_grey(shrink(evidence.smoothed, (i, j, 1)))
    rows = slice(j // 2, j // 2 + j * grey.size[1], j)
    columns = slice(i // 2, i // 2 + i * grey.size[0], i)
    thinned = (slice(None), rows, columns)
    return side_differences(
        region_features(grey, labels[thinned], evidence.tissue[thinned], names), names
    )


def radiomics_probabilities(
    head: CtaHead, machines: dict[str, SupportVectors]
) -> tuple[float | None, ...]:
    """Return the probability of each region in the order of the labels; None where it was not compared."""
    names = {kind: machine.features for kind, machine in machines.items()}
    wanted = tuple(dict.fromkeys([name for features in names.values() for name in features]))
    differences = measured_differences(head.evidence, head.labels, wanted)
    found: list[float | None] = []
    for row, values in enumerate(differences):
        machine = _machine(machines, row)
        inputs = values[[wanted.index(name) for name in machine.features]]
        known = bool(np.isfinite(inputs).all())
        found.append(
            round(float(machine.probability(inputs[None])[0]), DECIMALS) if known else None
        )
    return tuple(found)


def ratio_calls(head: CtaHead) -> tuple[RatioCall, ...]:
    """Return the published rule's call of each region, in the order of the labels."""
    evidence, prepared = head.evidence, head.found.prepared
    return call_by_ratio(crop(prepared.volume, evidence.box), head.labels)


def load_machines(path: Path | None = None) -> tuple[dict[str, SupportVectors], ModelInfo]:
    """Return support vectors, and their name and hash.

    Parameters
    ----------
    path
        Their file; those of the first folder of models that has some when left out.

    Raises
    ------
    ResourceError
        MODEL_NOT_FOUND or MODEL_DAMAGED.
    """
    path = find_plain(PlainKind.MACHINES, MACHINES) if path is None else path
    text, sha256 = read_plain(PlainKind.MACHINES, path)
    return read_machines(text), ModelInfo(path.stem, sha256)


def _machine(machines: dict[str, SupportVectors], row: int) -> SupportVectors:
    return machines["cortical" if REGIONS[row].is_cortical else "subcortical"]


def _probability_of_ratio(call: RatioCall) -> float | None:
    if call.ratio is None:
        return None
    distance = (call.ratio - call.cut_point) / RATIO_SLOPE
    probability = 1.0 / (1.0 + np.exp(np.clip(distance, -50.0, 50.0)))
    return round(float(probability), DECIMALS)


def _study(
    scan: Scan,
    head: CtaHead,
    evidence: NetworkEvidence,
    by: tuple[str, tuple[ModelInfo, ...]],
    options: ScoreOptions,
) -> ScoredStudy:
    method, models = by
    found, contrast = head.found, head.contrast
    findings = Findings(
        calls=evidence.call_regions(found.labels),
        quality=found.quality,
        midplane=found.prepared.midplane,
        key_slices=key_slices_of(head.canonical, found),
        method=method,
        options={
            "age_years": options.age_years,
            "regions": found.source.value,
            "registration": found.registration.value,
            **head.by_atlas.options,
            "thresholds": list(evidence.thresholds),
        },
        models=(*models, *model_infos(found.models)),
        agreement=found.agreement,
        regions_doubtful=found.is_doubtful,
        atlas=head.by_atlas.atlas,
        notes=head.notes,
        heatmap=HeatKind.DIFFERENCE,
        haemorrhage=head.no_go.haemorrhage,
        old_infarct_ml=head.no_go.old_infarct_ml,
        contrast=ContrastInfo(contrast.phase, contrast.artery_hu, contrast.vein_hu),
        warnings=(
            *cta_warnings(head.vessels, head.labels, contrast.phase),
            *head.by_atlas.warnings,
        ),
    )
    return ScoredStudy(compose_result(scan, findings), _images(scan, head))


def _images(scan: Scan, head: CtaHead) -> StudyImages:
    grid, restore = head.canonical.volume, head.canonical.restore
    averaged = head.found.prepared.volume
    return StudyImages(
        scan=head.in_hu,
        regions=restore(head.found.labels.array),
        heatmap=restore(_difference_map(head).array),
        compared=restore(compared_map(head.evidence, averaged, grid).array),
        scan_is_resampled=is_resampled(scan),
    )


def _difference_map(head: CtaHead) -> Volume:
    """Return the density of tissue less that of the mirrored side, HU, on the grid of the canonical scan."""
    evidence, prepared = head.evidence, head.found.prepared
    smoothed = evidence.smoothed
    reflected = smoothed.with_array(head.no_go.reflected)
    heatmap = side_difference(smoothed, reflected, evidence.mask.array)
    whole = paste(heatmap.array, evidence.box, prepared.volume)
    grid = head.canonical.volume
    return expand(whole.array, (1, 1, averaged_slices(grid)), grid)
