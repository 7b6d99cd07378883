"""How often blood and old infarcts are found, and how often where there are none.

    PYTHONPATH=Testing python Testing/benchmarks/no_go.py real [DATA] [--scan SCAN ...]
    PYTHONPATH=Testing python Testing/benchmarks/no_go.py synthetic [DATA] [--kind KIND ...] [--first 0] [--n 10]
        [--cache FOLDER]

DATA is the folder with the public data ($ASPECTS_DATA or ../shared/data). `real` looks at the real head CT, none of
which has a haemorrhage that is known, as they are and with balls of blood put into them. `synthetic` draws patients of
whom each kind has one finding only, half of them with a new infarct; their regions are the true ones.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from domain_cases import REAL_CT
from numpy.typing import NDArray

from ASPECTSLib.atlas.atlas import Atlas, load_atlas
from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.delineation import RegionSource, delineate
from ASPECTSLib.errors import ContentRefusedError
from ASPECTSLib.evidence import average_slices, averaged_slices, gather_evidence, middle_slices
from ASPECTSLib.geometry import Volume, canonicalize, crop
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import read_scan
from ASPECTSLib.preprocessing.brain import brain_mask, check_brain
from ASPECTSLib.preprocessing.midplane import find_midplane
from ASPECTSLib.preprocessing.units import to_hounsfield
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.haemorrhage import Finding, Haemorrhage, find_haemorrhage
from ASPECTSLib.scoring.mirrored_brain import mirror_brain
from ASPECTSLib.scoring.old_infarct import OldInfarct, find_old_infarct
from ASPECTSLib.synthesis.anatomy_folder import AnatomyFolder
from ASPECTSLib.synthesis.distractors import NO_DISTRACTORS, DistractorRates
from ASPECTSLib.synthesis.generator import (
    Patient,
    PatientRange,
    Sources,
    draw_patient,
    labels_on,
    scan_patient,
)
from ASPECTSLib.synthesis.lesion_shapes import load_shapes
from ASPECTSLib.training.unseen import ANATOMY_FOLDER, LESION_FOLDER, measured_scanners

REPOSITORY = Path(__file__).resolve().parents[2]
SCANS = REAL_CT | {"stripped": "ncct/mca-infarct-mni/NCCT_brain.nii.gz"}

KINDS = {
    "bleeding": ("haemorrhage",),
    "calcified": ("pineal", "choroid_plexus", "falx", "pallidum"),
    "lacunes": ("lacunes",),
    "leukoaraiosis": ("leukoaraiosis",),
    "old": ("old_infarct",),
    "plain": (),
}
TYPICAL = "typical"
"""All findings as often as in patients, without blood."""

SIZES_ML = (1.0, 2.0, 4.0, 8.0)
BLOOD_HU = (58.0, 65.0)
PLACES = (RegionCode.L, RegionCode.M5)
_SEED = 7
_SUBSLICES = 5
_EDGE_MM = 1.0
_NOISE_HU = 3.0  # of slices of 5 mm


@dataclass(frozen=True, eq=False)
class Prepared:
    """A head on averaged slices with what is looked at."""

    volume: Volume
    mask: Volume
    reflection: NDArray[np.float64]
    labels: NDArray[np.uint8]

    def look(self) -> tuple[Haemorrhage, OldInfarct]:
        """Return what is found."""
        evidence = gather_evidence(self.volume, self.mask, 1)
        brain = mirror_brain(
            crop(self.volume, evidence.box),
            evidence.smoothed,
            self.reflection,
            evidence.mask.array,
            self.labels[evidence.box],
        )
        return find_haemorrhage(brain), find_old_infarct(brain)


def main() -> None:
    """Print the tables."""
    arguments = _parser().parse_args()
    if arguments.what == "real":
        print_real(arguments)
        return
    for kind in arguments.kind:
        print_synthetic(arguments, kind)


def print_real(arguments: argparse.Namespace) -> None:
    """Print what is found in real scans, and in how many places blood is found by its size and density."""
    atlas = load_atlas()
    for name in arguments.scan:
        head = _real(arguments.data / SCANS[name], atlas)
        blood, old = head.look()
        print(
            f"{name}: blood {blood.finding.name} {blood.largest_ml:.1f} mL, "
            f"old infarct {old.volume_ml:.1f} mL",
            flush=True,
        )
        for hu in BLOOD_HU:
            for size_ml in SIZES_ML:
                certain, suspected, count = _implanted(head, size_ml, hu)
                print(
                    f"{name}: {size_ml:.1f} mL of blood of {hu:.0f} HU in {count} places: "
                    f"{certain} certain, {suspected} suspected",
                    flush=True,
                )


def print_synthetic(arguments: argparse.Namespace, kind: str) -> None:
    """Print what is found in patients of a kind, one a line, and how many are called."""
    found = []
    for number, patient, head, truth_ml in _patients(arguments, kind):
        blood, old = head.look()
        found.append((blood.finding, old.volume_ml, *truth_ml))
        print(
            f"{kind} {number}: blood {truth_ml[0]:.1f} mL, {blood.finding.name} {blood.largest_ml:.1f} mL; "
            f"old infarct in the regions {truth_ml[1]:.1f} mL, found {old.volume_ml:.1f} mL; "
            f"{patient.head.age_years:.0f} years",
            flush=True,
        )
    calls = {finding.name: sum(row[0] is finding for row in found) for finding in Finding}
    print(
        f"{kind}: {len(found)} patients; blood {calls}; old infarct {sum(r[1] > 0 for r in found)}"
    )


def _real(path: Path, atlas: Atlas) -> Prepared:
    in_hu, _ = to_hounsfield(read_scan(path).volume)
    volume = canonicalize(in_hu).volume
    found = delineate(volume, atlas, RegionSource.REGISTRATION, Progress())
    labels = middle_slices(found.labels.array, averaged_slices(volume))
    prepared = found.prepared
    return Prepared(prepared.volume, prepared.mask, prepared.midplane.reflection, labels)


def _implanted(head: Prepared, size_ml: float, hu: float) -> tuple[int, int, int]:
    """Return in how many places a ball of blood is certain, and suspected, and how many there are."""
    findings = []
    for code in PLACES:
        for side in Side:
            inside = head.labels == region_of(code, side).label
            if inside.any():
                findings.append(_with_blood(head, inside, size_ml, hu).look()[0].finding)
    certain = sum(finding is Finding.CERTAIN for finding in findings)
    return certain, sum(finding is Finding.SUSPECTED for finding in findings), len(findings)


def _with_blood(head: Prepared, inside: NDArray[np.bool_], size_ml: float, hu: float) -> Prepared:
    """Put a noisy ball of blood into the middle of a region."""
    volume = head.volume
    middle = np.argwhere(inside).mean(axis=0)
    radius_mm = (size_ml * 1000.0 * 3 / (4 * np.pi)) ** (1 / 3)
    reach = np.ceil((radius_mm + 2 * _EDGE_MM) / volume.spacing_mm[::-1]).astype(int) + 1
    first = np.maximum(np.rint(middle).astype(int) - reach, 0)
    box = tuple(slice(a, b) for a, b in zip(first, first + 2 * reach + 1, strict=True))
    part = volume.array[box]
    offsets_mm = (
        np.indices(part.shape).transpose(1, 2, 3, 0) + first - middle
    ) * volume.spacing_mm[::-1]
    share = np.zeros(part.shape)
    for step in (np.arange(_SUBSLICES) + 0.5) / _SUBSLICES - 0.5:
        shift_mm = np.array([step * volume.spacing_mm[2], 0.0, 0.0])
        depth_mm = radius_mm - np.linalg.norm(offsets_mm + shift_mm, axis=-1)
        share += np.clip(depth_mm / _EDGE_MM + 0.5, 0.0, 1.0) / _SUBSLICES
    blood = np.random.default_rng(_SEED).normal(hu, _NOISE_HU, part.shape)
    array = volume.array.astype(np.float32)
    array[box] = (1 - share) * part + share * blood
    return replace(head, volume=volume.with_array(array))


def _patients(
    arguments: argparse.Namespace, kind: str
) -> Iterator[tuple[int, Patient, Prepared, tuple[float, float]]]:
    """Draw and prepare patients; their blood and their old infarct inside the regions in mL, as drawn."""
    atlas, data = load_atlas(), arguments.data
    anatomies = AnatomyFolder(data / ANATOMY_FOLDER, atlas, arguments.cache)
    sources = Sources(anatomies, load_shapes(data / LESION_FOLDER, atlas, arguments.cache))
    every = PatientRange(healthy=0.5, distractors=_rates(kind), scanners=measured_scanners())
    index = sorted((*KINDS, TYPICAL)).index(kind)
    for number in range(arguments.first, arguments.first + arguments.n):
        patient = draw_patient(sources, (_SEED, index, number), every)
        scan = scan_patient(patient, Modality.NCCT, every)
        volume = average_slices(canonicalize(scan.images["ncct"]).volume)
        mask = brain_mask(volume)
        try:
            check_brain(volume, mask)
        except ContentRefusedError as error:
            print(f"{kind} {number}: {error.code}")
            continue
        labels = labels_on(scan, volume, ("regions",))[0]
        head = Prepared(volume, mask, find_midplane(volume).reflection, labels)
        ill = patient.head.distractors
        old = ill.old_infarct[patient.head.regions > 0]
        yield number, patient, head, (float(ill.haemorrhage.sum()) / 1000, float(old.sum()) / 1000)


def _rates(kind: str) -> DistractorRates:
    if kind == TYPICAL:
        return replace(DistractorRates(), haemorrhage=(0.0, 0.0))
    return replace(NO_DISTRACTORS, **dict.fromkeys(KINDS[kind], (1.0, 1.0)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = Path(os.environ.get("ASPECTS_DATA", REPOSITORY.parent / "shared" / "data"))
    kinds = sorted((*KINDS, TYPICAL))
    parser.add_argument("what", choices=("real", "synthetic"))
    parser.add_argument("data", nargs="?", type=Path, default=default)
    parser.add_argument("--scan", nargs="+", choices=SCANS, default=list(SCANS))
    parser.add_argument("--kind", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--first", type=int, default=0, help="number of the first patient")
    parser.add_argument("--n", type=int, default=10, help="patients of each kind")
    parser.add_argument("--cache", type=Path, help="folder for prepared anatomies")
    return parser


if __name__ == "__main__":
    main()
