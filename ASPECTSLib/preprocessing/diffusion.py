"""Diffusion made ready to be segmented: the weighted image and its ADC map on one grid, in one unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.bvalues import STROKE_B_VALUE, is_stroke_weighting
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.notes import NoteCode, ScanNote
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.preprocessing.diffusion_content import (
    check_diffusion,
    refuse_unlike_pair,
    rough_brain,
)
from ASPECTSLib.preprocessing.grids import place_on

__all__ = [
    "Diffusion",
    "check_diffusion",
    "mono_exponential_adc",
    "peak_adc",
    "prepare_diffusion",
    "rough_brain",
]

MAX_ADC = 4000.0
"""Above is noise, 1e-6 mm2/s: free water at 37 degrees has 3000 (Holz et al., Phys Chem Chem Phys 2000;2:4740-2)."""

BRAIN_MEDIAN_ADC = (400.0, 2000.0)
"""Of a whole brain with its fluid, 1e-6 mm2/s; whatever lies elsewhere is another unit or no ADC.

Tissue has 700 to 850 and infarcts 400 to 600; with the fluid of an atrophic brain in thick slices the median of
a mask rises to 1300, in newborns to 1400. The three units are a factor of 1000 apart, so that these limits may be wide.
Source: Sener, Comput Med Imaging Graph 2001;25:299-326; for newborns Neil et al., Radiology 1998;209:57-66.
"""

TISSUE_PEAK_ADC = 790.0
"""Commonest ADC of a brain, 1e-6 mm2/s: 775 in a public case, 775 to 825 in eight synthetic ones of 4 mm slices.

Grey and white matter hardly differ (Sener, as above), and infarcts are never most of a brain.
"""

USUAL_PEAK_ADC = (600.0, 1000.0)
"""A peak outside of this is noted: fixed thresholds of the ADC are then not to be relied on."""

ASSUMED_B_TOLERANCE = 0.2
"""Share by which the peak may be off before an unknown b-value is estimated from it rather than taken for 1000."""

ADC_FACTORS = {"mm2/s": 1e6, "1e-3 mm2/s": 1e3, "1e-6 mm2/s": 1.0}
"""What brings the units that ADC maps are written in to 1e-6 mm2/s."""

MIN_KNOWN_FRACTION = 0.5
"""Share of the brain that an ADC map has to show to be of use."""

NOTED_UNKNOWN_FRACTION = 0.01
"""Single voxels without ADC are common at the edge of the brain; more than this is said."""

_PEAK_BINS = 160  # of 25 each
_PEAK_SMOOTHING = 13  # bins of a triangle, whose maximum a flat peak has in its middle
# 3.3 and 3.4 between the peaks of two atrophic synthetic brains; b-values that are wrong scale both alike.
_FLUID_OVER_TISSUE = (4.6, 2.6)
_LEAST_TISSUE_PEAK = 0.25  # of that of fluid


@dataclass(frozen=True, eq=False)
class Diffusion:
    """Diffusion-weighted image and ADC map on one grid.

    Parameters
    ----------
    dwi
        float32, finite, at least 0, in arbitrary units.
    adc
        float32, 1e-6 mm2/s, 0 to `MAX_ADC`; 0 is unknown. None if there is none.
    derived
        Whether the ADC was computed from the image without weighting.
    notes
        What was changed or assumed.
    """

    dwi: Volume
    adc: Volume | None
    derived: bool = False
    notes: tuple[ScanNote, ...] = ()


def prepare_diffusion(scan: Scan, brain: NDArray[np.bool_] | None = None) -> Diffusion:
    """Bring the ADC of a diffusion study to 1e-6 mm2/s and to the grid of its weighted image.

    An ADC map that was given is preferred. Where there is none, it is computed from the image
    without weighting, with one exponential; a b-value that nothing states is taken for 1000 s/mm2, or
    estimated from the ADC of healthy tissue where 1000 would give that one far from usual.

    Parameters
    ----------
    scan
        Of `read_diffusion`.
    brain
        Mask on the grid of the scan, shape (k, j, i); may be rough, and holds the fluid as well.
        Estimated from the image when left out.

    Returns
    -------
    Diffusion
        On the grid of the scan, in the order of its axes.

    Raises
    ------
    ContentRefusedError
        `IMPLAUSIBLE_UNITS` if the median of the brain fits no unit of ADC, or if no ADC can come of
        the image without weighting; `WRONG_MODALITY` if DWI and ADC seem exchanged;
        `PARTIAL_COVERAGE` if less than half of the brain has an ADC; `NO_BRAIN` if the mask is empty.
    """
    dwi = scan.volume.with_array(np.maximum(scan.volume.array, 0).astype(np.float32))
    inside = rough_brain(dwi) if brain is None else brain
    given, b0 = scan.companions.get(Modality.ADC), scan.companions.get(Modality.B0)
    if not inside.any():
        message = "expected a brain to know the unit of the ADC by, got an empty mask"
        raise ContentRefusedError(ErrorCode.NO_BRAIN, message)
    if given is not None:
        adc, notes = _given_adc(given, dwi, inside)
    elif b0 is not None:
        adc, notes = _derived_adc(b0, dwi, inside, scan.b_value)
    else:
        return Diffusion(dwi, None)
    notes += _unknown_note(adc, inside) + _unusual_note(peak_adc(adc, inside))
    return Diffusion(dwi, dwi.with_array(adc), derived=given is None, notes=notes)


def mono_exponential_adc(
    b0: NDArray[np.floating], weighted: NDArray[np.floating], b_value: float
) -> NDArray[np.float32]:
    """Return the apparent diffusion coefficient, 1e-6 mm2/s, 0 to `MAX_ADC`; 0 where it is unknown.

    Source: Le Bihan et al., Radiology 1986;161:401-7, doi:10.1148/radiology.161.2.3763909.

    Parameters
    ----------
    b0, weighted
        Signal without and with diffusion weighting, of one shape; not a number where unknown.
    b_value
        Of the weighted signal, s/mm2.
    """
    has_signal = (b0 > 0) & (weighted > 0)
    ratio = np.divide(b0, weighted, out=np.ones(b0.shape, np.float32), where=has_signal)
    return np.clip(np.log(ratio) * np.float32(1e6 / b_value), 0.0, MAX_ADC).astype(np.float32)


def peak_adc(adc: NDArray[np.floating], brain: NDArray[np.bool_]) -> float:
    """Return the commonest ADC of a brain, 1e-6 mm2/s, which is that of healthy tissue; 0 if none is known.

    Parameters
    ----------
    adc
        1e-6 mm2/s, 0 where unknown, shape (k, j, i).
    brain
        Mask of that shape; unlike the median, the peak does not depend on how much fluid it holds. In an atrophic brain
        fluid may be the commonest: that tissue has a peak of its own below tells it.
    """
    known = adc[brain & (adc > 0)]
    if not len(known):
        return 0.0
    counts, edges = np.histogram(known, _PEAK_BINS, (0.0, MAX_ADC))
    smooth = np.convolve(counts, np.bartlett(_PEAK_SMOOTHING), mode="same")
    highest = int(np.argmax(smooth))
    low, high = (np.searchsorted(edges, edges[highest] / ratio) for ratio in _FLUID_OVER_TISSUE)
    below = smooth[low:high]
    if len(below) and below.max() > _LEAST_TISSUE_PEAK * smooth[highest]:
        highest = int(low + np.argmax(below))
    return float((edges[highest] + edges[highest + 1]) / 2.0)


def _given_adc(
    given: Volume, dwi: Volume, brain: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], tuple[ScanNote, ...]]:
    placed, notes = place_on(given, dwi, "ADC map")
    raw = placed.array
    refuse_unlike_pair(dwi, raw, brain)
    known = brain & (raw > 0)
    share = _share(known, brain)
    if share < MIN_KNOWN_FRACTION:
        message = f"expected an ADC map of the whole brain, got values in {100 * share:.0f} % of it"
        raise ContentRefusedError(ErrorCode.PARTIAL_COVERAGE, message)
    unit = _unit_of(float(np.median(raw[known])))
    factor = np.float32(ADC_FACTORS[unit])
    # Comparisons with what is not a number are false: it becomes 0, as negative values do.
    adc = np.where(raw > 0, np.minimum(raw * factor, np.float32(MAX_ADC)), np.float32(0.0))
    if factor != 1.0:
        message = f"the ADC map was taken to be in {unit}, from the median of the brain"
        notes += (ScanNote(NoteCode.ADC_CONVERTED, message),)
    return adc.astype(np.float32), notes


def _unit_of(median: float) -> str:
    lowest, highest = BRAIN_MEDIAN_ADC
    for unit, factor in ADC_FACTORS.items():
        if lowest <= median * factor <= highest:
            return unit
    message = (
        f"expected an ADC map whose median in the brain is near 0.0008 mm2/s, 0.8 (1e-3 mm2/s) "
        f"or 800 (1e-6 mm2/s), got {median:.4g}"
    )
    raise ContentRefusedError(ErrorCode.IMPLAUSIBLE_UNITS, message)


def _derived_adc(
    b0: Volume, dwi: Volume, brain: NDArray[np.bool_], b_value: float | None
) -> tuple[NDArray[np.float32], tuple[ScanNote, ...]]:
    """Compute the ADC; a b0 that gives none is refused: one of the two images is not what it is said to be."""
    placed, notes = place_on(b0, dwi, "image without diffusion weighting")
    adc = mono_exponential_adc(placed.array, dwi.array, b_value or STROKE_B_VALUE)
    known = brain & (adc > 0)
    lowest, highest = BRAIN_MEDIAN_ADC
    median = float(np.median(adc[known])) if known.any() else 0.0
    if _share(known, brain) < MIN_KNOWN_FRACTION or not lowest <= median <= highest:
        raise _not_b0(placed.array, dwi.array, brain, median)
    if b_value is None:
        b_value, note = _likely_b_value(peak_adc(adc, brain))
        adc = mono_exponential_adc(placed.array, dwi.array, b_value)
        notes += (note,)
    message = f"the ADC was computed from b = 0 and b = {b_value:.0f} s/mm2"
    return adc, (*notes, ScanNote(NoteCode.ADC_DERIVED, message))


def _likely_b_value(peak: float) -> tuple[float, ScanNote]:
    """Return 1000 s/mm2, or what gives tissue its usual ADC where 1000 gives it one far off.

    Parameters
    ----------
    peak
        Commonest ADC of the brain at 1000 s/mm2.
    """
    estimate = STROKE_B_VALUE * peak / TISSUE_PEAK_ADC
    is_near = abs(estimate / STROKE_B_VALUE - 1.0) <= ASSUMED_B_TOLERANCE
    if is_near or not is_stroke_weighting(estimate):
        message = f"no b-value is stated; {STROKE_B_VALUE:.0f} s/mm2 was assumed"
        return STROKE_B_VALUE, ScanNote(NoteCode.B_VALUE_ASSUMED, message)
    message = (
        f"no b-value is stated, and {STROKE_B_VALUE:.0f} s/mm2 would give healthy tissue an ADC of "
        f"{peak:.0f}; {estimate:.0f} s/mm2 was taken, which gives it {TISSUE_PEAK_ADC:.0f}"
    )
    return estimate, ScanNote(NoteCode.B_VALUE_ESTIMATED, message)


def _not_b0(
    b0: NDArray[np.float32], dwi: NDArray[np.float32], brain: NDArray[np.bool_], median: float
) -> ContentRefusedError:
    shown = brain & (b0 > 0) & (dwi > 0)
    if shown.any() and np.median(b0[shown]) < np.median(dwi[shown]):
        message = (
            "expected an image without diffusion weighting that is brighter than the DWI, got a "
            "darker one; they seem exchanged, or it is none"
        )
        return ContentRefusedError(ErrorCode.WRONG_MODALITY, message)
    message = (
        f"expected b0 and DWI of one acquisition, whose ADC is near 800 (1e-6 mm2/s) in the brain, "
        f"got {median:.0f}; give the ADC map, or the DWI alone"
    )
    return ContentRefusedError(ErrorCode.IMPLAUSIBLE_UNITS, message)


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    return np.count_nonzero(part) / np.count_nonzero(whole)


def _unknown_note(adc: NDArray[np.float32], brain: NDArray[np.bool_]) -> tuple[ScanNote, ...]:
    unknown = brain & ~(adc > 0)
    share = _share(unknown, brain)
    if share <= NOTED_UNKNOWN_FRACTION:
        return ()
    message = (
        f"{np.count_nonzero(unknown)} voxels ({100 * share:.1f} %) of the brain have no ADC: "
        "negative, not a number, or outside of the map"
    )
    return (ScanNote(NoteCode.ADC_UNKNOWN_VOXELS, message),)


def _unusual_note(peak: float) -> tuple[ScanNote, ...]:
    lowest, highest = USUAL_PEAK_ADC
    if lowest <= peak <= highest:
        return ()
    message = (
        f"the commonest ADC of the brain is {peak:.0f}, usual are {lowest:.0f} to {highest:.0f}: "
        "volumes below a fixed ADC are not to be relied on"
    )
    return (ScanNote(NoteCode.ADC_UNUSUAL, message),)
