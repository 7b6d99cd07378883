"""`aspects info`: what a file or folder holds, and whether it can be scored."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ASPECTSLib.cli.console import Console, interruptible
from ASPECTSLib.errors import ExitCode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ASPECTSLib.io.dicom import DicomSeries
    from ASPECTSLib.io.scan import Scan


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser("info", help="show what a scan holds, without scoring it")
    parser.add_argument("scan", type=Path, metavar="SCAN", help="image file or DICOM folder")
    parser.add_argument(
        "--series", metavar="NAME", help="number or description of the DICOM series"
    )
    parser.add_argument("--frame", type=int, metavar="N", help="frame of a 4-D file, from 0")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    """Show series, geometry, units and the checks that scoring would make first."""
    from ASPECTSLib.io.dicom import list_series
    from ASPECTSLib.io.scan import read_scan
    from ASPECTSLib.preprocessing.units import to_hounsfield

    quiet = Console(as_json=False, quiet=True)
    with interruptible(quiet):
        if arguments.scan.is_dir():
            for series in list_series(arguments.scan):
                console.show(_describe_series(series))
        scan = read_scan(arguments.scan, series=arguments.series, frame=arguments.frame)
        console.show(_describe_scan(scan))
        in_hu, notes = to_hounsfield(scan.volume)
        console.show(f"density    {in_hu.array.min():.0f} to {in_hu.array.max():.0f} HU")
        for note in (*scan.notes, *notes):
            console.show(f"note       {note.message}")
    return ExitCode.RESULT


def _describe_series(series: DicomSeries) -> str:
    number = "-" if series.number is None else series.number
    kind = series.modality if series.kind is None else series.kind.value
    return f"series     {number}: {series.description or 'no description'}, {series.image_count} images, {kind}"


def _describe_scan(scan: Scan) -> str:
    size = " x ".join(str(n) for n in scan.volume.size)
    spacing = " x ".join(f"{s:.3g}" for s in scan.volume.spacing_mm)
    directions = scan.volume.affine[:3, :3] / scan.volume.spacing_mm
    axes = "".join(_axis_letter(column) for column in directions.T)
    extent = " x ".join(f"{e:.0f}" for e in scan.volume.size * scan.volume.spacing_mm)
    age = "unknown" if scan.age_years is None else f"{scan.age_years:.0f} years"
    modality = "not in the header" if scan.modality is None else scan.modality.value
    return "\n".join(
        (
            f"modality   {modality}",
            f"size       {size} voxels of {spacing} mm, {extent} mm in all",
            f"axes       i, j, k run to {axes}",
            f"age        {age}",
        )
    )


def _axis_letter(direction: NDArray[np.float64]) -> str:
    axis = int(abs(direction).argmax())
    return ("R", "A", "S")[axis] if direction[axis] > 0 else ("L", "P", "I")[axis]
