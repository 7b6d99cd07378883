"""Whether contrast agent was given: known by the many vessels in the depth of the brain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, bounding_box, crop, shrink, shrink_factors

VESSEL_HU = 80.0
"""Blood without contrast agent has 40 to 60 HU, clots and thrombosed sinuses up to 80; with it, small vessels that
share their voxels with brain still lie above."""

MIN_BODIES = 15
"""Bright bodies in the depth of the brain, the worst slab left out. Forty CT angiographies of synthetic patients had 23
to 173, 32 CT of such patients without contrast agent 0 to 6, though one has metal, and five real ones 2 to 8."""

NOISE_FACTOR = 5.0
"""A body is denser than the tissue by this many standard deviations at least, so that noise makes none."""

SLAB_MM = 12.0
"""Metal spoils the slices that it lies in, two or three of 5 mm."""

_DEPTH_MM = 10.0  # from the skull: its edge is bright, too
_SPACING_MM = (1.0, 1.0, 1.0)
_CLOSED_VOXELS = 4
_TO_SIGMA = 1.4826  # from the median of absolute deviations
_SAMPLES = 200_000


def count_vessels(volume: Volume, mask: Volume) -> int:
    """Count the bright bodies in the depth of a brain, outside the slab that has most of them.

    Parameters
    ----------
    volume
        Head CT in HU, in the image frame, in slices of about 4 mm or more.
    mask
        bool brain mask on the same grid, not empty; what is enclosed by brain counts as such.
    """
    box = bounding_box(mask.array)
    factors = shrink_factors(volume, _SPACING_MM)
    coarse, brain = (shrink(crop(given, box), factors) for given in (volume, mask))
    deep = _depth_mm(brain.array > 0.5, coarse.spacing_mm) > _DEPTH_MM
    if not deep.any():
        return 0
    level = max(VESSEL_HU, _above_noise(coarse.array[deep]))
    labelled, _ = ndimage.label(deep & (coarse.array > level), np.ones((3, 3, 3), bool))
    return _without_worst_slab(labelled, float(coarse.spacing_mm[2]))


def shows_contrast(volume: Volume, mask: Volume) -> bool:
    """Tell whether contrast agent was given; parameters as of `count_vessels`."""
    return count_vessels(volume, mask) >= MIN_BODIES


def refuse_contrast(volume: Volume, mask: Volume) -> None:
    """Refuse a CT angiography that was given as a CT without contrast agent; parameters as of `count_vessels`.

    Raises
    ------
    ContentRefusedError
        WRONG_MODALITY.
    """
    vessels = count_vessels(volume, mask)
    if vessels >= MIN_BODIES:
        message = (
            f"expected a head CT without contrast agent, got one with {vessels} bright vessels in the depth of the "
            "brain: a CT angiography? Then give it as such, --cta"
        )
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, message)


def require_contrast(volume: Volume, mask: Volume) -> None:
    """Refuse a CT without contrast agent that was given as CT angiography; parameters as of `count_vessels`.

    Raises
    ------
    ContentRefusedError
        WRONG_MODALITY.
    """
    vessels = count_vessels(volume, mask)
    if vessels < MIN_BODIES:
        message = (
            f"expected a CT angiography, whose vessels are bright, got one with {vessels} bright bodies in the depth "
            "of the brain: a head CT without contrast agent? Then give it as such, --ncct"
        )
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, message)


def _without_worst_slab(labelled: NDArray[np.int32], slice_mm: float) -> int:
    """Count bodies outside the slab that most of them begin in: streaks from metal fill some slices."""
    first = [box[0].start * slice_mm for box in ndimage.find_objects(labelled)]
    if not first:
        return 0
    edges = np.arange(-SLAB_MM, max(first) + 2 * SLAB_MM, SLAB_MM / 2)
    counts, _ = np.histogram(first, edges)
    worst = int((counts[:-1] + counts[1:]).max())
    return len(first) - worst


def _depth_mm(brain: NDArray[np.bool_], spacing_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how deep each voxel lies in its slice of the brain, vessels at its surface filled in."""
    sampling = spacing_mm[[1, 0]]
    depths = []
    for image in brain:
        closed = ndimage.binary_closing(np.pad(image, _CLOSED_VOXELS), iterations=_CLOSED_VOXELS)
        filled = ndimage.binary_fill_holes(closed)
        inner = (slice(_CLOSED_VOXELS, -_CLOSED_VOXELS),) * 2
        depths.append(ndimage.distance_transform_edt(filled, sampling=sampling)[inner])
    return np.stack(depths)


def _above_noise(values: NDArray[np.float32]) -> float:
    step = max(len(values) // _SAMPLES, 1)
    sample = values[::step]
    median = float(np.median(sample))
    return median + NOISE_FACTOR * _TO_SIGMA * float(np.median(np.abs(sample - median)))
