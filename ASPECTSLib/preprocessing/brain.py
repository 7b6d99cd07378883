"""Brain mask of a head CT, and whether the scan holds a whole brain at all."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, expand, shrink, shrink_factors
from ASPECTSLib.preprocessing.components import largest_component

_WORKING_SPACING_MM = 1.0  # finer costs time and gains nothing
_TISSUE_HU = (1.0, 100.0)  # CSF to fresh blood; 0 is the outside of scans clipped at 0 HU
_RESTORED_HU = (-20.0, 100.0)
_BRIDGE_MM = 3.0  # half-width of foramina and sutures to be closed; 3 to 5 mm give the same Dice within 0.001
_RESTORE_SLACK_MM = 0.5
_BONE_HU = 200.0
_SKULL_DISTANCE_MM = 8.0
_MIN_SKULL_CONTACT = 0.6
_MIN_BRAIN_ML = 500.0
_MAX_BRAIN_ML = 2300.0  # intracranial volume of adults is 1000 to 2000 mL
_BRAIN_HU = (15.0, 50.0)
_FLUID_HU = 22.0
_MIN_FLUID_FRACTION = 0.005
_MIN_HEIGHT_MM = 75.0  # vertex to the lower border of the ganglionic level, less a slice
_OPEN_END_FRACTION = (
    0.72  # area of an end slice over the largest one: the brain goes on beyond the scan
)

# Recipe of the ASPECTS-281 atlas, doi:10.1038/s41597-024-03973-y, "Pre-processing".
_RECIPE_RANGE_HU = (0.0, 120.0)
_RECIPE_MULTIPLIER = 12.0
_RECIPE_SEED_RADIUS_PIXELS = 5
_RECIPE_CLOSING_RADIUS_PIXELS = 10


def brain_mask(volume: Volume) -> Volume:
    """Mask the intracranial space: threshold, erode, keep the largest body, restore its rim.

    Parameters
    ----------
    volume
        CT in HU, in the image frame; with or without skull.

    Returns
    -------
    Volume
        bool on the same grid. Ventricles and sulci are included, bone and scalp are not.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN if nothing in the scan can be a brain.
    """
    factors = shrink_factors(volume, (_WORKING_SPACING_MM,) * 3)
    coarse = shrink(volume, factors)
    tissue = (coarse.array > _TISSUE_HU[0]) & (coarse.array < _TISSUE_HU[1])
    spacing_kji = coarse.spacing_mm[::-1]
    padded = np.pad(tissue, ((0, 0), (1, 1), (1, 1)))
    core = ndimage.distance_transform_edt(padded, sampling=spacing_kji)[:, 1:-1, 1:-1] > _BRIDGE_MM
    largest = largest_component(core)
    if not largest.any():
        raise ContentRefusedError(ErrorCode.NO_BRAIN, "no brain tissue was found in the scan")
    reach_mm = _BRIDGE_MM + _RESTORE_SLACK_MM
    near = ndimage.distance_transform_edt(~largest, sampling=spacing_kji) <= reach_mm
    mask = near & (coarse.array > _RESTORED_HU[0]) & (coarse.array < _RESTORED_HU[1])
    filled = np.stack([ndimage.binary_fill_holes(image) for image in mask])
    return expand(filled, factors, volume)


def check_brain(volume: Volume, mask: Volume) -> None:
    """Refuse what is no head CT, or not enough of a head.

    Parameters
    ----------
    volume
        CT in HU, in the image frame.
    mask
        Its brain mask.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN if volume, density or the surrounding skull are not those of a brain; PARTIAL_COVERAGE if the
        brain is cut off above or below so that ASPECTS regions are missing.
    """
    if not mask.array.any():
        raise ContentRefusedError(ErrorCode.NO_BRAIN, "no brain tissue was found in the scan")
    factors = shrink_factors(volume, (4.0, 4.0, 4.0))
    coarse, coarse_mask = shrink(volume, factors), shrink(mask, factors).array > 0.5
    volume_ml = float(coarse_mask.sum()) * coarse.voxel_volume_ml
    # Largest first: what is no head at all must not be refused for being cut off.
    _check_between("a brain", volume_ml, (0.0, _MAX_BRAIN_ML), "mL")
    density_hu = float(np.median(volume.array[mask.array]))
    _check_between("brain tissue", density_hu, _BRAIN_HU, "HU")
    _check_enclosure(coarse, coarse_mask)
    _check_coverage(mask)
    _check_between("a brain", volume_ml, (_MIN_BRAIN_ML, _MAX_BRAIN_ML), "mL")


def _check_between(what: str, value: float, limits: tuple[float, float], unit: str) -> None:
    if not limits[0] <= value <= limits[1]:
        wanted = f"{limits[0]:.0f} to {limits[1]:.0f}" if limits[0] else f"at most {limits[1]:.0f}"
        message = f"expected {what} of {wanted} {unit}, found {value:.0f} {unit}"
        raise ContentRefusedError(ErrorCode.NO_BRAIN, message)


def _check_enclosure(coarse: Volume, mask: NDArray[np.bool_]) -> None:
    """Refuse tissue without a skull around it, unless it is a stripped brain, which has ventricles and sulci."""
    bone = coarse.array > _BONE_HU
    if bone.any():
        contact = _skull_contact(coarse, mask, bone)
        if contact < _MIN_SKULL_CONTACT:
            message = f"expected a brain enclosed by the skull, found bone around {contact:.0%} of the tissue"
            raise ContentRefusedError(ErrorCode.NO_BRAIN, message)
    elif float((coarse.array[mask] < _FLUID_HU).mean()) < _MIN_FLUID_FRACTION:
        message = "expected a brain with ventricles, found even tissue without a skull"
        raise ContentRefusedError(ErrorCode.NO_BRAIN, message)


def brain_mask_confidence_connected(volume: Volume) -> Volume:
    """Mask the brain slice by slice with the recipe of the ASPECTS-281 atlas (the published reference).

    Confidence-connected growing from the middle of each slice within 0 to 120 HU, closing, largest component. It was
    made for the two key slices; elsewhere it leaks through the skull base, which is why `brain_mask` is the default.

    Parameters
    ----------
    volume
        CT in HU, in the image frame.

    Returns
    -------
    Volume
        bool on the same grid.
    """
    slices = [_confidence_connected(image.astype(np.float32)) for image in volume.array]
    return volume.with_array(np.stack(slices))


def _confidence_connected(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    lowest, highest = _RECIPE_RANGE_HU
    in_range = np.where((image >= lowest) & (image <= highest), image, highest * 10)
    seed = [n // 2 for n in image.shape[::-1]]
    grown = sitk.ConfidenceConnected(
        sitk.GetImageFromArray(in_range),
        seedList=[seed],
        numberOfIterations=1,
        multiplier=_RECIPE_MULTIPLIER,
        initialNeighborhoodRadius=_RECIPE_SEED_RADIUS_PIXELS,
    )
    inside = sitk.GetArrayFromImage(grown).astype(bool) & (image >= lowest) & (image <= highest)
    radius = [_RECIPE_CLOSING_RADIUS_PIXELS] * 2
    closed = sitk.BinaryMorphologicalClosing(
        sitk.GetImageFromArray(inside.astype(np.uint8)), radius
    )
    mask = sitk.GetArrayFromImage(closed).astype(bool)
    return largest_component(mask)


def _check_coverage(mask: Volume) -> None:
    areas = mask.array.sum(axis=(1, 2), dtype=np.int64)
    present = np.flatnonzero(areas)
    height_mm = float(present.size * mask.spacing_mm[2])
    open_below = present[0] == 0 and areas[0] > _OPEN_END_FRACTION * areas.max()
    open_above = present[-1] == len(areas) - 1 and areas[-1] > _OPEN_END_FRACTION * areas.max()
    if open_above or (open_below and height_mm < _MIN_HEIGHT_MM):
        end = "top" if open_above else "bottom"
        message = (
            f"expected the whole brain, but the scan ends inside it at the {end} "
            f"({height_mm:.0f} mm of brain are there); all ASPECTS regions must be in the scan"
        )
        raise ContentRefusedError(ErrorCode.PARTIAL_COVERAGE, message)


def _skull_contact(coarse: Volume, mask: NDArray[np.bool_], bone: NDArray[np.bool_]) -> float:
    """Share of the brain's in-plane rim that lies near bone."""
    in_plane = np.zeros((3, 3, 3), bool)
    in_plane[1] = ndimage.generate_binary_structure(2, 1)
    rim = mask & ~ndimage.binary_erosion(mask, in_plane)
    distance_mm = ndimage.distance_transform_edt(~bone, sampling=coarse.spacing_mm[::-1])
    return float((distance_mm[rim] <= _SKULL_DISTANCE_MM).mean())
