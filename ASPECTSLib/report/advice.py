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
        "VOLUMES_PICKED": "Check that the shown volume is the diffusion-weighted one.",
        "COMPANION_FOUND": "Check that the ADC map and the DWI are of one examination.",
        "COMPANION_LEFT_OUT": "Give the map by hand if it belongs to this scan.",
        "COMPANION_RESAMPLED": "Check that ADC map and DWI show the same slices.",
        "B_VALUE_ASSUMED": "Check the b-value of the protocol; ADC volumes depend on it.",
        "B_VALUE_ESTIMATED": "Check the b-value of the protocol; ADC volumes depend on it.",
        "ADC_DERIVED": "Nothing needs to be done; prefer the scanner's ADC map where there is one.",
        "ADC_CONVERTED": "Nothing needs to be done.",
        "ADC_UNKNOWN_VOXELS": "Look at the ADC map where it is black.",
        "ADC_UNUSUAL": "Do not rely on the volume below a fixed ADC.",
        "LOOKS_UNLIKE_DWI": "Check that the scan is diffusion-weighted at b = 1000 and no ADC map.",
        "SIGNAL_CUT_OFF": "Export the scan again without window or 8-bit conversion.",
        "INPUT_NOT_USED": "Nothing needs to be done.",
        "THICK_SLICES": "Read the deep regions yourself, or score a thinner reconstruction.",
        "TILTED_HEAD": "Step through the slices and correct the regions' borders where they are off.",
        "HAEMORRHAGE": "Look at the scan before anything else; call the regions by hand only if it is no blood.",
        "HAEMORRHAGE_SUSPECTED": "Look for blood before anything else; the score is not meant for haemorrhage.",
        "OLD_INFARCT": "Read the regions that it reaches into yourself; what is old costs no point.",
        "ARTERIAL_PHASE": "Compare with perfusion, diffusion or a later phase before dark tissue is taken for infarct.",
        "BLOOD_MAY_HIDE": "Look for blood on a CT without contrast agent.",
        "ONE_SIDED_FILLING": "Compare with perfusion or diffusion: that tissue may still be saved.",
        "NO_NCCT": "Look for blood on a head CT, and give that scan with the map.",
        "BOTH_SIDES": "Look at the core on both sides; one side is compared with the other.",
        "LOW_ON_BOTH_SIDES": "Look at the flow of both sides; what is low on both is not called.",
        "CORE_WITH_BLOOD_VOLUME": "Look at the map of the blood volume before the core is taken for lost.",
        "PARTLY_COVERED": "Read the regions that the map cuts off yourself.",
        "AGE_UNKNOWN": "Give the age if it is known.",
        "AGE_BEYOND_ATLAS": "Step through the regions: the atlas is of other ages.",
        "KEY_SLICES_DISAGREE": "Step through the slices and see whether the regions lie at their height.",
        "REGIONS_DISAGREE": "Step through the regions; score again with --regions registration to compare.",
        "NO_ADC": "Compare with an ADC map before old infarcts are counted as new ones.",
        "CORE_DISAGREES": "Look at signal and ADC, and correct the infarct in the Segment Editor.",
        "INFARCT_OUTSIDE_REGIONS": "Read that infarct apart from the score.",
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
