"""What a scan shows, as far as its header says so."""

from __future__ import annotations

import re
from enum import StrEnum

from ASPECTSLib.io.bvalues import MAX_B0


class Modality(StrEnum):
    """Kinds of head scans that stroke is scored on, and the maps made of them."""

    NCCT = "NCCT"
    CTA = "CTA"
    CTP = "CTP"
    CBF = "CBF"
    CBV = "CBV"
    TMAX = "TMAX"
    DWI = "DWI"
    ADC = "ADC"
    B0 = "B0"

    @property
    def dicom_modality(self) -> str | None:
        """The DICOM modality of such a scan; None for maps of perfusion, which both CT and MR measure."""
        if self in {Modality.CBF, Modality.CBV, Modality.TMAX}:
            return None
        return "CT" if self in {Modality.NCCT, Modality.CTA, Modality.CTP} else "MR"

    @property
    def studied(self) -> Modality:
        """What results call a study of which such a scan is scored: CT perfusion for its maps."""
        return Modality.CTP if self in {Modality.CBF, Modality.CBV, Modality.TMAX} else self


_CBF = re.compile(r"\br?cbf\b|cerebral blood flow")
_OTHER_MAP = re.compile(
    r"\br?cbv\b|\bmtt\b|\bttp\b|\bt ?max\b|\bttd\b|blood volume|\be ?adc\b|exponential"
    r"|\bfa\b|fractional aniso"
)
_PERFUSION = re.compile(r"\bctp\b|perfusion|dynamic|\bvpct\b|\b4d\b")
_ADC = re.compile(r"\bd?adc\b|apparent diffusion|average dc")
_B0 = re.compile(r"\bb ?=? ?0\b")
_WEIGHTED = re.compile(r"trace|\bb ?=? ?[5-9]\d\d\b|\bb ?=? ?1\d\d\d\b")
_DIFFUSION = re.compile(rf"\bdwi|diff|\bresolve\b|{_WEIGHTED.pattern}")
_OTHER_SEQUENCE = re.compile(
    r"flair|\bt[12]\b|\bt2\*|\bswi|swan|\btof\b|\bmra\b|mprage|\bgre\b|\bpd\b"
)
_WITHOUT_CONTRAST = re.compile(r"w/o|without|non[ -]?con|no con|unenhanced|\bncct\b|\bnect\b|nativ")
_CONTRAST = re.compile(
    r"\bcta\b|angio|carotid|\bpost\b|contrast|\bc\+|\+c\b|\bce\b|enhanced|\biv\b|venous|arterial"
)


def recognise_modality(
    dicom_modality: str, text: str, *, contrast_agent: str = "", b_value: float | None = None
) -> Modality | None:
    """Recognise a kind of scan from a DICOM header.

    Parameters
    ----------
    dicom_modality
        Value of Modality (0008,0060).
    text
        Image type and descriptions of the series, in one string.
    contrast_agent
        Value of Contrast/Bolus Agent (0018,0010).
    b_value
        Highest diffusion b-value in s/mm², where the header has one.

    Returns
    -------
    Modality or None
        None for what is scored by no method, such as T2-weighted MR or maps of blood volume.
    """
    words = re.sub(r"[_^\\]", " ", text.lower())
    if dicom_modality not in {"CT", "MR"} or _OTHER_MAP.search(words):
        return None
    if _CBF.search(words):
        return Modality.CBF
    if dicom_modality == "MR":
        return _recognise_mr(words, b_value)
    if _PERFUSION.search(words):
        return Modality.CTP
    return Modality.CTA if has_contrast(words, contrast_agent) else Modality.NCCT


def has_contrast(text: str, contrast_agent: str) -> bool:
    """Return whether a header says that contrast agent was given before the scan."""
    if contrast_agent.strip().lower() not in {"", "none", "no", "n", "0", "without"}:
        return True
    words = text.lower()
    return bool(_CONTRAST.search(words)) and not _WITHOUT_CONTRAST.search(words)


def is_other_sequence(text: str) -> bool:
    """Return whether a description names an MR sequence that is none of diffusion."""
    words = re.sub(r"[_^\\]", " ", text.lower())
    return bool(_OTHER_SEQUENCE.search(words) or _OTHER_MAP.search(words))


def _recognise_mr(words: str, b_value: float | None) -> Modality | None:
    if _ADC.search(words):
        return Modality.ADC
    if b_value is not None and b_value > MAX_B0:
        return Modality.DWI
    if b_value is not None and not _OTHER_SEQUENCE.search(words):  # some write 0 on every image
        return Modality.B0
    if _B0.search(words) and not _WEIGHTED.search(words):  # "b0 b1000" names a series of both
        return Modality.B0
    return Modality.DWI if _DIFFUSION.search(words) else None
