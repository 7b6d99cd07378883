"""A diffusion study as it was given: the weighted volume, its ADC map, the image without weighting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ASPECTSLib.errors import (
    ErrorCode,
    GeometryRefusedError,
    InputRefusedError,
    UsageError,
)
from ASPECTSLib.geometry import Volume, apply_affine
from ASPECTSLib.io.bvalues import (
    DiffusionImages,
    arithmetic_mean,
    b_values_beside,
    check_weighting,
    geometric_mean,
    pick_volumes,
    picked_notes,
    unweighted_of,
)
from ASPECTSLib.io.dicom_diffusion import (
    companions_of,
    find_diffusion_series,
    names_of,
    read_companion_series,
    read_diffusion_series,
    read_found_companion,
)
from ASPECTSLib.io.dicom_series import DicomSeries
from ASPECTSLib.io.headers import ImageHeader
from ASPECTSLib.io.images import IMAGE_SUFFIXES, check_exists, check_is_file, open_image, read_frame
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.notes import NoteCode, ScanNote
from ASPECTSLib.io.scan import Scan, check_scan, with_compact_voxels

MIN_OVERLAP = 0.1
"""Least share of the grid of the DWI that a companion covers: a map cut out around the brain covers a quarter."""

_SAMPLES = 16  # points along each axis at which the overlap of grids is measured


@dataclass(frozen=True, eq=False)
class _Companion:
    """A map or image of the same session, and the names of its files; None if it was left out."""

    volume: Volume | None
    files: tuple[str, ...] = ()
    notes: tuple[ScanNote, ...] = ()


def read_diffusion(
    dwi: Path,
    adc: Path | None = None,
    b0: Path | None = None,
    *,
    flair: Path | None = None,
    series: str | None = None,
    frame: int | None = None,
) -> Scan:
    """Read a diffusion study from image files, DICOM folders, or DICOM files of their series.

    Of volumes with several b-values those nearest to 1000 s/mm2 are read, their directions combined
    to the trace image. b-values come from DICOM headers, or from a text or JSON file beside an image
    file (see `b_values_beside`). Where no ADC map or image without weighting is given, those of the
    same session in the DICOM folder of the DWI are taken, if there is one.

    Parameters
    ----------
    dwi
        The diffusion-weighted image, or a series with several b-values.
    adc
        The ADC map, in any of its scales, on any grid.
    b0
        The image without diffusion weighting, on any grid.
    flair
        Not read; a note says so.
    series
        Number, description or UID of the diffusion-weighted series in a DICOM folder.
    frame
        Which volume of a series is the diffusion-weighted one, from 0, whatever its b-value.

    Returns
    -------
    Scan
        Its volume is the diffusion-weighted one, checked by `check_scan`; its companions are ADC
        and B0 as read, in the units and on the grids of their files.

    Raises
    ------
    FileRefusedError
        If a path is missing, unreadable, without images, or with several as good as each other.
    GeometryRefusedError
        If a grid cannot be used, if nothing tells the volumes of a series apart, or if a companion
        lies elsewhere than the DWI.
    ContentRefusedError
        If a series shows something else, has no b-value near 1000, or voxels that cannot be used.
    UsageError
        If there is no such frame, a series is asked for in a file, or one file is given twice.
    """
    _refuse_same_file(dwi, adc, b0)
    check_exists(dwi)
    asked = {Modality.ADC: adc, Modality.B0: b0}
    given = {kind: path for kind, path in asked.items() if path is not None}
    if _is_dicom(dwi):
        images, companions = _read_dicom(dwi, series, frame, given)
    else:
        images, companions = _read_file(dwi, series, frame), {}
    check_scan(images.weighted)
    for kind, path in given.items():
        companions[kind] = _read_companion(path, kind, images.weighted)
    if images.b0 is not None and Modality.B0 not in given:
        companions[Modality.B0] = _Companion(images.b0)
    return _scan(images, companions, flair)


def overlap(volume: Volume, like: Volume) -> float:
    """Return the share of a grid that another one covers, 0 to 1, both being where their affines say.

    Parameters
    ----------
    volume
        The grid that covers.
    like
        The grid that is covered.
    """
    axes = [np.linspace(0.0, length - 1.0, min(length, _SAMPLES)) for length in like.size]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    indices = apply_affine(np.linalg.inv(volume.affine) @ like.affine, points)
    inside = (indices >= -0.5) & (indices <= np.array(volume.size) - 0.5)
    return float(inside.all(axis=-1).mean())


def _refuse_same_file(*paths: Path | None) -> None:
    files = [path.resolve() for path in paths if path is not None and path.is_file()]
    if len(set(files)) < len(files):
        message = f"expected a file each for DWI, ADC and b0, got {files[0].name} twice"
        raise UsageError(ErrorCode.USAGE, message)


def _is_dicom(path: Path) -> bool:
    return path.is_dir() or not path.name.lower().endswith(IMAGE_SUFFIXES)


def _read_file(path: Path, series: str | None, frame: int | None) -> DiffusionImages:
    if series is not None:
        message = f"expected a folder to find series '{series}' in, got the file {path.name}"
        raise UsageError(ErrorCode.USAGE, message)
    header = open_image(path)
    b_values = b_values_beside(path, header.frame_count)
    if frame is not None or header.frame_count == 1:
        volume = read_frame(header, path.name, frame)
        b_value = b_values[frame or 0] if b_values else None
        if b_value is not None:
            check_weighting(b_value)
        return _images(path, header, volume, b_value)
    if b_values is None:
        raise _unknown_volumes(path.name, header.frame_count)
    picked = pick_volumes(b_values)
    frames = [read_frame(header, path.name, index) for index in picked.weighted]
    weighted = frames[0].with_array(geometric_mean([one.array for one in frames]))
    b0 = _mean_of_frames(header, path.name, picked.b0) if picked.b0 else None
    notes = picked_notes(b_values, len(frames))
    return _images(path, header, weighted, picked.b_value, b0, notes)


def _images(
    path: Path,
    header: ImageHeader,
    weighted: Volume,
    b_value: float | None,
    b0: Volume | None = None,
    notes: tuple[ScanNote, ...] = (),
) -> DiffusionImages:
    return DiffusionImages(weighted, b_value, b0, (path.name,), (*header.notes, *notes))


def _mean_of_frames(header: ImageHeader, name: str, indices: Sequence[int]) -> Volume:
    frames = [read_frame(header, name, index) for index in indices]
    return frames[0].with_array(arithmetic_mean([one.array for one in frames]))


def _unknown_volumes(name: str, count: int) -> GeometryRefusedError:
    message = (
        f"expected the b-values of the {count} volumes of {name} in a .bval or .json file of the "
        "same name, got neither; frame= picks the diffusion-weighted volume, from 0"
    )
    return GeometryRefusedError(ErrorCode.NOT_THREE_DIMENSIONAL, message)


def _read_dicom(
    path: Path, series: str | None, frame: int | None, given: Mapping[Modality, Path]
) -> tuple[DiffusionImages, dict[Modality, _Companion]]:
    """Read the series of the DWI, and what else of its session lies beside it and is not given."""
    if not path.is_dir():
        check_is_file(path)
    folder = path if path.is_dir() else path.parent
    chosen, others = find_diffusion_series(path, series)
    images = read_diffusion_series(chosen, folder, frame)
    companions = {}
    for kind in (Modality.ADC, Modality.B0):
        is_there = kind in given or (kind is Modality.B0 and images.b0 is not None)
        found = () if is_there else companions_of(chosen, others, kind)
        if found:
            companions[kind] = _found_companion(found, images.weighted, kind, folder)
    return images, companions


def _found_companion(
    found: Sequence[DicomSeries], weighted: Volume, kind: Modality, folder: Path
) -> _Companion:
    """Read what lies beside the DWI, or leave it out with a note: nobody asked for it."""
    if len(found) > 1:
        labels = "; ".join(one.label for one in found)
        message = f"several {kind} series lie beside the DWI and none was used: {labels}"
        return _left_out(message)
    series = found[0]
    try:
        volume = read_found_companion(series, kind)
        _refuse_elsewhere(volume, weighted, kind)
    except InputRefusedError as error:
        return _left_out(f"{series.label} was not used as {kind}: {error.message}")
    message = f"{series.label} of the same session was taken for the {kind} of the DWI"
    note = ScanNote(NoteCode.COMPANION_FOUND, message)
    return _Companion(volume, names_of(series, folder), (note,))


def _left_out(message: str) -> _Companion:
    return _Companion(None, notes=(ScanNote(NoteCode.COMPANION_LEFT_OUT, message),))


def _read_companion(path: Path, kind: Modality, weighted: Volume) -> _Companion:
    """Read what was given as ADC or B0."""
    check_exists(path)
    read = _read_companion_dicom if _is_dicom(path) else _read_companion_file
    companion = read(path, kind)
    _refuse_elsewhere(companion.volume, weighted, kind)
    return companion


def _read_companion_dicom(path: Path, kind: Modality) -> _Companion:
    return _Companion(*read_companion_series(path, kind))


def _read_companion_file(path: Path, kind: Modality) -> _Companion:
    is_adc = kind is Modality.ADC  # programs write NaN where they have no ADC
    header = open_image(path, must_be_finite=not is_adc)
    if is_adc or header.frame_count == 1:
        volume = read_frame(header, path.name, must_be_finite=not is_adc)
    else:
        b_values = b_values_beside(path, header.frame_count)
        if b_values is None:
            raise _unknown_volumes(path.name, header.frame_count)
        volume = _mean_of_frames(header, path.name, unweighted_of(b_values))
    return _Companion(volume, (path.name,), header.notes)


def _refuse_elsewhere(companion: Volume | None, weighted: Volume, kind: Modality) -> None:
    share = 0.0 if companion is None else overlap(companion, weighted)
    if share < MIN_OVERLAP:
        message = (
            f"expected {kind} where the DWI lies, got one that covers {100 * share:.0f} % of it; "
            "they may be of different patients or sessions"
        )
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)


def _scan(
    images: DiffusionImages, companions: Mapping[Modality, _Companion], flair: Path | None
) -> Scan:
    notes = [*images.notes]
    files = [*images.files]
    volumes = {}
    for kind, companion in companions.items():
        notes += companion.notes
        files += companion.files
        if companion.volume is not None:
            volumes[kind] = with_compact_voxels(companion.volume)
    if flair is not None:
        message = "the FLAIR image was not read: infarcts are segmented on DWI and ADC alone"
        notes.append(ScanNote(NoteCode.INPUT_NOT_USED, message))
    return Scan(
        volume=with_compact_voxels(images.weighted),
        files=tuple(files),
        modality=Modality.DWI,
        age_years=images.age_years,
        description=images.description,
        notes=tuple(notes),
        companions=volumes,
        b_value=images.b_value,
    )
