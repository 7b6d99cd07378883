"""What the reader of a diffusion result should know."""

from __future__ import annotations

from ASPECTSLib.report.result import CoreInfo, WarningInfo
from ASPECTSLib.scoring.low_adc import LOW_ADC, volumes_disagree

NO_ADC = "NO_ADC"
CORE_DISAGREES = "CORE_DISAGREES"
OUTSIDE_REGIONS = "INFARCT_OUTSIDE_REGIONS"

_NOTABLE_OUTSIDE_ML = 1.0
_MOSTLY = 0.5


def diffusion_warnings(
    core: CoreInfo, adc_source: str, outside_ml: float
) -> tuple[WarningInfo, ...]:
    """Return the warnings that an infarct on diffusion-weighted MRI asks for.

    Parameters
    ----------
    core
        Volumes by network and by threshold.
    adc_source
        `given`, `derived` or `none`.
    outside_ml
        Infarct that lies in none of the twenty regions.
    """
    warnings = []
    if adc_source == "none":
        message = (
            "there is no ADC: the infarct was found on the signal alone, where old infarcts can shine through; "
            "look at an ADC map"
        )
        warnings.append(WarningInfo(NO_ADC, message))
    volume_ml, low_ml = core.volume_ml or 0.0, core.volume_adc620_ml
    if low_ml is not None and volumes_disagree(volume_ml, low_ml):
        message = (
            f"the network finds {volume_ml:.1f} mL of infarct and ADC below {LOW_ADC:.0f} marks {low_ml:.1f} mL: "
            "look at both"
        )
        warnings.append(WarningInfo(CORE_DISAGREES, message))
    if outside_ml > max(_NOTABLE_OUTSIDE_ML, _MOSTLY * volume_ml):
        message = (
            f"{outside_ml:.1f} of {volume_ml:.1f} mL of infarct lie outside the ten regions of either side, "
            "such as in the posterior or anterior territory: the score does not count them"
        )
        warnings.append(WarningInfo(OUTSIDE_REGIONS, message))
    return tuple(warnings)
