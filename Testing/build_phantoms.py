"""Coarse heads of the atlas, each stretched a little, as the labelled cohort that an atlas is built from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.atlas.tissues import NCCT_CONTRAST_HU
from ASPECTSLib.geometry import Volume, centred_affine, resample
from ASPECTSLib.io.images import write_image
from ASPECTSLib.registration.mapping import Mapping

SHAPE, SPACING_MM = (36, 80, 68), (3.0, 3.0, 5.0)
AGES = (25.0, 60.0, 62.0, 65.0)
_HEAD_MM = (0.0, -18.0, 8.0)  # middle of the head in the atlas


def coarse_atlas(atlas: Atlas) -> Atlas:
    """Return every second voxel of an atlas; it stays symmetric."""
    step = slice(None, None, 2)
    double = np.diag([2.0, 2.0, 2.0, 1.0])
    regions = Volume(atlas.regions.array[step, step, step], atlas.regions.affine @ double)
    tissues = np.ascontiguousarray(atlas.tissues[:, step, step, step])
    return replace(atlas, tissues=tissues, affine=atlas.affine @ double, regions=regions)


def patient(atlas: Atlas, seed: int) -> tuple[Volume, Volume]:
    """Return a scan and its regions: the atlas's head, stretched by up to 5 % along each axis, with noise."""
    rng = np.random.default_rng(seed)
    grid = Volume(np.zeros(SHAPE, np.int16), centred_affine(SHAPE, np.array(SPACING_MM)))
    to_atlas = np.diag([*(1.05 + rng.uniform(-0.05, 0.05, 3)), 1.0])
    to_atlas[:3, 3] = _HEAD_MM
    head = atlas.render(NCCT_CONTRAST_HU, brain_only=False)
    hu = resample(head, grid, to_atlas, fill=-1000.0).array + rng.normal(0.0, 2.0, SHAPE)
    # One side denser than the other, so that the agreed handedness is never a tie.
    hu[..., SHAPE[2] // 2 :] += np.where(hu[..., SHAPE[2] // 2 :] > 0, 0.5, 0.0)
    regions = resample(atlas.regions, grid, to_atlas, order=0)
    return grid.with_array(np.rint(hu).astype(np.int16)), regions


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


def affine_only(_fixed, _moving, matrix, *_, **__) -> Mapping:
    """Stand for the deformable registration: leave all as the affine one has it."""
    return Mapping(matrix)
