"""Regions by registration on the side of an infarct and on the healthy side: does the infarct pull the atlas away?

    PYTHONPATH=Testing python Testing/benchmarks/infarct_side.py DATA COHORT [--patients N] [--skip N]
        [--registration torch|simpleitk]

DATA is the folder with the public data, COHORT what `aspects synthesize` writes. The atlas that ships is mapped to the
two real people of DATA, whose reference regions a published network drew and whose infarcted side experts read, and to
N synthetic patients of COHORT with a small infarct, N with a large one, and N healthy ones, on whom the difference of
the sides (right less left) is chance. Prints the mean Dice over the ten regions of each side, that of the infarct less
that of the healthy one with its 95 % bootstrap interval over patients, and the same for the affected regions alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reference_cases import READINGS

from ASPECTSLib.atlas.atlas import load_atlas
from ASPECTSLib.atlas.regions import REGIONS, REGIONS_PER_SIDE, RegionCode, Side
from ASPECTSLib.atlases.evaluation import mean_over_cases
from ASPECTSLib.delineation import RegionSource, delineate
from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.io.images import read_image
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.route import RegistrationRoute
from ASPECTSLib.scoring.overlap import region_dice
from ASPECTSLib.statistics.bootstrap import Bootstrap
from ASPECTSLib.statistics.estimates import Estimate
from ASPECTSLib.synthesis.cohort import IMAGE_FILE, REGIONS_FILE, TRUTH_FILE
from ASPECTSLib.training.reference_scans import reference_ct

SMALL_ML, LARGE_ML = (5.0, 30.0), (70.0, 300.0)
HEADER = f"{'':24}{'n':>4}{'healthy':>9}{'infarct':>9}{'difference of sides':>26}{'of affected regions':>26}"


@dataclass(frozen=True, eq=False)
class Case:
    """A head with true regions; `side` is that of the infarct, or any side of a healthy head."""

    name: str
    volume: Volume
    regions: Volume
    side: Side
    affected: frozenset[RegionCode]


@dataclass(frozen=True, eq=False)
class Sides:
    """Dice of the ten regions on the two sides of a head, and which of them are affected on the infarct's."""

    healthy: NDArray[np.float64]
    infarcted: NDArray[np.float64]
    affected: NDArray[np.bool_]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--patients", type=int, default=6, help="synthetic, of each kind")
    parser.add_argument("--skip", type=int, default=0, help="so many of each kind are passed over")
    parser.add_argument("--registration", type=RegistrationRoute, default=RegistrationRoute.AUTO)
    given = parser.parse_args()
    chosen = slice(given.skip, given.skip + given.patients)
    tables = {f"real, {case.name}": [case] for case in real_cases(given.data)}
    for name, limits_ml in (("small", SMALL_ML), ("large", LARGE_ML), ("no", None)):
        tables[f"synthetic, {name} infarct"] = synthetic_cases(given.cohort, limits_ml, chosen)
    print(HEADER)
    for name, cases in tables.items():
        print_row(name, [side for case in cases if (side := compare(case, given.registration))])


def real_cases(data: Path) -> list[Case]:
    """Return the two real people."""
    cases = []
    for scan in reference_ct(data):
        affected = [REGIONS[label - 1] for label in sorted(READINGS[scan.name])]
        codes = frozenset(region.code for region in affected)
        cases.append(Case(scan.name, scan.volume, scan.regions, affected[0].side, codes))
    return cases


def synthetic_cases(
    cohort: Path, limits_ml: tuple[float, float] | None, chosen: slice
) -> list[Case]:
    """Return synthetic patients with an infarct of some size, or healthy ones, in the order of the cohort."""
    found = [path for path in sorted(cohort.glob(f"*/{TRUTH_FILE}")) if _is_wanted(path, limits_ml)]
    return [_synthetic(path) for path in found[chosen]]


def compare(case: Case, registration: RegistrationRoute) -> Sides | None:
    """Map the atlas to a head and compare the sides; None, and a line, for a head that is refused."""
    atlas = load_atlas()
    source = RegionSource.REGISTRATION
    try:
        found = delineate(case.volume, atlas, source, Progress(), registration)
    except InputRefusedError as error:
        print(f"! {case.name}: {error.message} [{error.code}]")
        return None
    return sides_of(region_dice(found.labels.array, case.regions.array), case.side, case.affected)


def sides_of(dice: NDArray[np.float64], side: Side, affected: frozenset[RegionCode]) -> Sides:
    """Part the Dice of the twenty labels into healthy side and that of the infarct."""
    there = np.array([region.side is side for region in REGIONS])
    codes = np.array([region.code in affected for region in REGIONS[:REGIONS_PER_SIDE]])
    return Sides(dice[~there], dice[there], codes)


def print_row(name: str, sides: Sequence[Sides]) -> None:
    """Print a line of the table."""
    if not sides:
        return
    healthy, infarcted = (
        np.array([getattr(one, kind).mean() for one in sides]) for kind in ("healthy", "infarcted")
    )
    of_affected = np.array(list(_affected_differences(sides)))
    print(
        f"{name:24}{len(sides):4}{healthy.mean():9.3f}{infarcted.mean():9.3f}"
        f"{_words(infarcted - healthy):>26}{_words(of_affected):>26}",
        flush=True,
    )


def _affected_differences(sides: Sequence[Sides]) -> Iterator[float]:
    for one in sides:
        if one.affected.any():
            yield float((one.infarcted - one.healthy)[one.affected].mean())


def _words(values: NDArray[np.float64]) -> str:
    estimate: Estimate | None = mean_over_cases(values, Bootstrap())
    if estimate is None:
        return "-"
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"


def _is_wanted(path: Path, limits_ml: tuple[float, float] | None) -> bool:
    truth = json.loads(path.read_text(encoding="utf-8"))
    if truth["healthy"] or limits_ml is None:
        return truth["healthy"] and limits_ml is None
    return limits_ml[0] <= truth["infarct"]["volume_ml"] < limits_ml[1]


def _synthetic(path: Path) -> Case:
    truth = json.loads(path.read_text(encoding="utf-8"))
    folder = path.parent / "ncct"
    image, regions = (
        canonicalize(read_image(folder / name)).volume for name in (IMAGE_FILE, REGIONS_FILE)
    )
    side = Side.RIGHT if truth["healthy"] else Side(truth["infarct"]["side"])
    affected = {
        RegionCode(row["region"])
        for row in truth["regions"]
        if row["affected"] and row["side"] == side.value
    }
    return Case(truth["case"], image, regions, side, frozenset(affected))


if __name__ == "__main__":
    main()
