"""The choice of a series: one that is clearly best is taken, anything less is asked back."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ASPECTSLib.errors import (
    ContentRefusedError,
    ErrorCode,
    FileRefusedError,
    GeometryRefusedError,
)
from ASPECTSLib.io.bvalues import STROKE_B_VALUE, is_stroke_weighting
from ASPECTSLib.io.dicom_series import MIN_IMAGES, DicomSeries
from ASPECTSLib.io.modality import Modality, is_other_sequence

FULL_COVERAGE_MM = 100.0
"""An adult brain is 120 to 140 mm high; a series this high holds both levels of ASPECTS whole."""

READING_THICKNESS_MM = (2.5, 6.0)
"""ASPECTS is defined and read on slices of about 5 mm; thinner ones are noisier."""

_HEAD = re.compile(r"head|brain|skull|cran|cereb|neuro|stroke|kopf|sch[aä]d")
_OTHER_PART = re.compile(r"chest|thora|abdom|pelv|spine|lung|heart|cardiac|extrem|knee|neck")


def choose_head_ct(series: Sequence[DicomSeries], wanted: str | None = None) -> DicomSeries:
    """Return the series that is the head CT.

    Among several from one study the best is taken, as long as one is: of the head, without contrast
    agent, reconstructed for brain, covering the brain, in slices as they are read.

    Parameters
    ----------
    series
        What `list_series` found.
    wanted
        Number, description (or a part of it, in any case) or UID of the series to take, of whatever
        modality it is.

    Raises
    ------
    FileRefusedError
        If there is no image, no series as wanted, no head CT, or several as good as each other.
    ContentRefusedError
        If there are images, but none is CT.
    """
    return choose_series(series, Modality.NCCT, wanted)


def choose_series(
    series: Sequence[DicomSeries], kind: Modality, wanted: str | None = None
) -> DicomSeries:
    """Return the series that shows one kind of scan, by the rules of `choose_head_ct`."""
    if not series:
        message = "expected a folder with DICOM images, got a folder without images"
        raise FileRefusedError(ErrorCode.NO_IMAGES, message)
    if wanted is not None:
        found = _of_kind(_matching(series, wanted), kind)
        if len({one.study_uid for one in found}) > 1:
            raise _ambiguous(found, kind)
        return _best(found, kind)
    expected = kind.dicom_modality
    if expected and all(one.modality != expected for one in series):
        message = f"expected one {_name(kind)}, got only {_labels(series)}"
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, message)
    candidates = _candidates(series, kind)
    if not candidates:
        message = f"expected one {_name(kind)}, got only {_labels(series)}"
        raise FileRefusedError(ErrorCode.SERIES_NOT_FOUND, message)
    if len({one.study_uid for one in candidates}) > 1:
        raise _ambiguous(candidates, kind)  # scans of different days or people are never ranked
    return _best(candidates, kind)


def _matching(series: Sequence[DicomSeries], wanted: str) -> list[DicomSeries]:
    """Return the series of that number, description or UID, or else with it in the description."""
    word = wanted.strip().lower()
    names = [(str(one.number), one.description.lower(), one.uid) for one in series]
    found = [one for one, name in zip(series, names, strict=True) if word in name]
    if not word.isdigit():  # a number that no series has is a slip, not a part of a description
        found = found or [one for one in series if word in one.description.lower()]
    if not found:
        message = f"expected a series that matches '{wanted}', got {_labels(series)}"
        raise FileRefusedError(ErrorCode.SERIES_NOT_FOUND, message)
    return [one for one in found if one.is_plausible_head_ct] or found


def _of_kind(found: list[DicomSeries], kind: Modality) -> list[DicomSeries]:
    """Return those that say that they are of a kind of diffusion, where one name stands for several."""
    if kind not in {Modality.DWI, Modality.ADC, Modality.B0}:
        return found
    return [one for one in found if one.kind is kind] or found


def _candidates(series: Sequence[DicomSeries], kind: Modality) -> list[DicomSeries]:
    """Return the series that are of a kind; where none says so, those that may be."""
    possible = [
        one
        for one in series
        if one.is_plausible_head_ct or (one.modality == "MR" and one.image_count >= MIN_IMAGES)
    ]
    if kind.dicom_modality:
        possible = [one for one in possible if one.modality == kind.dicom_modality]
    if kind is Modality.NCCT:
        return possible
    stated = [one for one in possible if one.kind is kind]
    # Without a word on contrast a CT passes for NCCT: it may be any.
    unstated = [one for one in possible if one.kind in {None, Modality.NCCT}]
    return stated or [one for one in unstated if not is_other_sequence(one.description)]


def _best(candidates: list[DicomSeries], kind: Modality) -> DicomSeries:
    ranks = [(*_diffusion_rank(one, kind), *_rank(one)) for one in candidates]
    best = [one for one, rank in zip(candidates, ranks, strict=True) if rank == max(ranks)]
    if len(best) == 1:
        return best[0]
    if len({one.uid for one in best}) == 1:
        sizes = ", ".join(f"{one.matrix[0]}x{one.matrix[1]}" for one in best)
        message = f"expected slices of one size and direction in a series, got {sizes}"
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    raise _ambiguous(best, kind)


def _rank(series: DicomSeries) -> tuple[float, ...]:
    """Order series by what matters for reading ASPECTS, most first; more is better."""
    part = f"{series.body_part} {series.description}".lower()
    shows_head, shows_other = bool(_HEAD.search(part)), bool(_OTHER_PART.search(part))
    lowest_mm, highest_mm = READING_THICKNESS_MM
    return (
        shows_head or not shows_other,
        not series.has_contrast,
        not series.has_sharp_kernel,
        series.coverage_mm >= FULL_COVERAGE_MM,
        lowest_mm <= (series.thickness_mm or 0.0) <= highest_mm,
        shows_head and not shows_other,
    )


def _diffusion_rank(series: DicomSeries, kind: Modality) -> tuple[float, ...]:
    """Order diffusion series by their weighting: b near 1000, its directions already combined."""
    if kind is not Modality.DWI:
        return ()
    fitting = [value for value in series.b_values if is_stroke_weighting(value)]
    distance = min((abs(value - STROKE_B_VALUE) for value in fitting), default=0.0)
    says_trace = "TRACE" in f"{series.image_type} {series.description}".upper()
    return bool(fitting) - bool(series.b_values and not fitting), -distance, says_trace


def _ambiguous(series: Sequence[DicomSeries], kind: Modality) -> FileRefusedError:
    message = f"expected one {_name(kind)}, got {_labels(series)}; --series NAME picks one"
    return FileRefusedError(ErrorCode.SERIES_AMBIGUOUS, message)


def _name(kind: Modality) -> str:
    return "head CT" if kind is Modality.NCCT else f"{kind} series"


def _labels(series: Sequence[DicomSeries]) -> str:
    return "; ".join(one.label for one in series)
