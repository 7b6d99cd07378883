"""Intensities made ready for registration and comparison."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ASPECTSLib.geometry import Volume, disk

REGISTRATION_WINDOW_HU = (0.0, 60.0)
"""CSF to grey matter."""

_BRIGHTER_HU = 45.0  # than the brain's median: no tissue is
_RIM_MM = 1.0  # of partial volume around it


def registration_image(volume: Volume, mask: Volume, typical_hu: float) -> Volume:
    """Clip a CT to the brain window, shift it to a typical density, and clear everything outside the brain.

    Vessels with contrast agent, calcification, clot and blood become as dense as the brain's median, so that they do
    not pull the registration: the atlas has none, and where it has the fluid of a fissure there are arteries.

    Parameters
    ----------
    volume
        CT in HU.
    mask
        Brain mask on the same grid.
    typical_hu
        Median that brain tissue should have; scanners differ by some HU.

    Returns
    -------
    Volume
        float32, 0 outside the brain.
    """
    inside = mask.array
    lowest, highest = REGISTRATION_WINDOW_HU
    median_hu = float(np.median(volume.array[inside]))
    bright = inside & (volume.array > median_hu + _BRIGHTER_HU)
    bright = ndimage.binary_dilation(bright, disk(_RIM_MM, volume.spacing_mm))
    density = np.where(bright, np.float32(median_hu), volume.array)[inside]
    array = np.zeros(volume.array.shape, np.float32)
    array[inside] = np.clip(density + np.float32(typical_hu - median_hu), lowest, highest)
    return volume.with_array(array)


def smooth_in_plane(volume: Volume, mask: Volume, sigma_mm: float) -> Volume:
    """Smooth each slice within a mask, so that nothing from outside leaks in (normalised convolution).

    Parameters
    ----------
    volume
        Any scalar volume.
    mask
        bool, on the same grid.
    sigma_mm
        Standard deviation of the Gaussian in the slice plane.

    Returns
    -------
    Volume
        float32; 0 outside the mask.
    """
    sigma = (0.0, *(sigma_mm / volume.spacing_mm[[1, 0]]))
    weights = ndimage.gaussian_filter(mask.array.astype(np.float32), sigma, truncate=3.0)
    values = np.where(mask.array, volume.array, 0).astype(np.float32)
    smoothed = ndimage.gaussian_filter(values, sigma, truncate=3.0)
    return volume.with_array(
        np.divide(smoothed, weights, out=np.zeros_like(smoothed), where=mask.array)
    )
