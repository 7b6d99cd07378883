"""Regions as a registration would have brought them to a patient: the true ones, off by a smooth displacement."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.inference.inputs import REGION_SHAPE, REGION_SPACING_MM
from ASPECTSLib.synthesis.draw import Draw

_KNOT_MM = 15.0  # errors of a registration are alike within a gyrus or two
_ERROR_MM = (1.0, 3.5)
"""Standard deviation along each axis. Regions so displaced have a Dice of 0.93 to 0.70 with the true ones; those of
`ASPECTSLib.registration` had 0.87 to 0.75 on synthetic patients that were not trained on."""


def as_registered(labels: NDArray[np.uint8], draw: Draw) -> NDArray[np.uint8]:
    """Displace the regions on the fine network's grid by a smooth random field.

    Parameters
    ----------
    labels
        True regions, 0 to 20, shape `REGION_SHAPE`.
    draw
        Of the displacement.

    Returns
    -------
    numpy.ndarray
        uint8, of the same shape.
    """
    error_mm = draw.log_uniform(*_ERROR_MM)
    knots = [
        round(n * mm / _KNOT_MM) + 3
        for n, mm in zip(REGION_SHAPE, REGION_SPACING_MM[::-1], strict=True)
    ]
    places = np.indices(REGION_SHAPE, np.float32)
    for axis, spacing_mm in enumerate(REGION_SPACING_MM[::-1]):
        coarse = draw.generator.standard_normal(knots, np.float32) * error_mm / spacing_mm
        ratio = [n / k for n, k in zip(REGION_SHAPE, knots, strict=True)]
        places[axis] += ndimage.zoom(coarse, ratio, order=2, mode="nearest")
    return ndimage.map_coordinates(labels, places, order=0, mode="nearest")
