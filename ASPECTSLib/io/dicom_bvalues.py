"""The b-value of a DICOM image: a public element, or where vendors put it before that existed."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom import Dataset, config
from pydicom.tag import BaseTag, Tag

GE_OFFSET = 1_000_000_000
"""GE adds this to the b-values of series with several of them.

Source: https://github.com/rordenlab/dcm2niix/issues/602
"""

MAX_B_VALUE = 50_000.0
"""No gradient makes more; larger numbers are something else."""


@dataclass(frozen=True)
class _VendorElement:
    """A private element; `name` starts that of its creator, or of the manufacturer."""

    name: str
    tag: BaseTag
    is_binary: bool = False

    @property
    def creator(self) -> BaseTag:
        return Tag(self.tag.group, self.tag.elem >> 8)


# Source: NA-MIC, "DICOM for DWI and DTI", https://www.na-mic.org/wiki/NAMIC_Wiki:DTI:DICOM_for_DWI_and_DTI
_VENDOR_ELEMENTS = (
    _VendorElement("siemens", Tag(0x0019, 0x100C)),
    _VendorElement("gems", Tag(0x0043, 0x1039)),
    _VendorElement("philips", Tag(0x2001, 0x1003), is_binary=True),
)
_MANUFACTURERS = {"gems": "ge"}

B_VALUE_TAGS = (
    Tag("DiffusionBValue"),
    Tag("Manufacturer"),
    *(element.creator for element in _VENDOR_ELEMENTS),
    *(element.tag for element in _VENDOR_ELEMENTS),
)
"""Elements to read for `b_value_of`, those in sequences aside."""


def b_value_of(levels: Iterable[Dataset]) -> float | None:
    """Return the b-value of a frame, s/mm2; None if its headers do not state it.

    Parameters
    ----------
    levels
        The functional groups of the frame, then those that all frames share; or the header of a
        classic image alone.
    """
    for level in levels:
        groups = [*(level.get("MRDiffusionSequence") or ()), level]
        for group in groups:
            value = _first_number(group, Tag("DiffusionBValue"), is_binary=False)
            if value is not None:
                return value
        for element in _VENDOR_ELEMENTS:
            if _is_from(level, element):
                value = _first_number(level, element.tag, is_binary=element.is_binary)
                if value is not None:
                    return value
    return None


def _is_from(level: Dataset, element: _VendorElement) -> bool:
    """Return whether a private element is that vendor's: other vendors use the same number."""
    creator = _text(level, element.creator)
    if creator:
        return creator.startswith(element.name)
    manufacturer = _MANUFACTURERS.get(element.name, element.name)
    return _text(level, Tag("Manufacturer")).startswith(manufacturer)


def _text(level: Dataset, tag: BaseTag) -> str:
    value = _value(level, tag)
    value = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    return str(value or "").strip().lower()


def _first_number(level: Dataset, tag: BaseTag, *, is_binary: bool) -> float | None:
    value = _value(level, tag)
    if isinstance(value, bytes):  # of a private element whose type the file does not state
        value = _decoded(value, is_binary=is_binary)
    elif not isinstance(value, str) and hasattr(value, "__iter__"):
        value = next(iter(value), None)
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    number = number % GE_OFFSET if number >= GE_OFFSET else number
    return number if 0.0 <= number <= MAX_B_VALUE else None


def _decoded(value: bytes, *, is_binary: bool) -> float | str | None:
    if is_binary:
        return float(struct.unpack("<f", value)[0]) if len(value) == struct.calcsize("<f") else None
    return value.decode("ascii", "replace").split("\\", maxsplit=1)[0].strip("\0 ")


def _value(level: Dataset, tag: BaseTag) -> object:
    try:
        with config.disable_value_validation():
            return level[tag].value if tag in level else None
    except (TypeError, ValueError, OverflowError, NotImplementedError):
        return None
