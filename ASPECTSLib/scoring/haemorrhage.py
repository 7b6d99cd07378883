"""Blood on non-contrast CT: bodies as dense as a clot, on one side, wide, and away from bone.

What else is dense is told apart by what it is like, not by name. Calcium is denser than blood can be. Pineal gland,
falx, straight and sagittal sinus lie on the midplane, and calcified pallida and choroid plexuses come in pairs: all of
them are mirrored on themselves or on each other. Arteries, dura and the partial volume of bone are thin. Below the
lowest region lie skull base and neck, where nothing is certain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.geometry import Box
from ASPECTSLib.scoring.bodies import largest_radius_mm, opened
from ASPECTSLib.scoring.mirrored_brain import MirroredBrain

DENSE_HU = 50.0
"""Clotted blood is 50 to 90 HU, grey matter below 45 HU after smoothing."""

DENSE_OVER_MEDIAN_HU = 17.0
"""Scanners and skulls raise whole brains by some HU: the threshold lies this far above the median of the brain, and
not below `DENSE_HU`."""

CALCIUM_HU = 100.0
"""Nine tenths of a clot's voxels stay below this, with their noise: the density of blood is limited by its haematocrit
(New & Aronow 1976, doi:10.1148/121.3.635), that of calcium is not."""

OPENED_RADIUS_MM = 2.0
"""Dense bodies are cut where they are thinner than twice this, in the slice: arteries, dura and the rim of bone."""

MIN_RADIUS_MM = 3.5
"""Of the largest disk in a slice of a bleeding in the brain; 3.9 to 13 mm in synthetic ones of 1 to 30 mL."""

DEPTH_MM = 6.0
"""Distance from the border of the brain mask, within which bone and dura are dense, too."""

MIRRORED_WITHIN_HU = 8.0
"""Below the threshold: from there on the mirrored place counts as dense as well."""

MAX_MIRRORED_SHARE = 0.3
"""Of a body on one side; 0 to 0.21 in synthetic bleedings, 0.58 and more in calcified pallida."""

CERTAIN_ML = 1.5
"""Deep blood on one side from which the scan is out of scope."""

SUSPECTED_ML = 0.5
"""The same from which it is flagged: a synthetic bleeding of about 1 mL, as its edge is below the threshold."""

POSTERIOR_ML = 1.5
"""The same below the lowest region, if half of the body lies deep: petrous bones harden the beam there, and muscles of
the neck can be taken for brain."""

SURFACE_ML = 3.0
"""Blood along the skull from which it is flagged; up to 2.3 mL were measured in its absence."""

SURFACE_HEIGHT_MM = 20.0
"""Above the lowest region: below, orbits and face can be taken for brain in a tilted head."""

SURFACE_CERTAIN_ML = 10.0
"""The same from which the scan is out of scope."""

PAIRED_ML = 3.0
"""Deep bodies on the midplane or on both sides alike, from which blood in the ventricles has to be thought of."""


class Finding(IntEnum):
    """What a dense body amounts to."""

    NONE = 0
    SUSPECTED = 1
    CERTAIN = 2


@dataclass(frozen=True)
class Haemorrhage:
    """What was found.

    Parameters
    ----------
    finding
        The gravest of all bodies.
    largest_ml, total_ml
        Volume of the largest body that amounts to anything, and of all of them; as dense as blood, so that the soft
        edge of a bleeding is left out.
    """

    finding: Finding
    largest_ml: float = 0.0
    total_ml: float = 0.0


NO_HAEMORRHAGE = Haemorrhage(Finding.NONE)


@dataclass(frozen=True)
class _Body:
    """A connected dense body; what is measured in it, is measured in its deep part where that is large enough.

    The height is that above the lowest region.
    """

    volume_ml: float
    deep_ml: float
    radius_mm: float
    mirrored_share: float
    density_hu: float
    height_mm: float

    @property
    def is_above_base(self) -> bool:
        return self.height_mm >= 0

    @property
    def is_paired(self) -> bool:
        return self.mirrored_share > MAX_MIRRORED_SHARE

    @property
    def finding(self) -> Finding:
        """Return what this body amounts to."""
        if self.density_hu > CALCIUM_HU:
            return Finding.NONE
        wide_ml = self.deep_ml if self.radius_mm >= MIN_RADIUS_MM else 0.0
        if self.is_paired or not self.is_above_base:
            least_ml = PAIRED_ML if self.is_above_base else POSTERIOR_ML
            is_inside = wide_ml >= max(least_ml, self.volume_ml / 2)
            is_inside &= self.is_above_base or not self.is_paired
            return Finding.SUSPECTED if is_inside else Finding.NONE
        surface_ml = self.volume_ml if self.height_mm >= SURFACE_HEIGHT_MM else 0.0
        if wide_ml >= CERTAIN_ML or surface_ml >= SURFACE_CERTAIN_ML:
            return Finding.CERTAIN
        is_enough = wide_ml >= SUSPECTED_ML or surface_ml >= SURFACE_ML
        return Finding.SUSPECTED if is_enough else Finding.NONE


def find_haemorrhage(brain: MirroredBrain) -> Haemorrhage:
    """Look for blood in a brain.

    Made for synthetic bleedings of deep nuclei and under the dura, and for calcification, dense arteries and beam
    hardening to be told from them; no real bleeding was at hand. Blood of low haematocrit or some days old is not
    denser than brain, and is not found; nor is a film of blood in the sulci.

    Parameters
    ----------
    brain
        With its mirror image, and with its regions, which tell where the skull base is.
    """
    if not brain.mask.any():
        return NO_HAEMORRHAGE
    bodies = [body for body in _bodies(brain) if body.finding is not Finding.NONE]
    if not bodies:
        return NO_HAEMORRHAGE
    volumes_ml = [body.volume_ml for body in bodies]
    return Haemorrhage(
        max(body.finding for body in bodies), max(volumes_ml), float(sum(volumes_ml))
    )


def _bodies(brain: MirroredBrain) -> Iterator[_Body]:
    spacing_mm, voxel_ml = brain.smoothed.spacing_mm, brain.smoothed.voxel_volume_ml
    values = brain.smoothed.array
    median_hu = float(np.median(values[brain.mask]))
    threshold_hu = max(DENSE_HU, median_hu + DENSE_OVER_MEDIAN_HU)
    dense = brain.mask & (values > threshold_hu)
    labelled, _ = ndimage.label(opened(dense, OPENED_RADIUS_MM, spacing_mm))
    boxes = ndimage.find_objects(labelled)
    sizes_ml = np.bincount(labelled.ravel()) * voxel_ml
    large = [n for n, size_ml in enumerate(sizes_ml) if n and size_ml >= SUSPECTED_ML]
    if not large:
        return
    is_deep = _is_deep(brain)
    for number in large:
        box = boxes[number - 1]
        inside = labelled[box] == number
        deep = inside & is_deep[box]
        yield _measured(brain, box, inside, deep, threshold_hu)


def _is_deep(brain: MirroredBrain) -> NDArray[np.bool_]:
    padded = np.pad(brain.mask, 1)  # the scan's ends count as borders
    spacing_kji = brain.smoothed.spacing_mm[::-1]
    depth_mm = ndimage.distance_transform_edt(padded, sampling=spacing_kji)
    return depth_mm[1:-1, 1:-1, 1:-1] > DEPTH_MM


def _measured(
    brain: MirroredBrain,
    box: Box,
    inside: NDArray[np.bool_],
    deep: NDArray[np.bool_],
    threshold_hu: float,
) -> _Body:
    spacing_mm, voxel_ml = brain.smoothed.spacing_mm, brain.smoothed.voxel_volume_ml
    deep_ml = int(deep.sum()) * voxel_ml
    part = deep if deep_ml >= SUSPECTED_ML else inside
    mirrored = brain.reflected.array[box][part]
    middle = float(np.nonzero(part)[0].mean()) + box[0].start
    return _Body(
        volume_ml=int(inside.sum()) * voxel_ml,
        deep_ml=deep_ml,
        radius_mm=largest_radius_mm(part, spacing_mm),
        mirrored_share=float((mirrored > threshold_hu - MIRRORED_WITHIN_HU).mean()),
        density_hu=float(np.percentile(brain.density.array[box][part], 90)),
        height_mm=(middle - brain.lowest_slice) * float(spacing_mm[2]),
    )
