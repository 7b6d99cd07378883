"""The atlas registered to a head in the contrast of the modality: its pose, and the regions deformed to it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import exp

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.atlas.tissues import NCCT_CONTRAST_HU, Tissue
from ASPECTSLib.geometry import Volume, apply_affine
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.preprocessing.midplane import find_midplane
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.affine import register_affine
from ASPECTSLib.registration.mapping import Mapping, points_in_atlas
from ASPECTSLib.synthesis.contrasts import ADC, B0_SIGNAL, B_VALUE_S_PER_MM2, CBF

_LEVEL = 32.0  # median of the brain in registration, whatever the modality; as on CT
_BRIGHTEST = (
    1.8  # of the median: fluid on b0 images, infarcts and vessels do not pull the registration
)
_ADC_UNIT = 1e-6
_OCTANTS, _TO_OCTANT = 8, 0.25  # of a voxel, and how far their centres lie from its own, in voxels


@dataclass(frozen=True, eq=False)
class RegisteredAtlas:
    """The regions of an atlas, and where a registration has them in a scan.

    Parameters
    ----------
    regions
        uint8 label map in MNI152 space, 0 to 20.
    mapping
        From points of the scan to points of the atlas; the pose of the head is its matrix.
    """

    regions: Volume
    mapping: Mapping

    @classmethod
    def in_pose(cls, regions: Volume, scan_from_atlas: NDArray[np.float64]) -> RegisteredAtlas:
        """Return an atlas that is not deformed; the pose is a 4x4 affine matrix from MNI152 to the scan, RAS mm."""
        return cls(regions, Mapping(np.linalg.inv(scan_from_atlas)))

    @property
    def scan_from_atlas(self) -> NDArray[np.float64]:
        """4x4 affine matrix from MNI152 to the scan, RAS mm."""
        return np.linalg.inv(self.mapping.matrix)

    def shares_on(self, grid: Volume) -> NDArray[np.float32]:
        """Return how much of each voxel is background and each region.

        A voxel of a network is thicker than the insula: its centre alone says little of what is in it.

        Parameters
        ----------
        grid
            Any grid in the scan's frame; its values do not matter.

        Returns
        -------
        numpy.ndarray
            float32, shape (21, k, j, i): shares of the eight octants' centres that lie in each.
        """
        points_mm = points_in_atlas(self.mapping, grid)
        voxels = apply_affine(np.linalg.inv(self.regions.affine), points_mm)
        places = np.moveaxis(voxels[..., ::-1], -1, 0)
        along_k, along_j, along_i = np.gradient(places, axis=(1, 2, 3))
        shares = np.zeros((len(REGIONS) + 1, grid.array.size), np.float32)
        every = np.arange(grid.array.size)
        for k, j, i in product((-_TO_OCTANT, _TO_OCTANT), repeat=3):
            octant = places + k * along_k + j * along_j + i * along_i
            labels = ndimage.map_coordinates(self.regions.array, octant, order=0)
            shares[labels.ravel(), every] += 1 / _OCTANTS
        return shares.reshape(-1, *grid.array.shape)


def register_pose(
    volume: Volume, mask: Volume, modality: Modality, atlas: Atlas, progress: Progress | None = None
) -> NDArray[np.float64]:
    """Register the atlas to a brain.

    Parameters
    ----------
    volume
        Scan in the image frame; HU for CT.
    mask
        bool brain mask on the same grid, not empty.
    modality
        Of the scan: the atlas is rendered in its contrast.
    atlas
        Tissues in MNI152 space.
    progress
        Asked for cancellation.

    Returns
    -------
    numpy.ndarray
        4x4 affine matrix from MNI152 to the scan, RAS mm.
    """
    template = levelled_template(atlas, modality)
    fixed = levelled(volume, mask.array)
    # On CT the whole head is more symmetric than its brain; other modalities hardly show the head.
    seen = volume if modality.dicom_modality == "CT" else fixed
    matrix = register_affine(fixed, template, find_midplane(seen).pose, progress)
    return np.linalg.inv(matrix)


def contrast_of(modality: Modality) -> dict[Tissue, float]:
    """Return the brightness of each tissue in a modality, in any unit."""
    if modality is Modality.CBF:
        return dict(CBF)
    if modality is Modality.ADC:
        return dict(ADC)
    if modality is Modality.B0:
        return dict(B0_SIGNAL)
    if modality is Modality.DWI:
        return {t: B0_SIGNAL[t] * exp(-B_VALUE_S_PER_MM2 * _ADC_UNIT * ADC[t]) for t in Tissue}
    return dict(NCCT_CONTRAST_HU)


def levelled_template(atlas: Atlas, modality: Modality) -> Volume:
    """Return the atlas in the contrast of a modality, as `levelled` makes scans."""
    return levelled(atlas.render(contrast_of(modality)), atlas.brain_probability().array > 0.5)


def levelled(volume: Volume, inside: NDArray[np.bool_]) -> Volume:
    """Scale a brain to a median of `_LEVEL`, cut off what is brighter than tissue, and clear what lies outside.

    Parameters
    ----------
    volume
        In any unit.
    inside
        Brain mask on its grid, not empty.
    """
    median = float(np.median(volume.array[inside]))
    scaled = volume.array.astype(np.float32) * np.float32(_LEVEL / median)
    return volume.with_array(np.where(inside, np.clip(scaled, 0, _BRIGHTEST * _LEVEL), 0))
