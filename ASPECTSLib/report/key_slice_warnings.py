"""What the reader should know where two ways to the key slices part."""

from __future__ import annotations

from ASPECTSLib.report.result import WarningInfo

KEY_SLICES_DISAGREE = "KEY_SLICES_DISAGREE"

MOST_APART_MM = 12.5
"""Two and a half slices of 5 mm. The level itself is told to about 5 mm only: the regions' share of a slice is within
10 % of its highest over some 10 mm, and with slices of other places the same regions give a level up to 5 mm away. In
Sun 2024 (doi:10.1038/s41597-024-03973-y) the network names another slice than the neurologist in 18 % of the scans."""


def key_slice_warnings(apart_mm: float) -> tuple[WarningInfo, ...]:
    """Return the warning that the ganglionic slices of regions and network ask for, or none.

    Parameters
    ----------
    apart_mm
        Distance of the two.
    """
    if apart_mm <= MOST_APART_MM:
        return ()
    message = (
        f"a network sees the ganglionic level {apart_mm:.0f} mm away from that of the mapped regions: "
        "check the regions and the key slices"
    )
    return (WarningInfo(KEY_SLICES_DISAGREE, message),)
