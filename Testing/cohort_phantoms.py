"""Cohorts made in code: a small head to draw synthetic patients from, and labelled scans in folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from synthetic_head_phantoms import phantom_anatomy

from ASPECTSLib.atlas.tissues import INTRACRANIAL, NCCT_CONTRAST_HU, Tissue
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.io.images import write_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.synthesis.anatomy import Anatomy
from ASPECTSLib.synthesis.scanners import SCANNERS, Scanner

HEAD_SHAPE = (97, 121, 97)
"""Voxels of 1 mm: a head that is small, and yet one."""

_SPACING_MM = np.array([5.0, 5.0, 5.0])
_NOISE_HU = 3.0


@cache
def small_anatomy() -> Anatomy:
    """Return a head of 97 mm that patients can be drawn from."""
    return phantom_anatomy(HEAD_SHAPE)


def coarse_scanners() -> Mapping[Modality, Scanner]:
    """Return the scanners with grids that are scanned in a fraction of a second."""
    coarse = {"in_plane_mm": (3.0, 4.0), "slice_mm": (5.0, 6.0)}
    return {m: replace(s, scans=replace(s.scans, **coarse)) for m, s in SCANNERS.items()}


def labelled_images(seed: int = 0, order: str = "") -> dict[str, Volume]:
    """Return a head CT with regions, brain and infarct mask on voxels of 5 mm, by file.

    Parameters
    ----------
    seed
        Of the noise.
    order
        `flipped` for a file whose axes run to the left and foot, in the order k, i, j; as they are when left out.
    """
    anatomy = phantom_anatomy()
    contrast = np.array([NCCT_CONTRAST_HU[tissue] for tissue in Tissue])
    noise = np.random.default_rng(seed).normal(0, _NOISE_HU, anatomy.tissue.shape)
    arrays: dict[str, Any] = {
        "image": np.rint(contrast[anatomy.tissue] + noise).astype(np.int16),
        "regions": anatomy.regions,
        "brain": np.isin(anatomy.tissue, [int(t) for t in INTRACRANIAL]).astype(np.uint8),
        "infarct": (anatomy.regions == 12).astype(np.uint8),
    }
    affine = centred_affine(anatomy.tissue.shape, _SPACING_MM)
    volumes = {f"{name}.nii.gz": Volume(array, affine) for name, array in arrays.items()}
    return {name: _flipped(v) if order == "flipped" else v for name, v in volumes.items()}


def write_labelled_scan(
    cohort: Path, case: str = "one", modality: str = "ncct", *, seed: int = 0, order: str = ""
) -> Path:
    """Write a labelled scan of a case; return its folder."""
    folder = cohort / case / modality
    folder.mkdir(parents=True)
    for name, volume in labelled_images(seed, order).items():
        write_image(volume, folder / name)
    return folder


def _flipped(volume: Volume) -> Volume:
    turned = np.ascontiguousarray(volume.array[::-1, :, ::-1].transpose(1, 2, 0))
    i, j, k = volume.array.shape[::-1]
    flip = np.array([[-1.0, 0, 0, i - 1], [0, 1, 0, 0], [0, 0, -1, k - 1], [0, 0, 0, 1]])
    # New (i, j, k) are the former (k, i, j).
    permute = np.array([[0.0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    assert j == volume.array.shape[1]
    return Volume(turned, volume.affine @ flip @ permute)
