"""What was done to a scan on the way in, for the reader of the result."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NoteCode(StrEnum):
    """Changes and assumptions made while a scan was read."""

    RESAMPLED_TILT = "RESAMPLED_TILT"
    RESAMPLED_SPACING = "RESAMPLED_SPACING"
    DUPLICATES_REMOVED = "DUPLICATES_REMOVED"
    ORIENTATION_ASSUMED = "ORIENTATION_ASSUMED"
    DIRECTIONS_ORTHONORMALIZED = "DIRECTIONS_ORTHONORMALIZED"
    HU_OFFSET_REMOVED = "HU_OFFSET_REMOVED"
    PADDING_CLIPPED = "PADDING_CLIPPED"
    SLICE_JUMP = "SLICE_JUMP"
    INPUT_NOT_USED = "INPUT_NOT_USED"
    VOLUMES_PICKED = "VOLUMES_PICKED"
    COMPANION_FOUND = "COMPANION_FOUND"
    COMPANION_LEFT_OUT = "COMPANION_LEFT_OUT"
    COMPANION_RESAMPLED = "COMPANION_RESAMPLED"
    B_VALUE_ASSUMED = "B_VALUE_ASSUMED"
    B_VALUE_ESTIMATED = "B_VALUE_ESTIMATED"
    ADC_DERIVED = "ADC_DERIVED"
    ADC_CONVERTED = "ADC_CONVERTED"
    ADC_UNKNOWN_VOXELS = "ADC_UNKNOWN_VOXELS"
    ADC_UNUSUAL = "ADC_UNUSUAL"
    LOOKS_UNLIKE_DWI = "LOOKS_UNLIKE_DWI"
    SIGNAL_CUT_OFF = "SIGNAL_CUT_OFF"


@dataclass(frozen=True)
class ScanNote:
    """One change or assumption.

    Parameters
    ----------
    code
        What was done, for programs.
    message
        What was done, for a person.
    """

    code: NoteCode
    message: str
