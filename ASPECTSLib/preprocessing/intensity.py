"""Intensities made ready for registration and comparison."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ASPECTSLib.geometry import Volume, disk

REGISTRATION_WINDOW_HU = (0.0, 60.0)
"""CSF to grey matter: calcification, clot and blood hardly pull the registration."""

_BRIGHTER_HU = 45.0  # than the brain's median: no tissue is
_RIM_MM = 1.0  # of partial volume around it


def registration_image(
    volume: Volume, mask: Volume, typical_hu: float, *, fills_vessels: bool = False
) -> Volume:
    """Clip a CT to the brain window, shift it to a typical density, and clear everything outside the brain.

    Parameters
    ----------
    volume
        CT in HU.
    mask
        Brain mask on the same grid.
    typical_hu
        Median that brain tissue should have; scanners differ by some HU.
    fills_vessels
        Whether contrast agent was given. What is denser than tissue becomes as dense as the brain's median, so that it
        does not pull the registration: the atlas has no vessels, and arteries lie where it has the fluid of a fissure.

    Returns
    -------
    Volume
        float32, 0 outside the brain.
    """
    inside = mask.array
    lowest, highest = REGISTRATION_WINDOW_HU
    median_hu = float(np.median(volume.array[inside]))
    density = volume.array
    if fills_vessels:
        bright = inside & (volume.array > median_hu + _BRIGHTER_HU)
        bright = ndimage.binary_dilation(bright, disk(_RIM_MM, volume.spacing_mm))
        density = np.where(bright, np.float32(median_hu), volume.array)
    array = np.zeros(volume.array.shape, np.float32)
    array[inside] = np.clip(density[inside] + np.float32(typical_hu - median_hu), lowest, highest)
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
