"""Old infarcts on non-contrast CT: tissue that turned to fluid, told from a new infarct by its density.

A new infarct is a few HU darker than the other side; an old one is about as dark as the ventricles. So are ventricles,
sulci and fissures: they lie outside of the regions, or on both sides alike, or they are narrow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.geometry import disk
from ASPECTSLib.scoring.bodies import largest_radius_mm, opened
from ASPECTSLib.scoring.mirrored_brain import MirroredBrain

FLUID_HU = 18.0
"""Old infarcts are 5 to 18 HU after smoothing; in a dark brain, they lie below half way from fluid to brain."""

FLUID_SHARE = 0.35
"""Of the way from fluid to the median of the brain, within which the middle of an old infarct lies; late infarcts of
white matter, 10 HU darker than normal, lie at 0.4 and above."""

FLUID_PERCENTILE = 0.5
"""Of the brain at the height of the regions: the density of its fluid. Ventricles are 1 to 5 % of it."""

BRIGHTER_MIRROR_HU = 4.0
"""Above the threshold of fluid: from there on the mirrored place is tissue."""

OPENED_RADIUS_MM = 2.5
"""Dark bodies are cut where they are thinner than twice this, in the slice: sulci and rims of ventricles."""

MIN_RADIUS_MM = 5.5
"""Of the largest disk in a slice; up to 5.2 mm in fissures that are wider on one side."""

MIN_REGION_SHARE, MIN_REGION_ML = 0.1, 0.5
"""Of an old infarct that lies in the twenty regions; ventricles that are wider on one side do not lie there."""

MARGIN_MM = 5.0
"""Around an old infarct, in the slice, within which tissue is darkened by it: its soft edge, and the smoothing."""


@dataclass(frozen=True, eq=False)
class OldInfarct:
    """Old infarcts of the regions.

    Parameters
    ----------
    mask
        bool: where they are.
    left_out
        bool: these places with a margin, and their mirror image; leave them out of comparisons of the sides.
    volume_ml
        Of `mask`.
    """

    mask: NDArray[np.bool_]
    left_out: NDArray[np.bool_]
    volume_ml: float


def find_old_infarct(brain: MirroredBrain) -> OldInfarct:
    """Find old infarcts that reach into the regions.

    Those of both sides at the same place, those narrower than 11 mm and lacunes are not found. A late infarct of white
    matter can be as dark as an old one.

    Parameters
    ----------
    brain
        With its mirror image and its regions.
    """
    found = np.zeros(brain.mask.shape, bool)
    if (brain.mask & (brain.labels > 0)).any():
        _add_bodies(found, brain)
    spacing_mm = brain.smoothed.spacing_mm
    left_out = found
    if found.any():
        left_out = ndimage.binary_dilation(found, disk(MARGIN_MM, spacing_mm)) & brain.mask
        left_out |= brain.mirrored_places(left_out)
    return OldInfarct(found, left_out, int(found.sum()) * brain.smoothed.voxel_volume_ml)


def _add_bodies(found: NDArray[np.bool_], brain: MirroredBrain) -> None:
    """Add the bodies that are old infarcts to a mask, in place."""
    values, spacing_mm = brain.smoothed.array, brain.smoothed.spacing_mm
    heights = np.flatnonzero(brain.labels.any(axis=(1, 2)))
    part = slice(heights[0], heights[-1] + 1)
    fluid, middle = np.percentile(values[part][brain.mask[part]], [FLUID_PERCENTILE, 50])
    threshold = min(FLUID_HU, float(fluid + middle) / 2)
    highest = fluid + FLUID_SHARE * (middle - fluid)
    dark = brain.mask & (values < threshold)
    dark &= brain.reflected.array > threshold + BRIGHTER_MIRROR_HU
    labelled, _ = ndimage.label(opened(dark, OPENED_RADIUS_MM, spacing_mm))
    for number, box in enumerate(ndimage.find_objects(labelled), start=1):
        body = labelled[box] == number
        in_regions = int((brain.labels[box][body] > 0).sum())
        least = max(MIN_REGION_SHARE * body.sum(), MIN_REGION_ML / brain.smoothed.voxel_volume_ml)
        if in_regions < least:
            continue
        is_old = float(np.median(values[box][body])) <= highest
        if is_old and largest_radius_mm(body, spacing_mm) >= MIN_RADIUS_MM:
            found[box] |= body
