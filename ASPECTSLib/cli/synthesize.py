"""`aspects synthesize`: write a cohort of synthetic patients with their truth."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ASPECTSLib.cli.console import Console, interruptible
from ASPECTSLib.device import AUTO, find_device
from ASPECTSLib.errors import ErrorCode, ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ASPECTSLib.progress import Progress
    from ASPECTSLib.report.montage import MontageRow
    from ASPECTSLib.synthesis.cohort import CohortPlan, Material
    from ASPECTSLib.synthesis.generator import PatientRange

MODALITIES = ("ncct", "cta", "dwi", "cbf")
MONTAGE_FILE = "montage.png"
MAX_CASES = 9999

_SLICE_LIMITS_MM = (0.5, 12.0)
_PIXEL_LIMITS_MM = (0.3, 4.0)
_MAX_HOURS = 10_000.0
WITHOUT_CACHE = "Each head of --anatomy that is used is prepared first, about 20 s each; --cache DIR keeps them."
_WITHOUT_MATPLOTLIB = f"matplotlib is not installed: there is no {MONTAGE_FILE}"
_MONTAGE_TITLE = "Synthetic patients, made by a program: no scans of people"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "synthesize",
        help="write synthetic patients with their truth",
        description="Write synthetic patients as images, label maps and truth.json to a new folder, with a picture of "
        "all. Same command, same files. docs/cohorts.md describes the folders. Needs PyTorch.",
    )
    parser.add_argument(
        "--n", type=int, default=4, metavar="N", help="patients (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="other patients (default %(default)s)")
    parser.add_argument(
        "--modality",
        default="ncct",
        metavar="LIST",
        help=f"of {', '.join(MODALITIES)}, separated by commas (default %(default)s)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="new folder"
    )
    add_source_arguments(parser)
    parser.add_argument(
        "--healthy", type=float, metavar="SHARE", help="share without an acute infarct, 0 to 1"
    )
    parser.add_argument(
        "--age-of-infarct", type=float, nargs=2, metavar=("H1", "H2"), help="hours since onset"
    )
    parser.add_argument(
        "--mca-share",
        type=float,
        metavar="SHARE",
        help="share of the real infarcts that lie in the territory of the middle cerebral artery, 0 to 1",
    )
    parser.add_argument(
        "--slice-mm", type=float, nargs=2, metavar=("A", "B"), help="thinnest and thickest slices"
    )
    parser.add_argument(
        "--pixel-mm", type=float, nargs=2, metavar=("A", "B"), help="smallest and largest pixels"
    )
    parser.add_argument(
        "--hold-out-every",
        type=int,
        metavar="N",
        help="write split.json: patients of every so manieth anatomy are for validation and test, as in recipes",
    )
    parser.set_defaults(run=run)


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what patients are made from, and where."""
    parser.add_argument(
        "--anatomy",
        type=Path,
        metavar="DIR",
        help="whole-head label maps (default: the atlas that ships)",
    )
    parser.add_argument(
        "--lesions", type=Path, metavar="DIR", help="infarct masks in MNI152 (default: none)"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="keep prepared anatomies and lesions there"
    )
    parser.add_argument(
        "--device", metavar="NAME", help="auto, cpu or cuda (default: auto, or as the recipe says)"
    )
    parser.add_argument("--progress", choices=("text", "json"), default="text")


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    """Write the cohort that the arguments describe."""
    _check(arguments)
    with interruptible(console) as progress:
        progress.stage("loading", 0.0)
        from ASPECTSLib.inference.registry import require_torch
        from ASPECTSLib.report.staging import check_output, publish, staging_folder

        require_torch()
        check_output(arguments.output)
        plan, material = _plan(arguments), _material(arguments, progress)
        if arguments.progress != "json" and arguments.anatomy and not arguments.cache:
            console.show(WITHOUT_CACHE)
        with staging_folder(arguments.output) as staging:
            rows = _write(plan, material, arguments, staging, progress)
            has_picture = _draw(rows, staging)
            publish(staging, arguments.output)
        progress.finish()
    if arguments.progress != "json":
        for row in rows:
            console.show("  ".join(row.lines))
        console.show(str(arguments.output) if has_picture else _WITHOUT_MATPLOTLIB)
    return ExitCode.RESULT


def open_material(
    anatomy: Path | None, lesions: Path | None, cache: Path | None, progress: Progress
) -> Material:
    """Return what patients are made from; anatomies of a folder are prepared as they are needed."""
    from ASPECTSLib.atlas.atlas import load_atlas
    from ASPECTSLib.synthesis.anatomy_folder import AnatomyFolder
    from ASPECTSLib.synthesis.cohort import Material
    from ASPECTSLib.synthesis.lesion_shapes import load_shapes

    atlas = load_atlas()
    anatomies = AnatomyFolder(anatomy, atlas, cache, progress) if anatomy else ()
    shapes = load_shapes(lesions, atlas, cache, progress) if lesions else None
    return Material(atlas, anatomies, shapes)


def _check(arguments: argparse.Namespace) -> None:
    _require(1 <= arguments.n <= MAX_CASES, f"--n: 1 to {MAX_CASES} patients", arguments.n)
    _require(arguments.seed >= 0, "--seed: 0 or more", arguments.seed)
    names = arguments.modality.split(",")
    known = set(names) <= set(MODALITIES) and len(set(names)) == len(names)
    _require(known, f"--modality: some of {','.join(MODALITIES)}", arguments.modality)
    if arguments.healthy is not None:
        _require(0 <= arguments.healthy <= 1, "--healthy: a share of 0 to 1", arguments.healthy)
    if arguments.mca_share is not None:
        share = arguments.mca_share
        _require(0 <= share <= 1, "--mca-share: a share of 0 to 1", share)
    _check_range("--age-of-infarct", arguments.age_of_infarct, (0.01, _MAX_HOURS), "hours")
    _check_range("--slice-mm", arguments.slice_mm, _SLICE_LIMITS_MM, "mm")
    _check_range("--pixel-mm", arguments.pixel_mm, _PIXEL_LIMITS_MM, "mm")
    if arguments.hold_out_every is not None:
        every = arguments.hold_out_every
        _require(every >= 2, "--hold-out-every: 2 or more", every)
        _require(bool(arguments.anatomy), "--hold-out-every with --anatomy DIR", "none")


def _check_range(
    name: str, values: Sequence[float] | None, limits: tuple[float, float], unit: str
) -> None:
    if values is None:
        return
    (low, high), (lowest, highest) = values, limits
    wanted = f"{name}: two rising numbers of {lowest:g} to {highest:g} {unit}"
    _require(lowest <= low <= high <= highest, wanted, f"{low:g} {high:g}")


def _require(met: bool, expected: str, got: object) -> None:
    if not met:
        raise UsageError(ErrorCode.USAGE, f"expected {expected}, got {got}")


def _plan(arguments: argparse.Namespace) -> CohortPlan:
    from ASPECTSLib.io.modality import Modality
    from ASPECTSLib.synthesis.cohort import CohortPlan

    return CohortPlan(
        cases=arguments.n,
        seed=arguments.seed,
        modalities=tuple(Modality(name.upper()) for name in arguments.modality.split(",")),
        patients=_patients(arguments),
        device=find_device(arguments.device or AUTO),
    )


def _patients(arguments: argparse.Namespace) -> PatientRange:
    from ASPECTSLib.synthesis.generator import PatientRange
    from ASPECTSLib.synthesis.scanners import SCANNERS

    patients = PatientRange()
    if arguments.healthy is not None:
        patients = replace(patients, healthy=arguments.healthy)
    if arguments.age_of_infarct:
        infarcts = replace(patients.infarcts, age_hours=tuple(arguments.age_of_infarct))
        patients = replace(patients, infarcts=infarcts)
    if arguments.mca_share is not None:
        infarcts = replace(patients.infarcts, mca_share=arguments.mca_share)
        patients = replace(patients, infarcts=infarcts)
    wanted = {"slice_mm": arguments.slice_mm, "in_plane_mm": arguments.pixel_mm}
    spacings: dict[str, Any] = {key: tuple(both) for key, both in wanted.items() if both}
    if spacings:
        scanners = {m: replace(s, scans=replace(s.scans, **spacings)) for m, s in SCANNERS.items()}
        patients = replace(patients, scanners=scanners)
    return patients


def _material(arguments: argparse.Namespace, progress: Progress) -> Material:
    progress.stage("reading anatomies and lesions", 0.0)
    return open_material(arguments.anatomy, arguments.lesions, arguments.cache, progress)


def _write(
    plan: CohortPlan,
    material: Material,
    arguments: argparse.Namespace,
    folder: Path,
    progress: Progress,
) -> list[MontageRow]:
    """Write all cases and the record of the cohort; return what the picture shows."""
    from ASPECTSLib.report.montage import MontageRow, Tile, key_tiles
    from ASPECTSLib.synthesis.cohort import (
        COHORT_FILE,
        cohort_record,
        draw_case,
        write_case,
        write_json,
    )
    from ASPECTSLib.synthesis.generator import SyntheticScan, Truth

    rows, anatomies = [], {}
    for number in range(1, plan.cases + 1):
        progress.stage(f"patient {number} of {plan.cases}", (number - 1) / plan.cases)
        tiles: list[Tile] = []

        def look(scan: SyntheticScan, truth: Truth, tiles: list[Tile] = tiles) -> None:
            image = scan.images[scan.modality.value.lower()]
            tiles.extend(key_tiles(image, truth.regions, truth.infarct, scan.modality))

        case = draw_case(plan, material, number)
        record = write_case(case, plan, folder, progress, look)
        rows.append(MontageRow(_described(record), tiles))
        anatomies[case.name] = record["anatomy"]["name"]
    write_json(cohort_record(plan, material, _made_from(arguments)), folder / COHORT_FILE)
    if arguments.hold_out_every is not None:
        write_split(anatomies, arguments.anatomy, arguments.hold_out_every, folder)
    return rows


def write_split(
    anatomies: Mapping[str, str], anatomy_folder: Path, hold_out_every: int, folder: Path
) -> None:
    """Write which cases are trained on, those of the anatomies that no recipe holds out; the others are divided.

    Parameters
    ----------
    anatomies
        Name of the anatomy of each case.
    anatomy_folder
        All anatomies, in the order of their names.
    hold_out_every
        As in a recipe.
    folder
        Of the cohort.
    """
    from ASPECTSLib.synthesis.anatomy import anatomy_files, anatomy_name
    from ASPECTSLib.synthesis.cohort import write_json
    from ASPECTSLib.training.cohort import SPLIT_FILE, TEST_PART, TRAINING_PART, VALIDATION_PART
    from ASPECTSLib.training.tasks import split

    names = [anatomy_name(path) for path in anatomy_files(anatomy_folder)]
    _, held_out = split(names, hold_out_every)
    others = [case for case, name in anatomies.items() if name in held_out]
    parts = {
        TRAINING_PART: [case for case, name in anatomies.items() if name not in held_out],
        VALIDATION_PART: others[::2],
        TEST_PART: others[1::2],
    }
    write_json(parts, folder / SPLIT_FILE)


def _made_from(arguments: argparse.Namespace) -> list[dict[str, str]]:
    from ASPECTSLib.training.sources import atlas_sources, source_of

    folders = [folder for folder in (arguments.anatomy, arguments.lesions) if folder]
    sources = [*atlas_sources(), *map(source_of, folders)]
    return [{k: v for k, v in vars(source).items() if v is not None} for source in sources]


def _described(record: dict[str, Any]) -> tuple[str, ...]:
    infarct, aspects = record["infarct"], record["aspects"]
    finding = "no acute infarct"
    if infarct:
        size = f"{infarct['volume_ml']:.1f} mL, {infarct['age_hours']:.1f} h"
        finding = f"infarct {infarct['side']}, {size}"
    affected = [r["region"] for r in record["regions"] if r["affected"]]
    points = f"ASPECTS {aspects['score']} (right {aspects['right']}, left {aspects['left']})"
    return (
        f"{record['case']}, synthetic",
        f"{record['age_years']:.0f} years",
        finding,
        points,
        " ".join(affected),
    )


def _draw(rows: Sequence[MontageRow], folder: Path) -> bool:
    """Draw the picture; tell whether matplotlib is there for it."""
    from ASPECTSLib.report.montage import montage_png

    try:
        picture = montage_png(rows, _MONTAGE_TITLE)
    except ImportError:
        return False
    (folder / MONTAGE_FILE).write_bytes(picture)
    return True
