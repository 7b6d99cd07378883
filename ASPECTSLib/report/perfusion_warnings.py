"""What the reader of a perfusion result should know."""

from __future__ import annotations

from collections.abc import Iterator

from ASPECTSLib.report.diffusion_warnings import OUTSIDE_REGIONS
from ASPECTSLib.report.result import WarningInfo

BOTH_SIDES = "BOTH_SIDES"
LOW_ON_BOTH = "LOW_ON_BOTH_SIDES"
NO_NCCT = "NO_NCCT"
CORE_FILLED = "CORE_WITH_BLOOD_VOLUME"

NOTED_LOW_ON_BOTH_ML = 5.0
"""Tissue of the regions that could not be compared, as both sides have hardly any flow, from which it is said."""

NOTED_OUTSIDE_ML = 1.0
NOTED_OUTSIDE_SHARE = 0.5
"""Core outside the regions is spoken of from this volume and this share of the whole on."""

NOTED_CBV = 0.8
"""Of the other side's blood volume: a core has lost most of it (Wintermark et al. 2006,
doi:10.1161/01.STR.0000209238.61459.39: below 2.0 mL/100 g, half of the normal). A round number, well above."""


def perfusion_warnings(
    *,
    outside_ml: float,
    core_ml: float,
    low_on_both_ml: float,
    is_bilateral: bool,
    has_ct: bool,
    relative_cbv: float | None,
) -> Iterator[WarningInfo]:
    """Return the warnings that a core on perfusion maps asks for.

    Parameters
    ----------
    outside_ml, core_ml
        Core in none of the twenty regions, and all of it.
    low_on_both_ml
        Tissue of the regions that has hardly any flow on either side.
    is_bilateral
        Whether much of the core lies on either side.
    has_ct
        Whether a non-contrast CT was given.
    relative_cbv
        Blood volume of the core as a share of the other side's; None where it is not known.
    """
    if not has_ct:
        message = (
            "there is no non-contrast CT: blood was not looked for, old infarcts pass for new ones, and brain and "
            "regions were found on the map alone"
        )
        yield WarningInfo(NO_NCCT, message)
    if is_bilateral:
        message = "there is core on both sides, and each was compared with the other: look at both"
        yield WarningInfo(BOTH_SIDES, message)
    if low_on_both_ml > NOTED_LOW_ON_BOTH_ML:
        message = (
            f"{low_on_both_ml:.0f} mL of the regions have hardly any flow on both sides and were not compared: old "
            "or bilateral infarcts are not found there"
        )
        yield WarningInfo(LOW_ON_BOTH, message)
    if outside_ml > max(NOTED_OUTSIDE_ML, NOTED_OUTSIDE_SHARE * core_ml):
        message = (
            f"{outside_ml:.1f} of {core_ml:.1f} mL of core lie outside the ten regions of either side, such as in "
            "the posterior or anterior territory: the score does not count them"
        )
        yield WarningInfo(OUTSIDE_REGIONS, message)
    if relative_cbv is not None and relative_cbv > NOTED_CBV:
        message = (
            f"the core has {relative_cbv:.0%} of the other side's blood volume: it may be slow or late flow rather "
            "than core, look at the maps"
        )
        yield WarningInfo(CORE_FILLED, message)
