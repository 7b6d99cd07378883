"""What to do about each warning, in a sentence for the reader of the result."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "RESAMPLED_TILT": "Check the regions on the straightened scan.",
        "RESAMPLED_SPACING": "Check the regions on the resampled scan.",
        "DUPLICATES_REMOVED": "Check that no slice is missing or shown twice.",
        "ORIENTATION_ASSUMED": "Check left and right against the patient's record.",
        "DIRECTIONS_ORTHONORMALIZED": "Check that the head is not distorted.",
        "HU_OFFSET_REMOVED": "Check that brain tissue reads 20 to 45 HU.",
        "PADDING_CLIPPED": "Nothing needs to be done.",
        "SLICE_JUMP": "Step through the slices and see whether one is missing.",
        "THICK_SLICES": "Read the deep regions yourself, or score a thinner reconstruction.",
        "TILTED_HEAD": "Step through the slices and correct the regions' borders where they are off.",
        "HAEMORRHAGE_SUSPECTED": "Look for blood before anything else; the score is not meant for haemorrhage.",
        "REGIONS_DISAGREE": "Step through the regions; score again with --regions registration to compare.",
        "REGION_NOT_COMPARED": "Switch those that are affected.",
        "UNSURE_CALLS": "Switch what you read differently.",
        "READING_INCOMPLETE": "Call all regions by hand before the score is used.",
        "LOW_REGISTRATION_QUALITY": "Look at the regions in the views; call the regions by hand.",
        "NO_PICTURE": "Install matplotlib under Advanced to have the picture drawn.",
    }
)
"""By the code of a warning of `ASPECTSLib.report.result.WarningInfo`."""


def advice(code: str) -> str:
    """Return what to do about a warning."""
    return ADVICE.get(code, "Look at the scan before the score is used.")
