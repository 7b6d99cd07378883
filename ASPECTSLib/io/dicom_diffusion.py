"""Diffusion in DICOM folders: the weighted series, split by b-value, and the maps made of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ASPECTSLib.errors import ContentRefusedError, ErrorCode, UsageError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.bvalues import (
    MAX_B0,
    DiffusionImages,
    arithmetic_mean,
    check_weighting,
    geometric_mean,
    pick_volumes,
    picked_notes,
    unweighted_of,
)
from ASPECTSLib.io.dicom import (
    DicomSeries,
    choose_series,
    list_series,
    metadata_of,
    read_stack,
    series_around_file,
)
from ASPECTSLib.io.dicom_series import MIN_IMAGES
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.stack import (
    AssembledStack,
    SliceStack,
    assemble,
    combine_positions,
    images_by_position,
)

BValues = tuple[float | None, ...]


def find_diffusion_series(
    path: Path, series: str | None = None
) -> tuple[DicomSeries, tuple[DicomSeries, ...]]:
    """Find the diffusion-weighted series in a folder, or that of a DICOM file.

    Parameters
    ----------
    path
        A folder, or a file that stands for its series.
    series
        Number, description or UID of the series in a folder.

    Returns
    -------
    chosen
        The series with b-values near 1000 s/mm2, its directions combined where there is a choice.
    others
        The rest of what is there.

    Raises
    ------
    FileRefusedError
        If there is no image, no such series, or several as good as each other.
    ContentRefusedError
        If the series shows something else.
    UsageError
        If a series is asked for in a file.
    """
    if path.is_dir():
        found = list_series(path)
        chosen = choose_series(found, Modality.DWI, series)
    else:
        if series is not None:
            message = f"expected a folder to find series '{series}' in, got the file {path.name}"
            raise UsageError(ErrorCode.USAGE, message)
        found = series_around_file(path)
        chosen = found[0]
    _refuse_other(chosen, Modality.DWI)
    return chosen, tuple(one for one in found if one is not chosen)


def read_diffusion_series(
    series: DicomSeries, folder: Path, frame: int | None = None
) -> DiffusionImages:
    """Read a diffusion-weighted series, split by b-value, its directions combined.

    Parameters
    ----------
    series
        Of `find_diffusion_series`.
    folder
        What the names of files are to be relative to.
    frame
        Which image to take at each position, from 0, instead of picking by b-value.

    Raises
    ------
    FileRefusedError, GeometryRefusedError, UsageError
        As `read_series` does.
    ContentRefusedError
        If no image is weighted as infarcts are imaged.
    """
    stack, b_values = read_stack(series)
    notes = ()
    b0 = None
    if frame is not None or all(value is None for value in b_values):
        assembled = assemble(stack, frame=frame)
        b_value = _value_of_frame(stack, b_values, frame or 0)
        if b_value is not None:
            check_weighting(b_value)
    else:
        picked = pick_volumes(b_values)
        weighted = stack.take(np.array(picked.weighted))
        directions = max(len(group) for group in images_by_position(weighted))
        assembled = assemble(combine_positions(weighted, geometric_mean))
        b0 = _unweighted(stack, picked.b0).volume if picked.b0 else None
        b_value = picked.b_value
        notes = picked_notes(b_values, directions)
    metadata = metadata_of(series, assembled)
    return DiffusionImages(
        weighted=assembled.volume,
        b_value=b_value,
        b0=b0,
        files=names_of(series, folder),
        notes=(*metadata.notes, *notes),
        age_years=metadata.age_years,
        description=metadata.description,
    )


def read_companion_series(path: Path, kind: Modality) -> tuple[Volume, tuple[str, ...]]:
    """Read the ADC map, or the image without weighting, in a folder or of a DICOM file.

    Parameters
    ----------
    path
        A folder, or a file that stands for its series.
    kind
        ADC or B0. The latter may be a part of a series with several b-values.

    Returns
    -------
    volume
        In the units of the file; affine to RAS mm.
    files
        Names of the files read.

    Raises
    ------
    FileRefusedError, GeometryRefusedError, ContentRefusedError
        As `find_diffusion_series` and `read_series` do.
    """
    if path.is_dir():
        found = list_series(path)
        with_b0 = [one for one in found if _holds_b0(one)]
        is_inside = kind is Modality.B0 and len(with_b0) == 1
        series = with_b0[0] if is_inside else choose_series(found, kind)
        folder = path
    else:
        series, folder = series_around_file(path)[0], path.parent
    _refuse_other(series, kind)
    return read_found_companion(series, kind), names_of(series, folder)


def read_found_companion(series: DicomSeries, kind: Modality) -> Volume:
    """Read a series as the ADC map or the image without weighting that it is, or holds."""
    stack, b_values = read_stack(series)
    b0 = unweighted_of(b_values) if kind is Modality.B0 else ()
    return _unweighted(stack, b0).volume if b0 else assemble(stack).volume


def companions_of(
    series: DicomSeries, others: Sequence[DicomSeries], kind: Modality
) -> tuple[DicomSeries, ...]:
    """Return the series of a kind that were made in the session of another and fit it best.

    Parameters
    ----------
    series
        The diffusion-weighted series.
    others
        What else lies in its folder.
    kind
        ADC or B0.

    Returns
    -------
    tuple of DicomSeries
        Of the same study and frame of reference; those on the grid of the series where there are.
    """
    fitting = [
        one
        for one in others
        if one.kind is kind
        and one.study_uid == series.study_uid
        and one.image_count >= MIN_IMAGES
        and _same_frame_of_reference(one, series)
    ]
    alike = [one for one in fitting if one.matrix == series.matrix]
    same_series = [one for one in alike if one.uid == series.uid]
    return tuple(same_series or alike or fitting)


def names_of(series: DicomSeries, folder: Path) -> tuple[str, ...]:
    """Return the names of the files of a series, relative to a folder."""
    return tuple(path.relative_to(folder).as_posix() for path in series.files)


def _refuse_other(series: DicomSeries, kind: Modality) -> None:
    wrong = {Modality.DWI, Modality.ADC, Modality.B0, Modality.CBF} - {kind}
    if kind is Modality.B0 and _holds_b0(series):
        return
    if series.modality != "MR" or series.kind in wrong:
        message = f"expected one {kind} series, got {series.label}"
        shows = f", which shows {series.kind}" if series.kind else ""
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, message + shows)


def _holds_b0(series: DicomSeries) -> bool:
    is_diffusion = series.kind in {Modality.DWI, Modality.B0}
    return is_diffusion and bool(series.b_values) and series.b_values[0] <= MAX_B0


def _same_frame_of_reference(one: DicomSeries, other: DicomSeries) -> bool:
    uids = {one.frame_of_reference_uid, other.frame_of_reference_uid} - {""}
    return len(uids) <= 1


def _unweighted(stack: SliceStack, indices: Sequence[int]) -> AssembledStack:
    return assemble(combine_positions(stack.take(np.array(indices)), arithmetic_mean))


def _value_of_frame(stack: SliceStack, b_values: BValues, frame: int) -> float | None:
    lowest = images_by_position(stack)[0]
    return b_values[lowest[frame]] if frame < len(lowest) else None
