"""From findings to the result: what is said, warned of, and left out when the program abstains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ASPECTSLib import __version__
from ASPECTSLib.atlas.atlas import NamedAtlas
from ASPECTSLib.errors import ErrorCode
from ASPECTSLib.io.scan import Modality, Scan, ScanNote
from ASPECTSLib.preprocessing.midplane import Midplane
from ASPECTSLib.registration.quality import RegistrationQuality
from ASPECTSLib.report.calls import settle
from ASPECTSLib.report.looks import HeatKind
from ASPECTSLib.report.no_go_warnings import no_go_warnings
from ASPECTSLib.report.result import (
    AspectsInfo,
    ContrastInfo,
    CoreInfo,
    InputInfo,
    KeySlicesInfo,
    MethodInfo,
    ModelInfo,
    QualityInfo,
    RegionInfo,
    StudyResult,
    WarningInfo,
)
from ASPECTSLib.scoring.aspects import RegionCall
from ASPECTSLib.scoring.haemorrhage import NO_HAEMORRHAGE, Finding, Haemorrhage

THICK_SLICE_MM = 6.0
"""Slices above this blur the regions of the ganglionic level: the score is given with a warning."""

THICK_FOR_VOLUME_MM = 4.0
"""Slices above this make volumes approximate."""

TILTED_HEAD_DEG = 20.0
"""Heads turned or tilted more than this are rare enough to have the regions looked at."""


@dataclass(frozen=True, eq=False)
class Findings:
    """What a system found; `core`, `contrast` and `warnings` are its own, beside those that all systems have."""

    calls: tuple[RegionCall, ...]
    quality: RegistrationQuality
    midplane: Midplane
    key_slices: KeySlicesInfo
    method: str
    options: dict[str, Any]
    atlas: NamedAtlas
    notes: tuple[ScanNote, ...]
    models: tuple[ModelInfo, ...] = ()
    agreement: float | None = None
    regions_doubtful: bool = False
    heatmap: HeatKind = HeatKind.PROBABILITY
    haemorrhage: Haemorrhage = NO_HAEMORRHAGE
    old_infarct_ml: float = 0.0
    core: CoreInfo = field(default_factory=CoreInfo)
    contrast: ContrastInfo | None = None
    warnings: tuple[WarningInfo, ...] = ()


def compose_result(scan: Scan, findings: Findings) -> StudyResult:
    """Compose the result of a study; without score and calls where the atlas does not fit or the scan shows blood.

    Parameters
    ----------
    scan
        The scan as it was given.
    findings
        What was found in it.
    """
    abstained = abstains(findings.quality, findings.haemorrhage)
    result = StudyResult(
        input=_input_info(scan, findings.options),
        method=_method_info(findings),
        aspects=AspectsInfo(score=None, side=None, left=None, right=None),
        regions=tuple(region_info(call, abstained=abstained) for call in findings.calls),
        core=findings.core,
        quality=QualityInfo(
            warnings=tuple(_warnings(scan, findings)),
            abstained=abstained,
            registration=findings.quality.as_dict()
            | {
                "yaw_deg": findings.midplane.yaw_deg,
                "roll_deg": findings.midplane.roll_deg,
            }
            | ({} if findings.agreement is None else {"agreement": findings.agreement}),
        ),
        key_slices=findings.key_slices,
        contrast=findings.contrast,
    )
    return settle(result)


def abstains(quality: RegistrationQuality, haemorrhage: Haemorrhage) -> bool:
    """Return whether there is no score: the atlas does not fit, or the scan shows blood."""
    return haemorrhage.finding is Finding.CERTAIN or bool(quality.failures)


def region_info(call: RegionCall, *, abstained: bool) -> RegionInfo:
    """Return a region of the result; without call where the program abstains."""
    measure = call.measure
    return RegionInfo(
        region=call.region.code.value,
        side=call.region.side.value,
        affected=None if abstained or not call.compared else call.affected,
        probability=None if abstained else call.probability,
        unsure=call.unsure and not abstained,
        volume_ml=measure.volume_ml,
        infarct_fraction=call.infarct_fraction,
        median=measure.median,
        contralateral_median=measure.contralateral_median,
        evidence=call.evidence,
    )


def _input_info(scan: Scan, options: dict[str, Any]) -> InputInfo:
    age_years = options["age_years"] if options["age_years"] is not None else scan.age_years
    return InputInfo(
        modality=(scan.modality or Modality.NCCT).studied.value,
        files=scan.files,
        spacing_mm=tuple(float(s) for s in scan.volume.spacing_mm),
        shape=scan.volume.size,
        age_years=age_years,
    )


def _method_info(findings: Findings) -> MethodInfo:
    atlas = findings.atlas
    models = tuple(
        ModelInfo(name=f"{atlas.name}-{atlas.version}/{file}", sha256=atlas.sha256[file])
        for file in sorted(atlas.sha256)
    )
    used = models + findings.models
    return MethodInfo(findings.method, __version__, findings.options, used, findings.heatmap.value)


def _warnings(scan: Scan, findings: Findings) -> list[WarningInfo]:
    warnings = list(no_go_warnings(findings.haemorrhage, findings.old_infarct_ml))
    warnings += [WarningInfo(note.code.value, note.message) for note in findings.notes]
    slice_mm = float(scan.volume.spacing_mm[findings.key_slices.axis])
    if slice_mm > THICK_SLICE_MM:
        message = f"slices are {slice_mm:.1f} mm thick: small regions are blurred, check IC and C"
        warnings.append(WarningInfo("THICK_SLICES", message))
    elif slice_mm > THICK_FOR_VOLUME_MM and findings.core.volume_ml:
        message = f"slices are {slice_mm:.1f} mm thick: volumes are approximate"
        warnings.append(WarningInfo("THICK_SLICES", message))
    largest_deg = float(np.max(np.abs([findings.midplane.yaw_deg, findings.midplane.roll_deg])))
    if largest_deg > TILTED_HEAD_DEG:
        message = f"the head is turned or tilted by {largest_deg:.0f} degrees: check the regions"
        warnings.append(WarningInfo("TILTED_HEAD", message))
    warnings += findings.warnings
    if findings.regions_doubtful:
        message = (
            f"networks and registration place the regions differently (mean Dice {findings.agreement:.2f}); "
            f"those of the {findings.options['regions']} were taken: check them"
        )
        warnings.append(WarningInfo("REGIONS_DISAGREE", message))
    if findings.quality.failures:
        message = "the atlas does not fit this scan: " + "; ".join(findings.quality.failures)
        warnings.append(WarningInfo(ErrorCode.LOW_REGISTRATION_QUALITY.value, message))
    return warnings
