"""One handedness for all scans, so that a mirrored scan gives the mirrored result, number for number."""

from __future__ import annotations

import numpy as np

from ASPECTSLib.geometry import Volume

_LIMITS_HU = (-100, 200)  # the head itself; air and metal do not decide


def mirror(volume: Volume) -> Volume:
    """Reverse the right-left axis of a volume in the image frame, about the middle of its grid."""
    return volume.with_array(np.ascontiguousarray(volume.array[..., ::-1]))


def is_heavier_on_the_left(volume: Volume) -> bool:
    """Tell whether the left half of the grid holds more density than the right half.

    Working always with the denser half on the right makes every later step run on the same numbers
    for a scan and its mirror image. Sums are of whole HU, and so exact in any order.

    Parameters
    ----------
    volume
        CT in HU, in the image frame.
    """
    half = volume.array.shape[2] // 2
    clipped = np.clip(volume.array, *_LIMITS_HU)
    left = int(np.rint(clipped[..., :half]).sum(dtype=np.int64))
    right = int(np.rint(clipped[..., volume.array.shape[2] - half :]).sum(dtype=np.int64))
    return left > right
