"""A head drawn from the atlas: the average anatomy, made individual by noise where tissues compete."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.tissues import INTRACRANIAL, Tissue
from ASPECTSLib.geometry import Volume, bounding_box, crop, resample

FINE_SPACING_MM = 1.0
_FOLDING_SIGMA_MM = 2.0  # size of the gyri that noise carves out of the average cortex
_FOLDING_STRENGTH = 0.6
_SKULL_MM = 6.0


def average_head(atlas: Atlas, rng: np.random.Generator) -> Volume:
    """Draw one tissue per voxel of a fine grid over the whole atlas.

    Inside the skull it is the likeliest after smooth noise was added, so that gyri and sulci appear
    where tissues compete; deep structures stay as they are. Outside lie a closed skull and the
    scalp.

    Parameters
    ----------
    atlas
        Gives the probabilities.
    rng
        Source of all randomness.

    Returns
    -------
    Volume
        Integers of `Tissue` in the atlas's space.
    """
    fine = _fine_grid(atlas)
    inside = resample(atlas.brain_probability(), fine).array > 0.5
    scalp = resample(atlas.probability(Tissue.SOFT_TISSUE, Tissue.BONE), fine).array
    tissue = np.where(scalp > 0.5, int(Tissue.SOFT_TISSUE), int(Tissue.AIR))
    skull = ndimage.distance_transform_edt(~inside) <= _SKULL_MM / FINE_SPACING_MM
    tissue[skull] = Tissue.BONE
    box = bounding_box(inside)
    part = crop(fine, box)
    best = np.full(part.array.shape, -np.inf, np.float32)
    drawn = np.zeros(part.array.shape, np.intp)
    for index in sorted(INTRACRANIAL):
        score = resample(_competing(atlas.probability(index), rng), part).array
        better = score > best
        best[better], drawn[better] = score[better], index
    tissue[box] = np.where(inside[box], drawn, tissue[box])
    return fine.with_array(tissue)


def _fine_grid(atlas: Atlas) -> Volume:
    """Return an empty fine grid over the whole atlas."""
    step = atlas.affine[0, 0] / FINE_SPACING_MM
    shape = tuple(int((n - 1) * step) + 1 for n in atlas.tissues.shape[1:])
    affine = atlas.affine.copy()
    affine[:3, :3] /= step
    return Volume(np.zeros(shape, np.uint8), affine)


def _competing(probability: Volume, rng: np.random.Generator) -> Volume:
    """Add smooth noise to a probability where it is neither 0 nor 1."""
    noise = rng.standard_normal(probability.array.shape, np.float32)
    noise = ndimage.gaussian_filter(noise, _FOLDING_SIGMA_MM / probability.spacing_mm[::-1])
    spread = np.sqrt(np.clip(probability.array * (1 - probability.array), 0, None))
    return probability.with_array(
        probability.array + _FOLDING_STRENGTH * spread * noise / noise.std()
    )
