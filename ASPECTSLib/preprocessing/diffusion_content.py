"""Whether images are the diffusion that they are said to be, as far as their voxels tell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, canonicalize, expand, shrink, shrink_factors
from ASPECTSLib.io.notes import NoteCode, ScanNote
from ASPECTSLib.preprocessing.grids import place_on
from ASPECTSLib.preprocessing.units import to_hounsfield

EXCHANGED_RATIO = 1.25
"""In DWI fluid is dark and in ADC it is bright, so that the two tell which is which.

Signal of the DWI where the ADC is highest (5 % of the brain), relative to tissue, over the ADC where the DWI is
brightest, relative to the same: at most 0.7 in two public cases and 1.1 in 32 synthetic ones, of severe atrophy too.
Exchanged, it is the inverse of that: above this in 30 of the 34.
"""

MAX_SIGNAL_OF_FLUID = 1.0
"""Of the DWI where the ADC is highest, relative to tissue: at most 0.4 in those cases, while a FLAIR image in place of
the ADC map gave 1.2."""

_BRIGHT_PERCENT = 5.0
# In an atrophied brain, fluid and the air of the rim are half of what is looked at: the median of it is no tissue's.
_TISSUE_PERCENTILE = 60.0
# Masks made from DWI can leave out the fluid around the brain, which tells most; what lies there can be air as well.
_RIM_MM = 8.0
_MIN_VOXELS = 200
_AIR_HU = -200.0
_MIN_AIR_FRACTION = 0.01  # rings of interpolation make some negative voxels of MR
_BONE_HU = 300.0
_MIN_BONE_FRACTION = 0.005
_DENSER_THAN_BRAIN_HU = 130.0
_BONE_DEPTH_MM = 10.0
_MAX_DEEP_SHARE = 0.1  # of what is brighter: 0.00 in five head CT, 0.44 and more in DWI, whose brightest is the brain
_MAX_LABELS = 64
_MIN_FLATNESS = 0.5  # share of neighbours of one value: label maps 0.9, 8-bit MR below 0.2
_LARGEST_8_BIT = 255
_SATURATED_FRACTION = 0.003
_SPACING_MM = (4.0, 4.0, 4.0)
_CLOSING_MM = 12.0  # bridges ventricles and sulci that are dark in DWI
_OTSU_BINS = 256
_ADC_MEDIANS = ((4e-4, 2e-3), (0.4, 2.0), (400.0, 2000.0))  # of a brain, in the three units
_WHOLE_UNIT = 100.0  # signal is this large as well; ADC in smaller units is told by its size
_MIN_SKEW = 0.3  # -1.5 to -0.6 in DWI, 0.35 with a large infarct of one side; 0.3 to 0.7 in ADC
_FAINT = 0.15
_MIN_HEAD_ML, _MAX_HEAD_ML = 600.0, 3000.0
_MAX_LATERALITY = 0.2  # share by which one side has more bright voxels: fluid 0.03 to 0.18


def check_diffusion(volume: Volume, adc: Volume | None = None) -> tuple[ScanNote, ...]:
    """Refuse an image that is no DWI, as far as voxels tell without a brain mask.

    Parameters
    ----------
    volume
        What is said to be diffusion-weighted, in whatever units.
    adc
        What is said to be its ADC map, in any unit, on any grid.

    Returns
    -------
    tuple of ScanNote
        What is suspicious, but occurs in DWI as well.

    Raises
    ------
    ContentRefusedError
        `WRONG_MODALITY` for CT, for an ADC map, and for DWI and ADC that seem exchanged;
        `IMPLAUSIBLE_UNITS` for labels; `NO_SIGNAL` where all voxels are equal.
    """
    array = volume.array
    if array.min() == array.max():
        message = f"expected a diffusion-weighted image, got {array.flat[0]} in every voxel"
        raise ContentRefusedError(ErrorCode.NO_SIGNAL, message)
    _refuse_labels(array)
    _refuse_ct(volume)
    canonical = canonicalize(volume)
    coarse = _coarse(canonical.volume)
    notes = _saturation_note(array)
    if adc is None:
        return notes + _adc_note(coarse)
    placed = place_on(adc, volume, "ADC map")[0]
    coarse_adc = _coarse(canonical.volume.with_array(canonical.reorder(placed.array)))
    refuse_unlike_pair(coarse, coarse_adc.array, _head_of_pair(coarse, coarse_adc))
    return notes


def refuse_unlike_pair(dwi: Volume, adc: NDArray[np.floating], brain: NDArray[np.bool_]) -> None:
    """Refuse a DWI and an ADC map of which each looks like the other, or one like neither.

    Parameters
    ----------
    dwi
        In any units.
    adc
        In any units on that grid, shape (k, j, i).
    brain
        Mask on that grid, with fluid and tissue. It is looked at with what is just outside, and without: a pair is
        refused where both say so.

    Raises
    ------
    ContentRefusedError
        `WRONG_MODALITY`.
    """
    rim = 2 * np.rint(_RIM_MM / dwi.spacing_mm[::-1]).astype(int) + 1
    known = (dwi.array > 0) & (adc > 0)
    parts = [part & known for part in (ndimage.maximum_filter(brain, tuple(rim)), brain)]
    if min(map(np.count_nonzero, parts)) < _MIN_VOXELS:
        return
    readings = [_of_fluid(dwi.array[part], adc[part]) for part in parts]
    signal_of_fluid, ratio = np.min(readings, axis=0)
    if ratio > EXCHANGED_RATIO:
        message = (
            "expected fluid that is dark in the DWI and bright in the ADC map, got the reverse; "
            "the two seem exchanged"
        )
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, message)
    if signal_of_fluid > MAX_SIGNAL_OF_FLUID:
        message = (
            "expected a DWI that is dark where the ADC map is brightest, got one that is "
            f"{signal_of_fluid:.1f} times as bright as the rest; one of the two is something else"
        )
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, message)


def rough_brain(volume: Volume) -> NDArray[np.bool_]:
    """Return a rough mask of the brain with its fluid, from a DWI alone, on the grid of the volume."""
    factors = shrink_factors(volume, _SPACING_MM)
    return expand(_head(_coarse(volume)), factors, volume).array


def _refuse_labels(array: NDArray[Any]) -> None:
    """Refuse few values in large patches; low signal has few values as well, but none of the patches."""
    values = np.unique(array)
    if len(values) > _MAX_LABELS:
        return
    flat = []
    for axis in range(3):
        one, two = (np.moveaxis(array, axis, 0)[part] for part in (slice(1, None), slice(None, -1)))
        shown = one != values[0]
        flat.append(np.count_nonzero((one == two) & shown) / max(np.count_nonzero(shown), 1))
    if max(flat) > _MIN_FLATNESS:
        message = (
            f"expected a diffusion-weighted image, got {len(values)} values in patches: labels"
        )
        raise ContentRefusedError(ErrorCode.IMPLAUSIBLE_UNITS, message)


def _refuse_ct(volume: Volume) -> None:
    array = volume.array
    has_air = np.count_nonzero(array < _AIR_HU) > _MIN_AIR_FRACTION * array.size
    if has_air or _has_bone(volume):
        message = (
            f"expected a diffusion-weighted image, got values from {array.min():g} to "
            f"{array.max():g} as in CT"
        )
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, message)


def _has_bone(volume: Volume) -> bool:
    """Return whether this is CT without negative values: clipped at 0, or with an offset.

    A DWI whose noise is as bright as brain is on CT is told from it by what is brighter still: bone is a shell.
    """
    try:
        hounsfield, _ = to_hounsfield(volume)
    except ContentRefusedError:
        return False
    bone = np.count_nonzero(hounsfield.array > _BONE_HU)
    return bone > _MIN_BONE_FRACTION * hounsfield.array.size and _is_thin(hounsfield)


def _is_thin(hounsfield: Volume) -> bool:
    """Return whether hardly anything that is denser than brain lies deeper than bone is thick."""
    coarse = _coarse(canonicalize(hounsfield).volume)
    dense = coarse.array > _DENSER_THAN_BRAIN_HU
    depth_mm = ndimage.distance_transform_edt(dense, sampling=coarse.spacing_mm[::-1])
    return np.count_nonzero(depth_mm > _BONE_DEPTH_MM) <= _MAX_DEEP_SHARE * np.count_nonzero(dense)


def _saturation_note(array: NDArray[Any]) -> tuple[ScanNote, ...]:
    is_8_bit = array.min() >= 0 and array.max() == _LARGEST_8_BIT
    if (
        not is_8_bit
        or np.count_nonzero(array == _LARGEST_8_BIT) <= _SATURATED_FRACTION * array.size
    ):
        return ()
    message = "the DWI looks like an 8-bit picture whose brightest signal was cut off at 255"
    return (ScanNote(NoteCode.SIGNAL_CUT_OFF, message),)


def _adc_note(coarse: Volume) -> tuple[ScanNote, ...]:
    """Refuse an ADC map by size and fluid; where signal may be as large, only say so."""
    positive = coarse.array[coarse.array > 0]
    if len(positive) < _MIN_VOXELS:
        return ()
    # Low enough for tissue beside fluid in ADC, and for all but fluid in DWI.
    head = _head(coarse, _FAINT * float(np.percentile(positive, 99.0)))
    values = coarse.array[head & (coarse.array > 0)]
    if len(values) < _MIN_VOXELS or head.sum() * coarse.voxel_volume_ml > _MAX_HEAD_ML:
        return ()  # too small, or noise around the head
    low, median, high = np.percentile(values, [_BRIGHT_PERCENT, 50.0, 100.0 - _BRIGHT_PERCENT])
    has_median = any(lowest <= median <= highest for lowest, highest in _ADC_MEDIANS)
    skew = float(np.log(high / median) + np.log(low / median))
    if not has_median or skew < _MIN_SKEW or _laterality(coarse, head, high) > _MAX_LATERALITY:
        return ()
    message = f"fluid is bright and the median is {median:.3g}, as in an ADC map or in b = 0"
    if median < _WHOLE_UNIT:
        refusal = f"expected a diffusion-weighted image, got one in which {message}"
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, refusal)
    return (ScanNote(NoteCode.LOOKS_UNLIKE_DWI, f"in what was given as DWI {message}"),)


def _laterality(coarse: Volume, head: NDArray[np.bool_], threshold: float) -> float:
    """Return by how much one side has more of the bright voxels: infarcts have a side, fluid has none."""
    middle = float(np.median(np.nonzero(head)[2]))
    columns = np.nonzero(head & (coarse.array >= threshold))[2]
    right, left = np.count_nonzero(columns > middle), np.count_nonzero(columns < middle)
    return abs(right - left) / max(right + left, 1)


def _of_fluid(signal: NDArray[np.floating], diffusion: NDArray[np.floating]) -> tuple[float, float]:
    """Return the signal where the ADC is highest, and that over the ADC where the signal is brightest."""
    signal_of_fluid = _where_bright(signal, diffusion)
    return signal_of_fluid, signal_of_fluid / _where_bright(diffusion, signal)


def _where_bright(image: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return the median of one image where another is brightest, relative to tissue."""
    bright = other >= np.percentile(other, 100.0 - _BRIGHT_PERCENT)
    return float(np.median(image[bright]) / np.percentile(image, _TISSUE_PERCENTILE))


def _coarse(volume: Volume) -> Volume:
    """Average to voxels of about 4 mm; negative values, which are noise, count as 0."""
    positive = volume.with_array(np.maximum(volume.array, 0))
    return shrink(positive, shrink_factors(volume, _SPACING_MM))


def _head(coarse: Volume, threshold: float | None = None) -> NDArray[np.bool_]:
    """Return the largest bright part of an image, gaps up to twice `_CLOSING_MM` wide filled."""
    bright = coarse.array > (_otsu(coarse.array) if threshold is None else threshold)
    radii = np.maximum(np.rint(_CLOSING_MM / coarse.spacing_mm[::-1]).astype(int), 1)
    offsets = np.indices(2 * radii + 1) - radii.reshape(3, 1, 1, 1)
    ball = ((offsets / radii.reshape(3, 1, 1, 1)) ** 2).sum(axis=0) <= 1.0
    padded = np.pad(bright, [(radius, radius) for radius in radii])
    closed = ndimage.binary_closing(padded, ball)
    inner = closed[tuple(slice(radius, -radius) for radius in radii)]
    labels, count = ndimage.label(ndimage.binary_fill_holes(inner))
    if not count:
        return np.zeros(coarse.array.shape, bool)
    return labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))


def _head_of_pair(first: Volume, second: Volume) -> NDArray[np.bool_]:
    """Return the smaller head of two images on one grid that is no smaller than a brain.

    Noise around the head makes one of them too large, and of an ADC map without noise only the fluid may be found;
    neither order of the two is preferred.
    """
    smaller, larger = sorted((_head(first), _head(second)), key=np.count_nonzero)
    holds_brain = np.count_nonzero(smaller) * first.voxel_volume_ml >= _MIN_HEAD_ML
    return smaller if holds_brain else larger


def _otsu(array: NDArray[np.floating]) -> float:
    """Return the threshold that parts bright from dark best (Otsu, IEEE Trans SMC 1979;9:62-6)."""
    positive = array[array > 0]
    if not len(positive):
        return 0.0
    values = np.minimum(positive, np.percentile(positive, 99.0))
    counts, edges = np.histogram(values, _OTSU_BINS)
    centres = (edges[:-1] + edges[1:]) / 2.0
    below = np.cumsum(counts)
    total, sums = below[-1], np.cumsum(counts * centres)
    between = (sums[-1] * below / total - sums) ** 2 / np.maximum(below * (total - below), 1)
    return float(centres[int(np.argmax(between))])
