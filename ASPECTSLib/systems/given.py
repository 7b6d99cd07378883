"""The scans that a study was given, and how the one that a method scores is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from ASPECTSLib.errors import ContentRefusedError, ErrorCode, UsageError
from ASPECTSLib.io.dicom import list_series, series_of_file
from ASPECTSLib.io.diffusion import read_diffusion
from ASPECTSLib.io.file_names import kind_by_name
from ASPECTSLib.io.images import IMAGE_SUFFIXES, check_exists
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.notes import NoteCode, ScanNote
from ASPECTSLib.io.perfusion import read_perfusion
from ASPECTSLib.io.scan import Scan, read_scan
from ASPECTSLib.methods import method_for
from ASPECTSLib.preprocessing.flow_content import looks_like_flow

_SCORED_BY_NAME = frozenset({Modality.DWI, Modality.CBF, Modality.CTA})


@dataclass(frozen=True)
class GivenScans:
    """Paths of a study's scans, each a file or a DICOM folder.

    Parameters
    ----------
    scan
        One whose kind is to be recognised; then there are no others.
    by_kind
        Those whose kind is known.
    flair
        Accepted, and not used.
    series
        Number or description of the DICOM series.
    frame
        Of a 4-D file, from 0.

    Raises
    ------
    UsageError
        USAGE unless there is either one scan or some of known kinds.
    """

    scan: Path | None = None
    by_kind: Mapping[Modality, Path] = field(default_factory=lambda: MappingProxyType({}))
    flair: Path | None = None
    series: str | None = None
    frame: int | None = None

    def __post_init__(self) -> None:
        if (self.scan is None) == (not self.by_kind):
            message = "expected one scan, or scans by kind such as dwi and adc"
            raise UsageError(ErrorCode.USAGE, message)


def read_given(given: GivenScans, method: str) -> Scan:
    """Read the scan that a method scores, with those that belong to it.

    Parameters
    ----------
    given
        Where the scans are.
    method
        A name of `ASPECTSLib.methods`.

    Raises
    ------
    InputRefusedError
        METHOD_UNAVAILABLE if the method does not score these kinds of scans, or as `read_scan`,
        `read_diffusion` and `read_perfusion`.
    """
    by_kind = given.by_kind
    if given.scan is not None:
        kind = _recognised(given.scan)
        if kind is None:
            scan = read_scan(given.scan, series=given.series, frame=given.frame)
            _refuse_flow(scan)
            return scan
        by_kind = {kind: given.scan}
    chosen = method_for(method, by_kind)
    scored = chosen.inputs[0]
    if scored is Modality.DWI:
        scan = _diffusion(by_kind, given)
    elif scored is Modality.CBF:
        scan = _perfusion(by_kind, given)
    else:
        scan = read_scan(by_kind[scored], modality=scored, series=given.series, frame=given.frame)
        if scored is Modality.CTA:  # headers seldom say it
            scan = replace(scan, modality=scored)
    unused = by_kind.keys() - {*chosen.inputs, *chosen.optional}
    return replace(scan, notes=(*scan.notes, *map(_not_used, sorted(unused))))


def _recognised(path: Path) -> Modality | None:
    """Return DWI for DICOM of diffusion MRI without CT, CBF for that of maps without head CT; None for all else.

    Other files go by their names: `sub-01_dwi.nii.gz` is diffusion MRI, and is refused if it does not look like that.
    """
    check_exists(path)
    if path.is_dir():
        series = list_series(path)
    elif not path.name.lower().endswith(IMAGE_SUFFIXES):
        series = [series_of_file(path)]
    else:
        kind = kind_by_name(path)
        return kind if kind in _SCORED_BY_NAME else None
    kinds = {one.kind for one in series}
    if Modality.DWI in kinds and all(one.modality != "CT" for one in series):
        return Modality.DWI
    return Modality.CBF if Modality.CBF in kinds and Modality.NCCT not in kinds else None


def _refuse_flow(scan: Scan) -> None:
    """Refuse an image file of which nobody said what it is, and which would pass for a CT without skull."""
    if scan.modality is None and looks_like_flow(scan.volume):
        message = (
            "expected a head CT, got a brain without skull whose values differ more than densities do, such as a map "
            "of blood flow; say which it is: --cbf or --ncct"
        )
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, message)


def _diffusion(by_kind: Mapping[Modality, Path], given: GivenScans) -> Scan:
    return read_diffusion(
        by_kind[Modality.DWI],
        by_kind.get(Modality.ADC),
        by_kind.get(Modality.B0),
        flair=given.flair,
        series=given.series,
        frame=given.frame,
    )


def _perfusion(by_kind: Mapping[Modality, Path], given: GivenScans) -> Scan:
    companions = (by_kind.get(kind) for kind in (Modality.NCCT, Modality.CBV, Modality.TMAX))
    return read_perfusion(by_kind[Modality.CBF], *companions, series=given.series)


def _not_used(modality: Modality) -> ScanNote:
    message = f"the {modality.value} that was given is not used by this method"
    return ScanNote(NoteCode.INPUT_NOT_USED, message)
