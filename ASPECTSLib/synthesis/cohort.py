"""Cohorts of synthetic patients: drawn case by case, and written as the labelled cohorts that training reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ASPECTSLib import __version__
from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import REGIONS, REGIONS_PER_SIDE, Side
from ASPECTSLib.io.images import write_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis.anatomy import Anatomy, atlas_anatomy
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.generator import (
    AFFECTED_FRACTION,
    Patient,
    PatientRange,
    Sources,
    SyntheticScan,
    Truth,
    draw_patient,
    scan_patient,
    truth_on,
)
from ASPECTSLib.synthesis.lesion_shapes import LesionShapes

SCHEMA_VERSION = 1

IMAGE_FILE = "image.nii.gz"
REGIONS_FILE = "regions.nii.gz"
INFARCT_FILE = "infarct.nii.gz"
BRAIN_FILE = "brain.nii.gz"
TISSUE_FILE = "tissue.nii.gz"
TRUTH_FILE = "truth.json"
COHORT_FILE = "cohort.json"

COHORT_STREAM = 3
"""First number of the seeds of written patients: training draws its own from streams 0 to 2."""

_ML_PER_VOXEL = 0.001  # anatomies have 1 mm
_DECIMALS = 4


@dataclass(frozen=True, eq=False)
class Material:
    """What patients are made from.

    Parameters
    ----------
    atlas
        As it ships.
    anatomies
        Heads; where there are none, each patient has a head drawn from the atlas.
    shapes
        Real infarcts; region-wise ones are drawn where they are None.
    """

    atlas: Atlas
    anatomies: Sequence[Anatomy] = ()
    shapes: LesionShapes | None = None

    def sources(self, seed: Sequence[int]) -> Sources:
        """Return what the patient of a seed is drawn from; ten seconds for a head of the atlas."""
        if len(self.anatomies):
            return Sources(self.anatomies, self.shapes)
        head = atlas_anatomy(self.atlas, Draw(seed).part("anatomy").generator)
        return Sources((head,), self.shapes)


@dataclass(frozen=True)
class CohortPlan:
    """Which patients a cohort has.

    Parameters
    ----------
    cases
        How many; case n depends on seed and n only, so that a longer cohort begins with the shorter one.
    seed
        Of the cohort.
    modalities
        Which each patient is scanned in.
    patients
        How patients differ.
    device
        Where the work is done.
    """

    cases: int
    seed: int
    modalities: tuple[Modality, ...] = (Modality.NCCT,)
    patients: PatientRange = field(default_factory=PatientRange)
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class CohortCase:
    """A patient of a cohort.

    Parameters
    ----------
    name
        Of the case and its folder.
    patient
        As drawn.
    mirrored
        Whether the head is the mirror image of its anatomy.
    """

    name: str
    patient: Patient
    mirrored: bool


class _Watched(Sequence[Anatomy]):
    """Anatomies that remember which one was taken."""

    def __init__(self, anatomies: Sequence[Anatomy]) -> None:
        self._anatomies = anatomies
        self.taken: Anatomy | None = None

    def __len__(self) -> int:
        return len(self._anatomies)

    def __getitem__(self, index: int) -> Anatomy:  # type: ignore[override]
        self.taken = self._anatomies[index]
        return self.taken


Record = dict[str, Any]
Seen = Callable[[SyntheticScan, Truth], None]
"""Is shown each scan and its truth, before they go."""


def case_name(number: int) -> str:
    """Return the name of a case, counted from 1."""
    return f"case-{number:04d}"


def draw_case(plan: CohortPlan, material: Material, number: int) -> CohortCase:
    """Draw a patient of a cohort, counted from 1."""
    seed = (COHORT_STREAM, plan.seed, number)
    sources = material.sources(seed)
    anatomies = _Watched(sources.anatomies)
    patient = draw_patient(replace(sources, anatomies=anatomies), seed, plan.patients, plan.device)
    mirrored = patient.head.anatomy is not anatomies.taken
    return CohortCase(case_name(number), patient, mirrored)


def write_case(
    case: CohortCase, plan: CohortPlan, folder: Path, progress: Progress, seen: Seen
) -> Record:
    """Scan a patient in all modalities and write images, label maps and truth into a folder for the case.

    Parameters
    ----------
    case
        From `draw_case`.
    plan
        Names modalities and scanners.
    folder
        Of the cohort; the case's own is made in it.
    progress
        Asked between modalities whether to go on.
    seen
        Is shown each scan.

    Returns
    -------
    dict
        What `truth.json` says.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    scans, truth = {}, None
    for modality in plan.modalities:
        progress.check()
        scan = scan_patient(case.patient, modality, plan.patients)
        truth = truth_on(scan, scan.acquisition.grid)
        name = modality.value.lower()
        write_scan(scan, truth, folder / case.name / name)
        scans[name] = _scan_record(scan, truth)
        seen(scan, truth)
    record = _case_record(case, truth, scans)
    write_json(record, folder / case.name / TRUTH_FILE)
    return record


def write_scan(scan: SyntheticScan, truth: Truth, folder: Path) -> None:
    """Write the images of a scan, its main one as `image.nii.gz`, and its label maps into a new folder.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    folder.mkdir(parents=True)
    main = scan.modality.value.lower()
    for name, volume in scan.images.items():
        write_image(volume, folder / (IMAGE_FILE if name == main else f"{name}.nii.gz"))
    write_image(truth.regions, folder / REGIONS_FILE)
    write_image(truth.infarct, folder / INFARCT_FILE)
    write_image(truth.brain, folder / BRAIN_FILE)
    write_image(truth.tissue, folder / TISSUE_FILE)


def cohort_record(
    plan: CohortPlan, material: Material, sources: Sequence[Mapping[str, str]]
) -> Record:
    """Return what `cohort.json` says.

    Parameters
    ----------
    plan, material
        Of the cohort.
    sources
        Name, licence and, where there is one, DOI of all data that the patients are made from.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "synthetic": True,
        "cases": plan.cases,
        "seed": plan.seed,
        "modalities": [modality.value.lower() for modality in plan.modalities],
        "made_by": {"project": "ASPECTS for 3D Slicer", "version": __version__},
        "made_from": list(map(dict, sources)),
        "atlas": {
            "name": material.atlas.name,
            "version": material.atlas.version,
            "sha256": dict(sorted(material.atlas.sha256.items())),
        },
        "infarct_shapes": 0 if material.shapes is None else len(material.shapes),
        "device": plan.device,
        "options": _options(plan),
    }


def write_json(record: Record, path: Path) -> None:
    """Write a record; same record, same bytes."""
    text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="")


def _scan_record(scan: SyntheticScan, truth: Truth) -> Record:
    grid = scan.acquisition.grid
    voxels = int(np.count_nonzero(truth.infarct.array))
    return {
        "size": list(grid.size),
        "spacing_mm": [_rounded(mm) for mm in grid.spacing_mm],
        "infarct_volume_ml": _rounded(voxels * grid.voxel_volume_ml),
    }


def _case_record(case: CohortCase, truth: Truth | None, scans: Record) -> Record:
    head = case.patient.head
    if truth is None:
        message = "expected at least one modality, got none"
        raise ValueError(message)
    return {
        "schema_version": SCHEMA_VERSION,
        "synthetic": True,
        "case": case.name,
        "seed": list(case.patient.seed),
        "anatomy": {"name": head.anatomy.name, "mirrored": case.mirrored},
        "age_years": _rounded(head.age_years),
        "healthy": head.infarct is None,
        "infarct": _infarct_record(case.patient),
        "scans": scans,
        "affected_above": AFFECTED_FRACTION,
        "regions": _region_records(truth),
        "aspects": _aspects_record(truth),
    }


def _infarct_record(patient: Patient) -> Record | None:
    infarct = patient.head.infarct
    if infarct is None:
        return None
    # The patient is larger or smaller than the anatomy by the scale of the pose.
    scale = abs(float(np.linalg.det(patient.placement.head_from_scan[:3, :3])))
    volume_ml = float(infarct.core.double().sum()) * _ML_PER_VOXEL / scale
    return {
        "side": infarct.side.value,
        "age_hours": _rounded(infarct.age_hours),
        "volume_ml": round(volume_ml, 2),
    }


def _region_records(truth: Truth) -> list[Record]:
    affected = set(truth.affected())
    return [
        {
            "region": region.code.value,
            "side": region.side.value,
            "infarct_fraction": None if np.isnan(share) else _rounded(share),
            "affected": region in affected,
        }
        for region, share in zip(REGIONS, truth.fractions, strict=True)
    ]


def _aspects_record(truth: Truth) -> Record:
    """Return the points of both sides, named as in a result."""
    lost = {side: sum(r.side is side for r in truth.affected()) for side in Side}
    left, right = (REGIONS_PER_SIDE - lost[side] for side in (Side.LEFT, Side.RIGHT))
    worse = "left" if left < right else "right" if right < left else "bilateral"
    side = "none" if left == right == REGIONS_PER_SIDE else worse
    return {"score": min(left, right), "side": side, "left": left, "right": right}


def _options(plan: CohortPlan) -> Record:
    options = asdict(plan.patients)
    options["scanners"] = {
        modality.value.lower(): asdict(plan.patients.scanner(modality))
        for modality in plan.modalities
    }
    return options


def _rounded(value: float) -> float:
    return round(float(value), _DECIMALS)
