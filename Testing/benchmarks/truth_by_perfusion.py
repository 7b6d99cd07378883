"""How well `aspects truth --ncct --cbf` finds the infarct of synthetic patients, whose truth is known.

`aspects synthesize --modality ncct,cbf -o COHORT` makes them; `python Testing/benchmarks/truth_by_perfusion.py COHORT`
prints a line a patient, and how many of the calls agree. The core is compared with the infarct that was drawn, not with
what the map shows of it. With `--true-regions` those of the cohort are taken, which tests the core alone and is faster;
without, patients that the atlas does not fit are counted and left out.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.atlas import Atlas, load_atlas
from ASPECTSLib.atlas.regions import AFFECTED_FRACTION, REGIONS
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.evidence import average_slices, averaged_slices
from ASPECTSLib.geometry import canonicalize, expand
from ASPECTSLib.io.flow import read_flow
from ASPECTSLib.io.images import read_image
from ASPECTSLib.io.scan import Modality, Scan, read_scan
from ASPECTSLib.prepared import PreparedHead
from ASPECTSLib.preprocessing.brain import brain_mask
from ASPECTSLib.preprocessing.midplane import find_midplane
from ASPECTSLib.preprocessing.units import to_hounsfield
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.overlap import dice, infarct_fractions
from ASPECTSLib.scoring.perfusion_core import CORE_BELOW, CoreRule
from ASPECTSLib.truth.mapped import MappedScan, map_ct
from ASPECTSLib.truth.perfusion import core_on_ct


@dataclass(frozen=True, eq=False)
class Outcome:
    """One patient: volumes in mL, calls in the order of the labels."""

    true_ml: float
    found_ml: float
    overlap: float
    true: NDArray[np.bool_]
    found: NDArray[np.bool_]


def measure(case: Path, mapped: MappedScan, rule: CoreRule) -> Outcome:
    """Compare the core of a patient with the infarct that was drawn."""
    core = core_on_ct(mapped, read_flow(case / "cbf" / "image.nii.gz"), rule).core
    drawn = mapped.canonical.reorder(read_image(case / "ncct" / "infarct.nii.gz").array) > 0
    shares = infarct_fractions(mapped.found.labels.array, core)
    found = np.array([(shares[region] or 0.0) > AFFECTED_FRACTION for region in REGIONS])
    record = json.loads((case / "truth.json").read_text(encoding="utf-8"))
    true = np.array([row["affected"] for row in record["regions"]])
    voxel_ml = mapped.grid.voxel_volume_ml
    return Outcome(drawn.sum() * voxel_ml, core.sum() * voxel_ml, dice(core, drawn), true, found)


def with_true_regions(case: Path, scan: Scan) -> MappedScan:
    """Map a scan by the regions of the cohort; brain and midplane are found."""
    canonical = canonicalize(to_hounsfield(scan.volume)[0])
    working = average_slices(canonical.volume)
    mask = brain_mask(working)
    labels = canonical.reorder(read_image(case / "ncct" / "regions.nii.gz").array)
    found = SimpleNamespace(
        prepared=PreparedHead(working, mask, find_midplane(working)),
        labels=canonical.volume.with_array(labels),
    )
    slices = (1, 1, averaged_slices(canonical.volume))
    brain = expand(mask.array, slices, canonical.volume).array
    return MappedScan(Modality.NCCT, canonical, found, brain)


def main() -> None:
    """Measure all patients of a cohort."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cohorts", type=Path, nargs="+")
    parser.add_argument("--true-regions", action="store_true")
    parser.add_argument("--core-below", type=float, default=CORE_BELOW)
    arguments = parser.parse_args()
    atlas, rule = load_atlas(), CoreRule(below=arguments.core_below)
    outcomes = []
    for case in sorted(path for folder in arguments.cohorts for path in folder.glob("case-*")):
        if (case / "truth.json").is_file():
            outcomes += _measured(case, rule, None if arguments.true_regions else atlas)
    _summarise(outcomes)


def _measured(case: Path, rule: CoreRule, atlas: Atlas | None) -> list[Outcome]:
    scan = read_scan(case / "ncct" / "image.nii.gz", modality=Modality.NCCT)
    name = f"{case.parent.name}/{case.name}"
    try:
        mapped = _mapped(case, scan, atlas)
    except InputRefusedError as error:
        print(f"{name}: {error.message}", flush=True)
        return []
    outcome = measure(case, mapped, rule)
    missed, false = (_names(a & ~b) for a, b in _pairs(outcome))
    print(
        f"{name}: infarct {outcome.true_ml:.1f} mL, core {outcome.found_ml:.1f} mL, Dice {outcome.overlap:.2f}, "
        f"{outcome.true.sum()} regions affected, missed {missed}, false {false}",
        flush=True,
    )
    return [outcome]


def _mapped(case: Path, scan: Scan, atlas: Atlas | None) -> MappedScan:
    if atlas is None:
        return with_true_regions(case, scan)
    return map_ct(scan, atlas, RegionSource.AUTO, Progress())


def _pairs(outcome: Outcome) -> tuple[tuple[NDArray[np.bool_], NDArray[np.bool_]], ...]:
    return (outcome.true, outcome.found), (outcome.found, outcome.true)


def _names(calls: NDArray[np.bool_]) -> str:
    regions = (region for region, call in zip(REGIONS, calls, strict=True) if call)
    return " ".join(f"{region.code.value}-{region.side.value}" for region in regions) or "-"


def _summarise(outcomes: list[Outcome]) -> None:
    true, found = (np.array([getattr(o, name) for o in outcomes]) for name in ("true", "found"))
    print(
        f"{len(outcomes)} patients, {true.size} calls: {np.count_nonzero(true == found)} agree, "
        f"{np.count_nonzero(true & found)} of {np.count_nonzero(true)} affected regions found, "
        f"{np.count_nonzero(found & ~true)} called falsely"
    )


if __name__ == "__main__":
    main()
