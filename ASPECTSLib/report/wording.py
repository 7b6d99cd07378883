"""How a result is put in words and signs: the same in panel, picture and command line."""

from __future__ import annotations

from ASPECTSLib.errors import ErrorCode
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.report.calls import automatic_totals, score_range, uncalled_regions
from ASPECTSLib.report.looks import look_of
from ASPECTSLib.report.result import (
    AspectsInfo,
    ContrastInfo,
    CoreInfo,
    RegionInfo,
    StudyResult,
)
from ASPECTSLib.scoring.low_adc import LOW_ADC
from ASPECTSLib.scoring.perfusion_maps import LATE_S

AFFECTED, NOT_AFFECTED, UNSURE, NOT_CALLED = "●", "○", "◐", "–"
"""Signs of a call; colour is never the only one."""

LEGEND = (
    f"{AFFECTED} affected  {NOT_AFFECTED} not affected  {UNSURE} unsure  {NOT_CALLED} not called"
)

RESEARCH_ONLY = "Research use only. Not a medical device."

_ABSTAINED_AS = {
    ErrorCode.HAEMORRHAGE.value: "it sees blood",
    ErrorCode.LOW_REGISTRATION_QUALITY.value: "the atlas does not fit",
}
"""Why the program abstains, by the code of the warning that says more; the gravest first, which is named alone."""

_CALLED_BY_INFARCT = {
    Modality.DWI.value: ("signal", "%"),
    Modality.CTP.value: ("flow", look_of(Modality.CTP.value).unit),
}
"""Modalities whose calls rest on an infarct, and what is shown beside its share: name and unit."""

_SIDE_WORDS = {"none": "no region affected", "bilateral": "both sides alike"}


def headline(result: StudyResult) -> str:
    """Return the score in one line of words."""
    aspects = result.aspects
    if aspects.score is None:
        return f"No score: {no_score_text(result)}"
    sides = f"right {aspects.right}, left {aspects.left}"
    remarks = [sides, *filter(None, [unsure_text(result)]), *["edited"] * result.is_edited]
    return f"ASPECTS {aspects.score} / 10   {side_text(aspects)}   ({', '.join(remarks)})"


def no_score_text(result: StudyResult) -> str:
    """Return why there is no score."""
    if not result.quality.abstained:
        return "no region could be compared"
    codes = {warning.code for warning in result.quality.warnings}
    reasons = [f", as {words}" for code, words in _ABSTAINED_AS.items() if code in codes]
    return "".join(["the program abstained", *reasons[:1]])


def without_score_text(result: StudyResult) -> str:
    """Return why there is no score, and what to do, in a sentence; blood has to be looked for first."""
    reason = no_score_text(result)
    codes = {warning.code for warning in result.quality.warnings}
    to_do = "" if ErrorCode.HAEMORRHAGE.value in codes else "; call the regions by hand"
    return f"{reason[0].upper()}{reason[1:]}{to_do}."


def unsure_text(result: StudyResult) -> str:
    """Return the scores that unsure calls leave open, such as "unsure 5–6", and what has no call; empty if sure."""
    if result.quality.abstained:
        count = len(uncalled_regions(result.regions))
        return f"incomplete: {count} of {len(result.regions)} not called" if count else ""
    scores = score_range(result)
    if scores is None or scores[0] == scores[1]:
        return ""
    return f"unsure {scores[0]}–{scores[1]}"


def side_text(aspects: AspectsInfo) -> str:
    """Return the side that the score speaks of, in words."""
    return _SIDE_WORDS.get(str(aspects.side), str(aspects.side).upper())


def method_text(result: StudyResult) -> str:
    """Return which method scored, and why `auto` took it."""
    method = result.method
    return " ".join(filter(None, [f"Method {method.name} {method.version}.", method.reason]))


def automatic_text(result: StudyResult) -> str:
    """Return the program's own totals, for beside those that a person changed."""
    aspects = automatic_totals(result)
    if aspects.score is None:
        return "automatic: no score"
    return f"automatic: {aspects.score} (right {aspects.right}, left {aspects.left})"


def call_sign(info: RegionInfo) -> str:
    """Return the sign of the call that counts."""
    if info.override is None and info.unsure:
        return UNSURE
    return plain_sign(info.final_call)


def plain_sign(call: bool | None) -> str:
    """Return the sign of a call."""
    return NOT_CALLED if call is None else AFFECTED if call else NOT_AFFECTED


def call_words(call: bool | None) -> str:
    """Return a call in words."""
    return "not called" if call is None else "affected" if call else "not affected"


def override_text(info: RegionInfo) -> str:
    """Say who changed a call, from what, when and why; empty where nobody did."""
    override = info.override
    if override is None:
        return ""
    reason = f": {override.reason}" if override.reason else ""
    change = f"{call_words(info.affected)} → {call_words(override.affected)}"
    return f"{info.region} {info.side}: {change}, {override.by}, {override.when}{reason}"


def measured_text(right: RegionInfo, left: RegionInfo, modality: str) -> str:
    """Return what was measured in a region of both sides: medians, how much darker on CT, infarcted shares."""
    if modality in _CALLED_BY_INFARCT:
        return _infarct_text(right, left, modality)
    parts = ["not compared"]
    if right.median is not None and left.median is not None:
        medians = f"{right.median:.1f} | {left.median:.1f} {look_of(modality).unit}"
        parts = [f"{medians} {_darker(right, left)}".rstrip()]
    shares = _shares(right, left)
    return ", ".join([*parts, f"infarct {shares} %"] if shares else parts)


def _infarct_text(right: RegionInfo, left: RegionInfo, modality: str) -> str:
    shares = _shares(right, left)
    parts = [f"{shares} % infarct"] if shares else []
    if right.median is not None and left.median is not None:
        name, unit = _CALLED_BY_INFARCT[modality]
        parts.append(f"{name} {right.median:.0f} | {left.median:.0f} {unit}")
    return ", ".join(parts)


def _shares(right: RegionInfo, left: RegionInfo) -> str:
    """Return the infarcted shares of both sides in per cent; nothing where neither has any."""
    fractions = [right.infarct_fraction, left.infarct_fraction]
    if not any(fractions):
        return ""
    return " | ".join(NOT_CALLED if f is None else f"{100 * f:.0f}" for f in fractions)


def _darker(right: RegionInfo, left: RegionInfo) -> str:
    """Say by how much of the brighter side the other is darker; nothing for less than half a per cent."""
    darker, brighter = sorted([right.median, left.median])
    share = round(100 * (1 - darker / brighter)) if brighter > 0 else 0
    return f"−{share} %" if share else ""


def change_text(info: RegionInfo) -> str:
    """Say in short how a call was changed: "auto ● → ○ Reader 14:02"; empty where it was not."""
    override = info.override
    if override is None:
        return ""
    automatic = UNSURE if info.unsure else plain_sign(info.affected)
    time = override.when.rpartition(" ")[2]
    return f"auto {automatic} → {plain_sign(override.affected)} {override.by} {time}"


def core_text(core: CoreInfo) -> str:
    """Return the volume of the infarct and its severity group."""
    if core.volume_ml is None:
        return "core –"
    return f"core {core.volume_ml:.1f} mL   {(core.severity or '').replace('-', '–')}".rstrip()


def core_lines(core: CoreInfo) -> list[str]:
    """Say how large the infarct is, by each way that it was measured; nothing without one."""
    if core.volume_ml is None:
        return []
    lines = [core_text(core)]
    if core.volume_adc620_ml is not None:
        lines.append(f"ADC below {LOW_ADC:.0f}: {core.volume_adc620_ml:.1f} mL")
    if core.severity_by_aspects is not None:
        lines.append(f"by ASPECTS: {core.severity_by_aspects.replace('-', '–')}")
    if core.hypoperfused_ml is not None:
        mismatch_ml = core.hypoperfused_ml - core.volume_ml
        lines.append(
            f"Tmax above {LATE_S:.0f} s: {core.hypoperfused_ml:.1f} mL, mismatch {mismatch_ml:.1f} mL"
        )
    if core.relative_cbv is not None:
        lines.append(f"blood volume of the core: {core.relative_cbv:.0%} of the other side")
    aspects = core.aspects_group and f"ASPECTS {core.aspects_group}"
    groups = [group for group in (core.core_group, aspects) if group]
    return [*lines, f"groups of trials: {', '.join(groups)}"] if groups else lines


def contrast_lines(contrast: ContrastInfo | None) -> list[str]:
    """Say how the vessels of an angiography are filled; nothing for other scans."""
    if contrast is None:
        return []
    if contrast.artery_hu is None or contrast.vein_hu is None:
        return ["contrast phase not known: the large vessels were not found"]
    phase = contrast.phase or "not sure"
    return [
        f"contrast phase {phase}: arteries {contrast.artery_hu:.0f}, veins {contrast.vein_hu:.0f} HU"
    ]


def values_words(modality: str) -> str:
    """Say what `values_text` shows for a modality."""
    if modality in _CALLED_BY_INFARCT:
        return "infarcted share of the region"
    return f"median {look_of(modality).unit} here | other side"


def values_text(info: RegionInfo, modality: str) -> str:
    """Return the numbers that a call rests on: the infarcted share on diffusion MRI, else the medians of both sides."""
    if modality in _CALLED_BY_INFARCT:
        return "" if info.infarct_fraction is None else f"{info.infarct_fraction:.0%}"
    if info.median is None or info.contralateral_median is None:
        return "not compared"
    return f"{info.median:.1f} | {info.contralateral_median:.1f}"
