"""Brain mask of CT and MR by a network."""

from __future__ import annotations

import numpy as np
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
from ASPECTSLib.preprocessing.components import largest_component

BRAIN_MODEL = "brain"


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
    if not mask.any():
        raise ContentRefusedError(ErrorCode.NO_BRAIN, "expected a brain in the scan, found none")
    return volume.with_array(largest_component(mask))
