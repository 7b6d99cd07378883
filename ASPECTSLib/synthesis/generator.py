"""Synthetic patients: a head drawn from an anatomy, scanned in a modality, with the truth that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ASPECTSLib.atlas.regions import AFFECTED_FRACTION, REGIONS, Region
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.synthesis.acquisition import Acquisition, draw_acquisition, scan_labels
from ASPECTSLib.synthesis.anatomy import Anatomy
from ASPECTSLib.synthesis.distractors import DistractorRates, draw_distractors
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.head import Head, aged_tissue
from ASPECTSLib.synthesis.lesion_shapes import LesionShapes
from ASPECTSLib.synthesis.lesions import (
    InfarctOptions,
    draw_infarct,
    infarct_fraction,
    within_tissue,
)
from ASPECTSLib.synthesis.placement import Placement, ShapeRange, place
from ASPECTSLib.synthesis.scanners import SCANNERS, Scanner

LabelName = Literal["regions", "infarct", "brain", "tissue"]


@dataclass(frozen=True)
class PatientRange:
    """How patients differ.

    Parameters
    ----------
    age_years
        Drawn evenly.
    healthy
        Share without an acute infarct.
    shape
        Pose and shape.
    infarcts
        Where and how large.
    distractors
        How often.
    scanners
        How each modality is acquired; that of `SCANNERS` for those left out.
    """

    age_years: tuple[float, float] = (35.0, 92.0)
    healthy: float = 0.25
    shape: ShapeRange = field(default_factory=ShapeRange)
    infarcts: InfarctOptions = field(default_factory=InfarctOptions)
    distractors: DistractorRates = field(default_factory=DistractorRates)
    scanners: Mapping[Modality, Scanner] = field(default_factory=dict)

    def scanner(self, modality: Modality) -> Scanner:
        """Return how a modality is acquired.

        Raises
        ------
        UsageError
            METHOD_UNAVAILABLE for a modality that cannot be synthesised.
        """
        scanner = self.scanners.get(modality) or SCANNERS.get(modality)
        if scanner is None:
            known = ", ".join(known.value for known in SCANNERS)
            message = f"expected one of the modalities {known}, got {modality.value}"
            raise UsageError(ErrorCode.METHOD_UNAVAILABLE, message)
        return scanner


@dataclass(frozen=True, eq=False)
class Sources:
    """What patients are made from.

    Parameters
    ----------
    anatomies
        At least one; each serves as it is and as its mirror image.
    shapes
        Real infarcts; region-wise ones are drawn where they are None.
    """

    anatomies: Sequence[Anatomy]
    shapes: LesionShapes | None = None


@dataclass(frozen=True, eq=False)
class Patient:
    """A head and its place in a scanner; scan it with `scan_patient`."""

    head: Head
    placement: Placement
    seed: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of a scan, on its grid.

    Parameters
    ----------
    regions
        uint8 label map, 0 to 20.
    infarct, brain
        bool; the brain includes ventricles and sulci.
    tissue
        uint8 of `Tissue`.
    fractions
        Share of each region that is infarcted, in the order of `REGIONS`; counted in the anatomy, not on the grid.
    """

    regions: Volume
    infarct: Volume
    brain: Volume
    tissue: Volume
    fractions: NDArray[np.float64]

    def affected(self, threshold: float = AFFECTED_FRACTION) -> tuple[Region, ...]:
        """Return the regions of which more than a share is infarcted."""
        return tuple(
            r for r, share in zip(REGIONS, self.fractions, strict=True) if share > threshold
        )


@dataclass(frozen=True, eq=False)
class SyntheticScan:
    """One modality of a patient.

    Parameters
    ----------
    modality
        What it imitates.
    images
        By name: `ncct`, `cta`, `cbf`; `dwi`, `b0` and `adc`. All on one grid, in the units of `docs/DESIGN`: HU,
        mL/100 g/min, 1e-6 mm²/s, arbitrary.
    acquisition
        Grid and kernel.
    head
        What was scanned.
    placement
        Where the scanner saw each voxel of it, distortion included.
    """

    modality: Modality
    images: Mapping[str, Volume]
    acquisition: Acquisition
    head: Head
    placement: Placement


def draw_patient(
    sources: Sources,
    seed: Sequence[int],
    patients: PatientRange,
    device: torch.device | str = "cpu",
) -> Patient:
    """Draw a patient.

    Parameters
    ----------
    sources
        Anatomies and infarct shapes.
    seed
        Whole numbers that identify the patient: same seed, same patient.
    patients
        How patients differ.
    device
        Where the work is done.
    """
    draw = Draw(seed, device)
    who = draw.part("who")
    anatomy = who.pick(sources.anatomies)
    if who.chance(0.5):
        anatomy = anatomy.mirrored()
    age_years = who.uniform(*patients.age_years)
    is_healthy = who.chance(patients.healthy)
    tissue = aged_tissue(anatomy, age_years, draw.part("age"))
    infarct = None
    if not is_healthy:
        infarct = draw_infarct(anatomy, sources.shapes, draw.part("infarct"), patients.infarcts)
        infarct = within_tissue(infarct, tissue)
    ill = draw_distractors(
        tissue, anatomy, age_years, draw.part("distractors"), patients.distractors
    )
    regions = torch.from_numpy(anatomy.regions).to(draw.device)
    head = Head(anatomy, tissue, regions, age_years, infarct, ill)
    return Patient(head, place(anatomy, age_years, patients.shape, draw.part("place")), tuple(seed))


def scan_patient(patient: Patient, modality: Modality, patients: PatientRange) -> SyntheticScan:
    """Scan a patient; the patient lies differently in each modality's scanner only by its grid.

    Parameters
    ----------
    patient
        As drawn.
    modality
        What to acquire.
    patients
        Gives the scanner.

    Raises
    ------
    UsageError
        METHOD_UNAVAILABLE for a modality that cannot be synthesised.
    """
    scanner = patients.scanner(modality)
    draw = Draw(patient.seed, patient.head.tissue.device).part(modality.value)
    acquisition = draw_acquisition(scanner.scans, draw.part("grid"))
    placement = scanner.placed(patient.head, patient.placement, draw)
    images = scanner.scan(patient.head, placement, acquisition, draw)
    grid = acquisition.grid
    volumes = {name: grid.with_array(image) for name, image in images.items()}
    return SyntheticScan(modality, volumes, acquisition, patient.head, placement)


def truth_on(scan: SyntheticScan, grid: Volume) -> Truth:
    """Return the truth on any grid of the scan's frame."""
    regions, infarct, brain, tissue = (
        grid.with_array(array)
        for array in labels_on(scan, grid, ("regions", "infarct", "brain", "tissue"))
    )
    return Truth(
        regions=regions,
        infarct=infarct.with_array(infarct.array.astype(bool)),
        brain=brain.with_array(brain.array.astype(bool)),
        tissue=tissue,
        fractions=infarct_fraction(_core(scan.head), scan.head.regions),
    )


def labels_on(scan: SyntheticScan, grid: Volume, wanted: Sequence[LabelName]) -> NDArray[np.uint8]:
    """Return some label maps of what was scanned on any grid of the scan's frame, shape (wanted, k, j, i)."""
    head = scan.head
    makers = {
        "regions": lambda: head.regions,
        "infarct": lambda: (_core(head) > 0.5).to(torch.uint8),
        "brain": lambda: head.brain.to(torch.uint8),
        "tissue": lambda: head.tissue,
    }
    return scan_labels(torch.stack([makers[name]() for name in wanted]), scan.placement, grid)


def _core(head: Head) -> Tensor:
    return head.infarct.core if head.infarct else torch.zeros_like(head.distractors.old_infarct)
