"""Hounsfield units: recognised from the voxels, because headers lose them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.notes import NoteCode, ScanNote

AIR_HU = -1024
"""Lowest value of a CT; what lies below is padding outside the field of view."""

BRAIN_PEAK_HU = (15, 70)
"""Where the commonest soft tissue of a head lies: white matter near 27, grey 37, muscle 55."""

COMMON_OFFSETS = (1024, 1000)
"""What stored values exceed HU by, where the rescale intercept was lost."""

LOWEST_1024_PEAK_HU = 18
"""Below this peak an offset of 1024 is less likely than one of 1000, which is rare."""

BRAIN_WIDTH_HU = 30
"""Grey matter, white matter and noise lie this close to the peak; in MR they spread far more."""

_NEIGHBOURHOOD_HU = 150
_MIN_NARROWNESS = 0.6  # 0.88 to 0.99 in CT, 0.22 to 0.47 in MR whose peak lies anywhere
_MIN_AIR_FRACTION = 0.01
_AIR_BELOW_HU = -200
_BONE_ABOVE_PEAK_HU = 250
_MIN_BONE_FRACTION = 0.005  # 4 to 8 % of a scan that shows the skull
_MIN_BACKGROUND_FRACTION = 0.2  # brain without skull, or a whole head clipped at 0 HU
_MIN_SPAN = 40  # fewer different values are labels, or a CT that was scaled
_LARGEST_8_BIT = 255
_SATURATED_FRACTION = 0.003
_RANGE = (-4096, 8191)  # of the histogram; beyond lie padding and metal
_SMOOTHING_HU = 9
_SEARCH_ABOVE_HU = -300  # fat is at -100, lung and padding below


def to_hounsfield(volume: Volume) -> tuple[Volume, tuple[ScanNote, ...]]:
    """Bring a head CT to Hounsfield units, or refuse what is no CT.

    The commonest tissue in the middle of the scan is brain. Where it lies tells units from units
    with an offset; how narrow its peak is, and whether there is air, bone or an empty background,
    tells CT from MR. MR without a skull whose values happen to be those of brain on CT passes.

    Parameters
    ----------
    volume
        Voxels in whatever units; HU clipped at 0 and scans without skull are fine as they are.

    Returns
    -------
    volume
        Voxels in HU, at least -1024, in a signed type; the volume itself if nothing had to change.
    notes
        What was changed.

    Raises
    ------
    ContentRefusedError
        `WRONG_MODALITY` if the voxels are not those of CT, `IMPLAUSIBLE_UNITS` if they may be but
        were scaled, windowed or are labels.
    """
    evidence = _gather(volume.array)
    offset = _offset(evidence)
    if offset is None or not _is_ct(evidence, offset):
        raise _refusal(evidence)
    if not offset and evidence.lowest >= AIR_HU:
        return volume, ()
    notes = (_offset_note(offset),) if offset else ()
    if evidence.lowest - offset < AIR_HU:
        notes += (_padding_note(evidence.lowest - offset),)
    signed = volume.array.astype(np.result_type(volume.array.dtype, np.int16), copy=False)
    return volume.with_array(np.maximum(signed, AIR_HU + offset) - offset), notes


@dataclass(frozen=True)
class _Evidence:
    """What the voxels of a scan say about its units.

    Parameters
    ----------
    lowest, highest
        Range of the whole scan.
    span
        Number of different whole values in the middle of the scan.
    peak
        Commonest value of soft tissue in the middle of the scan.
    narrowness
        Of the values within 150 of the peak, the fraction within 30.
    air, background, bone, saturated
        Fractions of the whole scan below -200, at 0, over 250 above the peak, and at 255.
    """

    lowest: float
    highest: float
    span: int
    peak: int
    narrowness: float
    air: float
    background: float
    bone: float
    saturated: float


def _gather(array: NDArray[Any]) -> _Evidence:
    # Half of the extent along each axis, the same for mirrored and reordered copies.
    middle = array[tuple(slice(length // 4, length - length // 4) for length in array.shape)]
    counts = _histogram(middle)
    peak = _peak(counts)

    def fraction(mask: NDArray[np.bool_]) -> float:
        return np.count_nonzero(mask) / mask.size

    return _Evidence(
        lowest=float(array.min()),
        highest=float(array.max()),
        span=int(np.count_nonzero(counts)),
        peak=peak,
        narrowness=_within(counts, peak, BRAIN_WIDTH_HU) / _within(counts, peak, _NEIGHBOURHOOD_HU),
        air=fraction(array < _AIR_BELOW_HU),
        background=fraction(array == 0),
        bone=fraction(array > peak + _BONE_ABOVE_PEAK_HU),
        saturated=fraction(array == _LARGEST_8_BIT),
    )


def _histogram(array: NDArray[Any]) -> NDArray[np.float64]:
    """Count whole values; the lowest, 0 and what is out of range are background and left out."""
    values = np.clip(np.rint(array), *_RANGE).astype(np.int64).ravel() - _RANGE[0]
    counts = np.bincount(values, minlength=_RANGE[1] - _RANGE[0] + 1).astype(float)
    counts[[values.min(), -_RANGE[0], -1]] = 0.0
    return counts


def _peak(counts: NDArray[np.float64]) -> int:
    smooth = np.convolve(counts, np.ones(_SMOOTHING_HU), mode="same")
    first = _SEARCH_ABOVE_HU - _RANGE[0]
    return int(np.argmax(smooth[first:])) + _SEARCH_ABOVE_HU


def _within(counts: NDArray[np.float64], peak: int, distance: int) -> float:
    centre = peak - _RANGE[0]
    return max(float(counts[max(centre - distance, 0) : centre + distance + 1].sum()), 1.0)


def _offset(evidence: _Evidence) -> int | None:
    """Return what has to be subtracted to have the peak where brain lies; None if nothing does."""
    lowest, highest = BRAIN_PEAK_HU
    if lowest <= evidence.peak <= highest:
        return 0
    usual, rare = COMMON_OFFSETS
    if LOWEST_1024_PEAK_HU <= evidence.peak - usual <= highest:
        return usual
    return rare if lowest <= evidence.peak - rare <= highest else None


def _is_ct(evidence: _Evidence, offset: int) -> bool:
    is_8_bit = evidence.lowest >= 0 and evidence.highest == _LARGEST_8_BIT
    if evidence.span < _MIN_SPAN or (is_8_bit and evidence.saturated > _SATURATED_FRACTION):
        return False
    if not offset and evidence.air > _MIN_AIR_FRACTION:
        return True  # MR has no negative values; noise of sharp kernels may then be wide
    has_skull = evidence.bone > _MIN_BONE_FRACTION
    has_empty_background = evidence.background > _MIN_BACKGROUND_FRACTION
    return evidence.narrowness > _MIN_NARROWNESS and (has_skull or has_empty_background)


def _refusal(evidence: _Evidence) -> ContentRefusedError:
    if evidence.highest < _AIR_BELOW_HU:
        message = f"expected a head, got only air: nothing is denser than {evidence.highest:g} HU"
        return ContentRefusedError(ErrorCode.NO_BRAIN, message)
    got = (
        f"got values from {evidence.lowest:g} to {evidence.highest:g} "
        f"with most tissue near {evidence.peak}"
    )
    is_8_bit = evidence.lowest >= 0 and evidence.highest <= _LARGEST_8_BIT
    if evidence.span < _MIN_SPAN or is_8_bit or evidence.air > _MIN_AIR_FRACTION:
        message = f"expected a head CT in Hounsfield units, {got}: scaled, windowed or labels"
        return ContentRefusedError(ErrorCode.IMPLAUSIBLE_UNITS, message)
    message = f"expected a head CT in Hounsfield units, {got}: not a CT"
    return ContentRefusedError(ErrorCode.WRONG_MODALITY, message)


def _offset_note(offset: int) -> ScanNote:
    message = f"stored values were {offset} above Hounsfield units; this was subtracted"
    return ScanNote(NoteCode.HU_OFFSET_REMOVED, message)


def _padding_note(lowest: float) -> ScanNote:
    message = f"padding as low as {lowest:g} outside the field of view was set to {AIR_HU} HU"
    return ScanNote(NoteCode.PADDING_CLIPPED, message)
