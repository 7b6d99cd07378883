"""Whether a mask holds an adult's brain."""

from __future__ import annotations

import numpy as np

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume

BRAIN_ML = (600.0, 2200.0)
"""Volume inside an adult's skull, with room for a mask that is not perfect."""


def check_brain_volume(mask: Volume) -> None:
    """Refuse a mask that holds no adult brain.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN.
    """
    volume_ml = float(np.count_nonzero(mask.array)) * mask.voxel_volume_ml
    lowest, highest = BRAIN_ML
    if not lowest <= volume_ml <= highest:
        message = f"expected a brain of {lowest:.0f} to {highest:.0f} mL, found {volume_ml:.0f} mL"
        raise ContentRefusedError(ErrorCode.NO_BRAIN, message)
