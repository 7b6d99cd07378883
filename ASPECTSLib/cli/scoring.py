"""How scans are scored: the arguments that one study and a cohort have alike."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ASPECTSLib.systems.study import ScoreOptions


def add_scoring_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ScoreOptions` but the age, which is a patient's, and whether there is a picture."""
    parser.add_argument(
        "--method",
        default="auto",
        metavar="NAME",
        help="auto (default) takes the best for the scan; a name that is none is answered with all of them",
    )
    parser.add_argument(
        "--regions",
        choices=("auto", "network", "registration"),
        default="auto",
        help="where the regions come from; auto (default) takes the networks where PyTorch is installed",
    )
    parser.add_argument(
        "--registration",
        choices=("auto", "torch", "simpleitk"),
        default="auto",
        help="who deforms the atlas to a head CT or diffusion MRI; auto (default) takes torch where it is installed",
    )
    parser.add_argument(
        "--atlas",
        type=Path,
        metavar="DIR",
        help="on head CT take the regions from this atlas, of `aspects atlas build` or `import`",
    )
    parser.add_argument(
        "--affected-fraction",
        type=float,
        metavar="F",
        help="on DWI and CBF a region is affected when more than this share of it is infarcted (default 0.1)",
    )
    parser.add_argument(
        "--mirroring",
        action="store_true",
        help="on DWI let the network see the mirror image, too: twice as slow",
    )
    parser.add_argument(
        "--device",
        default="auto",
        metavar="NAME",
        help="auto (default) computes on a GPU where there is one; cpu, cuda, or cuda:1 of several",
    )
    parser.add_argument("--no-picture", action="store_true", help="leave out report.png")


def options_of(arguments: argparse.Namespace) -> ScoreOptions:
    """Return the options that the arguments say."""
    from ASPECTSLib.delineation import RegionSource
    from ASPECTSLib.registration.route import RegistrationRoute
    from ASPECTSLib.systems.study import ScoreOptions

    options = ScoreOptions(
        arguments.method,
        regions=RegionSource(arguments.regions),
        mirroring=arguments.mirroring,
        registration=RegistrationRoute(arguments.registration),
        device=arguments.device,
        atlas=None if arguments.atlas is None else str(arguments.atlas.absolute()),
    )
    if arguments.affected_fraction is not None:
        options = replace(options, affected_fraction=arguments.affected_fraction)
    return options
