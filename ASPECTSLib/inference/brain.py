"""Brain mask of CT and MR by a network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from torch import nn

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, resample
from ASPECTSLib.inference.inputs import (
    BRAIN_SHAPE,
    BRAIN_SPACING_MM,
    head_grid,
    intensities,
    on_grid,
)
from ASPECTSLib.inference.run import logits
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.preprocessing.components import cut_bridges, largest_component

# Fluid to fresh blood; what lies inside and is denser is filled in again.
_BRAIN_HU = (-20.0, 100.0)
_BRIDGE_MM = 3.0  # half-width of what connects the brain with sinuses and orbits
_UNSEEN_BONE_BRIDGE_MM = 8.0  # the same where no bone is seen between them
_BORDER_SHARE = 0.5  # of the brain's signal: a voxel of it is half brain, half the dark around it
_RESTORE_MM = 20.0  # bright infarcts at the surface were missed to a depth of 13 to 16 mm


def predict_brain(network: nn.Module, volume: Volume, modality: Modality) -> Volume:
    """Mask the intracranial space, ventricles and sulci included.

    Parameters
    ----------
    network
        Of the task `brain`.
    volume
        Scan in the image frame; HU for CT.
    modality
        Of the scan.

    Returns
    -------
    Volume
        bool on the scan's grid.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN or NO_SIGNAL if there is no head, or the network sees no brain in it.
    """
    grid = head_grid(volume, modality, BRAIN_SPACING_MM, BRAIN_SHAPE)
    image = on_grid(intensities(volume, modality), grid)
    difference = logits(network, image[None])
    inside = grid.with_array((difference[1] - difference[0]).astype(np.float32))
    # Interpolating logits, not labels, keeps the border smooth between voxels of the grid.
    mask = resample(inside, volume, fill=-1.0).array > 0
    if modality.dicom_modality == "CT":
        mask = _without_bone(volume, mask)
    elif modality is Modality.DWI and mask.any():
        brain = cut_bridges(mask, volume.spacing_mm[::-1], _UNSEEN_BONE_BRIDGE_MM)
        mask = _with_bright_rim(volume, brain)
    if not mask.any():
        raise ContentRefusedError(ErrorCode.NO_BRAIN, "expected a brain in the scan, found none")
    return volume.with_array(largest_component(mask))


def _without_bone(volume: Volume, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take bone and air at the border off a mask: on CT their density is known better than a network sees it."""
    low, high = _BRAIN_HU
    tissue = mask & (volume.array > low) & (volume.array < high)
    kept = cut_bridges(tissue, volume.spacing_mm[::-1], _BRIDGE_MM)
    return np.stack([ndimage.binary_fill_holes(image) for image in kept]) & mask


def _with_bright_rim(volume: Volume, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add what is as bright as brain and joins it broadly: with diffusion weighting, scalp and skull are dark.

    Networks take a bright infarct that reaches the surface for something else than brain, and it would be lost.
    """
    spacing_mm = volume.spacing_mm[::-1]
    near = ndimage.distance_transform_edt(~mask, sampling=spacing_mm) <= _RESTORE_MM
    bright = volume.array > _BORDER_SHARE * float(np.median(volume.array[mask]))
    return mask | cut_bridges(mask | (near & bright), spacing_mm, _BRIDGE_MM)
