"""Coarse synthetic patients with their regions, as the labelled cohort that an atlas is built from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import write_image
from ASPECTSLib.registration.mapping import Mapping
from ASPECTSLib.synthesis.patient import Acquisition, make_patient

COARSE = Acquisition(size=(88, 96, 30), spacing_mm=(2.5, 2.5, 5.0))
AGES = (25.0, 60.0, 62.0, 65.0)


def patient(atlas: Atlas, seed: int) -> tuple[Volume, Volume]:
    """Return a scan and its regions."""
    made = make_patient(atlas, (), np.random.default_rng(seed), COARSE)
    return made.scan, made.regions


def write_case(folder: Path, scan: Volume, regions: Volume, age_years: float | None = None) -> Path:
    """Write a case as `aspects synthesize` does."""
    (folder / "ncct").mkdir(parents=True)
    write_image(scan, folder / "ncct" / "image.nii.gz")
    write_image(regions, folder / "ncct" / "regions.nii.gz")
    if age_years is not None:
        record = json.dumps({"age_years": age_years})
        (folder / "truth.json").write_text(record, encoding="utf-8")
    return folder


def mirrored(volume: Volume, *, labels: bool = False) -> Volume:
    """Return the mirror image of a volume on a grid that is centred left to right."""
    array = np.ascontiguousarray(volume.array[..., ::-1])
    return volume.with_array(swap_sides(array) if labels else array)


def affine_only(_fixed, _moving, matrix, _progress) -> Mapping:
    """Stand for the deformable registration: leave all as the affine one has it."""
    return Mapping(matrix)
