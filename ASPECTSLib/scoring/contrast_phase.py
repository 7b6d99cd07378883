"""When after the injection a CT angiography was taken: the density of arteries against that of veins.

Readers compare the arteries of the skull base with the large veins: arterial while these are hardly filled, venous once
they are the brighter ones (Pfaff et al. 2021, doi:10.1007/s00330-021-08084-5).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.geometry import Volume, apply_affine, crop

BLOOD_HU = 40.0
"""Of blood without contrast agent; what is above is filling."""

ARTERIAL_BELOW = 0.5
ARTERIOVENOUS = (0.75, 1.3)
VENOUS_FROM = 1.6
"""Filling of the veins as a share of the arteries'. Between these it is not said: on 24 synthetic angiographies in
slices of 4 to 6 mm, the share was off by a quarter, and above the true one by a sixth, as the arteries of the base are
thinner than the veins and lose more to their surroundings."""

LEAST_ARTERY_HU = 150.0
"""Below, no artery was found: with contrast agent they have 200 HU and more."""

_ARTERIES_MM = ((-45.0, -35.0, -40.0), (45.0, 35.0, 0.0))
_VEINS_MM = ((-5.0, -100.0, -30.0), (5.0, -30.0, 25.0))
"""Corners of boxes in the symmetric pose, from the middle between the lentiform nuclei: the arteries of the base, and
the great vein, the straight sinus and the hindmost part of the sagittal one."""

_FROM_BONE_MM = (3.0, 8.0)  # of arteries and veins: half a voxel of bone is as bright as they are
_BONE_HU = 500.0
_LEAST_BONE_ML = 2.0  # smaller bright bodies are vessels
_MARGIN_MM = 10.0
_SMOOTHED_MM = 1.4
_BRIGHTEST_MM3 = (60.0, 100.0)


class Phase(StrEnum):
    """What is filled: arteries, both, or veins more than arteries."""

    ARTERIAL = "arterial"
    ARTERIOVENOUS = "arteriovenous"
    VENOUS = "venous"


@dataclass(frozen=True)
class Contrast:
    """Density of the large vessels, HU; None where they were not found.

    Parameters
    ----------
    artery_hu, vein_hu
        Of the brightest voxels.
    """

    artery_hu: float | None
    vein_hu: float | None

    @property
    def share(self) -> float | None:
        """Filling of the veins as a share of that of the arteries."""
        if self.artery_hu is None or self.vein_hu is None or self.artery_hu < LEAST_ARTERY_HU:
            return None
        return max(self.vein_hu - BLOOD_HU, 0.0) / (self.artery_hu - BLOOD_HU)

    @property
    def phase(self) -> Phase | None:
        """The phase; None where it is not sure."""
        share = self.share
        if share is None:
            return None
        if share < ARTERIAL_BELOW:
            return Phase.ARTERIAL
        if ARTERIOVENOUS[0] <= share <= ARTERIOVENOUS[1]:
            return Phase.ARTERIOVENOUS
        return Phase.VENOUS if share >= VENOUS_FROM else None


def measure_contrast(
    volume: Volume, brain: NDArray[np.bool_], labels: NDArray[np.uint8], pose: NDArray[np.float64]
) -> Contrast:
    """Measure the density of arteries and veins.

    Parameters
    ----------
    volume
        CT angiography in HU, in the image frame, of any slices.
    brain
        bool mask on its grid: arteries are looked for within, as bone is as bright.
    labels
        Region label map, 0 to 20, on its grid.
    pose
        4x4 rigid matrix from the image frame to the symmetric pose, where the midsagittal plane is x = 0.
    """
    middle_mm = _middle_mm(volume, labels, pose)
    if middle_mm is None:
        return Contrast(None, None)
    matrix = pose.copy()
    matrix[1:3, 3] -= middle_mm[1:]
    return Contrast(
        _brightest(volume, brain, matrix, _ARTERIES_MM, _FROM_BONE_MM[0], _BRIGHTEST_MM3[0]),
        _brightest(volume, None, matrix, _VEINS_MM, _FROM_BONE_MM[1], _BRIGHTEST_MM3[1]),
    )


def _middle_mm(
    volume: Volume, labels: NDArray[np.uint8], pose: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the middle between the lentiform nuclei in the symmetric pose; None where one is missing."""
    centres = []
    for side in Side:
        voxels = np.argwhere(labels == region_of(RegionCode.L, side).label)
        if not len(voxels):
            return None
        centres.append(apply_affine(pose @ volume.affine, voxels[:, ::-1].mean(axis=0)))
    return np.mean(centres, axis=0)


def _brightest(
    volume: Volume,
    brain: NDArray[np.bool_] | None,
    matrix: NDArray[np.float64],
    corners_mm: tuple[tuple[float, ...], tuple[float, ...]],
    from_bone_mm: float,
    size_mm3: float,
) -> float | None:
    """Return the mean of the brightest voxels of a box away from bone, in HU; None where there are too few."""
    low, high = (np.array(corner) for corner in corners_mm)
    box = _voxel_box(volume, matrix, low - _MARGIN_MM, high + _MARGIN_MM)
    part = crop(volume, box)
    if part.array.size == 0:
        return None
    inside = _between(part, matrix, low, high) & (_bone_distance_mm(part) > from_bone_mm)
    if brain is not None:
        inside &= brain[box]
    pixels = _odd(_SMOOTHED_MM / float(part.spacing_mm[:2].mean()))
    smoothed = ndimage.uniform_filter(part.array.astype(np.float32), (1, pixels, pixels))
    values = np.sort(smoothed[inside])
    count = max(round(size_mm3 / (1000.0 * part.voxel_volume_ml)), 1)
    return float(values[-count:].mean()) if len(values) >= count else None


def _voxel_box(
    volume: Volume,
    matrix: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> tuple[slice, slice, slice]:
    corners = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), -1).reshape(-1, 3)
    indices = apply_affine(np.linalg.inv(matrix @ volume.affine), corners)
    first = np.clip(np.floor(indices.min(axis=0)), 0, volume.size).astype(int)
    last = np.clip(np.ceil(indices.max(axis=0)) + 1, 0, volume.size).astype(int)
    i, j, k = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return (k, j, i)


def _between(
    part: Volume,
    matrix: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return which voxels lie in a box of the pose."""
    to_pose = matrix @ part.affine
    k, j, i = np.ogrid[tuple(slice(n) for n in part.array.shape)]
    inside = np.ones(part.array.shape, bool)
    for row, lowest, highest in zip(to_pose[:3], low, high, strict=True):
        place = row[0] * i + row[1] * j + row[2] * k + row[3]
        inside &= (place > lowest) & (place < highest)
    return inside


def _bone_distance_mm(part: Volume) -> NDArray[np.float64]:
    """Return how far each voxel lies from bone in its slice."""
    labelled, _ = ndimage.label(part.array > _BONE_HU, np.ones((3, 3, 3), bool))
    is_bone = np.bincount(labelled.ravel()) * part.voxel_volume_ml > _LEAST_BONE_ML
    is_bone[0] = False
    sampling = part.spacing_mm[[1, 0]]
    return np.stack(
        [
            ndimage.distance_transform_edt(~image, sampling=sampling)
            if image.any()
            else np.full(image.shape, np.inf)
            for image in is_bone[labelled]
        ]
    )


def _odd(pixels: float) -> int:
    """Return the odd number nearest to a width: even ones would shift a mirrored scan."""
    return max(2 * round((pixels - 1.0) / 2.0) + 1, 1)
