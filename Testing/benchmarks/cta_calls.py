"""Measure `cta-radiomics` beside the published cut-points on labelled CT angiographies.

    python Testing/benchmarks/cta_calls.py COHORT [COHORT ...] [--machines FILE] [--note]

COHORT is what `aspects synthesize --modality cta --hold-out-every 5` writes, or a labelled cohort of one's own with
`cta/image.nii.gz`, `regions.nii.gz` and `infarct.nii.gz` in each case, such as of DWI. Of a cohort with a `split.json`
the parts are taken that are not trained on. Brain and regions are found as the program does. The machines are those
that `cta-radiomics` takes, or those of FILE; `aspects train cta-radiomics --data COHORT` trains others.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from ncct_calls import print_regions, print_totals

from ASPECTSLib.atlas.regions import AFFECTED_FRACTION, REGIONS
from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.inference.plain_models import PlainKind, find_plain
from ASPECTSLib.io.images import read_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import read_scan
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.compose import abstains
from ASPECTSLib.scoring.overlap import infarct_fractions
from ASPECTSLib.scoring.support_vectors import KINDS, SupportVectors
from ASPECTSLib.systems.cta import (
    MACHINES,
    load_machines,
    prepare_cta,
    radiomics_probabilities,
    ratio_calls,
)
from ASPECTSLib.systems.study import ScoreOptions
from ASPECTSLib.training.call_benchmarks import (
    REGION_GROUPS,
    Compared,
    group_measures,
    total_measures,
)
from ASPECTSLib.training.call_cases import RegionCalls
from ASPECTSLib.training.cohort import SPLIT_FILE, TRAINING_PART


def main() -> None:
    """Score the patients by both rules, and print how right they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohorts", type=Path, nargs="+")
    parser.add_argument("--machines", type=Path, help="file of support vectors")
    parser.add_argument("--note", action="store_true", help="write the figures into that file")
    arguments = parser.parse_args()
    path = arguments.machines or find_plain(PlainKind.MACHINES, MACHINES)
    found = measured(arguments.cohorts, load_machines(path)[0])
    for method, compared in found.items():
        print_regions(method, compared)
        print_totals(method, compared)
    if arguments.note:
        note(path, found)


def cases_of(cohort: Path) -> list[Path]:
    """Return the folders of a cohort's cases that are not trained on; all without a split."""
    cases = sorted(path for path in cohort.iterdir() if (path / "cta").is_dir())
    if not (cohort / SPLIT_FILE).is_file():
        return cases
    names = set(json.loads((cohort / SPLIT_FILE).read_text(encoding="utf-8"))[TRAINING_PART])
    return [case for case in cases if case.name not in names]


def measured(cohorts: list[Path], machines: dict[str, SupportVectors]) -> dict[str, Compared]:
    """Score the patients by both rules, telling of each."""
    found = {"cta-radiomics": Compared(), "cta-ratio": Compared()}
    refused = patients = 0
    for case in [case for cohort in cohorts for case in cases_of(cohort)]:
        patients += 1
        calls = calls_of(case, machines)
        if calls is None:
            refused += 1
            continue
        affected, by_method = calls
        for method, said in by_method.items():
            found[method].affected.append(affected)
            found[method].calls.append(said)
        print(
            f"{case.parent.name}/{case.name}: {affected.sum()} affected, called "
            + ", ".join(
                f"{said.called.sum()} ({(said.called & affected).sum()} rightly)"
                for said in by_method.values()
            ),
            flush=True,
        )
    print(f"{patients} patients, {refused} of them refused or without a score")
    return found


def note(path: Path, found: dict[str, Compared]) -> None:
    """Write what was measured beside the machines that it was measured of."""
    data = json.loads(path.read_text(encoding="utf-8"))
    data["metrics"] = [
        {
            "metric": f"{method}, {where}: {measure}",
            "value": round(estimate.value, 4),
            "interval": [round(estimate.low, 4), round(estimate.high, 4)],
            "patients": len(compared.calls),
        }
        for method, compared in found.items()
        for where, measures in (
            *((group, group_measures(compared, group)) for group in REGION_GROUPS),
            ("score", total_measures(compared)),
        )
        for measure, estimate in measures.items()
    ]
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8", newline="")


def calls_of(case: Path, machines: dict[str, SupportVectors]):
    """Return what is true of a patient, and what each method says; None where there would be no score."""
    folder = case / "cta"
    scan = read_scan(folder / "image.nii.gz", modality=Modality.CTA)
    try:
        head = prepare_cta(scan, ScoreOptions(), Progress())
    except InputRefusedError as error:
        print(f"{case.parent.name}/{case.name}: {error.message}", flush=True)
        return None
    if abstains(head.found.quality, head.no_go.haemorrhage):
        print(f"{case.parent.name}/{case.name}: no score", flush=True)
        return None
    labels, infarct = (read_image(folder / f"{n}.nii.gz").array for n in ("regions", "infarct"))
    shares = infarct_fractions(labels, infarct > 0)
    affected = np.array([(shares[region] or 0.0) > AFFECTED_FRACTION for region in REGIONS])
    return affected, {"cta-radiomics": by_machines(head, machines), "cta-ratio": by_ratio(head)}


def by_machines(head, machines: dict[str, SupportVectors]) -> RegionCalls:
    """Return the calls of the support vectors."""
    probability = np.array([p or 0.0 for p in radiomics_probabilities(head, machines)])
    limits = [machines[KINDS[not region.is_cortical]].threshold for region in REGIONS]
    return RegionCalls(probability, probability >= limits)


def by_ratio(head) -> RegionCalls:
    """Return the calls of the published rule; what it ranks by is how far the ratio lies below its cut-point."""
    calls = ratio_calls(head)
    below = np.array([c.cut_point - (c.ratio if c.ratio is not None else 2.0) for c in calls])
    return RegionCalls(1.0 / (1.0 + np.exp(-below / 0.02)), np.array([c.affected for c in calls]))


if __name__ == "__main__":
    main()
