"""Patients, tables and masks of the severity study, made in code."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ASPECTSLib.atlas.atlas import Atlas, load_atlas
from ASPECTSLib.atlas.regions import REGIONS, Region, Side
from ASPECTSLib.geometry import Volume, resample
from ASPECTSLib.io.images import write_image
from ASPECTSLib.statistics.bootstrap import Bootstrap
from ASPECTSLib.studies.infarcts import InfarctMeasure
from ASPECTSLib.studies.participants import Participant
from ASPECTSLib.studies.severity_analysis import Patient, StudyOptions

SPACING_MM = 4.0
QUICK = Bootstrap(resamples=100)


@lru_cache(maxsize=1)
def atlas() -> Atlas:
    """Return the atlas that ships."""
    return load_atlas()


@lru_cache(maxsize=1)
def coarse_labels() -> Volume:
    """Return the regions on a coarse grid, symmetric about x = 0."""
    size = np.array([40, 48, 40])
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    affine[:3, 3] = [-78.0, -112.0, -60.0]
    return resample(atlas().regions, Volume(np.zeros(size[::-1], np.uint8), affine), order=0)


def mask_of(*regions: Region) -> Volume:
    """Return a mask of whole regions on the coarse grid."""
    labels = coarse_labels()
    return labels.with_array(np.isin(labels.array, [region.label for region in regions]))


def infarct(side: Side | None, affected: int, volume_ml: float) -> InfarctMeasure:
    """Return an infarct that covers the first regions of a side by half."""
    shares = dict.fromkeys(REGIONS, 0.0)
    for region in [region for region in REGIONS if region.side is side][:affected]:
        shares[region] = 0.5
    side_ml = {each: volume_ml if each is side else 0.0 for each in Side}
    return InfarctMeasure(volume_ml, side_ml, tuple(shares.values()))


def mirrored(patient: Patient) -> Patient:
    """Return a patient with left and right exchanged."""
    old = patient.infarct
    side_ml = {side: old.side_ml[side.other] for side in Side}
    fractions = (*old.fractions[10:], *old.fractions[:10])
    new = InfarctMeasure(old.volume_ml, side_ml, fractions)
    return Patient(patient.participant_id, patient.participant, new)


def patients(count: int = 60, seed: int = 0) -> list[Patient]:
    """Return patients whose NIHSS rises with the infarct, with noise; every tenth has no NIHSS."""
    generator = np.random.default_rng(seed)
    made = []
    for number in range(count):
        affected = int(generator.integers(0, 11))
        side = (Side.LEFT, Side.RIGHT)[int(generator.integers(2))]
        volume_ml = float(np.round(affected * 12 + generator.uniform(0.2, 20), 3))
        nihss = int(np.clip(affected * 2 + generator.integers(-4, 5), 0, 42))
        row = Participant(None if number % 10 == 9 else nihss, number % 7)
        made.append(Patient(f"sub-{number}", row, infarct(side, affected, volume_ml)))
    return made


def options(**changes: object) -> StudyOptions:
    """Return quick options."""
    return StudyOptions(**{"bootstrap": QUICK, **changes})


def write_cohort(folder, count: int = 12):
    """Write masks of growing size, all of the left or right, and their table; return both paths."""
    masks = folder / "masks"
    masks.mkdir()
    rows = ["participant_id\tage\tnihss\tgs_rankin_6isdeath"]
    for number in range(count):
        side = (Side.LEFT, Side.RIGHT)[number % 2]
        regions = [region for region in REGIONS if region.side is side][: 1 + number * 8 // count]
        write_image(mask_of(*regions), masks / f"sub-{number}_lesion.nii.gz")
        rows.append(f"sub-{number}\t89+\t{2 * number}.0\t{'n/a' if number % 2 else '3.0'}")
    table = folder / "participants.tsv"
    table.write_text("\r\n".join(rows) + "\r\n", encoding="utf-8")
    return masks, table
