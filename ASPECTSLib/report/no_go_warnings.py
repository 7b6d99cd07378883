"""What the reader should know of blood and of old infarcts."""

from __future__ import annotations

from ASPECTSLib.errors import ErrorCode
from ASPECTSLib.report.result import WarningInfo
from ASPECTSLib.scoring.haemorrhage import Finding, Haemorrhage

HAEMORRHAGE = ErrorCode.HAEMORRHAGE.value
"""The program abstains."""

HAEMORRHAGE_SUSPECTED = "HAEMORRHAGE_SUSPECTED"
OLD_INFARCT = "OLD_INFARCT"


def no_go_warnings(haemorrhage: Haemorrhage, old_infarct_ml: float) -> tuple[WarningInfo, ...]:
    """Return the warnings that blood and old infarcts ask for, the gravest first.

    Parameters
    ----------
    haemorrhage
        What was found of blood.
    old_infarct_ml
        Volume of old infarcts that reach into the regions; 0 where there are none.
    """
    warnings = []
    if haemorrhage.finding is Finding.CERTAIN:
        message = (
            f"{haemorrhage.total_ml:.1f} mL look like blood: ASPECTS is not meant for haemorrhage, "
            "so there is no score"
        )
        warnings.append(WarningInfo(HAEMORRHAGE, message))
    elif haemorrhage.finding is Finding.SUSPECTED:
        message = (
            f"{haemorrhage.total_ml:.1f} mL are as dense as blood or calcification: "
            "rule out haemorrhage before the score is used"
        )
        warnings.append(WarningInfo(HAEMORRHAGE_SUSPECTED, message))
    if old_infarct_ml > 0:
        message = (
            f"{old_infarct_ml:.1f} mL look like an old infarct: the densities of the sides are compared "
            "without it and its mirror image"
        )
        warnings.append(WarningInfo(OLD_INFARCT, message))
    return tuple(warnings)
