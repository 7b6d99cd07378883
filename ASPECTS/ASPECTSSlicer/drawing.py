"""What is drawn in a result: regions and infarct as arrays, and a digest that tells whether they changed."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
import slicer
from numpy.typing import NDArray

from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSSlicer.grids import nodeAffine
from ASPECTSSlicer.layers import infarctMask, regionLabels

_INFARCT_BIT = 0x80  # above the labels of regions


class Drawing(NamedTuple):
    """Regions and infarct, indexed [k, j, i] on the grid that was scored; None for what was deleted.

    Parameters
    ----------
    labels
        uint8, labels as in `ASPECTSLib.atlas.regions`.
    infarct
        bool.
    """

    labels: NDArray[np.uint8] | None
    infarct: NDArray[np.bool_] | None


def readDrawing(
    regionsNode: slicer.vtkMRMLSegmentationNode | None,
    infarctNode: slicer.vtkMRMLSegmentationNode | None,
    gridNode: slicer.vtkMRMLScalarVolumeNode | None,
) -> Drawing:
    """Read what is drawn now, on the grid of a volume."""
    if gridNode is None:
        return Drawing(None, None)
    return Drawing(
        regionLabels(regionsNode, gridNode) if regionsNode is not None else None,
        infarctMask(infarctNode, gridNode) if infarctNode is not None else None,
    )


def digestOf(drawing: Drawing, gridNode: slicer.vtkMRMLScalarVolumeNode | None) -> str:
    """Return a digest of a drawing, the same for every order of the grid's axes; empty if parts are gone."""
    if drawing.labels is None or drawing.infarct is None or gridNode is None:
        return ""
    marked = drawing.labels | (drawing.infarct * np.uint8(_INFARCT_BIT))
    ordered = canonicalize(Volume(marked, nodeAffine(gridNode))).volume.array
    return hashlib.blake2b(ordered, digest_size=16).hexdigest()
