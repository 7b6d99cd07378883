"""The one table of ASPECTS regions: code, name, side, level, label, colour and terminology.

Labels are 1 to 10 on the patient's right and 11 to 20 on the left, in the order of `RegionCode`.
Everything that names, numbers, colours or codes a region reads it from here; maps in another order
are converted on reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

REGIONS_PER_SIDE = 10

AFFECTED_FRACTION = 0.10
"""A region is affected when more than this share of it is infarcted (Cao et al., Hum Brain
Mapp 2022, who set it for cores measured by CT perfusion)."""


class RegionCode(StrEnum):
    """The ten regions of one side, in the order of their labels."""

    C = "C"
    L = "L"
    IC = "IC"
    I = "I"
    M1 = "M1"
    M2 = "M2"
    M3 = "M3"
    M4 = "M4"
    M5 = "M5"
    M6 = "M6"


class Side(StrEnum):
    """Side of the patient."""

    RIGHT = "right"
    LEFT = "left"

    @property
    def other(self) -> Side:
        """The opposite side."""
        return Side.LEFT if self is Side.RIGHT else Side.RIGHT


class Level(StrEnum):
    """Height of a region in the classic two-slice reading."""

    GANGLIONIC = "ganglionic"
    SUPRAGANGLIONIC = "supraganglionic"


@dataclass(frozen=True)
class Terminology:
    """A coded concept: scheme, value and meaning as in a DICOM code sequence."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Region:
    """One ASPECTS region of one side.

    `terminology` is the narrowest SNOMED CT concept of DICOM CID 7153 that contains the region: the
    territories M1 to M6, the lentiform nucleus and the internal capsule have no concept of their
    own there.
    """

    code: RegionCode
    side: Side
    name: str
    level: Level
    label: int
    colour: tuple[int, int, int]
    terminology: Terminology

    @property
    def is_cortical(self) -> bool:
        """Whether the region is one of M1 to M6."""
        return self.code.value.startswith("M")


REGION_GROUPS: Mapping[str, tuple[RegionCode, ...]] = MappingProxyType(
    {code.value: (code,) for code in RegionCode}
    | {
        "all": tuple(RegionCode),
        "cortical": tuple(c for c in RegionCode if c.value.startswith("M")),
        "subcortical": tuple(c for c in RegionCode if not c.value.startswith("M")),
    }
)
"""Rows of table 1 of Cao 2022 (doi:10.1002/hbm.25845), both sides together."""

LATERALITY: Mapping[Side, Terminology] = MappingProxyType(
    {
        Side.RIGHT: Terminology("SCT", "24028007", "Right"),
        Side.LEFT: Terminology("SCT", "7771000", "Left"),
    }
)

_CAUDATE = Terminology("SCT", "11000004", "Caudate nucleus")
_STRIATUM = Terminology("SCT", "31428008", "Corpus striatum")
_WHITE_MATTER = Terminology("SCT", "68523003", "Cerebral White Matter")
_INSULA = Terminology("SCT", "36169008", "Insula")
_FRONTAL = Terminology("SCT", "83251001", "Frontal lobe")
_TEMPORAL = Terminology("SCT", "78277001", "Temporal lobe")
_PARIETAL = Terminology("SCT", "16630005", "Parietal lobe")

# One hue a region pair, after Okabe and Ito (2008) and Tol (2021), which remain distinct in colour
# blindness.
_ROWS = (
    (RegionCode.C, "caudate nucleus", Level.GANGLIONIC, (86, 180, 233), _CAUDATE),
    (RegionCode.L, "lentiform nucleus", Level.GANGLIONIC, (230, 159, 0), _STRIATUM),
    (RegionCode.IC, "internal capsule", Level.GANGLIONIC, (240, 228, 66), _WHITE_MATTER),
    (RegionCode.I, "insular cortex", Level.GANGLIONIC, (204, 121, 167), _INSULA),
    (RegionCode.M1, "anterior MCA cortex", Level.GANGLIONIC, (0, 114, 178), _FRONTAL),
    (RegionCode.M2, "lateral MCA cortex", Level.GANGLIONIC, (0, 158, 115), _TEMPORAL),
    (RegionCode.M3, "posterior MCA cortex", Level.GANGLIONIC, (136, 34, 85), _TEMPORAL),
    (
        RegionCode.M4,
        "anterior MCA cortex above M1",
        Level.SUPRAGANGLIONIC,
        (136, 204, 238),
        _FRONTAL,
    ),
    (RegionCode.M5, "lateral MCA cortex above M2", Level.SUPRAGANGLIONIC, (153, 153, 51), _FRONTAL),
    (
        RegionCode.M6,
        "posterior MCA cortex above M3",
        Level.SUPRAGANGLIONIC,
        (170, 68, 153),
        _PARIETAL,
    ),
)

REGIONS: tuple[Region, ...] = tuple(
    Region(code, side, name, level, order + 1 + offset, colour, terminology)
    for side, offset in ((Side.RIGHT, 0), (Side.LEFT, REGIONS_PER_SIDE))
    for order, (code, name, level, colour, terminology) in enumerate(_ROWS)
)
"""All 20 regions in the order of their labels."""

INFARCT_COLOUR = (213, 94, 0)
"""Vermilion of the same palettes, which no region has."""

_BY_KEY = {(region.code, region.side): region for region in REGIONS}


def region_of(code: RegionCode, side: Side) -> Region:
    """Return the region with this code on this side."""
    return _BY_KEY[code, side]


def contralateral(region: Region) -> Region:
    """Return the same region on the other side."""
    return _BY_KEY[region.code, region.side.other]


def swap_sides(labels: NDArray[Any]) -> NDArray[Any]:
    """Exchange right and left labels in a label map; background stays 0."""
    table = np.arange(2 * REGIONS_PER_SIDE + 1, dtype=labels.dtype)
    table[1:] = np.roll(table[1:], REGIONS_PER_SIDE)
    return table[labels]
