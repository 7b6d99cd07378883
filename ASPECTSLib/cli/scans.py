"""Which scans a command was given, and how they are read."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ASPECTSLib.errors import ErrorCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ASPECTSLib.io.modality import Modality
    from ASPECTSLib.io.notes import ScanNote
    from ASPECTSLib.io.scan import Scan

_FLAGS = {
    "ncct": "non-contrast head CT",
    "cta": "CT angiography (scored by no method of this version)",
    "dwi": "diffusion-weighted MRI, b about 1000 s/mm2, or 4-D with b-values",
    "adc": "ADC map that belongs to --dwi, in any of its units",
    "b0": "scan without diffusion weighting, to compute the ADC where there is none",
    "cbf": "map of cerebral blood flow (scored by no method of this version)",
}


def add_scan_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name scans."""
    parser.add_argument(
        "scan", nargs="?", type=Path, metavar="SCAN", help="image file or DICOM folder"
    )
    for name, meaning in _FLAGS.items():
        help_text = f"{meaning}: file or DICOM folder"
        parser.add_argument(f"--{name}", type=Path, metavar="PATH", help=help_text)
    parser.add_argument("--flair", type=Path, metavar="PATH", help="accepted, and not used")
    parser.add_argument(
        "--series", metavar="NAME", help="number or description of the DICOM series"
    )
    parser.add_argument("--frame", type=int, metavar="N", help="frame of a 4-D file, from 0")


def check_scan_arguments(arguments: argparse.Namespace) -> None:
    """Refuse arguments that do not name one study.

    Raises
    ------
    UsageError
        USAGE.
    """
    if bool(arguments.scan) == bool(_flagged(arguments)):
        message = "expected one scan: aspects score SCAN -o DIR, or scans by kind such as --dwi PATH --adc PATH"
        raise UsageError(ErrorCode.USAGE, message)


def read_scans(arguments: argparse.Namespace, method: str) -> Scan:
    """Read the scan that a method scores, with those that belong to it.

    Parameters
    ----------
    arguments
        Those of `add_scan_arguments`.
    method
        A name of `ASPECTSLib.methods`.

    Raises
    ------
    InputRefusedError
        METHOD_UNAVAILABLE if the method does not score these kinds of scans, or as `read_scan` and `read_diffusion`.
    """
    from ASPECTSLib.io.modality import Modality
    from ASPECTSLib.io.scan import read_scan
    from ASPECTSLib.methods import method_for

    given = {Modality(name.upper()): path for name, path in _flagged(arguments).items()}
    if not given and _is_diffusion(arguments.scan):
        given = {Modality.DWI: arguments.scan}
    if not given:
        return read_scan(arguments.scan, series=arguments.series, frame=arguments.frame)
    chosen = method_for(method, given)
    scored = chosen.inputs[0]
    if scored is Modality.DWI:
        scan = _diffusion(given, arguments)
    else:
        options = {"series": arguments.series, "frame": arguments.frame}
        scan = read_scan(given[scored], modality=scored, **options)
    unused = given.keys() - {*chosen.inputs, *chosen.optional}
    return replace(scan, notes=(*scan.notes, *map(_not_used, sorted(unused))))


def _is_diffusion(path: Path) -> bool:
    """Return whether a DICOM folder or file holds diffusion-weighted MRI and no CT, which would be scored first."""
    from ASPECTSLib.io.dicom import list_series, series_of_file
    from ASPECTSLib.io.images import IMAGE_SUFFIXES, check_exists
    from ASPECTSLib.io.modality import Modality

    check_exists(path)
    if path.is_dir():
        series = list_series(path)
    elif not path.name.lower().endswith(IMAGE_SUFFIXES):
        series = [series_of_file(path)]
    else:
        return False
    kinds = {one.kind for one in series}
    return Modality.DWI in kinds and all(one.modality != "CT" for one in series)


def _flagged(arguments: argparse.Namespace) -> dict[str, Path]:
    return {name: path for name in _FLAGS if (path := getattr(arguments, name)) is not None}


def _diffusion(given: Mapping[Modality, Path], arguments: argparse.Namespace) -> Scan:
    from ASPECTSLib.io.diffusion import read_diffusion
    from ASPECTSLib.io.modality import Modality

    return read_diffusion(
        given[Modality.DWI],
        given.get(Modality.ADC),
        given.get(Modality.B0),
        flair=arguments.flair,
        series=arguments.series,
        frame=arguments.frame,
    )


def _not_used(modality: Modality) -> ScanNote:
    from ASPECTSLib.io.notes import NoteCode, ScanNote

    message = f"the {modality.value} that was given is not used by this method"
    return ScanNote(NoteCode.INPUT_NOT_USED, message)
