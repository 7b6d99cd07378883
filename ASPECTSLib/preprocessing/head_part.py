"""The head of a CT that goes on to neck and shoulders, as CT angiography from the aortic arch does."""

from __future__ import annotations

import numpy as np

from ASPECTSLib.geometry import CanonicalVolume, shrink, shrink_factors

HEAD_MM = 210.0
"""Below the vertex: a tall head down to the foramen magnum, tilted, takes some 180 mm."""

_WHOLE_UP_TO_MM = 240.0  # a little more than the head is left as it is
_HEAD_AREA_MM2 = (
    3000.0  # of a slice through scalp and skull 6 mm below the vertex; head rests have less
)
_BODY_ABOVE_HU = -200.0
_SPACING_MM = (4.0, 4.0, 4.0)


def head_of(canonical: CanonicalVolume) -> CanonicalVolume:
    """Return a CT without the slices that lie too far below the vertex to belong to the head.

    Parameters
    ----------
    canonical
        In HU, in the image frame.

    Returns
    -------
    CanonicalVolume
        The same object where the scan ends at the head, or shows no body at all. What is found in the part is brought
        back to the whole scan by its `restore`.
    """
    volume = canonical.volume
    factors = shrink_factors(volume, _SPACING_MM)
    coarse = shrink(volume, factors)
    pixel_mm2 = float(coarse.spacing_mm[0] * coarse.spacing_mm[1])
    areas_mm2 = (coarse.array > _BODY_ABOVE_HU).sum(axis=(1, 2)) * pixel_mm2
    with_body = np.flatnonzero(areas_mm2 > _HEAD_AREA_MM2)
    if not with_body.size:
        return canonical
    slice_mm = float(volume.spacing_mm[2])
    vertex = (int(with_body[-1]) + 1) * factors[2]
    if vertex * slice_mm <= _WHOLE_UP_TO_MM:
        return canonical
    return canonical.from_slice(vertex - round(HEAD_MM / slice_mm))
