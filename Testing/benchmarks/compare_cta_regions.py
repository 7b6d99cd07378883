"""Tables 3 and 4 of the paper on regions and radiomics of CT angiography, for networks on the same synthetic patients.

    python Testing/benchmarks/compare_cta_regions.py COHORT [COHORT ...] --runs RUN [RUN ...] [--patients N] [--program]

COHORT is what `aspects synthesize --modality cta` writes: of its `split.json` the part `test` is taken, or all patients
without one. Each RUN is the folder of a run of `aspects train cta-regions`, with another `attention` each, or the path
of a model. Brain and midsagittal plane are found as in use. With --program the regions that the program has now, by
registration and networks, are measured beside them. Prints what each network is and how it was trained, its mean Dice
and how far that is from the plain U-Net's on the same patients (table 3), and Dice by region (table 4): means over
patients and both sides, with 95 % bootstrap intervals over patients.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
from compare_slice_networks import cell, model_of
from numpy.typing import NDArray
from torch import nn

from ASPECTSLib.atlas.regions import REGIONS, RegionCode
from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.evidence import average_slices, averaged_slices
from ASPECTSLib.geometry import Volume, canonicalize, expand
from ASPECTSLib.inference.card import ModelFile
from ASPECTSLib.inference.registry import find_model, load_network
from ASPECTSLib.inference.slice_inputs import pixels_of
from ASPECTSLib.inference.slices import predict_anatomy
from ASPECTSLib.io.images import read_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.preprocessing.brain import brain_mask
from ASPECTSLib.preprocessing.midplane import Midplane, find_midplane
from ASPECTSLib.preprocessing.units import to_hounsfield
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.overlap import region_dice
from ASPECTSLib.systems.head_ct import map_head_ct
from ASPECTSLib.systems.study import ScoreOptions
from ASPECTSLib.training.cohort import SPLIT_FILE, TEST_PART

PROGRAM = "the program now"
PLAIN = "none"
NAMES = {
    PLAIN: "U-Net",
    "squeeze": "SE-U-Net",
    "both": "scSE-U-Net",
    "gate": "Attention U-Net",
    "remapping": "compression + remapping",
}
_WIDTH = 24


@dataclass(frozen=True, eq=False)
class Case:
    """A patient as networks get to see one, with the true regions on the scan's own grid."""

    given: Volume
    volume: Volume
    brain: Volume
    midplane: Midplane
    regions: NDArray[np.uint8]


@dataclass(eq=False)
class Compared:
    """A network, or the program without one, and what came of it; Dice is NaN where a scan lacks the region."""

    model: ModelFile | None = None
    network: nn.Module | None = None
    seconds: list[float] = field(default_factory=list)
    dice: list[NDArray[np.float64]] = field(default_factory=list)

    @property
    def attention(self) -> str:
        """As the recipe names it."""
        return "" if self.model is None else str(self.model.card.options.get("attention", ""))

    @property
    def name(self) -> str:
        """As in the paper."""
        return PROGRAM if self.model is None else NAMES.get(self.attention, self.model.name)

    @property
    def means(self) -> NDArray[np.float64]:
        """Of each patient."""
        return np.nanmean(self.dice, axis=1)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohorts", type=Path, nargs="+")
    parser.add_argument("--runs", type=Path, nargs="+", required=True)
    parser.add_argument("--patients", type=int, help="the first so many")
    parser.add_argument("--program", action="store_true", help="its regions, too")
    arguments = parser.parse_args()
    models = [find_model(model_of(run)) for run in arguments.runs]
    compared = [Compared(model, load_network(model)) for model in models]
    if arguments.program:
        compared.append(Compared())
    folders = [case for cohort in arguments.cohorts for case in cases_of(cohort)]
    for folder in folders[: arguments.patients]:
        case = read_case(folder)
        for one in compared:
            measure(one, case)
        shown = ", ".join(f"{one.name} {one.means[-1]:.3f}" for one in compared)
        print(f"{folder.parent.name}/{folder.name}: {shown}", flush=True)
    print_networks(compared)
    print_regions(compared)


def cases_of(cohort: Path) -> list[Path]:
    """Return the folders of the patients that neither trained nor chose any weights; all without a split."""
    cases = sorted(path for path in cohort.iterdir() if (path / "cta").is_dir())
    if not (cohort / SPLIT_FILE).is_file():
        return cases
    names = set(json.loads((cohort / SPLIT_FILE).read_text(encoding="utf-8"))[TEST_PART])
    return [case for case in cases if case.name in names]


def read_case(folder: Path) -> Case:
    """Find brain and midsagittal plane of a patient as the program does."""
    given = read_image(folder / "cta" / "image.nii.gz")
    canonical = canonicalize(to_hounsfield(given)[0])
    regions = canonical.reorder(read_image(folder / "cta" / "regions.nii.gz").array)
    volume = average_slices(canonical.volume)
    mask = brain_mask(volume)
    brain = expand(mask.array, (1, 1, averaged_slices(canonical.volume)), canonical.volume)
    return Case(given, volume, brain, find_midplane(volume), regions)


def measure(one: Compared, case: Case) -> None:
    """Find the regions of a case, and keep how they overlap with the true ones."""
    started = perf_counter()
    try:
        labels = found_by(one, case)
    except InputRefusedError as error:
        print(f"{one.name}: {error.message}")
        labels = np.zeros_like(case.regions)
    one.seconds.append(perf_counter() - started)
    absent = ~np.isin([region.label for region in REGIONS], case.regions)
    one.dice.append(np.where(absent, np.nan, region_dice(labels, case.regions)))


def found_by(one: Compared, case: Case) -> NDArray[np.uint8]:
    """Return the region map of a case."""
    if one.network is not None:
        pixels = pixels_of(one.model.card.input)
        return predict_anatomy(one.network, case.volume, case.brain, case.midplane, pixels).array
    scan = Scan(case.given, ("cta.nii.gz",), Modality.CTA)
    return map_head_ct(scan, ScoreOptions(), Progress()).by_atlas.found.labels.array


def print_networks(compared: Sequence[Compared]) -> None:
    """Print table 3."""
    plain = next((one for one in compared if one.attention == PLAIN), None)
    print("\nTable 3. Networks, and mean Dice of the regions on synthetic patients")
    for one in compared:
        parts = [f"{one.name:{_WIDTH}}", *_training(one), f"Dice {cell(one.means.tolist())}"]
        if plain is not None and one is not plain:
            parts.append(f"less U-Net's {cell((one.means - plain.means).tolist())}")
        print("  ".join(parts), f" {np.mean(one.seconds):.2f} s a scan")


def print_regions(compared: Sequence[Compared]) -> None:
    """Print table 4."""
    print("\nTable 4. Dice by region, both sides")
    for one in compared:
        scores = np.array(one.dice)
        print(one.name)
        for code in RegionCode:
            chosen = [region.code is code for region in REGIONS]
            # A scan may lack a region of both sides.
            present = scores[:, chosen][np.isfinite(scores[:, chosen]).any(axis=1)]
            print(f"  {code.value:4}{cell(np.nanmean(present, axis=1).tolist())}")


def _training(one: Compared) -> list[str]:
    if one.model is None or one.network is None:
        return []
    recipe = one.model.card.training.recipe
    weights = sum(weight.numel() for weight in one.network.parameters()) / 1e6
    how = recipe["optimisation"] if isinstance(recipe, dict) else {}
    said = [
        f"{how[key]:g} {what}"
        for key, what in (("steps", "steps"), ("batch", "a batch"))
        if key in how
    ]
    rate = [f"rate {how['learning_rate']:g}"] if "learning_rate" in how else []
    return [f"{weights:.2f} M weights", *said, *rate]


if __name__ == "__main__":
    main()
