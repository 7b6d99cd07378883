"""Train the support vectors of `cta-radiomics`, and measure it beside the published cut-points on CT angiography.

    python Testing/benchmarks/cta_calls.py train COHORT -o MODEL.json [--screen N] [--patients N]
    python Testing/benchmarks/cta_calls.py measure COHORT [COHORT ...] [--machines MODEL.json]

COHORT is what `aspects synthesize --modality cta --hold-out-every 5` writes, or a labelled cohort of one's own with
`cta/image.nii.gz`, `regions.nii.gz` and `infarct.nii.gz` in each case, such as of DWI. `train` takes the part
`training` of its `split.json`, or all cases without one, with the regions of the cohort; it prints the areas under the
ROC curve of five folds over patients, and with --screen which of all features a t-test and Lasso choose on N patients.
`measure` takes the other parts, or all, and finds brain and regions as the program does.

Training needs scikit-learn, which the extra `training` installs; measuring does not.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from ncct_calls import print_regions, print_totals

from ASPECTSLib import __version__
from ASPECTSLib.atlas.regions import AFFECTED_FRACTION, REGIONS
from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.io.images import read_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import read_scan
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.compose import abstains
from ASPECTSLib.scoring.overlap import infarct_fractions
from ASPECTSLib.scoring.radiomics.features import CLASSES, PAPER_FEATURES, all_features
from ASPECTSLib.scoring.radiomics.region import Region
from ASPECTSLib.scoring.support_vectors import SupportVectors
from ASPECTSLib.systems.cta import (
    MACHINES_FILE,
    load_machines,
    prepare_cta,
    radiomics_probabilities,
    ratio_calls,
)
from ASPECTSLib.systems.study import ScoreOptions
from ASPECTSLib.training.call_benchmarks import Compared, group_measures, total_measures
from ASPECTSLib.training.call_cases import RegionCalls
from ASPECTSLib.training.cohort import SPLIT_FILE, TRAINING_PART
from ASPECTSLib.training.feature_screening import screen_features
from ASPECTSLib.training.radiomics_table import FeatureTable, measure_cases
from ASPECTSLib.training.support_vectors import TrainedMachine, train_machine

KINDS = ("cortical", "subcortical")


def main() -> None:
    """Train or measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train")
    train.add_argument("cohort", type=Path)
    train.add_argument("-o", "--output", type=Path, required=True)
    train.add_argument("--screen", type=int, default=0, metavar="N", help="patients to screen on")
    train.add_argument("--patients", type=int, help="the first so many only")
    train.set_defaults(run=run_train)
    measure = commands.add_parser("measure")
    measure.add_argument("cohorts", type=Path, nargs="+")
    measure.add_argument("--machines", type=Path, default=MACHINES_FILE)
    measure.add_argument("--note", action="store_true", help="write the figures into that file")
    measure.set_defaults(run=run_measure)
    arguments = parser.parse_args()
    arguments.run(arguments)


def run_train(arguments: argparse.Namespace) -> None:
    """Train both machines and write them."""
    cases = cases_of(arguments.cohort, training=True)[: arguments.patients]
    if arguments.screen:
        print_screening(measure_cases(cases[: arguments.screen], _all_names(), Progress()))
    table = measure_cases(cases, PAPER_FEATURES, Progress())
    trained = {}
    for kind in KINDS:
        part = table.where(table.cortical == (kind == "cortical"))
        trained[kind] = train_machine(part)
        print_trained(kind, part, trained[kind])
    write(arguments.output, trained, len(cases))


def cases_of(cohort: Path, *, training: bool) -> list[Path]:
    """Return the folders of a cohort's cases that are trained on, or of the others; all without a split."""
    cases = sorted(path for path in cohort.iterdir() if (path / "cta").is_dir())
    if not (cohort / SPLIT_FILE).is_file():
        return cases
    names = set(json.loads((cohort / SPLIT_FILE).read_text(encoding="utf-8"))[TRAINING_PART])
    return [case for case in cases if (case.name in names) == training]


def print_screening(table: FeatureTable) -> None:
    """Print which features the t-test and Lasso choose."""
    found = screen_features(table)
    patients = len(np.unique(table.patients))
    print(
        f"screening: {len(table.names)} features of {len(table.affected)} sides of regions, {patients} patients; "
        f"{len(found.differing)} differ, Lasso keeps {len(found.selected)}:"
    )
    for name, weight in zip(found.selected, found.weights, strict=True):
        print(f"  {name:45}{weight:+.3f}")


def print_trained(kind: str, table: FeatureTable, trained: TrainedMachine) -> None:
    """Print what cross-validation gave."""
    areas = ", ".join(f"{area:.3f}" for area in trained.fold_areas)
    print(
        f"{kind}: {len(table.affected)} sides of regions, {table.affected.sum()} affected; {trained.choice}; areas of "
        f"five folds {areas}; all {trained.area.value:.3f} ({trained.area.low:.3f} to {trained.area.high:.3f}); "
        f"threshold {trained.machine.threshold:.3f}, {len(trained.machine.weights)} vectors",
        flush=True,
    )


def write(path: Path, trained: dict[str, TrainedMachine], patients: int) -> None:
    """Write machines and what is known of them."""
    machines: dict[str, SupportVectors] = {kind: one.machine for kind, one in trained.items()}
    data = {
        "schema_version": 1,
        "name": path.stem,
        "version": __version__,
        "intended_use": "research: calls of the ASPECTS regions on CT angiography source images",
        "limits": "of synthetic patients unless trained on others; no real CT angiography was at hand",
        "training": {
            "patients": patients,
            "cross_validated_auc": {
                kind: [round(a, 4) for a in t.fold_areas] for kind, t in trained.items()
            },
            "choice": {kind: t.choice for kind, t in trained.items()},
        },
        "machines": {kind: machine.as_dict() for kind, machine in machines.items()},
    }
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8", newline="")


def run_measure(arguments: argparse.Namespace) -> None:
    """Score the patients by both rules, and print how right they are."""
    machines, _ = load_machines(arguments.machines)
    found = {"cta-radiomics": Compared(), "cta-ratio": Compared()}
    refused = patients = 0
    for case in [c for cohort in arguments.cohorts for c in cases_of(cohort, training=False)]:
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
    for method, compared in found.items():
        print_regions(method, compared)
        print_totals(method, compared)
    if arguments.note:
        note(arguments.machines, found)


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
            *(
                (group, group_measures(compared, group))
                for group in ("all", "cortical", "subcortical")
            ),
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


def _all_names() -> tuple[str, ...]:
    """Return the names of all features but those of shape, which are the same on both sides but for the borders."""
    cube = np.argwhere(np.ones((3, 3, 3), bool))
    values = np.arange(27.0)
    sample = Region(values, np.arange(1, 28), cube, np.ones(3))
    kinds = [kind for kind in CLASSES if kind != "shape"]
    return tuple(name for name in all_features(sample) if name.partition("_")[0] in kinds)


if __name__ == "__main__":
    main()
