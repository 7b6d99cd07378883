"""How scans and heat maps are shown: grey window and unit by modality, colours by what the map holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.io.modality import Modality

STROKE_WINDOW_HU = (20.0, 60.0)
"""Width 40, level 40."""

HEATMAP_LIMIT_HU = 8.0

_DWI_WINDOW = (0.0, 2.2)  # of the brain's median: infarct is at 1.3 to 3

_FLOW_WINDOW = (0.0, 80.0)  # mL/100 g/min: grey matter has 55, vessels are white


class HeatKind(StrEnum):
    """What a heat map holds."""

    DIFFERENCE = "difference"
    PROBABILITY = "probability"
    FLOW_LOSS = "flow-loss"


@dataclass(frozen=True)
class HeatLook:
    """How a heat map is shown.

    Parameters
    ----------
    words
        What it shows.
    limits
        Values at the two ends of its colours.
    colours
        Name of the colour map in matplotlib.
    unpainted
        Values nearer to 0 than this are not painted: nothing is to be seen there, and the scan is to be.
    """

    words: str
    limits: tuple[float, float]
    colours: str
    unpainted: float


@dataclass(frozen=True)
class Look:
    """How a modality is shown.

    Parameters
    ----------
    window
        Black and white; in the scan's units, or as multiples of the brain's median where it has none.
    is_relative
        Whether the window is such a multiple.
    unit
        Of the medians of the regions.
    """

    window: tuple[float, float]
    is_relative: bool
    unit: str

    def window_of(self, scan: NDArray[np.generic], brain: NDArray[np.bool_]) -> tuple[float, float]:
        """Return black and white for a scan with a brain mask on its grid."""
        low, high = self.window
        if not self.is_relative:
            return low, high
        median = float(np.median(scan[brain])) if brain.any() else float(np.max(scan))
        return low * median, high * median


_HEAT_LOOKS: Mapping[str, HeatLook] = MappingProxyType(
    {
        HeatKind.DIFFERENCE: HeatLook(
            f"HU minus mirrored side: blue −{HEATMAP_LIMIT_HU:.0f} to red +{HEATMAP_LIMIT_HU:.0f}",
            (-HEATMAP_LIMIT_HU, HEATMAP_LIMIT_HU),
            "RdBu_r",
            0.04,
        ),
        HeatKind.PROBABILITY: HeatLook(
            "probability of infarct: 0.1 to 1", (0.0, 1.0), "inferno", 0.1
        ),
        HeatKind.FLOW_LOSS: HeatLook(
            "flow lost against the mirrored side: core from 0.7", (0.0, 1.0), "inferno", 0.3
        ),
    }
)
_CT = Look(STROKE_WINDOW_HU, False, "HU")
_DWI = Look(_DWI_WINDOW, True, "% of brain")
_CTP = Look(_FLOW_WINDOW, False, "mL/100 g/min")
_LOOKS: Mapping[str, Look] = MappingProxyType({Modality.DWI.value: _DWI, Modality.CTP.value: _CTP})


def look_of(modality: str) -> Look:
    """Return how a modality is shown, by the name that results have; CT where nothing else is known."""
    return _LOOKS.get(modality, _CT)


def heat_look_of(kind: str | None) -> HeatLook:
    """Return how a heat map is shown, by the kind that results name; differences where they name none."""
    return _HEAT_LOOKS[kind if kind in _HEAT_LOOKS else HeatKind.DIFFERENCE]
