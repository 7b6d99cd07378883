"""Which scans a command was given, and how they are read."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ASPECTSLib.errors import ErrorCode, UsageError

if TYPE_CHECKING:
    from ASPECTSLib.io.scan import Scan

_FLAGS = {
    "ncct": "non-contrast head CT",
    "cta": "CT angiography of the head",
    "dwi": "diffusion-weighted MRI, b about 1000 s/mm2, or 4-D with b-values",
    "adc": "ADC map that belongs to --dwi, in any of its units",
    "b0": "scan without diffusion weighting, to compute the ADC where there is none",
    "cbf": "map of cerebral blood flow in mL/100 g/min, alone or with --ncct for its anatomy",
    "cbv": "map of cerebral blood volume that belongs to --cbf",
    "tmax": "Tmax map in seconds that belongs to --cbf",
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
    """Read the scan that a method scores, with those that belong to it; errors as `ASPECTSLib.systems.given`."""
    from ASPECTSLib.io.modality import Modality
    from ASPECTSLib.systems.given import GivenScans, read_given

    given = GivenScans(
        arguments.scan,
        {Modality(name.upper()): path for name, path in _flagged(arguments).items()},
        arguments.flair,
        arguments.series,
        arguments.frame,
    )
    return read_given(given, method)


def _flagged(arguments: argparse.Namespace) -> dict[str, Path]:
    return {name: path for name in _FLAGS if (path := getattr(arguments, name)) is not None}
