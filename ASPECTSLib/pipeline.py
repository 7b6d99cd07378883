"""The one place that knows the way from a scan to a scored study and its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from ASPECTSLib.device import AUTO as AUTO_DEVICE
from ASPECTSLib.device import CPU, computing_on
from ASPECTSLib.errors import ErrorCode, ResourceError, UsageError
from ASPECTSLib.io.scan import Modality, Scan
from ASPECTSLib.methods import (
    ATLAS_REGISTRATION,
    AUTO,
    CLASSICAL,
    CTA_RADIOMICS,
    CTA_RATIO,
    CTP_CBF,
    DWI_UNET3D,
    NCCT_COMBINED,
    NCCT_DANET,
    NCCT_UNET,
    Method,
    method_for,
)
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.report.writer import write_study
from ASPECTSLib.systems.atlas_registration import score_by_atlas
from ASPECTSLib.systems.classical import score_classically
from ASPECTSLib.systems.combined import score_by_all
from ASPECTSLib.systems.cta import score_by_cut_points, score_by_radiomics
from ASPECTSLib.systems.danet import score_by_danet
from ASPECTSLib.systems.diffusion import score_diffusion
from ASPECTSLib.systems.perfusion import score_perfusion
from ASPECTSLib.systems.slices import score_by_slices
from ASPECTSLib.systems.study import ScoredStudy, ScoreOptions

System = Callable[[Scan, ScoreOptions, Progress], ScoredStudy]

SYSTEMS: Mapping[str, System] = MappingProxyType(
    {
        ATLAS_REGISTRATION: score_by_atlas,
        CLASSICAL: score_classically,
        CTA_RADIOMICS: score_by_radiomics,
        CTA_RATIO: score_by_cut_points,
        CTP_CBF: score_perfusion,
        DWI_UNET3D: score_diffusion,
        NCCT_COMBINED: score_by_all,
        NCCT_DANET: score_by_danet,
        NCCT_UNET: score_by_slices,
    }
)
"""By the name of the method."""


def score_study(
    scan: Scan, options: ScoreOptions | None = None, progress: Progress | None = None
) -> ScoredStudy:
    """Score one study.

    Parameters
    ----------
    scan
        As read by `ASPECTSLib.io.scan.read_scan`, or by `read_diffusion` and `read_perfusion` beside it. One of
        which the header does not say what it is, is taken for a non-contrast head CT.
    options
        Defaults when left out.
    progress
        Told of each stage, and asked for cancellation.

    Returns
    -------
    ScoredStudy
        With `result.quality.abstained` set, and no score, where the atlas did not fit or the scan shows blood.

    Raises
    ------
    InputRefusedError
        If the scan is not one that can be scored.
    UsageError
        USAGE if an atlas was named, and the scan is no head CT; DEVICE_NOT_FOUND if the device is not here.
    ResourceError
        If PyTorch or a model is missing or damaged, or GPU_MEMORY if a GPU asked for by name is full.
    CancelledError
        If the work was cancelled.
    """
    options, progress = options or ScoreOptions(), progress or Progress()
    method = method_for(options.method, {scan.modality or Modality.NCCT})
    _refuse_atlas_elsewhere(options, method)
    study = _compute(SYSTEMS[method.name], scan, options, progress)
    progress.check()
    return _with_reason(study, method.reason) if options.method == AUTO else study


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


def _compute(system: System, scan: Scan, options: ScoreOptions, progress: Progress) -> ScoredStudy:
    """Compute on the device of the options, or on the CPU where `auto` took a GPU that is full."""
    try:
        with computing_on(options.device):
            return system(scan, options, progress)
    except ResourceError as error:
        if error.code is not ErrorCode.GPU_MEMORY or options.device != AUTO_DEVICE:
            raise
    progress.stage("the GPU is full: once more on the CPU", 0.0)
    with computing_on(CPU):
        return system(scan, options, progress)


def _refuse_atlas_elsewhere(options: ScoreOptions, method: Method) -> None:
    """Refuse an atlas that the method would not look at."""
    if options.atlas is not None and method.inputs[0] is not Modality.NCCT:
        message = f"--atlas is for head CT, and {method.name} scores {method.inputs[0].value}"
        raise UsageError(ErrorCode.USAGE, message)


def _with_reason(study: ScoredStudy, reason: str | None) -> ScoredStudy:
    result = study.result
    return replace(study, result=replace(result, method=replace(result.method, reason=reason)))
