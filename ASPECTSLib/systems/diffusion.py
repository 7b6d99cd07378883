"""The method `dwi-unet3d`: infarct on diffusion-weighted MRI by a 3-D U-Net, and the regions that it covers.

The system of Wei et al. 2026, doi:10.1093/braincomms/fcag053, with networks and an atlas of this project's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.atlas import Atlas, load_atlas
from ASPECTSLib.delineation import Delineation, find_regions
from ASPECTSLib.evidence import COMPARED, gather_signal
from ASPECTSLib.geometry import CanonicalVolume, Volume, canonicalize
from ASPECTSLib.io.scan import Modality, Scan, ScanNote
from ASPECTSLib.methods import DWI_UNET3D
from ASPECTSLib.prepared import Brain, PreparedHead
from ASPECTSLib.preprocessing.diffusion import prepare_diffusion
from ASPECTSLib.preprocessing.diffusion_content import check_diffusion
from ASPECTSLib.preprocessing.handedness import is_heavier_on_the_left, mirror
from ASPECTSLib.preprocessing.midplane import find_midplane
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.compose import Findings, compose_result
from ASPECTSLib.report.diffusion_warnings import diffusion_warnings
from ASPECTSLib.report.result import CoreInfo
from ASPECTSLib.report.writer import StudyImages
from ASPECTSLib.scoring.low_adc import low_adc
from ASPECTSLib.systems.brain_volume import check_brain_volume
from ASPECTSLib.systems.models import required_models
from ASPECTSLib.systems.study import (
    ScoredStudy,
    ScoreOptions,
    is_resampled,
    key_slices_of,
    model_infos,
)

if TYPE_CHECKING:
    from ASPECTSLib.inference.card import ModelFile

BRAIN_MODEL, INFARCT_MODEL = "brain", "infarct-dwi"

_GREY_LEVELS = 100.0
_LEAST_SIGNAL = 1e-6


@dataclass(frozen=True, eq=False)
class _Study:
    """A scan on the way to its result."""

    canonical: CanonicalVolume
    head: _Head
    adc_source: str
    notes: tuple[ScanNote, ...]


@dataclass(frozen=True, eq=False)
class _Head:
    """A head in the image frame: signal, ADC in 1e-6 mm2/s or None, and brain mask, on one grid."""

    dwi: Volume
    adc: Volume | None
    brain: NDArray[np.bool_]

    def mirrored(self) -> _Head:
        adc = None if self.adc is None else mirror(self.adc)
        return _Head(mirror(self.dwi), adc, _flipped(self.brain))


@dataclass(frozen=True, eq=False)
class _Analysis:
    """What was found in a head, on its grid."""

    found: Delineation
    infarct: NDArray[np.bool_]
    probability: NDArray[np.float32]

    @property
    def brain(self) -> NDArray[np.bool_]:
        """Brain with the infarct, which its mask may have left out."""
        return self.found.prepared.mask.array

    def mirrored(self) -> _Analysis:
        return _Analysis(self.found.mirrored(), _flipped(self.infarct), _flipped(self.probability))


def score_diffusion(scan: Scan, options: ScoreOptions, progress: Progress) -> ScoredStudy:
    """Score one diffusion-weighted scan by the infarct that a network segments.

    Parameters
    ----------
    scan
        As read by `ASPECTSLib.io.diffusion.read_diffusion`.
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
    progress.stage("checking", 0.05)
    notes = check_diffusion(scan.volume, scan.companions.get(Modality.ADC))
    models = required_models(DWI_UNET3D, (BRAIN_MODEL, INFARCT_MODEL))
    atlas = load_atlas()
    progress.stage("brain mask", 0.08)
    study = _prepare(scan, notes, models[BRAIN_MODEL])
    analysis = _analyse(study.head, models[INFARCT_MODEL], options, atlas, progress)
    progress.stage("scoring", 0.80)
    networks = (*models.values(), *analysis.found.models)
    findings = _findings(study, analysis, options, atlas, networks)
    images = _images(study, analysis, is_resampled(scan))
    return ScoredStudy(compose_result(scan, findings), images)


def _prepare(scan: Scan, notes: tuple[ScanNote, ...], brain_model: ModelFile) -> _Study:
    """Bring signal, ADC and brain mask to one grid in the image frame."""
    finite = np.nan_to_num(scan.volume.array.astype(np.float32), posinf=0.0, neginf=0.0).clip(min=0)
    canonical = canonicalize(scan.volume.with_array(finite))
    brain = _brain(canonical.volume, brain_model)
    diffusion = prepare_diffusion(scan, canonical.restore(brain).array)
    dwi = canonical.volume.with_array(canonical.reorder(diffusion.dwi.array))
    adc, source = None, "none"
    if diffusion.adc is not None:
        adc = dwi.with_array(canonical.reorder(diffusion.adc.array))
        source = "derived" if diffusion.derived else "given"
    notes = (*scan.notes, *notes, *diffusion.notes)
    return _Study(canonical, _Head(dwi, adc, brain), source, notes)


def _findings(
    study: _Study,
    analysis: _Analysis,
    options: ScoreOptions,
    atlas: Atlas,
    networks: tuple[ModelFile, ...],
) -> Findings:
    found = analysis.found
    evidence = gather_signal(study.head.dwi, analysis.brain, options.affected_fraction)
    core = _core(study.head, analysis)
    return Findings(
        calls=evidence.call_regions(found.labels, analysis.infarct),
        quality=found.quality,
        midplane=found.prepared.midplane,
        key_slices=key_slices_of(study.canonical, found),
        method=DWI_UNET3D,
        options={
            "age_years": options.age_years,
            "regions": found.source.value,
            "registration": found.registration.value,
            "affected_fraction": options.affected_fraction,
            "mirroring": options.mirroring,
            "adc": study.adc_source,
        },
        models=model_infos(networks),
        agreement=found.agreement,
        regions_doubtful=found.is_doubtful,
        atlas=atlas,
        notes=study.notes,
        core=core,
        warnings=diffusion_warnings(core, study.adc_source, _outside_ml(analysis)),
    )


def _brain(dwi: Volume, model: ModelFile) -> NDArray[np.bool_]:
    from ASPECTSLib.inference.brain import predict_brain
    from ASPECTSLib.inference.registry import load_network

    network = load_network(model)
    if _is_heavier_on_the_left(dwi, float(np.percentile(dwi.array, 99))):
        mask = mirror(predict_brain(network, mirror(dwi), Modality.DWI))
    else:
        mask = predict_brain(network, dwi, Modality.DWI)
    check_brain_volume(mask)
    return mask.array


def _analyse(
    head: _Head, model: ModelFile, options: ScoreOptions, atlas: Atlas, progress: Progress
) -> _Analysis:
    """Find infarct and regions, working on the mirror image where that is the agreed handedness."""
    from ASPECTSLib.inference.infarct_inputs import typical_of

    if _is_heavier_on_the_left(head.dwi, typical_of(head.dwi, None, head.brain).signal):
        return _analyse_as_is(head.mirrored(), model, options, atlas, progress).mirrored()
    return _analyse_as_is(head, model, options, atlas, progress)


def _analyse_as_is(
    head: _Head, model: ModelFile, options: ScoreOptions, atlas: Atlas, progress: Progress
) -> _Analysis:
    from ASPECTSLib.inference.infarct import predict_infarct
    from ASPECTSLib.inference.pose import levelled, levelled_template, register_pose
    from ASPECTSLib.inference.registry import load_network

    progress.stage("infarct", 0.12)
    pose = register_pose(head.dwi, head.dwi.with_array(head.brain), Modality.DWI, atlas, progress)
    predicted = predict_infarct(
        load_network(model),
        head.dwi,
        head.adc,
        head.brain,
        scan_from_atlas=pose,
        mirroring=options.mirroring,
    )
    infarct = predicted.mask.array
    brain = head.brain | infarct  # the mask may leave out bright cortex
    progress.stage("symmetric pose", 0.25)
    # The infarct is filled with usual tissue: the atlas has none, and large ones are unlike all that networks learned.
    typical = np.float32(np.median(head.dwi.array[head.brain]))
    filled = head.dwi.with_array(np.where(infarct, typical, head.dwi.array))
    fixed = levelled(filled, brain)
    mask = head.dwi.with_array(brain)
    prepared = PreparedHead(filled, mask, find_midplane(fixed))
    template = levelled_template(atlas, Modality.DWI)
    seen = Brain(prepared, Modality.DWI, mask, fixed, template, options.registration)
    found = find_regions(seen, atlas, options.regions, progress)
    return _Analysis(found, infarct, predicted.probability.array)


def _is_heavier_on_the_left(dwi: Volume, level: float) -> bool:
    """Tell the handedness in whole numbers, of which sums are exact."""
    scaled = dwi.array / max(level, _LEAST_SIGNAL) * _GREY_LEVELS
    return is_heavier_on_the_left(dwi.with_array(np.rint(scaled)))


def _core(head: _Head, analysis: _Analysis) -> CoreInfo:
    voxel_ml = head.dwi.voxel_volume_ml
    low_ml = None
    if head.adc is not None:
        low_ml = float(low_adc(head.adc, head.brain).sum()) * voxel_ml
    return CoreInfo(float(analysis.infarct.sum()) * voxel_ml, low_ml)


def _outside_ml(analysis: _Analysis) -> float:
    """Return how much of the infarct lies in none of the twenty regions, in mL."""
    labels = analysis.found.labels
    outside = analysis.infarct & (labels.array == 0)
    return float(outside.sum()) * labels.voxel_volume_ml


def _images(study: _Study, analysis: _Analysis, is_resampled: bool) -> StudyImages:
    restore = study.canonical.restore
    return StudyImages(
        scan=restore(study.head.dwi.array),
        regions=restore(analysis.found.labels.array),
        heatmap=restore(analysis.probability),
        compared=restore((analysis.brain * COMPARED).astype(np.uint8)),
        infarct=restore(analysis.infarct.astype(np.uint8)),
        scan_is_resampled=is_resampled,
    )


def _flipped(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array[..., ::-1])
