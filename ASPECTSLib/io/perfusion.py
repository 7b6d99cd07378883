"""A perfusion study as it was given: the map of blood flow, with the head CT and the maps that belong to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ASPECTSLib.errors import (
    ContentRefusedError,
    ErrorCode,
    FileRefusedError,
    GeometryRefusedError,
    UsageError,
)
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.dicom import DicomSeries, list_series, read_series, series_of_file
from ASPECTSLib.io.diffusion import MIN_OVERLAP, overlap
from ASPECTSLib.io.flow import read_flow
from ASPECTSLib.io.images import IMAGE_SUFFIXES, check_exists, read_image_with_notes
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.notes import ScanNote
from ASPECTSLib.io.scan import Scan, check_scan, read_scan

LONGEST_TMAX_S = 60.0
"""No perfusion series lasts longer; a map in milliseconds, or of another kind, has more."""


def read_perfusion(
    cbf: Path,
    ncct: Path | None = None,
    cbv: Path | None = None,
    tmax: Path | None = None,
    *,
    series: str | None = None,
) -> Scan:
    """Read maps of CT perfusion from image files, DICOM folders, or DICOM files of their series.

    Parameters
    ----------
    cbf
        Cerebral blood flow, mL/100 g/min.
    ncct
        Non-contrast head CT of the same session, in the frame of the map.
    cbv
        Cerebral blood volume, in any unit, in the frame of the map.
    tmax
        Time to the maximum of the residue function, in seconds, in the frame of the map.
    series
        Number, description or UID of the series with the flow, in a DICOM folder.

    Returns
    -------
    Scan
        Its volume is the flow, at least 0 and 0 where nothing is known, checked by `check_scan`; its companions are the
        others, on the grids of their files.

    Raises
    ------
    InputRefusedError
        As `read_flow` and `read_scan`; GEOMETRY_INVALID if a companion lies elsewhere, IMPLAUSIBLE_UNITS if `tmax` is
        not in seconds.
    UsageError
        If one file is given twice.
    """
    _refuse_same_file(cbf, ncct, cbv, tmax)
    flow = read_flow(cbf, series=series)
    check_scan(flow.volume)
    companions, files, notes = {}, list(flow.files), list(flow.notes)
    age_years = None
    if ncct is not None:
        scan = read_scan(ncct, modality=Modality.NCCT)
        companions[Modality.NCCT], age_years = scan.volume, scan.age_years
        files, notes = [*files, *scan.files], [*notes, *scan.notes]
    for kind, path in ((Modality.CBV, cbv), (Modality.TMAX, tmax)):
        if path is not None:
            companions[kind], names, said = _read_map(path, kind)
            files, notes = [*files, *names], [*notes, *said]
    for kind, volume in companions.items():
        _refuse_elsewhere(volume, flow.volume, kind)
    return Scan(
        flow.volume,
        tuple(files),
        Modality.CBF,
        age_years,
        notes=tuple(notes),
        companions=companions,
    )


def _refuse_same_file(*paths: Path | None) -> None:
    files = [path.resolve() for path in paths if path is not None and path.is_file()]
    if len(set(files)) < len(files):
        message = f"expected a file each for maps and head CT, got {files[0].name} twice"
        raise UsageError(ErrorCode.USAGE, message)


def _read_map(path: Path, kind: Modality) -> tuple[Volume, tuple[str, ...], tuple[ScanNote, ...]]:
    """Return a map without negative or unknown values, the names of its files, and what was assumed."""
    check_exists(path)
    if path.is_dir():
        chosen, folder = _only_series(path, kind), path
    elif path.name.lower().endswith(IMAGE_SUFFIXES):
        volume, notes = read_image_with_notes(path, must_be_finite=False)
        return _cleaned(volume, kind), (path.name,), notes
    else:
        chosen, folder = series_of_file(path), path.parent
    volume, metadata = read_series(chosen)
    names = tuple(file.relative_to(folder).as_posix() for file in chosen.files)
    return _cleaned(volume, kind), names, metadata.notes


def _only_series(folder: Path, kind: Modality) -> DicomSeries:
    series = list_series(folder)
    if len(series) != 1:
        message = (
            f"expected a folder with one DICOM series, the {kind.value} map, got {len(series)} series; name a file of "
            "the one that is meant"
        )
        raise FileRefusedError(ErrorCode.SERIES_AMBIGUOUS, message)
    return series[0]


def _cleaned(volume: Volume, kind: Modality) -> Volume:
    array = np.nan_to_num(volume.array.astype(np.float32), posinf=0.0, neginf=0.0).clip(min=0)
    if not array.any():
        raise ContentRefusedError(
            ErrorCode.NO_SIGNAL, f"expected a map of {kind.value}, got no voxel above 0"
        )
    if kind is Modality.TMAX:
        _refuse_other_unit(array)
    return volume.with_array(array)


def _refuse_other_unit(tmax: np.ndarray) -> None:
    longest = float(np.percentile(tmax[tmax > 0], 99))
    if longest > LONGEST_TMAX_S:
        message = (
            f"expected a Tmax map in seconds, none of which is above {LONGEST_TMAX_S:.0f}, got values up to "
            f"{longest:.0f}"
        )
        raise ContentRefusedError(ErrorCode.IMPLAUSIBLE_UNITS, message)


def _refuse_elsewhere(volume: Volume, flow: Volume, kind: Modality) -> None:
    share = overlap(volume, flow)
    if share < MIN_OVERLAP:
        message = (
            f"expected the {kind.value} where the flow map lies, got one whose grid covers {share:.0%} of it; they "
            "may be of different patients or frames"
        )
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
