"""The tables of Deep-ASPECTS for its four networks, on the same synthetic patients.

    python Testing/benchmarks/compare_slice_networks.py DATA RUN... [--patients N]

DATA is the folder with the public data; each RUN is the folder of a run of `aspects train` or the path of a model, of
the tasks `ncct-infarct` and `ncct-anatomy`. Patients are of anatomies that no recipe trains on, with seeds of their
own; brain and midsagittal plane are found as in use. Prints tables 1a, 1b, 2 and 5 of Upadhyay 2022
(doi:10.1007/978-3-031-25066-8_17), means with 95 % bootstrap intervals over patients.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ASPECTSLib.atlas.atlas import load_atlas
from ASPECTSLib.atlas.regions import REGIONS, RegionCode
from ASPECTSLib.errors import ContentRefusedError
from ASPECTSLib.evidence import average_slices, averaged_slices
from ASPECTSLib.geometry import Volume, expand
from ASPECTSLib.inference.card import CARD_SUFFIX, ModelFile
from ASPECTSLib.inference.registry import RUN_FILE, find_model, load_network
from ASPECTSLib.inference.slice_inputs import pixels_of
from ASPECTSLib.inference.slices import predict_anatomy, predict_ncct_infarct
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.preprocessing.brain import brain_mask
from ASPECTSLib.preprocessing.midplane import Midplane, find_midplane
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.overlap import dice, region_dice
from ASPECTSLib.synthesis.generator import (
    PatientRange,
    Sources,
    SyntheticScan,
    draw_patient,
    scan_patient,
    truth_on,
)
from ASPECTSLib.training.launch import mean_interval
from ASPECTSLib.training.unseen import measured_scanners, unseen_seed, unseen_sources

INFARCT, ANATOMY = "ncct-infarct", "ncct-anatomy"
NAMES = {
    "slice-unet": "UNet",
    "slice-transunet": "TransUNet",
    "slice-unetpp": "UNet++",
    "slice-linknet": "LinkNet",
}
VOLUMES_ML = (0.0, 3.0, 16.0, 66.0, np.inf)
GROUPS: Mapping[str, tuple[RegionCode, ...]] = {
    "overall": tuple(RegionCode),
    "C": (RegionCode.C,),
    "L": (RegionCode.L,),
    "IC": (RegionCode.IC,),
    "I": (RegionCode.I,),
    "M1, M4": (RegionCode.M1, RegionCode.M4),
    "M2, M5": (RegionCode.M2, RegionCode.M5),
    "M3, M6": (RegionCode.M3, RegionCode.M6),
}

_FIRST_HEALTHY = 10_000  # number of the first healthy patient
_HEALTHY_SHARE = 0.25  # of the number of patients with infarct: for the specificity


@dataclass(frozen=True, eq=False)
class Case:
    """A patient as networks get to see one, with the truth on the scan's own grid."""

    volume: Volume
    brain: Volume
    midplane: Midplane
    infarct: NDArray[np.bool_]
    regions: NDArray[np.uint8]
    true_brain: NDArray[np.bool_]


@dataclass(frozen=True)
class InfarctOutcome:
    """Overlap of one patient's infarct; Dice and sensitivity are not defined for healthy ones."""

    true_ml: float
    dice: float
    sensitivity: float
    specificity: float


@dataclass(eq=False)
class Compared:
    """A network, and what came of it."""

    model: ModelFile
    network: nn.Module
    seconds: list[float] = field(default_factory=list)
    infarcts: list[InfarctOutcome] = field(default_factory=list)
    regions: list[NDArray[np.float64]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """As in the paper."""
        return NAMES.get(self.model.card.architecture, self.model.card.architecture)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--patients", type=int, default=100, help="with infarct")
    arguments = parser.parse_args()
    models = [find_model(model_of(run)) for run in arguments.runs]
    compared = [Compared(model, load_network(model)) for model in models]
    sources = unseen_sources(arguments.data, load_atlas(), Progress())
    for case in cases(sources, arguments.patients):
        for one in compared:
            measure(one, case)
    print_infarcts([one for one in compared if one.infarcts])
    print_regions([one for one in compared if one.regions])
    print_costs(compared)


def model_of(run: Path) -> Path:
    """Return the model in a run's folder; a path of a model is returned as it is."""
    if not run.is_dir():
        return run
    cards = [path for path in run.glob(f"*{CARD_SUFFIX}") if path.name != RUN_FILE]
    if len(cards) != 1:
        message = f"expected one model in {run}, found {len(cards)}"
        raise SystemExit(message)
    return cards[0]


def cases(sources: Sources, count: int) -> Iterator[Case]:
    """Make the patients, those with infarct first; the brain of all can be found."""
    ill = PatientRange(healthy=0.0, scanners=measured_scanners())
    well = replace(ill, healthy=1.0)
    numbers = [(number, ill) for number in range(count)]
    numbers += [(_FIRST_HEALTHY + n, well) for n in range(round(_HEALTHY_SHARE * count))]
    for number, patients in numbers:
        patient = draw_patient(sources, unseen_seed(number), patients)
        try:
            yield prepare(scan_patient(patient, Modality.NCCT, patients))
        except ContentRefusedError as error:
            print(f"patient {number} left out: {error.message}")


def prepare(scan: SyntheticScan) -> Case:
    """Find brain and midsagittal plane as the program does."""
    own = scan.images["ncct"]
    volume = average_slices(own)
    mask = brain_mask(volume)
    truth = truth_on(scan, own)
    return Case(
        volume,
        expand(mask.array, (1, 1, averaged_slices(own)), own),
        find_midplane(volume),
        truth.infarct.array,
        truth.regions.array,
        truth.brain.array,
    )


def measure(compared: Compared, case: Case) -> None:
    """Let a network segment a case, and keep what came of it."""
    started = perf_counter()
    pixels = pixels_of(compared.model.card.input)
    seen = compared.network, case.volume, case.brain, case.midplane, pixels
    if compared.model.card.task == INFARCT:
        found = predict_ncct_infarct(*seen).mask
        compared.infarcts.append(infarct_outcome(found, case))
    elif compared.model.card.task == ANATOMY:
        labels = predict_anatomy(*seen).array
        absent = ~np.isin([region.label for region in REGIONS], case.regions)
        scores = region_dice(labels, case.regions)
        compared.regions.append(np.where(absent, np.nan, scores))
    else:
        message = f"expected a model of {INFARCT} or {ANATOMY}, got {compared.model.name}"
        raise SystemExit(message)
    compared.seconds.append(perf_counter() - started)


def infarct_outcome(found: Volume, case: Case) -> InfarctOutcome:
    """Compare an infarct with the true one; specificity is counted within the true brain."""
    healthy = case.true_brain & ~case.infarct
    specificity = 1.0 - float(found.array[healthy].mean())
    true_ml = float(case.infarct.sum()) * found.voxel_volume_ml
    if not true_ml:
        return InfarctOutcome(0.0, np.nan, np.nan, specificity)
    sensitivity = float(found.array[case.infarct].mean())
    return InfarctOutcome(true_ml, dice(found.array, case.infarct), sensitivity, specificity)


def print_infarcts(compared: Sequence[Compared]) -> None:
    """Print tables 1a and 1b."""
    if not compared:
        return
    print("\nTable 1a. Infarct, synthetic patients: mean (95 % interval) over patients")
    for one in compared:
        columns = {
            "DSC": [o.dice for o in one.infarcts],
            "sensitivity": [o.sensitivity for o in one.infarcts],
            "specificity in the brain": [o.specificity for o in one.infarcts],
        }
        print(f"{one.name:10}", *(f"{name} {cell(values)}" for name, values in columns.items()))
    print("\nTable 1b. Infarct, DSC by true volume in mL")
    for one in compared:
        parts = []
        for low, high in pairwise(VOLUMES_ML):
            scores = [o.dice for o in one.infarcts if o.true_ml and low <= o.true_ml < high]
            parts.append(f"{low:g}-{high:g}: {cell(scores)}")
        print(f"{one.name:10}", *parts)


def print_regions(compared: Sequence[Compared]) -> None:
    """Print table 2."""
    if not compared:
        return
    print("\nTable 2. Regions, DSC: mean (95 % interval) over patients, both sides")
    for one in compared:
        scores = np.array(one.regions)
        parts = []
        for name, codes in GROUPS.items():
            chosen = [region.code in codes for region in REGIONS]
            parts.append(f"{name}: {cell(np.nanmean(scores[:, chosen], axis=1).tolist())}")
        print(f"{one.name:10}", *parts)


def print_costs(compared: Sequence[Compared]) -> None:
    """Print table 5."""
    print("\nTable 5. Weights, and seconds a scan, mirror image and resampling included")
    for one in compared:
        weights = sum(weight.numel() for weight in one.network.parameters())
        print(
            f"{one.name:10} {one.model.card.task:13} {weights / 1e6:5.2f} M"
            f"   {np.mean(one.seconds):.2f} s ({min(one.seconds):.2f} to {max(one.seconds):.2f})"
        )


def cell(values: Sequence[float]) -> str:
    """Return the mean of what is defined, with its interval and number."""
    defined = [value for value in values if np.isfinite(value)]
    if not defined:
        return "- (n = 0)"
    low, high = mean_interval(defined)
    return f"{np.mean(defined):.3f} ({low:.3f} to {high:.3f}, n = {len(defined)})"


if __name__ == "__main__":
    main()
