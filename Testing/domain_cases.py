"""Real and synthetic head scans side by side, for measuring how far they differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from domain_measures import HeadCt
from numpy.typing import NDArray
from reference_cases import load_reference_cases

from ASPECTSLib.atlas.atlas import load_atlas
from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.io.images import read_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import read_scan
from ASPECTSLib.preprocessing.brain import brain_mask
from ASPECTSLib.synthesis.anatomy import anatomy_files, load_anatomy
from ASPECTSLib.synthesis.generator import (
    Patient,
    PatientRange,
    Sources,
    draw_patient,
    scan_patient,
    truth_on,
)
from ASPECTSLib.synthesis.placement import ShapeRange
from ASPECTSLib.synthesis.scanners import SCANNERS
from ASPECTSLib.training.reference_scans import reference_dwi

REAL_CT = {
    "sub001": "ncct/ct-aspects/sub001/im.nii.gz",
    "sub002": "ncct/ct-aspects/sub002/im.nii.gz",
    "normal": "dicom/ct-normal",
    "with DWI": "dicom/ct-and-dwi/CT",
    "tilted": "dicom/ct-gantry-tilt",
}
"""Scans as they were taken; interpolation changes noise and edges."""

INTERPOLATED = ("with DWI", "tilted")
"""Their gantry was tilted: rows are shifted on reading, so that their noise says little."""

_SEED = 1973
_THICK_MM = (4.0, 6.0)  # as the real ones
_TILT_DEG = 12.0  # of patients whose slices follow the head, as in the real ones


@dataclass(frozen=True, eq=False)
class HeadDwi:
    """A diffusion-weighted scan with its brain, both of shape (k, j, i)."""

    name: str
    signal: NDArray[np.float32]
    brain: NDArray[np.bool_]
    spacing_mm: tuple[float, ...]


def real_cts(data: Path) -> Iterator[HeadCt]:
    """Give the real head CT as they were taken."""
    for name, path in REAL_CT.items():
        volume = canonicalize(read_scan(data / path).volume).volume
        yield HeadCt(name, volume, brain_mask(volume).array.astype(bool))


def region_cts(data: Path) -> Iterator[HeadCt]:
    """Give the real head CT with regions, rotated to be symmetric."""
    for case in load_reference_cases(data):
        volume = canonicalize(read_image(case.aligned_path)).volume
        yield HeadCt(case.name, volume, case.brain, case.regions, case.affected)


def real_dwis(data: Path) -> Iterator[HeadDwi]:
    """Give the real diffusion-weighted scans."""
    for scan in reference_dwi(data):
        yield _head_dwi(scan.name, scan.volume, scan.brain.array)


def synthetic_patients(data: Path, cache: Path, count: int) -> Iterator[Patient]:
    """Give patients made from the public anatomies, one each."""
    atlas = load_atlas()
    files = anatomy_files(data / "anatomy" / "synthseg")
    for number in range(count):
        anatomy = load_anatomy(files[number % len(files)], atlas, cache)
        yield draw_patient(Sources((anatomy,)), (_SEED, number), patient_range(_THICK_MM))


def synthetic_ct(patient: Patient, slice_mm: tuple[float, float] = _THICK_MM) -> HeadCt:
    """Scan a patient."""
    scan = scan_patient(patient, Modality.NCCT, patient_range(slice_mm))
    volume = scan.images["ncct"]
    truth = truth_on(scan, volume)
    affected = frozenset(region.label for region in truth.affected(0.01))
    # The mask is that of the real ones: its errors are theirs.
    brain = brain_mask(volume).array.astype(bool)
    name = f"synthetic {patient.seed[1]}"
    return HeadCt(name, volume, brain, truth.regions.array, affected)


def synthetic_dwi(patient: Patient) -> HeadDwi:
    """Scan a patient with diffusion weighting."""
    scan = scan_patient(patient, Modality.DWI, PatientRange())
    truth = truth_on(scan, scan.images["dwi"])
    return _head_dwi(f"synthetic {patient.seed[1]}", scan.images["dwi"], truth.brain.array)


def patient_range(slice_mm: tuple[float, float]) -> PatientRange:
    """Return how patients differ, with slices of some thickness and the head nearly straight."""
    scanner = SCANNERS[Modality.NCCT]
    scanner = replace(scanner, scans=replace(scanner.scans, slice_mm=slice_mm))
    return PatientRange(
        healthy=0.6,
        shape=ShapeRange(max_tilt_deg=_TILT_DEG),
        scanners={Modality.NCCT: scanner},
    )


def _head_dwi(name: str, volume: Volume, brain: NDArray[np.bool_]) -> HeadDwi:
    spacing = tuple(float(s) for s in volume.spacing_mm)
    return HeadDwi(name, volume.array.astype(np.float32), brain.astype(bool), spacing)
