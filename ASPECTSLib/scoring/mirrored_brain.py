"""A brain beside its own mirror image: what one side is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.geometry import Volume, resample


@dataclass(frozen=True, eq=False)
class MirroredBrain:
    """A CT of a brain and its mirror image on the midplane, all of one grid in the image frame.

    Parameters
    ----------
    density
        HU, on averaged slices.
    smoothed
        The same smoothed in-plane, 0 outside the brain.
    reflected
        `smoothed`, mirrored.
    reflection
        4x4 matrix that takes a point to its mirror image.
    mask
        bool: brain mask.
    labels
        uint8: region label map, 0 to 20.
    """

    density: Volume
    smoothed: Volume
    reflected: Volume
    reflection: NDArray[np.float64]
    mask: NDArray[np.bool_]
    labels: NDArray[np.uint8]

    @property
    def lowest_slice(self) -> int:
        """The lowest slice that shows a region; 0 where there are none."""
        slices = np.flatnonzero(self.labels.any(axis=(1, 2)))
        return int(slices[0]) if slices.size else 0

    def mirrored_places(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the mask of the places on the other side."""
        volume = self.smoothed.with_array(mask.astype(np.uint8))
        return resample(volume, self.smoothed, self.reflection, order=0).array > 0


def mirror_brain(
    density: Volume,
    smoothed: Volume,
    reflection: NDArray[np.float64],
    mask: NDArray[np.bool_],
    labels: NDArray[np.uint8],
) -> MirroredBrain:
    """Put a brain beside its mirror image; parameters as those of `MirroredBrain`."""
    reflected = resample(smoothed, smoothed, reflection)
    return MirroredBrain(density, smoothed, reflected, reflection, mask, labels)
