"""How sharp an average is: the entropy of its grey levels (Sun et al. 2024, doi:10.1038/s41597-024-03973-y)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEVELS = 256


def image_entropy(image: NDArray[np.floating]) -> float:
    """Return the entropy of an image in bits; the lower, the sharper.

    Parameters
    ----------
    image
        Any shape, 0 outside the brain. It is stretched to 256 levels, from its lowest to its highest value, background
        included, as in the paper.
    """
    lowest, highest = float(image.min()), float(image.max())
    if highest == lowest:
        return 0.0
    levels = np.rint((image - lowest) / (highest - lowest) * (LEVELS - 1)).astype(np.intp)
    share = np.bincount(levels.ravel(), minlength=LEVELS) / levels.size
    present = share[share > 0]
    return float(-(present * np.log2(present)).sum())
